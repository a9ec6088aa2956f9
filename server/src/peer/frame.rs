//! Frames of the member stream: 13 bytes of header, then a payload whose limit its kind sets.
//!
//! Pure functions over buffers; what the payloads mean is in `message`, `reply` and `hello`. Invariant: nothing read
//! from a stream makes this side hold more than one frame of its kind's limit. The page for other
//! implementations is `proto-docs/member-stream.md`; it and these constants say the same.

use crate::security::stream::{FrameError, PROOF_BYTES};

/// How long a frame's header is: length, kind, correlation id.
pub const HEADER_BYTES: usize = 13;

/// The largest value inside a `REQUEST`, `ASK` or `ANSWER` frame; larger ones travel in `BODY` frames.
pub const INLINE_BYTES: usize = 16 << 10;

/// The largest piece of a value in one `BODY` frame.
pub const CHUNK_BYTES: usize = 16 << 10;

/// How much of a body may be under way before its receiver has granted anything.
pub const WINDOW_BYTES: usize = 128 << 10;

/// The largest payload of any frame.
pub const MAX_PAYLOAD_BYTES: usize = 128 << 10;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nothing: a request that was withdrawn before it was sent.
    Void = 0x00,
    /// The first frame of either side.
    Hello = 0x01,
    /// The last frame of a side that ends the stream for a reason.
    Close = 0x02,
    /// No new requests, please: the serving side is about to stop.
    GoAway = 0x03,
    /// That its sender knows the shared secret.
    Proof = 0x04,
    /// An operation on a key.
    Request = 0x10,
    /// What came of it, or of an `Ask`.
    Answer = 0x11,
    /// The requester no longer wants the answer.
    Cancel = 0x12,
    /// A piece of a value.
    Body = 0x13,
    /// So many more bytes of a value may be sent.
    Credit = 0x14,
    /// How are you? This is how I am.
    Probe = 0x15,
    /// The answer to that.
    ProbeAnswer = 0x16,
    /// Anything else that members ask each other.
    Ask = 0x17,
}

impl Kind {
    const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x00 => Self::Void,
            0x01 => Self::Hello,
            0x02 => Self::Close,
            0x03 => Self::GoAway,
            0x04 => Self::Proof,
            0x10 => Self::Request,
            0x11 => Self::Answer,
            0x12 => Self::Cancel,
            0x13 => Self::Body,
            0x14 => Self::Credit,
            0x15 => Self::Probe,
            0x16 => Self::ProbeAnswer,
            0x17 => Self::Ask,
            _ => return None,
        })
    }

    /// The largest payload of a frame of this kind.
    #[must_use]
    pub const fn max_payload(self) -> usize {
        match self {
            Self::Void | Self::Request => MAX_PAYLOAD_BYTES,
            Self::Answer | Self::Ask => INLINE_BYTES + 4096,
            Self::Hello | Self::Close => 1024,
            Self::GoAway | Self::Cancel => 0,
            Self::Proof => PROOF_BYTES,
            Self::Body => CHUNK_BYTES,
            Self::Credit => 4,
            Self::Probe | Self::ProbeAnswer => super::heartbeat::MAX_BYTES,
        }
    }
}

/// One whole frame inside a read buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Kind,
    /// Which request it belongs to; 0 for frames about the stream itself.
    pub id: u64,
    /// The rest.
    pub payload: &'a [u8],
}

