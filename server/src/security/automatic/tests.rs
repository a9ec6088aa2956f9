//! Authorities and leaves from a shared secret.

use super::super::secret::Secret;
use super::super::shared_secret::generate_secret;
use super::super::testing::{now, some_secrets};
use super::super::tls::Options;
use super::*;
use crate::clock::Clock;

fn members(addresses: &[&str]) -> Vec<MemberAddress> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

fn names(addresses: &[&str]) -> NodeNames {
    NodeNames::new(&members(addresses)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Computed by another implementation (Python's `hmac`, `openssl pkey -pubout`).
#[test]
fn the_vectors_of_the_documentation_hold() {
    let secrets = SharedSecrets::new(&Secret::from("ringhold test vector: not a secret 0123"), &[]).unwrap();
    let scalar = authority_scalar(secrets.signing());
    assert_eq!(hex(scalar.as_slice()), "23ea27551264209ea80e74efc7886567dd3e3b4af55baf14e534093d703697c1");
    let authority = Authority::derive(secrets.signing(), now()).unwrap();
    let public = "047da4296a38430b1538eb5d834488d7a5506b0a3efcf1f580df648ac3f60a5a90\
                  09444f10740ef8981a81307d23640499ed348e5372f91707d2e1effc6c9cf7cb";
    assert!(hex(authority.certificate().public_key()).ends_with(public));
    assert_eq!(authority.certificate().subject(), "CN=Ringhold automatic authority b5ef318554319d0e");
}

#[test]
fn two_nodes_derive_one_authority_and_two_leaf_keys() {
    let secrets = some_secrets();
    let [one, other] = ["10.0.0.1:9999", "10.0.0.2:9999"].map(|address| {
        let authority = Authority::derive(secrets.signing(), now()).unwrap();
        let leaf = authority.issue(&names(&[address]), now()).unwrap();
        (authority.certificate().public_key().to_vec(), leaf.leaf().public_key().to_vec())
    });
    assert_eq!(one.0, other.0, "the authority is the same");
    assert_ne!(one.1, other.1, "the leaf keys are their own");
}

#[test]
fn a_leaf_bears_the_nodes_addresses_and_lives_a_day() {
    let secrets = some_secrets();
    let names = names(&["[::1]:9999", "node-1.example:9999", "10.0.0.1:9999", "10.0.0.1:7"]);
    let material = material(&secrets, &names, now()).unwrap();
    let leaf = material.identity.leaf();
    assert_eq!(leaf.names(), ["::1", "node-1.example", "10.0.0.1"]);
    assert_eq!(leaf.subject(), "CN=[::1]:9999");
    let life = leaf.not_after().since(leaf.not_before());
    assert_eq!(life, LIFETIME + BACKDATE);
    assert!(!leaf.is_self_issued());
}

#[test]
fn every_accepted_secret_is_trusted_and_the_first_one_signs() {
    let (old, new) = (generate_secret().unwrap(), generate_secret().unwrap());
    let secrets = SharedSecrets::new(&new, std::slice::from_ref(&old)).unwrap();
    let material = material(&secrets, &names(&["10.0.0.1:9999"]), now()).unwrap();
    assert_eq!(material.trust.anchors().len(), 2);
    let signer = Authority::derive(SharedSecrets::new(&new, &[]).unwrap().signing(), now()).unwrap();
    assert_eq!(material.identity.leaf().issuer(), signer.certificate().subject());
}

#[test]
fn a_node_without_a_name_or_with_too_many_gets_no_certificate() {
    assert!(matches!(NodeNames::new(&[]), Err(AutomaticError::NoName)));
    let many: Vec<MemberAddress> =
        (0..=MAX_NAMES).map(|n| format!("10.0.1.{n}:1").parse().unwrap()).collect();
    assert!(matches!(NodeNames::new(&many), Err(AutomaticError::TooManyNames(65))));
}

fn automatic(secrets: SharedSecrets, clock: &Clock) -> AutomaticTls {
    AutomaticTls::start(secrets, names(&["10.0.0.1:9999"]), Options::default(), clock.clone()).unwrap()
}

fn leaf(automatic: &AutomaticTls) -> Certificate {
    automatic.tls().current().material.identity.leaf().clone()
}

#[test]
fn a_certificate_is_renewed_at_half_its_life_with_a_new_key() {
    let clock = Clock::manual(now());
    let node = automatic(some_secrets(), &clock);
    let first = leaf(&node);
    assert!(!node.renew_if_due().unwrap());
    clock.advance(LIFETIME / 2);
    assert!(node.renew_if_due().unwrap());
    let second = leaf(&node);
    assert_ne!(first.public_key(), second.public_key());
    assert_eq!(first.check_dates(clock.wall()), Ok(()), "the old one had not expired");
    assert!(second.not_after() > first.not_after());
    assert!(!node.renew_if_due().unwrap());
}

#[test]
fn a_certificate_from_a_clock_that_was_wrong_is_replaced() {
    // Two nodes stand for one whose clock is set back by an hour: the clock of tests only goes forward.
    let (right, ahead) = (Clock::manual(now()), Clock::manual(now() + Duration::from_secs(3600)));
    let node = automatic(some_secrets(), &right);
    let names = names(&["10.0.0.1:9999"]);
    node.tls().replace(material(&some_secrets(), &names, ahead.wall()).unwrap()).unwrap();
    assert!(leaf(&node).check_dates(right.wall()).is_err());
    assert!(node.renew_if_due().unwrap());
    assert_eq!(leaf(&node).check_dates(right.wall()), Ok(()));
}

#[test]
fn another_secret_is_signed_with_at_once_and_kept_for_renewals() {
    let clock = Clock::manual(now());
    let node = automatic(some_secrets(), &clock);
    let old_issuer = leaf(&node).issuer().to_owned();
    node.replace_secrets(some_secrets()).unwrap();
    let new_issuer = leaf(&node).issuer().to_owned();
    assert_ne!(old_issuer, new_issuer);
    clock.advance(LIFETIME / 2);
    assert!(node.renew_if_due().unwrap());
    assert_eq!(leaf(&node).issuer(), new_issuer);
}

#[test]
fn debug_output_shows_no_key() {
    let authority = Authority::derive(some_secrets().signing(), now()).unwrap();
    let shown = format!("{authority:?}");
    assert!(shown.contains("key: \"***\""), "{shown}");
}
