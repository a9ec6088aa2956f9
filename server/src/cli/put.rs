//! `ringhold put`: a file, a pipe or stdin becomes an object.

use std::path::PathBuf;

use clap::Args;
use ringhold_client::{Client, Condition, EntityTag, IdempotencyKey, PutOptions};
use ringhold_ring::{Key, Ttl};
use serde_json::json;

use super::input::Input;
use super::{Failure, input, output};

/// Arguments of `ringhold put`.
#[derive(Debug, Args)]
pub struct PutArgs {
    /// The object's key
    #[arg(value_parser = input::key)]
    key: Key<'static>,
    /// The file to store; - or nothing for stdin
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
    /// How long the object lives, in seconds [default: what the ring is configured with]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<Ttl>,
    /// The type of the value [default: application/octet-stream]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    #[command(flatten)]
    condition: ConditionArgs,
    /// Names the write: repeated under the same name within five minutes it does not run again [default: a random name
    /// with a condition, none without]
    #[arg(long, value_name = "NAME")]
    idempotency_key: Option<IdempotencyKey>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What must hold for a write.
#[derive(Clone, Debug, Default, Args)]
pub struct ConditionArgs {
    /// Only if the object still has this entity tag
    #[arg(long, value_name = "TAG", conflicts_with = "if_absent")]
    if_match: Option<EntityTag>,
    /// Only if there is no such object
    #[arg(long)]
    if_absent: bool,
}

impl From<ConditionArgs> for Condition {
    fn from(args: ConditionArgs) -> Self {
        match args.if_match {
            Some(tag) => Self::IfMatch(tag),
            None if args.if_absent => Self::IfAbsent,
            None => Self::Always,
        }
    }
}

/// Carries it out.
pub async fn run(ring: &Client, args: &PutArgs) -> Result<(), Failure> {
    let value = Input::of(&args.file).into_value()?;
    let options = PutOptions {
        content_type: args.content_type.clone(),
        ttl: args.ttl,
        condition: args.condition.clone().into(),
        idempotency_key: args.idempotency_key.clone(),
    };
    let stored = ring.put_with(args.key.as_str(), value, &options).await?;
    if args.json {
        output::print_json(&json!({
            "key": args.key.as_str(),
            "created": stored.created,
            "etag": stored.etag.as_str(),
            "member": stored.served.member,
            "route": stored.served.route,
        }))?;
    }
    Ok(())
}
