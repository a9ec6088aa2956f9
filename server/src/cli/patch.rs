//! `ringhold patch`: an object is changed in place; the new value is printed.

use std::path::Path;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use ringhold_client::{
    Client, Counter, IdempotencyKey, Object, Patch, PatchOptions, Patched, RawPatch, SetPatch,
};
use ringhold_ring::{Key, Ttl};
use serde_json::{Value, json};

use super::input::Input;
use super::put::ConditionArgs;
use super::{Failure, input, output};

/// The largest patch document that is read, in bytes.
const MAX_DOCUMENT_BYTES: usize = 64 << 20;

/// Arguments of `ringhold patch`.
#[derive(Debug, Args)]
pub struct PatchArgs {
    /// The object's key
    #[arg(value_parser = input::key)]
    key: Key<'static>,
    /// The language of the patch
    #[arg(long, value_enum)]
    kind: Kind,
    /// The patch itself; - for stdin, @FILE for a file
    #[arg(conflicts_with_all = ["add", "remove"], required_unless_present_any = ["add", "remove"])]
    document: Option<String>,
    /// Instead of a document: a number to add to a counter, or a member to add to a set; repeat it for more members
    #[arg(long, value_name = "N|MEMBER", allow_hyphen_values = true)]
    add: Vec<String>,
    /// Instead of a document: a member to remove from a set; repeat it for more
    #[arg(long, value_name = "MEMBER", allow_hyphen_values = true)]
    remove: Vec<String>,
    /// The object's new time to live, in seconds [default: it keeps its expiry]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<Ttl>,
    #[command(flatten)]
    condition: ConditionArgs,
    /// Names the patch: repeated under the same name within five minutes it does not run again [default: a random name]
    #[arg(long, value_name = "NAME")]
    idempotency_key: Option<IdempotencyKey>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// A kind of patch, as it is called here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// JSON merge patch (RFC 7396)
    Merge,
    /// JSON patch (RFC 6902)
    Json,
    /// The document goes behind the stored bytes
    Append,
    /// Adds to a number: {"add": 1, "floor": 0, "ceiling": 9, "initial": 5}
    Counter,
    /// Adds and removes members: {"add": ["a"], "remove": ["b"]}
    Set,
    /// Counts a use: {"limits": [{"name": "minute", "maximum": 10, "window_seconds": 60}]}
    RateLimit,
}

impl Kind {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Merge => "application/merge-patch+json",
            Self::Json => "application/json-patch+json",
            Self::Append => "application/octet-stream",
            Self::Counter => "application/vnd.ringhold.counter+json",
            Self::Set => "application/vnd.ringhold.set+json",
            Self::RateLimit => "application/vnd.ringhold.rate-limit+json",
        }
    }
}

/// Carries it out.
pub async fn run(ring: &Client, args: &PatchArgs) -> Result<(), Failure> {
    let patch = patch(args)?;
    let options = PatchOptions {
        ttl: args.ttl,
        condition: args.condition.clone().into(),
        idempotency_key: args.idempotency_key.clone(),
    };
    let patched = ring.patch_with(args.key.as_str(), &patch, &options).await?;
    if args.json { output::print_json(&report(args, patched)) } else { show(args.kind, &patched.answer) }
}

/// The patch that the arguments describe.
fn patch(args: &PatchArgs) -> Result<RawPatch, Failure> {
    let content_type = args.kind.content_type();
    let document = match (&args.document, args.kind) {
        (Some(document), kind) => return given(document, kind),
        (None, Kind::Counter) => match args.add.as_slice() {
            [amount] if args.remove.is_empty() => {
                let amount =
                    amount.parse().map_err(|_| Failure::usage("--add takes a whole number for a counter"))?;
                Counter::add(amount).document()?
            }
            _ => {
                return Err(Failure::usage(
                    "a counter takes one --add with a whole number, which may be negative",
                ));
            }
        },
        (None, Kind::Set) => SetPatch::default()
            .with(args.add.iter().cloned())
            .without(args.remove.iter().cloned())
            .document()?,
        (None, _) => {
            return Err(Failure::usage(
                "--add and --remove are for --kind counter and --kind set; give a document instead",
            ));
        }
    };
    Ok(RawPatch { content_type: content_type.into(), document })
}

/// The patch whose document was typed, or stands in a file. Typed text makes a text when it is appended to nothing.
fn given(document: &str, kind: Kind) -> Result<RawPatch, Failure> {
    let (bytes, is_typed): (Bytes, bool) = match (document, document.strip_prefix('@')) {
        ("-", _) => (Input::Stdin.into_bytes(MAX_DOCUMENT_BYTES)?, false),
        (_, Some(path)) => (Input::of(Path::new(path)).into_bytes(MAX_DOCUMENT_BYTES)?, false),
        (text, None) => (text.to_owned().into(), true),
    };
    let content_type = if is_typed && kind == Kind::Append { "text/plain" } else { kind.content_type() };
    Ok(RawPatch { content_type: content_type.into(), document: bytes })
}

/// The new value; what was appended to is not shown, it may be long and need not be text.
fn show(kind: Kind, object: &Object) -> Result<(), Failure> {
    if kind == Kind::Append {
        return Ok(());
    }
    output::print(&object.value)?;
    if object.value.ends_with(b"\n") { Ok(()) } else { output::print("\n") }
}

fn report(args: &PatchArgs, patched: Patched<Object>) -> Value {
    let Patched { answer, created, overtaken, etag, served } = patched;
    let mut report = json!({
        "key": args.key.as_str(),
        "created": created,
        "overtaken": overtaken,
        "etag": etag.as_str(),
        "content_type": answer.info.content_type,
        "length": answer.value.len(),
        "member": served.member,
        "route": served.route,
    });
    let value = (args.kind != Kind::Append).then(|| serde_json::from_slice(&answer.value).ok()).flatten();
    if let Some(value) = value {
        report["value"] = value;
    }
    report
}
