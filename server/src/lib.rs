//! A Ringhold node as a library.
pub mod clock;
pub mod security;
