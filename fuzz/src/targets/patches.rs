//! Patch documents against stored values. Input: a byte for the kind of patch, the document, a byte 0xff, the value.
//!
//! Rules: the same patch of the same value gives the same; what it gives is within the limit.

use bytes::Bytes;
use ringhold_ring::{Timestamp, Version};
use ringhold_server::object::{ContentType, Object};
use ringhold_server::patch::{self, PatchKind};

use super::{Target, kind};

const MAX_BYTES: usize = 8 << 10;
const SEPARATOR: u8 = 0xff;

pub const PATCH: Target = Target {
    name: "patch",
    words: &[
        "{\"op\":\"add\",\"path\":\"/a\",\"value\":1}",
        "\"from\":\"/b\"",
        "\"/-\"",
        "~1",
        "~0",
        "null",
        "[[[[",
        "{\"a\":",
        "1e999",
        "-0",
        "9223372036854775807",
        "\\ud800",
        "\\u0000",
        "\"add\"",
        "\"remove\"",
        "\"test\"",
        "\"move\"",
        "\"copy\"",
    ],
    max_bytes: 32 << 10,
    samples,
    run,
};

fn samples() -> Vec<Vec<u8>> {
    let texts: [(u8, &str, &str); 8] = [
        (0, "{\"a\":null,\"b\":{\"c\":1}}", "{\"a\":1,\"b\":{\"d\":2}}"),
        (
            1,
            "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":3},{\"op\":\"test\",\"path\":\"/a/0\",\"value\":1},\
             {\"op\":\"move\",\"from\":\"/a/0\",\"path\":\"/b\"}]",
            "{\"a\":[1,2]}",
        ),
        (
            1,
            "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/x\"},{\"op\":\"remove\",\"path\":\"/x\"}]",
            "{\"x\":1}",
        ),
        (2, "more", "text"),
        (3, "{\"add\":5}", "7"),
        (4, "{\"add\":[\"a\",\"b\"],\"remove\":[\"c\"]}", "[\"c\",\"d\"]"),
        (5, "{\"limits\":[{\"name\":\"minute\",\"maximum\":10,\"window_seconds\":60}]}", "{}"),
        (3, "{\"add\":1}", ""),
    ];
    texts
        .map(|(kind, document, value)| {
            [&[kind], document.as_bytes(), &[SEPARATOR], value.as_bytes()].concat()
        })
        .into()
}

fn run(input: &[u8]) -> String {
    let Some((number, rest)) = input.split_first() else { return "empty".into() };
    let patch_kind = PatchKind::ALL.into_iter().nth(usize::from(*number) % PatchKind::ALL.len());
    let patch_kind = patch_kind.unwrap_or(PatchKind::Merge);
    let mut parts = rest.splitn(2, |byte| *byte == SEPARATOR);
    let document = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    let content_type = if patch_kind == PatchKind::Append { ContentType::Text } else { ContentType::Json };
    let current = parts.next().map(|value| Object {
        value: Bytes::copy_from_slice(value),
        content_type: content_type.clone(),
        version: Version::from_bytes([1; Version::BYTES]),
        expires_at: None,
    });
    let now = Timestamp::from_millis(1_800_000_000_000);
    let apply = || patch::apply(patch_kind, current.as_ref(), &document, &content_type, now, MAX_BYTES);
    let result = apply();
    assert_eq!(result, apply(), "the same patch gives two results");
    if let Ok(patched) = &result {
        assert!(patched.value.len() <= MAX_BYTES);
        return format!("{patch_kind:?} {}", patched.value.len().min(4));
    }
    format!("{patch_kind:?} {}", kind(&result))
}
