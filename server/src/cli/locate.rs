//! `ringhold locate`: which members a key lives on, as a node of the ring sees it.

use clap::Args;
use ringhold_client::{Client, Location};
use ringhold_ring::{Key, MemberAddress};

use super::{Failure, input, output};

/// Arguments of `ringhold locate`.
#[derive(Debug, Args)]
pub struct LocateArgs {
    /// The key; there need not be an object under it
    #[arg(value_parser = input::key)]
    key: Key<'static>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Carries it out.
pub async fn run(ring: &Client, args: &LocateArgs) -> Result<(), Failure> {
    let location = ring.locate(args.key.as_str()).await?;
    if args.json { output::print_json(&location) } else { output::print(describe(location)) }
}

fn describe(location: Location) -> String {
    let Location { key, digest, uuid, owner, role, homes, preference_list } = location;
    let list =
        |members: Vec<MemberAddress>| members.iter().map(ToString::to_string).collect::<Vec<_>>().join("  ");
    let row = |name: &str, text: String| vec![name.to_owned(), text];
    output::table(&[
        row("key", key),
        row("digest", digest),
        row("uuid", uuid),
        row("served by", format!("{owner} ({role})")),
        row("homes", list(homes)),
        row("preference", list(preference_list)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_shown_line_by_line() {
        let member = |port: u16| MemberAddress::from(std::net::SocketAddr::from(([10, 0, 0, 1], port)));
        let text = describe(Location {
            key: "k".into(),
            digest: "00ff".into(),
            uuid: "u".into(),
            owner: member(2),
            role: "stand-in".into(),
            homes: vec![member(1)],
            preference_list: vec![member(1), member(2)],
        });
        assert!(text.contains("served by   10.0.0.1:2 (stand-in)\n"), "{text}");
        assert!(text.ends_with("preference  10.0.0.1:1  10.0.0.1:2\n"), "{text}");
    }
}
