//! A Ringhold node as a library; the `ringhold` program is a thin caller of it.
//!
//! A request's way: [`http`] (or the receiving side of [`peer`]) -> [`routing`] -> [`owner`] -> [`store`], or one
//! forward through [`peer`]. No step looks back.

pub mod cli;
pub mod clock;
pub mod http;
pub mod object;
pub mod owner;
pub mod patch;
pub mod peer;
pub mod routing;
pub mod store;
