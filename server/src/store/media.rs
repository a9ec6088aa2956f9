//! Content types as one byte. The usual ones and the first few others that are seen have a number; any more
//! are stored with their objects, so that clients who make up types cost only themselves.

use std::sync::{Arc, OnceLock};

use crate::object::ContentType;

/// How many types besides the usual ones get a number.
const LEARNT: usize = 64;
const FIRST_LEARNT: u8 = 3;

/// The numbers given to content types, by all shards together. A number once given stays.
#[derive(Debug)]
pub(super) struct Media {
    learnt: [OnceLock<Arc<str>>; LEARNT],
}

impl Default for Media {
    fn default() -> Self {
        Self { learnt: [const { OnceLock::new() }; LEARNT] }
    }
}

impl Media {
    /// The number of a type that is stored, with its length before it, ahead of its object's key.
    pub(super) const INLINE: u8 = u8::MAX;
    /// No type: what is stored is a tombstone.
    pub(super) const TOMBSTONE: u8 = u8::MAX - 1;

    /// The number of `content_type`, which is learnt if there is room.
    pub(super) fn number(&self, content_type: &ContentType) -> u8 {
        let text = match content_type {
            ContentType::OctetStream => return 0,
            ContentType::Json => return 1,
            ContentType::Text => return 2,
            ContentType::Other(text) => text,
        };
        (FIRST_LEARNT..)
            .zip(&self.learnt)
            .find(|(_, learnt)| *learnt.get_or_init(|| Arc::clone(text)) == *text)
            .map_or(Self::INLINE, |(number, _)| number)
    }

    /// The type that has `number`; `inline` is what was stored with the object, if anything was.
    pub(super) fn content_type(&self, number: u8, inline: &[u8]) -> ContentType {
        match number {
            0 => ContentType::OctetStream,
            1 => ContentType::Json,
            2 => ContentType::Text,
            Self::INLINE => ContentType::Other(String::from_utf8_lossy(inline).into()),
            number => self
                .learnt
                .get(usize::from(number - FIRST_LEARNT))
                .and_then(OnceLock::get)
                .map_or_else(ContentType::default, |text| ContentType::Other(Arc::clone(text))),
        }
    }
}

const _: () =
    assert!(FIRST_LEARNT as usize + LEARNT <= Media::TOMBSTONE as usize, "every number has one meaning");
const _: () = assert!(ContentType::MAX_BYTES <= u8::MAX as usize, "one byte counts an inline type");
