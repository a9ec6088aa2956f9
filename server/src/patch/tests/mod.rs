//! Every kind through the one door that its caller uses.

mod append;
mod bounds;
mod counter;
mod json_patch;
mod merge;
mod page;
mod rate_limit;
mod set;

use bytes::Bytes;
use ringhold_ring::{Timestamp, Version};

use super::{PatchError, PatchKind, Patched, apply};
use crate::object::{ContentType, Object};

const MAX_BYTES: usize = 2 << 20;

/// A moment in 2023.
const NOW_MS: u64 = 1_700_000_000_000;

fn content_type(text: &str) -> ContentType {
    ContentType::parse(text.as_bytes()).unwrap()
}

fn object(stored_as: &str, value: impl Into<Bytes>) -> Object {
    let version = Version::from_bytes([0; Version::BYTES]);
    Object { value: value.into(), content_type: content_type(stored_as), version, expires_at: None }
}

fn json(value: impl Into<Bytes>) -> Object {
    object("application/json", value)
}

/// Applies a document of `media_type` as a node would.
fn patch_at(
    now_ms: u64,
    current: Option<&Object>,
    media_type: &str,
    document: impl Into<Bytes>,
) -> Result<Patched, PatchError> {
    let content_type = content_type(media_type);
    let kind = PatchKind::from_content_type(&content_type).unwrap();
    apply(kind, current, &document.into(), &content_type, Timestamp::from_millis(now_ms), MAX_BYTES)
}

fn patch(
    current: Option<&Object>,
    media_type: &str,
    document: impl Into<Bytes>,
) -> Result<Patched, PatchError> {
    patch_at(NOW_MS, current, media_type, document)
}

#[track_caller]
fn text(result: Result<Patched, PatchError>) -> String {
    String::from_utf8(result.unwrap().value.to_vec()).unwrap()
}

#[track_caller]
fn malformed(result: Result<Patched, PatchError>) -> String {
    match result {
        Err(PatchError::Malformed(why)) => why,
        other => panic!("not malformed: {other:?}"),
    }
}

#[track_caller]
fn conflict(result: Result<Patched, PatchError>) -> String {
    match result {
        Err(PatchError::Conflict(why)) => why,
        other => panic!("no conflict: {other:?}"),
    }
}

#[test]
fn a_content_type_names_its_kind_whatever_its_case_and_parameters() {
    for (text, kind) in [
        ("application/merge-patch+json", Some(PatchKind::Merge)),
        ("Application/JSON-Patch+JSON; charset=utf-8", Some(PatchKind::Json)),
        ("text/plain;charset=iso-8859-1", Some(PatchKind::Append)),
        ("application/octet-stream", Some(PatchKind::Append)),
        ("application/vnd.ringhold.counter+json", Some(PatchKind::Counter)),
        ("application/vnd.ringhold.SET+json ; v=1", Some(PatchKind::Set)),
        ("application/vnd.ringhold.rate-limit+json", Some(PatchKind::RateLimit)),
        ("application/json", None),
        ("text/plainer", None),
        ("text", None),
        (";text/plain", None),
    ] {
        assert_eq!(PatchKind::from_content_type(&content_type(text)), kind, "{text}");
    }
}

#[test]
fn accept_patch_lists_every_media_type_of_every_kind() {
    let listed: Vec<_> = PatchKind::ACCEPT_PATCH.split(", ").collect();
    let all: Vec<_> = PatchKind::ALL.iter().flat_map(|kind| kind.media_types()).copied().collect();
    assert_eq!(listed, all);
    for name in listed {
        assert!(PatchKind::from_content_type(&content_type(name)).is_some(), "{name}");
    }
}
