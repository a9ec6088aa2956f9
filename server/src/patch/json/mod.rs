//! JSON as patches need it: checked once, then handled as text that is opened only where a patch touches it.
//!
//! What a patch does not touch keeps its numbers, escapes and member order; only blanks between tokens go. Every
//! text in a [`Json`] has passed [`check`]: it is grammatical, nests at most [`MAX_DEPTH`] levels, and all its strings
//! can be decoded.

mod equal;
mod pointer;
mod record;
mod text;
mod tree;
mod work;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(super) use equal::equal;
pub(super) use pointer::{Pointer, element};
pub(super) use record::{Record, given};
pub(super) use text::{MAX_DEPTH, check, children, compact, decode, member};
pub(super) use tree::{Json, Kind, Members, name_text};
pub(super) use work::{TooMuchWork, Work};

use super::{PatchError, Patched};
use crate::object::{ContentType, Object};

/// Whether values of this type are JSON texts.
pub(super) fn is_json(content_type: &ContentType) -> bool {
    let essence = content_type.essence().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// The patch document as checked text without blanks.
pub(super) fn document(document: &Bytes) -> Result<std::borrow::Cow<'_, str>, PatchError> {
    check(document).map(compact).map_err(|fault| PatchError::Malformed(fault.to_string()))
}

/// The stored value as checked text without blanks. Its content type is not asked: its bytes decide.
pub(super) fn stored(object: &Object) -> Result<std::borrow::Cow<'_, str>, PatchError> {
    check(&object.value).map(compact).map_err(|fault| {
        PatchError::Conflict(format!("this patch needs a stored JSON text, and this is not JSON: {fault}"))
    })
}

/// The patch document as a `T`; `shape` says what would be right.
pub(super) fn read<'de, T: Deserialize<'de>>(document: &'de Bytes, shape: &str) -> Result<T, PatchError> {
    check(document)
        .map_err(|fault| fault.to_string())
        .and_then(|text| serde_json::from_str(text).map_err(|error| error.to_string()))
        .map(|Record(document)| document)
        .map_err(|why| PatchError::Malformed(format!("{}; {shape}", excerpt_of(&why, 300))))
}

/// The stored value as a `T`; none: it is not one. Members that `T` does not know are passed over.
pub(super) fn read_stored<'de, T: Deserialize<'de>>(object: &'de Object) -> Option<T> {
    serde_json::from_slice(&object.value).ok().map(|Record(stored)| stored)
}

/// `value` as the text that is stored and answered.
pub(super) fn write(value: &impl Serialize) -> Result<Patched, PatchError> {
    let text = serde_json::to_string(value)
        .map_err(|error| PatchError::Conflict(format!("its result cannot be written as JSON: {error}")))?;
    Ok(Patched::json(text))
}

/// What a stored value is, without showing it.
pub(super) fn describe(object: &Object) -> String {
    let (bytes, content_type) = (object.value.len(), object.content_type.as_str());
    match check(&object.value) {
        Ok(text) => {
            format!(
                "{} of {bytes} bytes, stored as {content_type}",
                Json::new(text.trim_ascii()).kind().noun()
            )
        }
        Err(fault) => format!("not JSON ({fault}) but {bytes} bytes stored as {content_type}"),
    }
}

/// A quoted piece of client text, short enough for a message.
pub(super) fn excerpt(text: &str) -> String {
    serde_json::Value::from(excerpt_of(text, 80)).to_string()
}

fn excerpt_of(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
