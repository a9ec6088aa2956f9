//! What a patch of each kind costs, without the store: `cargo bench -p ringhold-server --bench patches`.

use std::net::SocketAddr;

use bytes::Bytes;
use divan::{Bencher, black_box};
use ringhold_ring::{MemberAddress, Timestamp, VersionClock, WriterId};
use ringhold_server::object::{ContentType, Object};
use ringhold_server::patch::{self, PatchKind};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const MAX_BYTES: usize = 1 << 20;

fn main() {
    divan::main();
}

/// The value that a first patch makes, and a second patch for it.
#[derive(Debug)]
struct Case {
    kind: PatchKind,
    first: &'static str,
    second: &'static str,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

const CASES: [Case; 6] = [
    Case {
        kind: PatchKind::Merge,
        first: r#"{"user": "ada", "roles": ["a", "b"], "seen": {"count": 1}}"#,
        second: r#"{"seen": {"count": 2}, "roles": null}"#,
    },
    Case {
        kind: PatchKind::Json,
        first: r#"[{"op": "add", "path": "", "value": {"a": [1, 2, 3]}}]"#,
        second: r#"[{"op": "test", "path": "/a/0", "value": 1}, {"op": "add", "path": "/a/-", "value": 4}]"#,
    },
    Case { kind: PatchKind::Append, first: "one line\n", second: "another line\n" },
    Case { kind: PatchKind::Counter, first: r#"{"add": 1}"#, second: r#"{"add": 41}"# },
    Case {
        kind: PatchKind::Set,
        first: r#"{"add": ["a", "b", "c"]}"#,
        second: r#"{"add": ["d"], "remove": ["a"]}"#,
    },
    Case {
        kind: PatchKind::RateLimit,
        first: r#"{"limits": [{"name": "minute", "maximum": 1000000, "window_seconds": 60}]}"#,
        second: r#"{"limits": [{"name": "minute", "maximum": 1000000, "window_seconds": 60}]}"#,
    },
];

fn apply(case: &Case, current: Option<&Object>, document: &'static str) -> Option<patch::Patched> {
    let document = Bytes::from_static(document.as_bytes());
    patch::apply(case.kind, current, &document, &ContentType::Text, NOW, MAX_BYTES).ok()
}

/// One patch of an object that is there.
#[divan::bench(args = CASES)]
fn patch_once(bencher: Bencher<'_, '_>, case: &Case) {
    let member: MemberAddress = SocketAddr::from(([127, 0, 0, 1], 1)).into();
    let version = VersionClock::new(WriterId::of(&member)).next(NOW);
    let current = apply(case, None, case.first).map(|patched| Object {
        value: patched.value,
        content_type: patched.content_type,
        version,
        expires_at: None,
    });
    assert!(current.is_some() && apply(case, current.as_ref(), case.second).is_some(), "{case} applies");
    bencher.bench(|| apply(black_box(case), black_box(current.as_ref()), case.second));
}
