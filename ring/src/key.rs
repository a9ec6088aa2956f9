//! A key: the name of an object, as text and as it stands in a URI path.
//!
//! Invariant: 1 to 1024 bytes of UTF-8 without control characters. Past the constructors nothing is checked again.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::Digest;

/// What a URI path segment may not hold literally (RFC 3986 section 3.3); `/` stays, it is part of the key.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The name of an object, validated. Borrows its text where it can, and takes its digest once. Copies are cheap.
#[derive(Clone)]
pub struct Key<'a> {
    text: Text<'a>,
    digest: OnceLock<Digest>,
}

#[derive(Clone)]
enum Text<'a> {
    Borrowed(&'a str),
    Shared(Arc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing stood after `/objects/`.
    #[error("the key is empty; a key is 1 to {} bytes long", Key::MAX_BYTES)]
    Empty,
    /// More than [`Key::MAX_BYTES`] bytes after percent decoding.
    #[error("the key is {bytes} bytes long; a key is 1 to {} bytes long", Key::MAX_BYTES)]
    TooLong {
        /// How long it is, decoded.
        bytes: usize,
    },
    /// The decoded bytes are not UTF-8.
    #[error("the key is not UTF-8 after percent decoding")]
    NotUtf8,
    /// A control character (Unicode category Cc).
    #[error("the key holds the control character U+{:04X}; control characters are not allowed", u32::from(*.character))]
    ControlCharacter {
        /// The first of them.
        character: char,
    },
    /// A `%` that two hexadecimal digits do not follow.
    #[error(
        "the key holds a '%' that is not followed by two hexadecimal digits; write a literal '%' as '%25'"
    )]
    BadEscape,
}

impl<'a> Key<'a> {
    /// The longest key, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 1024;

    /// A key from its plain text.
    ///
    /// # Errors
    /// [`KeyError`] when the text breaks one of the rules above.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, KeyError> {
        let text = text.into();
        match text.chars().find(|character| character.is_control()) {
            Some(character) if Self::is_length(text.len()) => Err(KeyError::ControlCharacter { character }),
            _ => Self::of_length(text),
        }
    }

    const fn is_length(bytes: usize) -> bool {
        1 <= bytes && bytes <= Self::MAX_BYTES
    }

    /// A key from text without control characters.
    fn of_length(text: Cow<'a, str>) -> Result<Self, KeyError> {
        match text.len() {
            0 => Err(KeyError::Empty),
            bytes if !Self::is_length(bytes) => Err(KeyError::TooLong { bytes }),
            _ => {
                let text = match text {
                    Cow::Borrowed(text) => Text::Borrowed(text),
                    Cow::Owned(text) => Text::Shared(text.into()),
                };
                Ok(Self { text, digest: OnceLock::new() })
            }
        }
    }

    /// A key from bytes that should be UTF-8, as another member sends them.
    ///
    /// # Errors
    /// [`KeyError`] when the bytes break one of the rules above.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, KeyError> {
        Self::new(std::str::from_utf8(bytes).map_err(|_| KeyError::NotUtf8)?)
    }

    /// A key from the percent-encoded rest of a URI path, without a query.
    ///
    /// # Errors
    /// [`KeyError`] when an escape is broken or the decoded text breaks one of the rules above.
    pub fn from_path(path: &'a str) -> Result<Self, KeyError> {
        // Nearly all keys stand there as they are, and to see that takes a tenth of the time.
        if is_plain(path.as_bytes()) {
            return Self::of_length(path.into());
        }
        if !escapes_are_whole(path.as_bytes()) {
            return Err(KeyError::BadEscape);
        }
        Self::new(percent_decode_str(path).decode_utf8().map_err(|_| KeyError::NotUtf8)?)
    }

    /// The key as it is written in a URI path; [`Key::from_path`] gives it back.
    ///
    /// A client may remove the segments `.` and `..` from a path before it sends it (RFC 3986 section 5.2.4), and
    /// `../cluster` must not become another resource: a key with such a segment has its `/` written as `%2F`. The
    /// keys `.` and `..` themselves become `%2E` and `%2E%2E`, which clients that follow the WHATWG URL standard
    /// remove all the same.
    #[must_use]
    pub fn to_path(&self) -> Cow<'_, str> {
        let path: Cow<'_, str> = utf8_percent_encode(&self.text, PATH).into();
        match &*path {
            "." => "%2E".into(),
            ".." => "%2E%2E".into(),
            text if text.split('/').any(|segment| matches!(segment, "." | "..")) => {
                text.replace('/', "%2F").into()
            }
            _ => path,
        }
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The key's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Where the key belongs.
    #[must_use]
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(self.as_bytes()))
    }

    /// The same key, owning its text.
    #[must_use]
    pub fn into_owned(self) -> Key<'static> {
        let text = match self.text {
            Text::Borrowed(text) => text.into(),
            Text::Shared(text) => text,
        };
        Key { text: Text::Shared(text), digest: self.digest }
    }
}

/// Whether it is visible ASCII and blanks without an escape. Without a branch for each byte, the compiler looks at
/// many at once.
fn is_plain(path: &[u8]) -> bool {
    !path.iter().fold(false, |is_odd, byte| is_odd | !matches!(byte, b' '..=b'~') | (*byte == b'%'))
}

fn escapes_are_whole(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {}
            _ => return false,
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    true
}

impl std::fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Key").field(&self.as_str()).finish()
    }
}

/// Keys are their texts, whether their digests have been taken or not.
impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        *self.text == *other.text
    }
}

impl Eq for Key<'_> {}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests;
