//! `ringhold status`: the ring as one of its nodes sees it.

use clap::Args;
use ringhold_client::{Acting, Client, ClusterReport, CopiesReport, HandoffReport, MemberReport};

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
    let ClusterReport { name, ring_id, placement, replicas, member, version, members, .. } = report;
    let copies = if *replicas == 1 { "1 copy".into() } else { format!("{replicas} copies") };
    let mut rows = vec![["MEMBER", "HEALTH", "SHARE", ""].map(String::from).to_vec()];
    rows.extend(members.iter().map(|member| row(member, &report.handoff)));
    format!(
        "ring {name} ({ring_id}), {placement} placement, {copies} of each object\n\
         as seen by {member}, ringhold {version}\n{}\n{}\n{}",
        state(report),
        output::table(&rows),
        holdings(report),
    )
}

/// What is unusual about the member that answers.
fn state(report: &ClusterReport) -> String {
    let ClusterReport { member, acting, syncing_since_ms, target_ring_id, target_waits_for, .. } = report;
    let mut text = match (acting, syncing_since_ms) {
        (Acting::Acting, _) => String::new(),
        (_, Some(_)) => format!("{member} waits to be handed what it missed; others act in its place\n"),
        (Acting::Doubting, None) => {
            format!("{member} was stopped for a while; its requests wait until others have been asked\n")
        }
        (Acting::Passive | Acting::Other(_), None) => format!("others act in place of {member}\n"),
    };
    if let Some(target) = target_ring_id {
        text += &format!("the members change; the new ring is {target}");
        if !target_waits_for.is_empty() {
            let members: Vec<_> = target_waits_for.iter().map(ToString::to_string).collect();
            text += &format!(", which waits for {}", members.join(", "));
        }
        text.push('\n');
    }
    text
}

/// What the member that answers holds, and has sent.
fn holdings(report: &ClusterReport) -> String {
    let ClusterReport { member, store, copies, .. } = report;
    let mut text = format!(
        "store of {member}: {} objects, {} of {}, {} evicted, {} expired",
        store.objects,
        output::bytes(store.bytes),
        output::bytes(store.max_bytes),
        store.evicted,
        store.expired,
    );
    if store.tombstones > 0 {
        text += &format!(", {} tombstones", store.tombstones);
    }
    text.push('\n');
    if *copies != CopiesReport::default() {
        text += &format!("copies from {member}: {} sent, {} failed\n", copies.sent, copies.failed);
    }
    text
}

/// How far a handoff is.
pub(super) fn progress(handoff: &HandoffReport) -> String {
    let HandoffReport { objects_sent, bytes_sent, objects_left, .. } = handoff;
    format!(
        "being handed its objects: {objects_sent} ({}) sent, about {objects_left} left",
        output::bytes(*bytes_sent)
    )
}

fn row(member: &MemberReport, handoff: &[HandoffReport]) -> Vec<String> {
    let MemberReport { address, health, passes, state, ring_id, share, is_self, .. } = member;
    let health = if *passes > 0 { format!("{health} ({passes} passed)") } else { health.to_string() };
    // That a member is ready is the usual case, and goes without saying.
    let state = state.as_ref().filter(|state| *state != "ready").cloned();
    let other_ring = ring_id.as_ref().map(|id| format!("is configured for another ring ({id})"));
    let handoff = handoff.iter().find(|handoff| handoff.member == *address).map(progress);
    let notes = [is_self.then(|| "answers".to_owned()), state, handoff, other_ring];
    let notes: Vec<_> = notes.into_iter().flatten().collect();
    vec![address.to_string(), health, format!("{:.1} %", share * 100.0), notes.join(", ")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_is_a_table_of_members() {
        let report = serde_json::from_str(
            r#"{"name":"shop","ring_id":"00ff","placement":"modulo","replicas":2,"member":"10.0.0.1:9999",
            "incarnation":"01","version":"0.1.0","members":[
              {"address":"10.0.0.1:9999","health":"online","share":0.3333,"is_self":true,"passes":0},
              {"address":"10.0.0.3:9999","health":"online","share":0.3333,"is_self":false,"passes":0,"state":"ready"},
              {"address":"10.0.0.20:9999","health":"validating","passes":2,"share":0.3334,"is_self":false,
               "state":"syncing","ring_id":"00fe"}],
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
             10.0.0.3:9999   online                 33.3 %\n\
             10.0.0.20:9999  validating (2 passed)  33.3 %  syncing, is configured for another ring (00fe)\n\
             \n\
             store of 10.0.0.1:9999: 12 objects, 1.5 KiB of 1.0 GiB, 0 evicted, 3 expired\n"
        );
    }

    #[test]
    fn what_is_under_way_is_said_where_it_happens() {
        let report = serde_json::from_str(
            r#"{"name":"shop","ring_id":"00ff","placement":"modulo","replicas":2,"member":"10.0.0.1:9999",
            "incarnation":"01","version":"0.1.0","members":[
              {"address":"10.0.0.1:9999","health":"online","share":0.5,"is_self":true,"state":"syncing"},
              {"address":"10.0.0.2:9999","health":"validating","share":0.5,"is_self":false,"passes":1}],
            "store":{"objects":12,"tombstones":4,"bytes":1536,"max_bytes":1073741824,"evicted":0,"expired":3},
            "acting":"passive","syncing_since_ms":1,"target_ring_id":"00fe",
            "target_waits_for":["10.0.0.2:9999"],"copies":{"sent":9,"failed":1},
            "handoff":[{"member":"10.0.0.2:9999","objects_sent":40,"bytes_sent":2048,"objects_left":7,
              "started_at_ms":1}]}"#,
        );
        let text = describe(&report.unwrap());
        assert_eq!(
            text,
            "ring shop (00ff), modulo placement, 2 copies of each object\n\
             as seen by 10.0.0.1:9999, ringhold 0.1.0\n\
             10.0.0.1:9999 waits to be handed what it missed; others act in its place\n\
             the members change; the new ring is 00fe, which waits for 10.0.0.2:9999\n\
             \n\
             MEMBER         HEALTH                 SHARE\n\
             10.0.0.1:9999  online                 50.0 %  answers, syncing\n\
             10.0.0.2:9999  validating (1 passed)  50.0 %  being handed its objects: 40 (2.0 KiB) sent, about 7 left\n\
             \n\
             store of 10.0.0.1:9999: 12 objects, 1.5 KiB of 1.0 GiB, 0 evicted, 3 expired, 4 tombstones\n\
             copies from 10.0.0.1:9999: 9 sent, 1 failed\n"
        );
    }
}
