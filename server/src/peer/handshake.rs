//! The first frames of a stream: who each side is, and whether they belong together.
//!
//! The asking side sends `HELLO` first; the answering side replies with its own or with `CLOSE` and a reason. A
//! different ring id is no reason: rings differ while a new member list is being rolled out.

use bytes::{Buf, BytesMut};
use ringhold_ring::{MemberAddress, RingId};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Identity;
use super::frame::{self, Fields, Kind, Violation, cut};

const MAGIC: [u8; 8] = *b"RINGHOLD";

/// The oldest and newest version this side speaks.
const VERSIONS: (u8, u8) = (1, 1);

/// No feature has been added to version 1 yet.
const FEATURES: u64 = 0;

/// Requests one side lets the other have in progress on a stream.
pub(super) const MAX_REQUESTS: u32 = 1024;

const MAX_REASON_BYTES: usize = 512;

/// The longest text of a member's address: a 253-byte name, a colon and a port.
const MAX_ADDRESS_BYTES: usize = 259;

/// What a side says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The oldest and newest protocol version it speaks.
    pub versions: (u8, u8),
    /// Optional parts of the protocol it knows; what both know applies.
    pub features: u64,
    /// Its ring.
    pub ring_id: RingId,
    /// Which start of it.
    pub incarnation: u64,
    /// The largest value it stores.
    pub max_object_bytes: usize,
    /// How many bytes of unfinished values it will hold for the other side.
    pub assembly_bytes: usize,
    /// How many requests it will have in progress for the other side.
    pub max_requests: u32,
    /// Its cluster.
    pub cluster: String,
    /// Itself.
    pub member: MemberAddress,
}

/// Why two sides did not come together.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The stream failed.
    #[error("the stream broke during the handshake: {0}")]
    Io(#[from] std::io::Error),
    /// It took too long.
    #[error("no HELLO came within {} s", super::serve::HANDSHAKE_TIMEOUT.as_secs())]
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
}

impl From<&Violation> for CloseCode {
    fn from(violation: &Violation) -> Self {
        match violation {
            Violation::Malformed(_) => Self::Malformed,
            Violation::Unexpected(_) | Violation::UnknownKind(_) => Self::Unexpected,
            Violation::TooLong { .. } | Violation::OverLimit(_) => Self::OverLimit,
        }
    }
}

impl HandshakeError {
    fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Io(_) | Self::Refused(_) => None,
            Self::Timeout => Some(CloseCode::Idle),
            Self::Violation(violation) => Some(violation.into()),
            Self::Version(_) => Some(CloseCode::Version),
            Self::Cluster { .. } => Some(CloseCode::Cluster),
            Self::Member(_) => Some(CloseCode::Member),
        }
    }
}

impl Hello {
    /// What this member says.
    #[must_use]
    pub fn of(identity: &Identity) -> Self {
        Self {
            versions: VERSIONS,
            features: FEATURES,
            ring_id: identity.ring_id(),
            incarnation: identity.incarnation(),
            max_object_bytes: identity.max_object_bytes(),
            assembly_bytes: identity.assembly_bytes(),
            max_requests: MAX_REQUESTS,
            cluster: identity.cluster().into(),
            member: identity.member().clone(),
        }
    }

