//! Talking to members: the framed stream, its messages, probes.
//!
//! [`Peers`] is the asking side ([`Network`]), [`serve`] the answering one ([`Handler`]); a stream carries requests one way only. Nothing here
//! decides where a request belongs, and nothing here is HTTP but the way in (`dial`) and the way to members that
//! do not know the stream (`plain_http`). Invariant: [`PeerError::NotSent`] means that nothing was executed.
//!
//! - `network`: the words. What the rest of the node speaks; a simulation carries them otherwise.
//! - `frame`, `message`, `conditions`, `reply`, `ask`, `told`, `heartbeat`, `hello`: the format, as pure functions; `proto-docs/member-stream.md` is its page.
//! - `connect`, `channel`: TCP or TLS. `handshake`, `secrets`, `macs`: how members know each other, from `security`.
//! - `outbox`, `batch`: what is to be written, small frames before pieces of large values. `body`: what is being put together.
//! - `connection`: the asking end of a stream. `serve`, `answers`: the answering end.
//! - `dial`, `pool`: opening streams, keeping them, reopening them.

mod answers;
pub mod ask;
mod batch;
mod body;
mod channel;
mod conditions;
mod connect;
mod connection;
mod dial;
pub mod frame;
mod handshake;
pub mod heartbeat;
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
pub mod told;

pub use channel::{Channel, Exported};
pub use connect::{Connect, Connected, Connecting, MemberStream, Tcp, TlsConnect};
pub use dial::{PATH, PROTOCOL, wants_stream};
pub use handshake::HandshakeError;
pub use hello::{Challenge, Hello, MIN_ASSEMBLY_BYTES};
pub use identity::{ClusterNameError, Identity};
pub use network::{Handler, Network};
pub use pool::{PeerError, Peers};
pub use ringhold_ring::MemberState;
pub use serve::{ServeError, serve};
