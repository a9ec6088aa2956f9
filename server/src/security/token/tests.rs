//! Tokens that are accepted, and every way in which they are not.

use proptest::prelude::*;

use super::super::secret::Secret;
use super::super::shared_secret::generate_secret;
use super::super::testing::some_secrets;
use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_763_712_000_000);
const PUT: Request<'_> = Request { method: "PUT", path: "/objects/greeting?x=1" };

fn address(text: &str) -> MemberAddress {
    text.parse().unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Node 1 sends, node 2 receives; node 2 started an hour ago.
fn pair(secrets: &SharedSecrets) -> (TokenSigner, TokenVerifier) {
    let started = Timestamp::from_millis(NOW.as_millis() - 3_600_000);
    let verifier = TokenVerifier::new(secrets, address("10.0.0.2:9999"), DEFAULT_SKEW, started);
    (TokenSigner::new(secrets, address("10.0.0.1:9999")), verifier)
}

fn sign(signer: &TokenSigner) -> String {
    signer.sign(PUT, BodyDigest::of(b"hello"), &address("10.0.0.2:9999"), NOW).unwrap()
}

fn check(
    verifier: &TokenVerifier,
    token: &str,
    request: Request<'_>,
    now: Timestamp,
) -> Result<SignedHead, TokenError> {
    verifier.check(token, request, |_| true, now)
}

/// Computed by another implementation (Python's `hmac`).
#[test]
fn the_vector_of_the_documentation_holds() {
    let secrets = SharedSecrets::new(&Secret::from("ringhold test vector: not a secret 0123"), &[]).unwrap();
    let (signer, verifier) = pair(&secrets);
    let nonce = std::array::from_fn(|index| index as u8);
    let receiver = address("10.0.0.2:9999");
    let token = signer.sign_with(PUT, BodyDigest::of(b"hello"), &receiver, NOW, nonce);
    assert_eq!(
        token,
        "v1,10.0.0.1:9999,1763712000000,AAECAwQFBgcICQoLDA0ODw,LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ,\
         s7XRiAdjxmWCcprepc1gqP1XXODCX0-o9WcJPtF6H0A"
    );
    assert!(check(&verifier, &token, PUT, NOW).is_ok());
}

#[test]
fn a_signed_request_is_accepted_with_its_body_and_names_its_sender() {
    let (signer, verifier) = pair(&some_secrets());
    let head = check(&verifier, &sign(&signer), PUT, NOW).unwrap();
    assert_eq!(head.sender(), &address("10.0.0.1:9999"));
    assert_eq!(head.accept_body(BodyDigest::of(b"hello")), Ok(address("10.0.0.1:9999")));
}

#[test]
fn another_body_is_refused() {
    let (signer, verifier) = pair(&some_secrets());
    let head = check(&verifier, &sign(&signer), PUT, NOW).unwrap();
    assert_eq!(head.accept_body(BodyDigest::of(b"hallo")), Err(TokenError::OtherBody));
}

#[test]
fn another_method_path_receiver_or_secret_is_refused() {
    let secrets = some_secrets();
    let (signer, verifier) = pair(&secrets);
    for request in [
        Request { method: "DELETE", ..PUT },
        Request { path: "/objects/other", ..PUT },
        Request { path: "/objects/greeting", ..PUT },
        Request { method: "PU", path: "T/objects/greeting?x=1" },
    ] {
        assert_eq!(check(&verifier, &sign(&signer), request, NOW).unwrap_err(), TokenError::BadSignature);
    }
    let elsewhere = signer.sign(PUT, BodyDigest::of(b"hello"), &address("10.0.0.3:9999"), NOW).unwrap();
    assert_eq!(check(&verifier, &elsewhere, PUT, NOW).unwrap_err(), TokenError::BadSignature);
    let (stranger, _) = pair(&some_secrets());
    assert_eq!(check(&verifier, &sign(&stranger), PUT, NOW).unwrap_err(), TokenError::BadSignature);
}

#[test]
fn every_changed_character_is_noticed() {
    let (signer, verifier) = pair(&some_secrets());
    let token = sign(&signer);
    for place in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[place] = if changed[place] == b'1' { b'2' } else { b'1' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(check(&verifier, &changed, PUT, NOW).is_err(), "character {place} of {token}");
    }
    assert!(check(&verifier, &token, PUT, NOW).is_ok(), "forged ones must not use it up");
}

#[test]
fn a_token_is_good_once_even_inside_its_window() {
    let (signer, verifier) = pair(&some_secrets());
    let token = sign(&signer);
    assert!(check(&verifier, &token, PUT, NOW).is_ok());
    assert_eq!(check(&verifier, &token, PUT, NOW).unwrap_err(), TokenError::Replayed);
    assert_eq!(check(&verifier, &token, PUT, NOW + seconds(29)).unwrap_err(), TokenError::Replayed);
    assert!(check(&verifier, &sign(&signer), PUT, NOW).is_ok(), "the same request again has another token");
}

#[test]
fn clocks_may_be_apart_by_the_limit_and_no_more() {
    let (signer, verifier) = pair(&some_secrets());
    let early = Timestamp::from_millis(NOW.as_millis() - 30_000);
    assert!(check(&verifier, &sign(&signer), PUT, NOW + seconds(30)).is_ok());
    assert!(check(&verifier, &sign(&signer), PUT, early).is_ok());
    let late = check(&verifier, &sign(&signer), PUT, NOW + seconds(600)).unwrap_err();
    assert_eq!(
        late.to_string(),
        "its member token is 600 s behind our clock, more than 30 s: compare both clocks"
    );
    let ahead = check(&verifier, &sign(&signer), PUT, Timestamp::from_millis(NOW.as_millis() - 600_000));
    assert!(ahead.unwrap_err().to_string().contains("600 s ahead of our clock"));
}

#[test]
fn a_token_from_before_a_restart_is_refused_because_its_use_may_be_forgotten() {
    let secrets = some_secrets();
    let (signer, _) = pair(&secrets);
    let restarted = TokenVerifier::new(&secrets, address("10.0.0.2:9999"), DEFAULT_SKEW, NOW + seconds(1));
    assert_eq!(
        check(&restarted, &sign(&signer), PUT, NOW + seconds(2)).unwrap_err(),
        TokenError::BeforeStart
    );
}

#[test]
fn a_stranger_with_the_secret_is_still_no_member() {
    let (signer, verifier) = pair(&some_secrets());
    let refused = verifier.check(&sign(&signer), PUT, |_| false, NOW).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "its member token is from 10.0.0.1:9999, which is no member of this ring"
    );
}

