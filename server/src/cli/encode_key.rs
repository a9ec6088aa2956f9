//! `ringhold encode-key`: the forms of a key, worked out without asking anyone.

use clap::Args;
use ringhold_ring::Key;
use serde_json::json;

use super::{Failure, input, output};

/// Arguments of `ringhold encode-key`.
#[derive(Debug, Args)]
pub struct EncodeKeyArgs {
    /// The key
    #[arg(value_parser = input::key)]
    key: Key<'static>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Carries it out.
pub fn run(args: &EncodeKeyArgs) -> Result<(), Failure> {
    let digest = args.key.digest();
    let path = format!("/objects/{}", args.key.to_path());
    if args.json {
        return output::print_json(&json!({
            "key": args.key.as_str(),
            "digest": digest.to_string(),
            "uuid": digest.to_uuid().to_string(),
            "path": path,
        }));
    }
    let rows = [("digest", digest.to_string()), ("uuid", digest.to_uuid().to_string()), ("path", path)];
    output::print(output::table(&rows.map(|(name, text)| vec![name.into(), text])))
}
