//! The page that defines the kinds: its examples are run, its schemas are held against the limits in the code.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::object::Refusal;
use crate::patch::json::{MAX_DEPTH, check, compact, is_json};
use crate::patch::{json_patch, rate_limit, set};

const PAGE: &str = include_str!("../../../../proto-docs/patches.md");

/// The contents of the fenced blocks whose info string begins with `label`, with what follows it there.
fn blocks(label: &str) -> Vec<(&'static str, &'static str)> {
    let fences = PAGE.split("```").skip(1).step_by(2);
    fences
        .filter_map(|block| {
            let (info, body) = block.split_once('\n')?;
            Some((info.strip_prefix(label)?.trim(), body))
        })
        .collect()
}

/// One example: a member's state, a request, and its answer.
struct Example {
    now_ms: u64,
    max_bytes: usize,
    stored: Option<Object>,
    media_type: &'static str,
    document: Vec<u8>,
    status: u16,
    /// The content type of a value, or the code of a problem.
    kind: &'static str,
    body: &'static str,
}

impl Example {
    fn parse(block: &'static str) -> Self {
        let parts: Vec<_> = block.trim().split("\n\n").collect();
        let [state, request, answer] = parts[..] else { panic!("three parts: {block}") };
        let mut example = Self {
            now_ms: NOW_MS,
            max_bytes: MAX_BYTES,
            stored: None,
            media_type: "",
            document: Vec::new(),
            status: 0,
            kind: "",
            body: "",
        };
        let mut rest = state;
        while let (Some((line, below)), false) = (rest.split_once('\n'), rest.starts_with("stored")) {
            match line.split_once(' ').unwrap() {
                ("now", now_ms) => example.now_ms = now_ms.parse().unwrap(),
                ("limit", bytes) => example.max_bytes = bytes.parse().unwrap(),
                other => panic!("neither now nor limit: {other:?}"),
            }
            rest = below;
        }
        let (line, value) = rest.split_once('\n').unwrap_or((rest, ""));
        let stored_as = line.strip_prefix("stored ").unwrap();
        example.stored = (stored_as != "nothing").then(|| object(stored_as, value));
        let (line, document) = request.split_once('\n').unwrap();
        example.media_type = line.strip_prefix("patch ").unwrap();
        example.document = with_bytes(document);
        let (line, body) = answer.split_once('\n').unwrap_or((answer, ""));
        let (status, kind) = line.split_once(' ').unwrap();
        (example.status, example.kind, example.body) = (status.parse().unwrap(), kind, body);
        example
    }

    /// What a node answers: status, content type or code, body or detail.
    fn answer(&self) -> (u16, String, String) {
        let media_type = content_type(self.media_type);
        let Some(kind) = PatchKind::from_content_type(&media_type) else {
            return (415, "unsupported-patch".to_owned(), String::new());
        };
        let (document, now) = (self.document.clone().into(), Timestamp::from_millis(self.now_ms));
        match apply(kind, self.stored.as_ref(), &document, &media_type, now, self.max_bytes) {
            Ok(made) => {
                let status = if self.stored.is_some() { 200 } else { 201 };
                let value = String::from_utf8(made.value.to_vec()).unwrap();
                (status, made.content_type.as_str().to_owned(), value)
            }
            Err(error) => {
                let refusal = Refusal::from(error);
                let (status, code) = match &refusal {
                    Refusal::MalformedPatch(_) => (400, "malformed-patch"),
                    Refusal::PatchConflict(_) => (409, "patch-conflict"),
                    Refusal::TooLarge { .. } => (413, "too-large"),
                    other => panic!("no refusal of a patch: {other:?}"),
                };
                (status, code.to_owned(), refusal.to_string())
            }
        }
    }
}

/// `text`, its `\xFF` a byte.
fn with_bytes(text: &str) -> Vec<u8> {
    text.split("\\xFF").collect::<Vec<_>>().iter().map(|part| part.as_bytes()).collect::<Vec<_>>().join(&0xff)
}

#[test]
fn every_example_on_the_page_is_what_happens() {
    assert_eq!(blocks("example").len(), PAGE.matches("\npatch ").count(), "no example is passed over");
    for (_, block) in blocks("example") {
        let example = Example::parse(block);
        let body = match ContentType::parse(example.kind.as_bytes()) {
            Ok(content_type) if is_json(&content_type) => compact(check(example.body.as_bytes()).unwrap()),
            _ => example.body.into(),
        };
        assert_eq!(example.answer(), (example.status, example.kind.to_owned(), body.into_owned()), "{block}");
    }
}

#[test]
fn every_kind_shows_how_it_patches_creates_and_refuses() {
    let mut shown: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
    for (_, block) in blocks("example") {
        let example = Example::parse(block);
        if let Some(kind) = PatchKind::from_content_type(&content_type(example.media_type)) {
            shown.entry(kind.media_types()[0]).or_default().insert(example.status);
        }
    }
    for kind in PatchKind::ALL {
        let shown = &shown[kind.media_types()[0]];
        assert!(shown.is_superset(&BTreeSet::from([200, 201, 400, 409])), "{kind:?} shows only {shown:?}");
    }
}

#[test]
fn the_page_lists_every_media_type() {
    for media_type in PatchKind::ALL.iter().flat_map(|kind| kind.media_types()) {
        assert!(PAGE.contains(&format!("`{media_type}`")), "{media_type}");
    }
}

#[test]
fn the_schemas_have_the_limits_of_the_code() {
    let schemas: BTreeMap<_, Value> = blocks("schema")
        .into_iter()
        .map(|(name, text)| (name, serde_json::from_str(text).unwrap()))
        .collect();
    let names: Vec<_> = schemas.keys().copied().collect();
    assert_eq!(names, ["counter", "json-patch", "merge-patch", "rate-limit", "rate-limit-answer", "set"]);
    for (schema, place, limit) in [
        ("json-patch", "/maxItems", json_patch::MAX_OPERATIONS as u64),
        ("counter", "/$defs/amount/maximum", i64::MAX as u64),
        ("set", "/$defs/members/items/maxLength", set::MAX_MEMBER_BYTES as u64),
        ("rate-limit", "/properties/limits/maxItems", rate_limit::MAX_PATCH_LIMITS as u64),
        (
            "rate-limit",
            "/properties/limits/items/properties/name/maxLength",
            rate_limit::MAX_NAME_BYTES as u64,
        ),
        ("rate-limit", "/properties/limits/items/properties/maximum/maximum", rate_limit::MAX_COUNT),
        (
            "rate-limit",
            "/properties/limits/items/properties/window_seconds/maximum",
            u64::from(ringhold_ring::Ttl::MAX_SECONDS),
        ),
        ("rate-limit-answer", "/properties/limits/maxItems", rate_limit::MAX_LIMITS as u64),
        ("rate-limit-answer", "/properties/limits/items/properties/used/maximum", rate_limit::MAX_COUNT),
    ] {
        assert_eq!(schemas[schema].pointer(place).and_then(Value::as_u64), Some(limit), "{schema} {place}");
    }
    assert_eq!(schemas["counter"].pointer("/$defs/amount/minimum").and_then(Value::as_i64), Some(i64::MIN));
    assert!(PAGE.contains(&format!("nest at most {MAX_DEPTH} levels")));
}
