//! Whole rings as real processes: the harness that starts, kills and pauses them, and talks to them from outside.
//!
//! - [`Ring`]: some members on loopback addresses of their own, and everything done to them.
//! - [`Member`]: one process, its HTTP interface and its logs.
//! - [`Metrics`]: what a member tells Prometheus.
//! - [`RawConnection`]: bytes on a socket, for requests that no client library would send.
//! - [`Workshop`]: certificates, keystores and secrets, made with the tools that people use; [`curl`].
//! - [`faults`]: a ring on a network of its own, and everything that goes wrong there.
//! - [`Load`]: clients that ask without end, and what they complain of.
//! - [`wait_until`]: the only way to wait: for a condition, with a deadline.
//!
//! A ring that is dropped kills its processes; when a test has failed, it prints their logs first.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness fails a test by panicking"
)]

pub mod faults;

mod clock;
mod curl;
mod http;
mod load;
mod loopback;
mod member;
mod metrics;
mod program;
mod raw;
mod ring;
mod secure;
mod wait;
mod workshop;

pub use clock::Clock;
pub use curl::{Curled, curl, with_certificate};
pub use http::{Answer, Request, client};
pub use load::{Accepts, Caller, Counters, Load};
pub use loopback::host as loopback_address;
pub use member::{Location, Member};
pub use metrics::Metrics;
pub use program::binary;
pub use raw::{RawAnswer, RawConnection};
pub use ring::{Ring, RingBuilder, Way};
pub use secure::{assert_keeps_secrets, assert_outcasts_are_out, reload, rounds, wait_until_logged};
pub use wait::{wait_until, within};
pub use workshop::{KEY_PASSWORD, PASSWORD, Said, Workshop, written_beside};
