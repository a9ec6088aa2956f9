//! Member tokens on plain HTTP: what a member signed is carried out once, as it was signed; all else is refused.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ringhold_ring::{MemberAddress, Timestamp};

use super::{Log, MEMBER, NOW, Node, Response};
use crate::http::guard::{MemberProof, Policy};
use crate::security::access::AddressList;
use crate::security::shared_secret::SharedSecrets;
use crate::security::testing::some_secrets;
use crate::security::token::{BodyDigest, DEFAULT_SKEW, Request, TokenSigner, TokenVerifier};

const SENDER: &str = "10.0.0.2:9999";

fn address(text: &str) -> MemberAddress {
    text.parse().unwrap()
}

/// Nobody may ask but members, and nothing but a token tells who is one.
fn members_only(secrets: &SharedSecrets) -> Policy {
    let members = vec![address(MEMBER), address(SENDER)];
    let mut policy = Policy::open(members, HashSet::new());
    policy.access.addresses = AddressList::Ranges(Vec::new());
    let started = Timestamp::from_millis(NOW.as_millis() - 3_600_000);
    let verifier = TokenVerifier::new(secrets, address(MEMBER), DEFAULT_SKEW, started);
    policy.proof = MemberProof::Secret(Arc::new(verifier));
    policy
}

struct Ring {
    node: Node,
    signer: TokenSigner,
}

impl Ring {
    async fn start() -> Self {
        let secrets = some_secrets();
        let node = Node::guarded(members_only(&secrets)).await;
        Self { node, signer: TokenSigner::new(&secrets, address(SENDER)) }
    }

    fn sign_at(&self, request: &str, body: &str, now: Timestamp) -> String {
        let (method, path) = request.split_once(' ').unwrap();
        let digest = BodyDigest::of(body.as_bytes());
        self.signer.sign(Request { method, path }, digest, &address(MEMBER), now).unwrap()
    }

    fn sign(&self, request: &str, body: &str) -> String {
        self.sign_at(request, body, NOW)
    }

    async fn ask(&self, request: &str, token: &str, body: &str) -> Response {
        self.node.ask(&format!("{request}\nX-Ringhold-Member-Token: {token}\n\n{body}")).await
    }

    /// As a member does it.
    async fn ask_signed(&self, request: &str, body: &str) -> Response {
        self.ask(request, &self.sign(request, body), body).await
    }
}

fn assert_refused(response: &Response) {
    assert_eq!((response.status, response.code().as_str()), (401, "unauthenticated"), "{response:?}");
}

#[tokio::test]
async fn what_a_member_signed_is_carried_out_whatever_its_address() {
    let ring = Ring::start().await;
    assert_eq!(ring.node.ask("GET /objects/a").await.status, 403, "nobody else may ask");
    assert_eq!(ring.ask_signed("PUT /objects/a?x=1", "value").await.status, 201);
    assert_eq!(ring.ask_signed("GET /objects/a", "").await.text(), "value");
    assert_eq!(ring.ask_signed("PUT /objects/empty", "").await.status, 201);
    let large = "x".repeat(90_000);
    assert_eq!(ring.ask_signed("PUT /objects/large", &large).await.status, 201);
    assert_eq!(ring.ask_signed("DELETE /objects/a", "").await.status, 204);
    assert_eq!(ring.ask_signed("GET /readyz", "").await.status, 200);
}

#[tokio::test]
async fn a_replayed_request_is_refused() {
    let ring = Ring::start().await;
    let token = ring.sign("PUT /objects/a", "value");
    assert_eq!(ring.ask("PUT /objects/a", &token, "value").await.status, 201);
    assert_refused(&ring.ask("PUT /objects/a", &token, "value").await);
}

#[tokio::test]
async fn another_body_is_refused_and_not_stored() {
    let ring = Ring::start().await;
    for body in ["other", "", &"x".repeat(50_000)] {
        assert_refused(&ring.ask("PUT /objects/a", &ring.sign("PUT /objects/a", "value"), body).await);
    }
    let patch = "PATCH /objects/a\nContent-Type: text/plain";
    assert_refused(&ring.ask(patch, &ring.sign("PATCH /objects/a", "value"), "other").await);
    assert_refused(&ring.ask("GET /objects/a", &ring.sign("GET /objects/a", "value"), "").await);
    assert_eq!(ring.ask_signed("GET /objects/a", "").await.status, 404);
    let key = "PUT /powerapi/dist-datastore/objects/3ae04e3f-164e-ab96-04d2-51aa51104daa";
    let refused = ring.ask(key, &ring.sign(key, "value"), "other").await;
    assert_eq!((refused.status, refused.text()), (401, ""));
}

