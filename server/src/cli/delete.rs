//! `ringhold delete`: an object ceases to exist, if it did.

use clap::Args;
use ringhold_client::{Client, Condition, DeleteOptions, EntityTag, IdempotencyKey};
use ringhold_ring::Key;
use serde_json::json;

use super::{Failure, input, output};

/// Arguments of `ringhold delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// The object's key
    #[arg(value_parser = input::key)]
    key: Key<'static>,
    /// Only if the object still has this entity tag
    #[arg(long, value_name = "TAG")]
    if_match: Option<EntityTag>,
    /// Names the removal: repeated under the same name within five minutes it does not run again [default: a random name
    /// with a condition, none without]
    #[arg(long, value_name = "NAME")]
    idempotency_key: Option<IdempotencyKey>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// Carries it out.
pub async fn run(ring: &Client, args: &DeleteArgs) -> Result<(), Failure> {
    let condition = args.if_match.clone().map_or(Condition::Always, Condition::IfMatch);
    let options = DeleteOptions { condition, idempotency_key: args.idempotency_key.clone() };
    let served = ring.delete_with(args.key.as_str(), &options).await?;
    if args.json {
        output::print_json(&json!({
            "key": args.key.as_str(),
            "member": served.member,
            "route": served.route,
        }))?;
    }
    Ok(())
}
