//! The first frames of a stream: who each side is, whether they belong together, and that both know the secret.
//!
//! The asking side sends `HELLO` first; the answering side replies with its own or with `CLOSE` and a reason. A
//! different ring id is no reason: rings differ while a new member list is being rolled out. With a shared secret two
//! `PROOF`s follow. Invariant: a side that has a secret takes nothing else before the other has proved to know it.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use ringhold_ring::MemberAddress;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Identity;
use super::channel::Channel;
use super::frame::{self, Kind, Violation, cut};
use super::hello::{Hello, VERSIONS};
use super::secrets::Secrets;
use crate::security::shared_secret::{NoRandomness, random};
use crate::security::stream::{FrameOpener, FrameSealer, Proof, ProofError, StreamKeys, Transcript};

const MAX_REASON_BYTES: usize = 512;

/// Why two sides did not come together.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The stream failed.
    #[error("the stream broke during the handshake: {0}")]
    Io(#[from] std::io::Error),
    /// It took too long.
    #[error("the handshake was not over within {} s", super::serve::HANDSHAKE_TIMEOUT.as_secs())]
    Timeout,
    /// What came was not the protocol.
    #[error("the other side does not keep to the protocol: {0}")]
    Violation(#[from] Violation),
    /// No common version.
    #[error("the other side speaks versions {} to {}, this side {} to {}", .0.0, .0.1, VERSIONS.0, VERSIONS.1)]
    Version((u8, u8)),
    /// Another cluster.
    #[error("the other side belongs to cluster \"{theirs}\", this side to \"{ours}\"")]
    Cluster {
        /// Its name there.
        theirs: String,
        /// Its name here.
        ours: String,
    },
    /// Somebody else lives at that address.
    #[error("the other side is member {0}, which is not who was asked for")]
    Member(MemberAddress),
    /// No secret there.
    #[error(
        "the other side offers no proof of the shared secret, which this side demands: set auth.shared_secret there too"
    )]
    NoProof,
    /// Another secret there.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// TLS does not reach from end to end.
    #[error(
        "one side sees TLS and the other does not: something between them ends it, so the proof of the shared \
         secret cannot be bound to it; let members reach each other without that"
    )]
    Channel,
    /// No challenge could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The other side said why.
    #[error("refused by the other side: {0}")]
    Refused(String),
}

/// Why a side ends a stream, as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum CloseCode {
    Version = 1,
    Cluster = 2,
    Member = 3,
    Malformed = 4,
    Unexpected = 5,
    OverLimit = 6,
    Idle = 7,
    Secret = 8,
}

impl From<&Violation> for CloseCode {
    fn from(violation: &Violation) -> Self {
        match violation {
            Violation::Malformed(_) => Self::Malformed,
            Violation::Unexpected(_) | Violation::UnknownKind(_) => Self::Unexpected,
            Violation::TooLong { .. } | Violation::OverLimit(_) => Self::OverLimit,
            Violation::Forged(_) => Self::Secret,
        }
    }
}

impl HandshakeError {
    /// Whether one side refused the other, rather than that the stream broke.
    pub(super) const fn is_refusal(&self) -> bool {
        !matches!(self, Self::Io(_) | Self::Timeout | Self::NoRandomness(_))
    }

    fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Io(_) | Self::NoRandomness(_) | Self::Refused(_) => None,
            Self::Timeout => Some(CloseCode::Idle),
            Self::Violation(violation) => Some(violation.into()),
            Self::Version(_) => Some(CloseCode::Version),
            Self::Cluster { .. } => Some(CloseCode::Cluster),
            Self::Member(_) => Some(CloseCode::Member),
            Self::NoProof | Self::Proof(_) | Self::Channel => Some(CloseCode::Secret),
        }
    }
}

/// Appends a `CLOSE` frame.
pub(super) fn put_close(to: &mut Vec<u8>, code: CloseCode, reason: &str) {
    frame::put(to, Kind::Close, 0, |payload| {
        let reason = cut(reason, MAX_REASON_BYTES);
        payload.extend_from_slice(&(code as u16).to_be_bytes());
        payload.extend_from_slice(reason.as_bytes());
    });
}

/// The reason in a `CLOSE`, in one line and without control characters: it goes to a log.
pub(super) fn close_reason(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
    let printable = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    printable.take(MAX_REASON_BYTES).collect()
}

/// What a handshake comes to.
#[derive(Debug)]
pub(super) struct Agreed {
    /// What the other side said.
    pub(super) remote: Hello,
    /// What protects every frame from here on; none over TLS or without a secret.
    pub(super) macs: Option<(FrameSealer, FrameOpener)>,
}