    /// Appends the payload of a `HELLO`.
    pub fn encode(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&MAGIC);
        to.extend_from_slice(&[self.versions.0, self.versions.1]);
        to.extend_from_slice(&self.features.to_be_bytes());
        to.extend_from_slice(&self.ring_id.as_u64().to_be_bytes());
        to.extend_from_slice(&self.incarnation.to_be_bytes());
        to.extend_from_slice(&(self.max_object_bytes as u64).to_be_bytes());
        to.extend_from_slice(&(self.assembly_bytes as u64).to_be_bytes());
        to.extend_from_slice(&self.max_requests.to_be_bytes());
        let cluster = cut(&self.cluster, Identity::MAX_CLUSTER_BYTES);
        to.push(cluster.len() as u8);
        to.extend_from_slice(cluster.as_bytes());
        let member = self.member.to_string();
        to.extend_from_slice(&(member.len() as u16).to_be_bytes());
        to.extend_from_slice(member.as_bytes());
    }

    /// The inverse of [`Hello::encode`]. Of another version's `HELLO` only the front is looked at, and bytes behind
    /// the last field are left to later versions.
    ///
    /// # Errors
    /// [`HandshakeError::Violation`] when it is none, [`HandshakeError::Version`] when there is no common version.
    pub fn decode(payload: &[u8]) -> Result<Self, HandshakeError> {
        let mut fields = Fields::new(payload, "HELLO");
        if fields.array()? != MAGIC {
            return Err(Violation::Malformed("HELLO").into());
        }
        let versions = (fields.u8()?, fields.u8()?);
        if versions.0 > VERSIONS.1 || versions.1 < VERSIONS.0 {
            return Err(HandshakeError::Version(versions));
        }
        let features = fields.u64()?;
        let ring_id = RingId::from_u64(fields.u64()?);
        let incarnation = fields.u64()?;
        let max_object_bytes = usize::try_from(fields.u64()?).map_err(fields.malformed())?;
        let assembly_bytes = usize::try_from(fields.u64()?).map_err(fields.malformed())?;
        let max_requests = fields.u32()?;
        let length = usize::from(fields.u8()?);
        let cluster = std::str::from_utf8(fields.take(length)?).map_err(fields.malformed())?.to_owned();
        let length = usize::from(fields.u16()?);
        if length > MAX_ADDRESS_BYTES {
            return Err(Violation::OverLimit("member address").into());
        }
        let member = std::str::from_utf8(fields.take(length)?).map_err(fields.malformed())?;
        let member = member.parse().map_err(fields.malformed())?;
        fields.rest();
        if max_requests == 0 || assembly_bytes < max_object_bytes {
            return Err(Violation::Malformed("HELLO limits").into());
        }
        Ok(Self {
            versions,
            features,
            ring_id,
            incarnation,
            max_object_bytes,
            assembly_bytes,
            max_requests,
            cluster,
            member,
        })
    }

    fn check(&self, identity: &Identity, asked_for: Option<&MemberAddress>) -> Result<(), HandshakeError> {
        if self.cluster != identity.cluster() {
            let (theirs, ours) = (self.cluster.clone(), identity.cluster().into());
            return Err(HandshakeError::Cluster { theirs, ours });
        }
        match asked_for {
            Some(member) if *member != self.member => Err(HandshakeError::Member(self.member.clone())),
            _ => Ok(()),
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

/// The asking side's part: says `HELLO` first. `buffer` holds what was read beyond the other's answer.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
    identity: &Identity,
    member: &MemberAddress,
) -> Result<Hello, HandshakeError> {
    send(stream, identity).await?;
    let result = receive(stream, buffer).await.and_then(|hello| {
        hello.check(identity, Some(member))?;
        Ok(hello)
    });
    refuse_on_error(stream, result).await
}

/// The answering side's part.
pub(super) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
    identity: &Identity,
) -> Result<Hello, HandshakeError> {
    let received = tokio::time::timeout(super::serve::HANDSHAKE_TIMEOUT, receive(stream, buffer)).await;
    let result = received.unwrap_or(Err(HandshakeError::Timeout)).and_then(|hello| {
        hello.check(identity, None)?;
        Ok(hello)
    });
    let hello = refuse_on_error(stream, result).await?;
    send(stream, identity).await?;
    Ok(hello)
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, identity: &Identity) -> Result<(), HandshakeError> {
    let mut bytes = Vec::with_capacity(512);
    frame::put(&mut bytes, Kind::Hello, 0, |payload| Hello::of(identity).encode(payload));
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

async fn receive<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
) -> Result<Hello, HandshakeError> {
    loop {
        if let Some((frame, length)) = frame::first(buffer)? {
            let hello = match frame.kind {
                Kind::Hello => Hello::decode(frame.payload),
                Kind::Close => Err(HandshakeError::Refused(close_reason(frame.payload))),
                _ => Err(Violation::Unexpected("frame before HELLO").into()),
            };
            buffer.advance(length);
            return hello;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
    }
}

/// Lets the other side know why, so that both can log it.
async fn refuse_on_error<S: AsyncWrite + Unpin>(
    stream: &mut S,
    result: Result<Hello, HandshakeError>,
) -> Result<Hello, HandshakeError> {
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
