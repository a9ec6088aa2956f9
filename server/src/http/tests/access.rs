//! Who may ask: by address, through proxies, with bearer tokens; ahead of everything else, and without a word too many.

use std::collections::HashSet;
use std::time::Duration;

use super::{LOOPBACK, Log, MEMBER, Node, open};
use crate::http::guard::Policy;
use crate::security::access::{
    AddressList, BearerTokens, ForwardedHeader, Scope, TokenDigest, TrustedProxies,
};

/// Only `allowed` may ask; nobody here comes from a member's address.
fn allowing(allowed: &[&str]) -> Policy {
    let mut policy = Policy::open(vec![MEMBER.parse().unwrap()], HashSet::new());
    policy.access.addresses = AddressList::parse(allowed).unwrap();
    policy
}

fn behind(proxies: &[&str], allowed: &[&str]) -> Policy {
    let mut policy = allowing(allowed);
    policy.access.proxies = TrustedProxies::new(proxies, ForwardedHeader::XForwardedFor).unwrap();
    policy
}

fn with_tokens() -> Policy {
    let token = |name: &str, scope| (name.to_owned(), TokenDigest::of(name), scope);
    let tokens = vec![token("reader", Scope::ReadOnly), token("writer", Scope::ReadWrite)];
    let mut policy = open();
    policy.access.methods = vec![Box::new(BearerTokens::new(tokens).unwrap())];
    policy
}

#[tokio::test]
async fn a_denied_client_gets_the_same_answer_for_any_path_and_method() {
    let node = Node::guarded(allowing(&["10.0.0.0/8"])).await;
    let mut client = node.connect().await;
    let mut bodies = HashSet::new();
    for path in ["/objects/a", "/objects/%zz", "/cluster", "/healthz", "/internal/peer", "/nowhere"] {
        for method in ["GET", "PUT", "OPTIONS", "BREW"] {
            let denied = client.ask(&format!("{method} {path}\nX-TTL: never\n\nbody")).await;
            assert_eq!((denied.status, denied.code().as_str()), (403, "forbidden"), "{method} {path}");
            bodies.insert(denied.body);
        }
    }
    assert_eq!(bodies.len(), 1, "nothing tells one refusal from another");
    client.send(b"GET /objects/a HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.response().await.status, 403, "ahead of the missing Host too");
    assert_eq!(client.ask("HEAD /objects/a").await.status, 403);
    assert!(!String::from_utf8(bodies.into_iter().next().unwrap()).unwrap().contains("127.0.0.1"));
}

#[tokio::test]
async fn the_repose_dialect_denies_as_repose_does() {
    let node = Node::guarded(allowing(&[])).await;
    let mut client = node.connect().await;
    for method in ["GET", "PUT", "POST", "BREW"] {
        let denied = client.ask(&format!("{method} /powerapi/dist-datastore/objects/x\n\nbody")).await;
        assert_eq!((denied.status, denied.text()), (401, ""), "{method}");
        assert_eq!(denied.header("www-authenticate"), None);
    }
}

#[tokio::test]
async fn addresses_and_ranges_on_the_list_may_ask_and_so_may_members() {
    for allowed in ["127.0.0.1", "127.0.0.0/8", "::ffff:127.0.0.0/104"] {
        let node = Node::guarded(allowing(&[allowed])).await;
        assert_eq!(node.ask("GET /cluster").await.status, 200, "{allowed}");
    }
    let mut policy = allowing(&[]);
    policy.access.members.insert(LOOPBACK);
    assert_eq!(Node::guarded(policy).await.ask("GET /cluster").await.status, 200);
}

#[tokio::test]
async fn a_client_that_comes_as_ipv6_is_known_by_its_ipv4_address() {
    for (allowed, status) in [("127.0.0.1", 200), ("10.0.0.0/8", 403)] {
        let mut node = Node::serving("[::]:0", allowing(&[allowed]), None, |_| {}).await;
        node.address.set_ip(LOOPBACK);
        assert_eq!(node.ask("GET /cluster").await.status, status, "{allowed}");
    }
}

#[tokio::test]
async fn only_a_trusted_proxy_says_where_a_request_comes_from() {
    let ask = async |policy, forwarded: &str| {
        let request = format!("GET /cluster\nX-Forwarded-For: {forwarded}\nForwarded: for=10.0.0.1");
        Node::guarded(policy).await.ask(&request).await.status
    };
    assert_eq!(ask(allowing(&["10.0.0.0/8"]), "10.0.0.1").await, 403, "forged");
    assert_eq!(ask(allowing(&["127.0.0.1"]), "192.0.2.1").await, 200, "it changes nothing");
    let behind_proxy = || behind(&["127.0.0.1"], &["10.0.0.0/8"]);
    assert_eq!(ask(behind_proxy(), "10.0.0.1").await, 200);
    assert_eq!(ask(behind_proxy(), "10.0.0.1, 192.0.2.1").await, 403, "the client forged the first");
    assert_eq!(ask(behind_proxy(), "somewhere").await, 403);
    assert_eq!(ask(behind(&["127.0.0.1"], &["127.0.0.1"]), "192.0.2.1").await, 403);
}

#[tokio::test]
async fn one_client_behind_a_proxy_does_not_silence_the_log_about_another() {
    let log = Log::start();
    let node = Node::guarded(behind(&["127.0.0.1"], &["10.0.0.0/8"])).await;
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.1"] {
        node.ask(&format!("GET /cluster\nX-Forwarded-For: {client}")).await;
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("192.0.2.1 is not on the access list"), "{lines:?}");
    assert!(lines[1].contains("192.0.2.2 is not on the access list"), "{lines:?}");
}