/// The asking side's part: says `HELLO` first. `buffer` holds what was read beyond the other's answer.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
    identity: &Identity,
    member: &MemberAddress,
    channel: &Channel,
) -> Result<Agreed, HandshakeError> {
    let own = Own::new(identity, channel)?;
    let asking = async {
        send(stream, Kind::Hello, &own.hello).await?;
        let theirs = receive(stream, buffer, Kind::Hello).await?;
        let remote = own.check(&theirs, Some(member))?;
        let Some(secrets) = &own.secrets else { return Ok(Agreed { remote, macs: None }) };
        let keys =
            StreamKeys::opener(secrets.shared(), Transcript::new(&own.hello, &theirs, channel.bytes()));
        send(stream, Kind::Proof, &keys.proof()).await?;
        keys.check(&receive_proof(stream, buffer).await?)?;
        Ok(own.agreed(remote, keys))
    };
    let result = asking.await;
    refuse_on_error(stream, result).await
}

/// The answering side's part.
pub(super) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
    identity: &Identity,
    channel: &Channel,
) -> Result<Agreed, HandshakeError> {
    let own = Own::new(identity, channel)?;
    let answering = async {
        let theirs = receive(stream, buffer, Kind::Hello).await?;
        let remote = own.check(&theirs, None)?;
        send(stream, Kind::Hello, &own.hello).await?;
        let Some(secrets) = &own.secrets else { return Ok(Agreed { remote, macs: None }) };
        let transcript = Transcript::new(&theirs, &own.hello, channel.bytes());
        let proof = receive_proof(stream, buffer).await?;
        let keys = StreamKeys::acceptor(secrets.shared(), transcript, &proof)?;
        send(stream, Kind::Proof, &keys.proof()).await?;
        Ok(own.agreed(remote, keys))
    };
    let result = tokio::time::timeout(super::serve::HANDSHAKE_TIMEOUT, answering).await;
    refuse_on_error(stream, result.unwrap_or(Err(HandshakeError::Timeout))).await
}

/// This side of one handshake; the secrets do not change while it lasts.
struct Own<'a> {
    identity: &'a Identity,
    channel: &'a Channel,
    secrets: Option<Arc<Secrets>>,
    hello: Vec<u8>,
}

impl<'a> Own<'a> {
    fn new(identity: &'a Identity, channel: &'a Channel) -> Result<Self, NoRandomness> {
        let secrets = identity.secrets();
        let challenge = secrets.as_ref().map(|_| random()).transpose()?;
        let is_over_tls = *channel != Channel::Plain;
        let mut hello = Vec::with_capacity(512);
        Hello { challenge, is_over_tls, ..Hello::of(identity) }.encode(&mut hello);
        Ok(Self { identity, channel, secrets, hello })
    }

    /// Whether the other side is one to talk to, as far as its `HELLO` tells.
    fn check(&self, hello: &[u8], asked_for: Option<&MemberAddress>) -> Result<Hello, HandshakeError> {
        let hello = Hello::decode(hello)?;
        if hello.cluster != self.identity.cluster() {
            let (theirs, ours) = (hello.cluster, self.identity.cluster().into());
            return Err(HandshakeError::Cluster { theirs, ours });
        }
        if asked_for.is_some_and(|member| *member != hello.member) {
            return Err(HandshakeError::Member(hello.member));
        }
        match (&self.secrets, &hello.challenge) {
            (Some(_), None) => Err(HandshakeError::NoProof),
            (Some(_), Some(_)) if hello.is_over_tls != (*self.channel != Channel::Plain) => {
                Err(HandshakeError::Channel)
            }
            _ => Ok(hello),
        }
    }

    fn agreed(&self, remote: Hello, keys: StreamKeys) -> Agreed {
        let macs = match self.channel {
            Channel::Plain => Some(keys.frames()),
            Channel::Tls(_) => None,
        };
        Agreed { remote, macs }
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, kind: Kind, payload: &[u8]) -> std::io::Result<()> {
    let mut bytes = Vec::with_capacity(frame::HEADER_BYTES + payload.len());
    frame::put(&mut bytes, kind, 0, |to| to.extend_from_slice(payload));
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// The payload of the next frame, which must be of `kind`.
async fn receive<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
    kind: Kind,
) -> Result<Vec<u8>, HandshakeError> {
    loop {
        if let Some((frame, length)) = frame::first(buffer)? {
            let payload = match frame.kind {
                received if received == kind => Ok(frame.payload.to_vec()),
                Kind::Close => Err(HandshakeError::Refused(close_reason(frame.payload))),
                _ => Err(Violation::Unexpected("frame before the end of the handshake").into()),
            };
            buffer.advance(length);
            return payload;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
    }
}

async fn receive_proof<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
) -> Result<Proof, HandshakeError> {
    let payload = receive(stream, buffer, Kind::Proof).await?;
    Ok(payload.try_into().map_err(|_| Violation::Malformed("PROOF"))?)
}

/// Lets the other side know why, so that both can log it.
async fn refuse_on_error<S: AsyncWrite + Unpin>(
    stream: &mut S,
    result: Result<Agreed, HandshakeError>,
) -> Result<Agreed, HandshakeError> {
    if let Err(error) = &result
        && let Some(code) = error.close_code()
    {
        let mut bytes = Vec::new();
        put_close(&mut bytes, code, &error.to_string());
        let told = async {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        };
        // A side that does not read its refusal learns from the end of the stream.
        let _ = tokio::time::timeout(super::serve::HANDSHAKE_TIMEOUT, told).await;
    }
    result
}
