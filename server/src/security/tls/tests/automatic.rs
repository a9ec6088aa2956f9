//! Nodes that share a secret and nothing else.

use super::*;
use crate::security::automatic::{self, AutomaticTls, LIFETIME, NodeNames};
use crate::security::shared_secret::{SharedSecrets, generate_secret};
use crate::security::testing::some_secrets;

fn automatic(secrets: &SharedSecrets, address: &str, clock: &Clock) -> Tls {
    let names = NodeNames::new(&[address.parse().unwrap()]).unwrap();
    let material = automatic::material(secrets, &names, clock.wall()).unwrap();
    Tls::new(material, Options::default(), clock.clone()).unwrap()
}

#[test]
fn nodes_with_one_secret_and_nothing_else_trust_each_other() {
    let (secrets, clock) = (some_secrets(), Clock::manual(now()));
    let (one, two) =
        (automatic(&secrets, "10.0.0.1:1", &clock), automatic(&secrets, "node.example:2", &clock));
    let (_, server) = between(&one, &two, "node.example").accepted();
    let peer = Peer::of(server.peer_certificates(), &two.current().material);
    assert!(peer.is_member(&"10.0.0.1:9999".parse().unwrap()));
    assert!(!peer.is_member(&"10.0.0.3:9999".parse().unwrap()));
    between(&two, &one, "10.0.0.1").accepted();
    let (client, _) = between(&two, &one, "10.0.0.3").refused();
    assert!(client.contains("is for 10.0.0.1, not for 10.0.0.3"), "{client}");
}

#[test]
fn a_node_with_another_secret_or_a_clock_ten_minutes_off_is_kept_out() {
    let (secrets, clock) = (some_secrets(), Clock::manual(now()));
    let node = automatic(&secrets, "10.0.0.1:1", &clock);
    let (_, server) = between(&automatic(&some_secrets(), "10.0.0.2:1", &clock), &node, "10.0.0.1").refused();
    assert!(!server.is_empty());
    let ahead = Clock::manual(now() + Duration::from_secs(600));
    let (_, server) = between(&automatic(&secrets, "10.0.0.2:1", &ahead), &node, "10.0.0.1").refused();
    assert!(server.contains("compare both clocks"), "{server}");
    let behind = Clock::manual(before(now(), Duration::from_secs(600)));
    let (client, _) = between(&automatic(&secrets, "10.0.0.2:1", &behind), &node, "10.0.0.1").refused();
    assert!(client.contains("compare both clocks"), "{client}");
    let slightly = Clock::manual(now() + Duration::from_secs(60));
    between(&automatic(&secrets, "10.0.0.2:1", &slightly), &node, "10.0.0.1").accepted();
}

#[test]
fn a_renewed_certificate_is_accepted_by_nodes_that_have_not_renewed() {
    let (secrets, clock) = (some_secrets(), Clock::manual(now()));
    let other = automatic(&secrets, "10.0.0.2:1", &clock);
    let names = NodeNames::new(&["10.0.0.1:1".parse().unwrap()]).unwrap();
    let start = AutomaticTls::start(secrets, names, Options::default(), clock.clone());
    let node = start.unwrap();
    clock.advance(LIFETIME / 2);
    assert!(node.renew_if_due().unwrap());
    between(&other, node.tls(), "10.0.0.1").accepted();
    between(node.tls(), &other, "10.0.0.2").accepted();
    clock.advance(LIFETIME / 2 + Duration::from_secs(2));
    let (client, _) = between(node.tls(), &other, "10.0.0.2").refused();
    assert!(client.contains("expired on"), "a node that never renews drops out: {client}");
}

#[test]
fn a_secret_is_rotated_in_two_steps_without_a_refusal() {
    let clock = Clock::manual(now());
    let (old, new) = (generate_secret().unwrap(), generate_secret().unwrap());
    let stage = |signing: &_, accepted: &[_]| {
        automatic(&SharedSecrets::new(signing, accepted).unwrap(), "10.0.0.1:1", &clock)
    };
    let stages = [
        stage(&old, &[]),
        stage(&old, std::slice::from_ref(&new)),
        stage(&new, std::slice::from_ref(&old)),
        stage(&new, &[]),
    ];
    for [one, two] in stages.array_windows() {
        between(one, two, "10.0.0.1").accepted();
        between(two, one, "10.0.0.1").accepted();
    }
    between(&stages[0], &stages[3], "10.0.0.1").refused();
}