/// What the other side did that the protocol forbids; the stream ends with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A kind of frame that this version does not have.
    #[error("frame kind 0x{0:02x} is not part of this protocol version")]
    UnknownKind(u8),
    /// A frame longer than its kind may be.
    #[error("a {kind:?} frame announces {length} bytes; at most {limit} are allowed", limit = .kind.max_payload())]
    TooLong {
        /// Of which kind.
        kind: Kind,
        /// How long it says it is.
        length: usize,
    },
    /// A payload that does not decode; the text names the field.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A frame that may not come now, or not from this side.
    #[error("unexpected {0}")]
    Unexpected(&'static str),
    /// More than this side has agreed to receive.
    #[error("over the limit: {0}")]
    OverLimit(&'static str),
    /// A frame that the other side did not send, or not at this place.
    #[error(transparent)]
    Forged(#[from] FrameError),
}

/// The first frame of `buffer` and how many bytes it takes; none while it is incomplete.
///
/// # Errors
/// [`Violation`] as soon as the header shows that the frame will never be acceptable.
pub fn first(buffer: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Violation> {
    let Some(([a, b, c, d, kind], rest)) = buffer.split_first_chunk::<5>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
    let kind = Kind::from_byte(*kind).ok_or(Violation::UnknownKind(*kind))?;
    if length > kind.max_payload() {
        return Err(Violation::TooLong { kind, length });
    }
    let Some((id, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
    let frame = |payload| Frame { kind, id: u64::from_be_bytes(*id), payload };
    Ok(rest.get(..length).map(|payload| (frame(payload), HEADER_BYTES + length)))
}

/// How many bytes the first frame of `buffer` takes, whole or not: at least those of a header.
pub(super) fn length(buffer: &[u8]) -> usize {
    let length = buffer.first_chunk().map_or(0, |length| u32::from_be_bytes(*length));
    HEADER_BYTES.saturating_add(usize::try_from(length).unwrap_or(usize::MAX))
}

/// The header of a frame.
#[must_use]
pub fn header(kind: Kind, id: u64, length: usize) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    debug_assert!(length <= kind.max_payload(), "{kind:?} of {length}");
    header[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    header[4] = kind as u8;
    header[5..].copy_from_slice(&id.to_be_bytes());
    header
}

/// Appends a frame whose payload `fill` appends.
pub fn put(buffer: &mut Vec<u8>, kind: Kind, id: u64, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER_BYTES]);
    fill(buffer);
    let header = header(kind, id, buffer.len() - start - HEADER_BYTES);
    buffer[start..start + HEADER_BYTES].copy_from_slice(&header);
}

/// Turns the frame that starts at `at` into one that its receiver ignores.
pub fn void(buffer: &mut [u8], at: usize) {
    if let Some(kind) = buffer.get_mut(at + 4) {
        *kind = Kind::Void as u8;
    }
}

/// Reads fixed fields off the front of a payload.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Fields<'a> {
    /// The fields of a `what`, which an error will name.
    pub(super) const fn new(payload: &'a [u8], what: &'static str) -> Self {
        Self { rest: payload, what }
    }

    pub(super) fn malformed<E>(&self) -> impl FnOnce(E) -> Violation + use<E> {
        let what = self.what;
        move |_| Violation::Malformed(what)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Violation::Malformed(self.what))?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], Violation> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(Violation::Malformed(self.what))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Violation> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Violation> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Violation> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Violation> {
        self.array().map(u64::from_be_bytes)
    }

    /// Whether nothing is left.
    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Violation> {
        if self.rest.is_empty() { Ok(()) } else { Err(Violation::Malformed(self.what)) }
    }
}

/// The longest start of `text` that is at most `bytes` long.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    let end = text.floor_char_boundary(bytes.min(text.len()));
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_seen_only_when_its_last_byte_is_there() {
        let mut bytes = Vec::new();
        put(&mut bytes, Kind::Body, 7, |payload| payload.extend_from_slice(b"abc"));
        for end in 0..bytes.len() {
            assert_eq!(first(&bytes[..end]), Ok(None), "after {end} bytes");
        }
        let expected = Frame { kind: Kind::Body, id: 7, payload: b"abc" };
        assert_eq!(first(&bytes), Ok(Some((expected, bytes.len()))));
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_before_its_payload_comes() {
        let header = [0, 0, 0, 5, Kind::Credit as u8];
        assert_eq!(first(&header), Err(Violation::TooLong { kind: Kind::Credit, length: 5 }));
        assert_eq!(first(&[0, 0, 0, 0, 0x7f]), Err(Violation::UnknownKind(0x7f)));
    }

    #[test]
    fn a_voided_frame_keeps_its_length() {
        let mut bytes = Vec::new();
        put(&mut bytes, Kind::Request, 3, |payload| payload.extend_from_slice(&[1; 100]));
        void(&mut bytes, 0);
        let (frame, length) = first(&bytes).unwrap().unwrap();
        assert_eq!((frame.kind, length), (Kind::Void, HEADER_BYTES + 100));
    }

    #[test]
    fn cutting_a_text_leaves_whole_characters() {
        assert_eq!(cut("añb", 2), "a");
        assert_eq!(cut("añb", 3), "añ");
        assert_eq!(cut("añb", 300), "añb");
    }
}