#[tokio::test]
async fn a_token_for_another_request_or_from_another_time_or_sender_is_refused() {
    let ring = Ring::start().await;
    let request = "GET /objects/a";
    for other in ["GET /objects/b", "GET /objects/a?x=1", "HEAD /objects/a", "DELETE /objects/a"] {
        assert_refused(&ring.ask(request, &ring.sign(other, ""), "").await);
    }
    for apart in [DEFAULT_SKEW + Duration::from_millis(1), Duration::from_secs(600)] {
        let behind = Timestamp::from_millis(NOW.as_millis() - apart.as_millis() as u64);
        assert_refused(&ring.ask(request, &ring.sign_at(request, "", behind), "").await);
        assert_refused(&ring.ask(request, &ring.sign_at(request, "", NOW + apart), "").await);
    }
    let stranger = Ring { signer: TokenSigner::new(&some_secrets(), address(SENDER)), ..ring };
    assert_refused(&stranger.ask_signed(request, "").await);
    assert_refused(&stranger.ask(request, "nonsense", "").await);
}

#[tokio::test]
async fn a_signer_that_is_no_member_and_a_second_token_are_refused() {
    let secrets = some_secrets();
    let node = Node::guarded(members_only(&secrets)).await;
    let outsider = Ring { node, signer: TokenSigner::new(&secrets, address("10.9.9.9:9999")) };
    assert_refused(&outsider.ask_signed("GET /objects/a", "").await);
    let ring = Ring { signer: TokenSigner::new(&secrets, address(SENDER)), ..outsider };
    let twice = format!("{}\nX-Ringhold-Member-Token: x", ring.sign("GET /objects/a", ""));
    assert_refused(&ring.ask("GET /objects/a", &twice, "").await);
    assert_eq!(ring.ask_signed("GET /objects/a", "").await.status, 404);
}

#[tokio::test]
async fn a_wrong_token_is_refused_even_from_where_everyone_may_ask() {
    let secrets = some_secrets();
    let node = Node::guarded(Policy { access: super::open().access, ..members_only(&secrets) }).await;
    let ring = Ring { node, signer: TokenSigner::new(&secrets, address(SENDER)) };
    assert_eq!(ring.node.ask("GET /objects/a").await.status, 404);
    assert_refused(&ring.ask("GET /objects/a", &ring.sign("GET /objects/b", ""), "").await);
}

#[tokio::test]
async fn a_node_without_a_secret_goes_by_the_address() {
    let ring = Ring { node: Node::start().await, signer: TokenSigner::new(&some_secrets(), address(SENDER)) };
    assert_eq!(ring.ask_signed("GET /objects/a", "").await.status, 404);
}

#[tokio::test]
async fn the_reason_is_in_the_log_only() {
    let log = Log::start();
    let ring = Ring::start().await;
    let expected = [
        ("is not signed for this request", ring.sign("GET /objects/b", "")),
        ("more than 30 s: compare both clocks", ring.sign_at("GET /objects/a", "", NOW + DEFAULT_SKEW * 20)),
        ("is malformed", "v1".to_owned()),
    ];
    let mut bodies = HashSet::new();
    for (at, (why, token)) in expected.iter().enumerate() {
        let refused = ring.ask("GET /objects/a", token, "").await;
        assert_refused(&refused);
        assert_eq!(refused.header("www-authenticate"), Some("Ringhold-Member"));
        bodies.insert(refused.body);
        assert!(log.lines()[at].contains(why), "{:?}", log.lines());
        assert!(!log.lines()[at].contains(token), "{:?}", log.lines());
        ring.node.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(bodies.len(), 1);
    let late = ring.sign_at("PUT /objects/a", "value", ring.node.clock.now());
    assert_refused(&ring.ask("PUT /objects/a", &late, "other").await);
    assert!(log.lines()[3].contains("its body is not the one"), "{:?}", log.lines());
}
