//! What a client reads and learns of an object. Reading headers happens here and nowhere else.

use std::fmt;
use std::ops::{Range, RangeFrom, RangeInclusive};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED};

use crate::{EntityTag, Error};

pub(crate) const X_TTL: &str = "x-ttl";
const MEMBER: &str = "x-ringhold-member";
const ROUTE: &str = "x-ringhold-route";
pub(crate) const OVERTAKEN: &str = "x-ringhold-overtaken";

/// A stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The stored bytes.
    pub value: Bytes,
    /// Everything else about it.
    pub info: ObjectInfo,
}

/// What is known of an object beside its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The type it was stored with.
    pub content_type: String,
    /// Its state; changes with every write.
    pub etag: EntityTag,
    /// How many bytes the whole value has, when the answer says so.
    pub length: Option<u64>,
    /// How long it will still live, in whole seconds; none: it does not expire.
    pub ttl: Option<Duration>,
    /// When it was last written, in whole seconds.
    pub last_modified: Option<SystemTime>,
    /// Who answered.
    pub served: Served,
}

/// Who executed a request, and how it got there; empty when something between removed these headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// The address of the member that executed the request.
    pub member: Option<String>,
    /// `local`, `forwarded` or `stand-in`.
    pub route: Option<String>,
}

/// What a PUT did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whether there was no object under the key before.
    pub created: bool,
    /// The state that the object is in now.
    pub etag: EntityTag,
    /// Who stored it.
    pub served: Served,
}

/// What a read of an object that the caller knows in one state found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is still in that state; its value was not sent.
    Unchanged,
    /// It is in another state.
    Changed(Object),
    /// There is no such object.
    Missing,
}

/// One part of a value, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From the first to the last of these positions, both included, or to the end of a shorter value.
    Span {
        /// The first byte, from 0.
        first: u64,
        /// The last byte; not before the first.
        last: u64,
    },
    /// From this position to the end.
    From(u64),
    /// The last bytes, this many; all of a shorter value.
    Last(u64),
}

impl ByteRange {
    /// The range as the header says it; nothing when it holds no byte.
    pub(crate) fn to_header(self) -> Result<http::HeaderValue, Error> {
        let text = match self {
            Self::Span { first, last } if first <= last => format!("bytes={first}-{last}"),
            Self::From(first) => format!("bytes={first}-"),
            Self::Last(count) if count > 0 => format!("bytes=-{count}"),
            Self::Span { .. } | Self::Last(_) => {
                let why =
                    format!("the range {self} holds no byte; its first byte must not be behind its last");
                return Err(Error::BadArgument(why));
            }
        };
        http::HeaderValue::try_from(text).map_err(|error| Error::BadArgument(error.to_string()))
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span { first, last } => write!(f, "{first}-{last}"),
            Self::From(first) => write!(f, "{first}-"),
            Self::Last(count) => write!(f, "-{count}"),
        }
    }
}

impl From<RangeInclusive<u64>> for ByteRange {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self::Span { first: *range.start(), last: *range.end() }
    }
}

impl From<RangeFrom<u64>> for ByteRange {
    fn from(range: RangeFrom<u64>) -> Self {
        Self::From(range.start)
    }
}

impl From<Range<u64>> for ByteRange {
    /// An empty range holds no byte and is refused when it is used.
    fn from(range: Range<u64>) -> Self {
        match range.end.checked_sub(1) {
            Some(last) => Self::Span { first: range.start, last },
            None => Self::Last(0),
        }
    }
}

impl ObjectInfo {
    /// What the headers of `node`'s answer say.
    pub(crate) fn read(node: &str, headers: &HeaderMap) -> Result<Self, Error> {
        Ok(Self {
            content_type: text(headers, CONTENT_TYPE.as_str())
                .unwrap_or_else(|| "application/octet-stream".into()),
            etag: etag(node, headers)?,
            length: whole_length(headers),
            ttl: text(headers, X_TTL).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs),
            last_modified: text(headers, LAST_MODIFIED.as_str())
                .and_then(|date| httpdate::parse_http_date(&date).ok()),
            served: Served::read(headers),
        })
    }
}

impl Served {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        Self { member: text(headers, MEMBER), route: text(headers, ROUTE) }
    }
}

/// The entity tag, without which no answer about an object is complete.
pub(crate) fn etag(node: &str, headers: &HeaderMap) -> Result<EntityTag, Error> {
    headers.get(ETAG).and_then(EntityTag::from_header).ok_or_else(|| Error::Protocol {
        node: node.into(),
        why: "its answer about an object has no usable ETag".into(),
    })
}

/// The length of the whole value: behind the slash of a `Content-Range`, or else the `Content-Length`.
fn whole_length(headers: &HeaderMap) -> Option<u64> {
    match text(headers, CONTENT_RANGE.as_str()) {
        Some(range) => range.rsplit_once('/')?.1.parse().ok(),
        None => text(headers, CONTENT_LENGTH.as_str())?.parse().ok(),
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_the_header_wants_them() {
        let header = |range: ByteRange| range.to_header().unwrap().to_str().unwrap().to_owned();
        assert_eq!(header((0..=9).into()), "bytes=0-9");
        assert_eq!(header((0..10).into()), "bytes=0-9");
        assert_eq!(header((5..).into()), "bytes=5-");
        assert_eq!(header(ByteRange::Last(3)), "bytes=-3");
    }

    #[test]
    fn a_range_without_a_byte_is_refused() {
        for range in
            [ByteRange::from(0..0), (7..7).into(), ByteRange::Span { first: 2, last: 1 }, ByteRange::Last(0)]
        {
            assert!(matches!(range.to_header(), Err(Error::BadArgument(_))), "{range:?}");
        }
    }

    #[test]
    fn the_length_of_a_part_is_that_of_the_whole_value() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, "2".parse().unwrap());
        assert_eq!(whole_length(&headers), Some(2));
        headers.insert(CONTENT_RANGE, "bytes 0-1/10".parse().unwrap());
        assert_eq!(whole_length(&headers), Some(10));
        headers.insert(CONTENT_RANGE, "bytes 0-1/*".parse().unwrap());
        assert_eq!(whole_length(&headers), None);
    }
}
