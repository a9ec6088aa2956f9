//! Broken input for every parser that faces the network or a file.
//!
//! - [`targets`]: the parsers, each a function over bytes with the rules that it keeps.
//! - [`mutate`]: from samples to broken samples; seeded, so that every run can be repeated.
//! - [`drive`]: runs a target over many inputs, keeps what is interesting, and catches what breaks.
//! - [`spread`]: targets side by side, each in a process of its own.
//!
//! It knows nothing of coverage: an input is interesting when the target answers something new.

pub mod drive;
pub mod mutate;
pub mod spread;
pub mod targets;
