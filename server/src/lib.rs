//! A Ringhold node as a library; the `ringhold` program is a thin caller of it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use ringhold_server::embedded::Write;
//! use ringhold_server::{Config, Node};
//!
//! let node = Node::start(Config::default()).await?;
//! node.objects().put("greeting", "hello", Write::default()).await?;
//! # Ok(()) }
//! ```
//!
//! A request's way: [`http`] (or the receiving side of [`peer`]) -> [`routing`] -> [`owner`] -> [`store`], or one
//! forward through [`peer`]. No step looks back. [`node`] puts the parts together.

pub mod cli;
pub mod clock;
pub mod core;
pub mod embedded;
pub mod http;
pub mod membership;
pub mod node;
pub mod object;
pub mod owner;
pub mod patch;
pub mod peer;
pub mod routing;
pub mod security;
pub mod status;
pub mod store;
pub mod sweep;
pub mod telemetry;

pub use node::{Node, StartError};
pub use ringhold_config::Config;
