//! `ringhold status`: the ring as one of its nodes sees it.

use clap::Args;
use ringhold_client::{Client, ClusterReport, MemberReport};

use super::{Failure, output};

/// Arguments of `ringhold status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Carries it out.
pub async fn run(ring: &Client, args: &StatusArgs) -> Result<(), Failure> {
    let report = ring.cluster().await?;
    if args.json { output::print_json(&report) } else { output::print(describe(&report)) }
}

fn describe(report: &ClusterReport) -> String {
    let ClusterReport { cluster, ring_id, placement, replicas, me, version, members, store, .. } = report;
    let copies = if *replicas == 1 { "1 copy".into() } else { format!("{replicas} copies") };
    let mut rows = vec![["MEMBER", "HEALTH", "SHARE", ""].map(String::from).to_vec()];
    rows.extend(members.iter().map(row));
    format!(
        "ring {cluster} ({ring_id}), {placement} placement, {copies} of each object\n\
         as seen by {me}, ringhold {version}\n\n{}\n\
         store of {me}: {} objects, {} of {}, {} evicted, {} expired\n",
        output::table(&rows),
        store.objects,
        output::bytes(store.bytes),
        output::bytes(store.max_bytes),
        store.evicted,
        store.expired,
    )
}

fn row(member: &MemberReport) -> Vec<String> {
    let health = match member.passes {
        Some(passes @ 1..) => format!("{} ({passes} passed)", member.health),
        _ => member.health.to_string(),
    };
    let note = if member.is_self { "answers" } else { "" };
    vec![member.address.to_string(), health, format!("{:.1} %", member.share * 100.0), note.into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_is_a_table_of_members() {
        let report = serde_json::from_str(
            r#"{"cluster":"shop","ring_id":"00ff","placement":"modulo","replicas":2,"self":"10.0.0.1:9999",
            "incarnation":1,"version":"0.1.0","members":[
              {"address":"10.0.0.1:9999","health":"online","share":0.3333,"self":true},
              {"address":"10.0.0.20:9999","health":"validating","passes":2,"share":0.6667,"self":false}],
            "store":{"objects":12,"bytes":1536,"max_bytes":1073741824,"evicted":0,"expired":3}}"#,
        );
        let text = describe(&report.unwrap());
        assert_eq!(
            text,
            "ring shop (00ff), modulo placement, 2 copies of each object\n\
             as seen by 10.0.0.1:9999, ringhold 0.1.0\n\
             \n\
             MEMBER          HEALTH                 SHARE\n\
             10.0.0.1:9999   online                 33.3 %  answers\n\
             10.0.0.20:9999  validating (2 passed)  66.7 %\n\
             \n\
             store of 10.0.0.1:9999: 12 objects, 1.5 KiB of 1.0 GiB, 0 evicted, 3 expired\n"
        );
    }
}