#[tokio::test]
async fn a_bearer_token_is_good_for_what_its_scope_says() {
    let node = Node::guarded(with_tokens()).await;
    let mut client = node.connect().await;
    for shown in ["", "\nAuthorization: Bearer wrong", "\nAuthorization: Basic cmVhZGVy"] {
        for request in ["GET /objects/a", "GET /cluster", "BREW /nowhere"] {
            let refused = client.ask(&format!("{request}{shown}")).await;
            assert_eq!((refused.status, refused.code().as_str()), (401, "unauthenticated"), "{request}");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"ringhold\""));
        }
    }
    let mut status = async |request: &str, token: &str| {
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        client.ask(&format!("{head}\nAuthorization: bearer {token}\n\n{body}")).await.status
    };
    assert_eq!(status("PUT /objects/a\n\nvalue", "writer").await, 201);
    assert_eq!(status("GET /objects/a", "reader").await, 200);
    assert_eq!(status("OPTIONS /objects/a", "reader").await, 204);
    assert_eq!(status("PUT /objects/a\n\nvalue", "reader").await, 403);
    assert_eq!(status("DELETE /objects/a", "reader").await, 403);
    assert_eq!(status("DELETE /objects/a", "writer").await, 204);
}

#[tokio::test]
async fn health_is_told_without_a_token_and_to_no_denied_address() {
    let node = Node::guarded(with_tokens()).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(node.ask(&format!("GET {path}")).await.status, 200);
    }
    let mut policy = with_tokens();
    policy.access.addresses = AddressList::parse(&["10.0.0.0/8"]).unwrap();
    policy.access.members.clear();
    let node = Node::guarded(policy).await;
    assert_eq!(node.ask("GET /healthz\nAuthorization: Bearer writer").await.status, 403);
}

#[tokio::test]
async fn another_policy_holds_for_open_connections_too() {
    let node = Node::guarded(allowing(&["127.0.0.1"])).await;
    let mut client = node.connect().await;
    assert_eq!(client.ask("GET /cluster").await.status, 200);
    node.guard.replace(allowing(&["10.0.0.0/8"]));
    assert_eq!(client.ask("GET /cluster").await.status, 403);
    node.guard.replace(allowing(&["127.0.0.1"]));
    assert_eq!(client.ask("GET /cluster").await.status, 200);
}

#[tokio::test]
async fn the_body_of_a_refused_request_costs_the_next_one_nothing() {
    let node = Node::guarded(with_tokens()).await;
    let mut client = node.connect().await;
    assert_eq!(client.ask(&format!("PUT /objects/a\n\n{}", "x".repeat(200_000))).await.status, 401);
    assert!(client.is_usable().await);
}

#[tokio::test]
async fn the_log_says_why_once_a_minute_and_shows_no_token() {
    let log = Log::start();
    let node = Node::guarded(with_tokens()).await;
    for _ in 0..3 {
        node.ask("GET /cluster\nAuthorization: Bearer a-wrong-one").await;
    }
    assert_eq!(log.lines().len(), 1, "{:?}", log.lines());
    assert!(log.lines()[0].contains("its Bearer credentials are not known here"), "{:?}", log.lines());
    assert!(log.lines()[0].contains("127.0.0.1"));
    node.clock.advance(Duration::from_secs(60));
    node.ask("GET /cluster\nAuthorization: Bearer a-wrong-one").await;
    assert_eq!(log.lines().len(), 2);
    assert!(log.lines()[1].contains("unlogged=2"), "{:?}", log.lines());
    assert!(!log.lines().concat().contains("a-wrong-one"));
}
