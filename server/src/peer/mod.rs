//! Talking to members: the framed stream, its messages, probes.
//!
//! [`Peers`] is the asking side, [`serve`] the answering one; a stream carries requests one way only. Nothing here
//! decides where a request belongs, and nothing here is HTTP but the way in (`dial`) and the way to members that
//! do not know the stream (`plain_http`). Invariant: [`PeerError::NotSent`] means that nothing was executed.
//!
//! - `frame`, `message`, `conditions`, `reply`, `hello`: the format, as pure functions; `proto-docs/member-stream.md` is its page.
//! - `connect`, `channel`: TCP or TLS. `handshake`, `secrets`, `macs`: how members know each other, from `security`.
//! - `outbox`, `batch`: what is to be written, small frames before pieces of large values. `body`: what is being put together.
//! - `connection`: the asking end of a stream. `serve`: the answering end.
//! - `dial`, `pool`: opening streams, keeping them, reopening them.

mod batch;
mod body;
mod channel;
mod conditions;
mod connect;
mod connection;
mod dial;
pub mod frame;
mod handshake;
mod hello;
mod identity;
mod macs;
pub mod message;
pub mod network;
mod outbox;
mod plain_http;
mod pool;
pub mod reply;
mod secrets;
mod serve;
#[cfg(test)]
mod tests;

pub use channel::{Channel, Exported};
pub use connect::{Connect, Connected, Connecting, MemberStream, Tcp, TlsConnect};
pub use dial::{PATH, PROTOCOL, wants_stream};
pub use handshake::HandshakeError;
pub use hello::{Challenge, Hello};
pub use identity::{ClusterNameError, Identity, MemberState, ProbeAnswer};
pub use pool::{PeerError, Peers};
pub use serve::{Handler, Request, ServeError, serve};
