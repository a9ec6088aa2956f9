//! Append: the document's bytes behind the stored bytes.
//!
//! The stored value is not looked at, only its type: bytes behind a JSON text would make it something else.

use bytes::{Bytes, BytesMut};

use super::json::is_json;
use super::{PatchError, Patched};
use crate::object::{ContentType, Object};

pub(super) fn apply(
    current: Option<&Object>,
    document: &Bytes,
    content_type: &ContentType,
    max_bytes: usize,
) -> Result<Patched, PatchError> {
    if must_be_utf8(content_type)
        && let Err(error) = std::str::from_utf8(document)
    {
        return Err(PatchError::Malformed(format!(
            "byte {} of this text is not UTF-8; send other encodings with their charset, or as \
             application/octet-stream",
            error.valid_up_to()
        )));
    }
    let Some(object) = current else {
        return Ok(Patched { value: document.clone(), content_type: content_type.clone() });
    };
    if is_json(&object.content_type) {
        return Err(PatchError::Conflict(format!(
            "it is {}, and bytes behind a JSON text would break it; use a merge patch or a JSON patch",
            object.content_type.essence()
        )));
    }
    if object.value.len().saturating_add(document.len()) > max_bytes {
        return Err(PatchError::TooLarge { limit: max_bytes });
    }
    let mut value = BytesMut::with_capacity(object.value.len() + document.len());
    value.extend_from_slice(&object.value);
    value.extend_from_slice(document);
    Ok(Patched { value: value.freeze(), content_type: object.content_type.clone() })
}

/// Whether it is text whose charset is UTF-8, said or by default.
fn must_be_utf8(content_type: &ContentType) -> bool {
    if !content_type.essence().eq_ignore_ascii_case("text/plain") {
        return false;
    }
    let charset = content_type.as_str().split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    charset
        .is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8"))
}
