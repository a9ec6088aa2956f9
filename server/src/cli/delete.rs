//! `ringhold delete`: an object ceases to exist, if it did.

use clap::Args;
use ringhold_client::{Client, Condition, EntityTag};
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
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// Carries it out.
pub async fn run(ring: &Client, args: &DeleteArgs) -> Result<(), Failure> {
    let condition = args.if_match.clone().map_or(Condition::Always, Condition::IfMatch);
    let served = ring.delete_if(args.key.as_str(), &condition).await?;
    if args.json {
        output::print_json(&json!({
            "key": args.key.as_str(),
            "member": served.member,
            "route": served.route,
        }))?;
    }
    Ok(())
}
