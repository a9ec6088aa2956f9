//! The client against nodes that answer from a script.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod certificates;
mod failover;
mod operations;
mod refusals;
mod streams;
mod support;
mod tls;
