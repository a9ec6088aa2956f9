//! Async client of a Ringhold ring: every object operation, against a list of nodes.
//!
//! ```no_run
//! use ringhold_client::{Client, Condition, Counter, Error, PutOptions};
//! use ringhold_ring::Ttl;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let ring = Client::new(["127.0.0.1:9999", "10.0.0.2:9999"])?;
//!
//! ring.put("greeting", "hello").await?;
//! let object = ring.get("greeting").await?.ok_or("it was just stored")?;
//! assert_eq!(object.value, "hello");
//!
//! // Only if nobody has written in between, and only for a minute.
//! let options = PutOptions::default()
//!     .content_type("text/plain")
//!     .ttl(Ttl::from_seconds(60)?)
//!     .condition(Condition::IfMatch(object.info.etag));
//! match ring.put_with("greeting", "good day", &options).await {
//!     Ok(stored) => println!("now {}", stored.etag),
//!     Err(Error::PreconditionFailed(problem)) => println!("somebody was faster: {problem}"),
//!     Err(error) => return Err(error.into()),
//! }
//!
//! // Atomic on the ring, whoever else counts.
//! let visits: i64 = ring.patch("visits", &Counter::add(1).floor(0)).await?;
//! println!("visit {visits}");
//! # Ok(())
//! # }
//! ```
//!
//! # Which node is asked
//! The first configured node, as long as it works: that should be the sidecar of the same machine. When it cannot be
//! reached or says that it is not ready, the next is asked, each node at most once and all within one timeout; the node
//! that failed is asked last for a short time.
//!
//! When an answer is lost, the request is repeated on the next node. A read and an unconditional write may run twice; a
//! PATCH and a write under a [`Condition`] must not, so each carries an [`IdempotencyKey`], a random one unless its options
//! name one, by which the ring recognises the repeat: it answers with the object as it is and runs nothing. A write that
//! no node answered ends with [`Error::OutcomeUnknown`]; a program that wants to repeat a patch even then gives it a key of
//! its own, and has five minutes.
//!
//! # TLS
//! [`ClientBuilder::tls`] takes a [`TlsConfig`]: PEM files, or a ready [`rustls::ClientConfig`]. Then every node is
//! reached over TLS, and a node whose certificate is not trusted is not sent a byte of the request.
//!
//! # Large values
//! [`Client::get`] holds at most [`ClientBuilder::max_object_bytes`]; [`Client::get_stream`] and [`Value::reader`] move
//! values of any size in little memory.
//!
//! # Parts
//! [`Client`] has the operations; a fail-over asks nodes in order through a transport, which alone knows HTTP.
//! Patches are types ([`Counter`], [`SetPatch`], ...) that know their document and their answer.

mod bearer;
mod builder;
mod call;
mod client;
mod condition;
mod error;
mod failover;
mod idempotency;
mod node;
mod object;
mod patch;
mod payload;
mod reports;
mod stream;
mod tls;
mod transport;

pub use builder::{BuildError, ClientBuilder};
pub use client::{Client, DeleteOptions, GetOptions, PutOptions};
pub use condition::{Condition, EntityTag, EntityTagError};
pub use error::{Attempt, Error, Problem};
pub use idempotency::{IdempotencyKey, IdempotencyKeyError};
pub use node::{NodeUrl, NodeUrlError};
pub use object::{ByteRange, Changed, Object, ObjectInfo, Served, Stored};
pub use patch::{
    Append, Counter, JsonPatch, MergePatch, Patch, PatchOperation, PatchOptions, Patched, RateLimit,
    RateLimitAnswer, RateLimitPatch, RateLimitState, RawPatch, SetPatch, SetValue,
};
pub use payload::Value;
pub use reports::{
    Acting, ClusterReport, CopiesReport, HandoffReport, Location, MemberHealth, MemberReport, StoreReport,
};
pub use stream::ObjectStream;
pub use tls::{TlsConfig, TlsConfigBuilder, TlsConfigError};

/// The address of a member, the time to live of an object, the version behind an entity tag.
pub use ringhold_ring::{MemberAddress, Ttl, Version};
