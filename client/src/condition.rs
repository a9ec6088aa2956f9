//! What must hold before an operation is carried out, and the entity tags that conditions speak of.

use std::fmt;
use std::str::FromStr;

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue};
use ringhold_ring::Version;

/// The name of one state of an object: changes with every write to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntityTag(Box<str>);

/// Why a text is not an entity tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an entity tag; it is the ETag of an answer, 24 hexadecimal digits, quotes optional")]
pub struct EntityTagError(String);

impl EntityTag {
    /// The tag as it stands in a header, quotes included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The version of the object that the tag stands for.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        Version::from_entity_tag(self.0.as_bytes()).ok()
    }

    /// The tag in a header of an answer.
    pub(crate) fn from_header(value: &HeaderValue) -> Option<Self> {
        // A proxy that compresses makes the tag a weak one; it still names the same state.
        let text = value.to_str().ok()?;
        text.strip_prefix("W/").unwrap_or(text).parse().ok()
    }

    fn to_header(&self) -> HeaderValue {
        // Hexadecimal digits and quotes are always a header value.
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("\"\""))
    }
}

impl From<Version> for EntityTag {
    fn from(version: Version) -> Self {
        Self(format!("\"{version}\"").into())
    }
}

impl FromStr for EntityTag {
    type Err = EntityTagError;

    /// With or without the quotes, which a shell likes to eat.
    fn from_str(text: &str) -> Result<Self, EntityTagError> {
        let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        let tag = format!("\"{}\"", inner.to_ascii_lowercase());
        match Version::from_entity_tag(tag.as_bytes()) {
            Ok(_) => Ok(Self(tag.into())),
            Err(_) => Err(EntityTagError(text.into())),
        }
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What must hold for a write to be carried out; otherwise it fails with
/// [`Error::PreconditionFailed`](crate::Error::PreconditionFailed) and changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: the write is carried out in any case.
    #[default]
    Always,
    /// There is no object under the key.
    IfAbsent,
    /// There is some object under the key.
    IfPresent,
    /// The object is still in this state.
    IfMatch(EntityTag),
    /// The object is not in this state, or there is none.
    IfNoneMatch(EntityTag),
}

impl Condition {
    /// Whether a write under this condition leaves the same when it runs twice.
    pub(crate) fn is_always(&self) -> bool {
        *self == Self::Always
    }

    /// Says the condition in `headers`.
    pub(crate) fn write_to(&self, headers: &mut HeaderMap) {
        let any = HeaderValue::from_static("*");
        match self {
            Self::Always => None,
            Self::IfAbsent => headers.insert(IF_NONE_MATCH, any),
            Self::IfPresent => headers.insert(IF_MATCH, any),
            Self::IfMatch(tag) => headers.insert(IF_MATCH, tag.to_header()),
            Self::IfNoneMatch(tag) => headers.insert(IF_NONE_MATCH, tag.to_header()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_is_read_with_or_without_its_quotes() {
        let digits = "0123456789abcdef01234567";
        let tag: EntityTag = digits.parse().unwrap();
        assert_eq!(tag.as_str(), format!("\"{digits}\""));
        assert_eq!(tag, format!("\"{}\"", digits.to_uppercase()).parse().unwrap());
        assert_eq!(EntityTag::from(tag.version().unwrap()), tag);
        assert_eq!(
            EntityTag::from_header(&HeaderValue::from_static("W/\"0123456789abcdef01234567\"")),
            Some(tag)
        );
    }

    #[test]
    fn other_texts_are_not_entity_tags() {
        for text in ["", "*", "\"", "0123", "0123456789abcdef0123456x", "\"0123456789abcdef01234567"] {
            assert!(
                text.parse::<EntityTag>().unwrap_err().to_string().contains("24 hexadecimal digits"),
                "{text}"
            );
        }
    }
}