#[test]
fn during_a_rotation_both_secrets_are_accepted_and_what_was_seen_stays_seen() {
    let (old, new) = (generate_secret().unwrap(), generate_secret().unwrap());
    let before = SharedSecrets::new(&old, &[]).unwrap();
    let during = SharedSecrets::new(&new, std::slice::from_ref(&old)).unwrap();
    let after = SharedSecrets::new(&new, &[]).unwrap();
    let (old_signer, verifier) = pair(&before);
    let token = sign(&old_signer);
    assert!(check(&verifier, &token, PUT, NOW).is_ok());
    verifier.replace_secrets(&during);
    assert_eq!(check(&verifier, &token, PUT, NOW).unwrap_err(), TokenError::Replayed);
    assert!(check(&verifier, &sign(&old_signer), PUT, NOW).is_ok());
    let signer = pair(&before).0;
    signer.replace_secrets(&during);
    assert!(check(&verifier, &sign(&signer), PUT, NOW).is_ok());
    verifier.replace_secrets(&after);
    assert_eq!(check(&verifier, &sign(&old_signer), PUT, NOW).unwrap_err(), TokenError::BadSignature);
    assert!(check(&verifier, &sign(&signer), PUT, NOW).is_ok());
}

#[test]
fn malformed_tokens_are_told_from_other_versions() {
    let (signer, verifier) = pair(&some_secrets());
    let token = sign(&signer);
    let newer = token.replacen("v1", "v2", 1);
    assert_eq!(check(&verifier, &newer, PUT, NOW).unwrap_err(), TokenError::OtherVersion);
    for broken in ["", "v1", "hello", &format!("{token},"), &token[..token.len() - 2], &"v1,".repeat(400)] {
        assert_eq!(check(&verifier, broken, PUT, NOW).unwrap_err(), TokenError::Malformed, "{broken}");
    }
}

#[test]
fn no_debug_output_shows_a_key() {
    let (signer, verifier) = pair(&some_secrets());
    assert!(!format!("{signer:?} {verifier:?}").contains("[1"), "{signer:?} {verifier:?}");
}

proptest! {
    #[test]
    fn arbitrary_text_is_refused_without_a_panic(text in "(v1,)?[ -~]{0,200}", fields in prop::collection::vec("[A-Za-z0-9_:.-]{0,50}", 0..8)) {
        let (_, verifier) = pair(&some_secrets());
        prop_assert!(check(&verifier, &text, PUT, NOW).is_err());
        let joined = format!("v1,{}", fields.join(","));
        prop_assert!(check(&verifier, &joined, PUT, NOW).is_err());
    }
}
