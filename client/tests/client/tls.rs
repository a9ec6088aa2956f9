//! Nodes over TLS: who is believed, who is refused and in which words, and that a refused node is told nothing.

use ringhold_client::{Client, ClientBuilder, Counter, Error, TlsConfig, TlsConfigError};

use crate::certificates::{Authority, Pair, Valid};
use crate::support::{Node, Step, answer, found};

const HOST: &str = "127.0.0.1";

fn yes() -> [Step; 1] {
    [Step::Answer(found("value"))]
}

/// A node whose certificate this authority signed for `name`.
async fn node(authority: &Authority, name: &str, valid: Valid) -> Node {
    Node::start_tls(yes(), authority.server(&authority.sign(name, valid), false)).await
}

async fn strict_node(authority: &Authority) -> Node {
    Node::start_tls(yes(), authority.server(&authority.sign(HOST, Valid::Now), true)).await
}

fn trusting(authority: &Authority) -> TlsConfig {
    TlsConfig::builder().trust_pem(authority.pem.as_str()).build().unwrap()
}

fn shows(authority: &Authority, pair: &Pair) -> TlsConfig {
    let builder = TlsConfig::builder().trust_pem(authority.pem.as_str());
    builder.identity_pem(pair.certificate.as_str(), pair.key.as_str()).build().unwrap()
}

fn client(node: &Node, tls: TlsConfig) -> ClientBuilder {
    Client::builder().nodes([node.address]).tls(tls)
}

/// Why the node was not asked; it has seen nothing of the request.
async fn refusal(node: &Node, tls: TlsConfig) -> String {
    let error = client(node, tls).build().unwrap().get("k").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(node.requests().is_empty());
    error.to_string()
}

#[tokio::test]
async fn a_node_with_a_trusted_certificate_is_asked() {
    let authority = Authority::new();
    let node = node(&authority, HOST, Valid::Now).await;
    let ring = client(&node, trusting(&authority)).build().unwrap();
    assert_eq!(ring.get("k").await.unwrap().unwrap().value, "value");
    assert_eq!(node.request().path, "/objects/k");
}

#[tokio::test]
async fn a_node_that_cannot_be_believed_is_told_nothing_and_the_reason_is_readable() {
    let (authority, other) = (Authority::new(), Authority::new());
    for (node, trusted, why) in [
        (node(&authority, HOST, Valid::Now).await, &other, "bears the name of a trusted issuer"),
        (node(&authority, "elsewhere.example", Valid::Now).await, &authority, "is for another host"),
        (node(&authority, HOST, Valid::Past).await, &authority, "has expired"),
        (Node::start(yes()).await, &authority, "is this a listener with TLS?"),
    ] {
        let refusal = refusal(&node, trusting(trusted)).await;
        assert!(refusal.contains(why) && refusal.contains("https://127.0.0.1:"), "{refusal}");
    }
}

#[tokio::test]
async fn a_node_that_demands_certificates_answers_those_who_have_one() {
    let authority = Authority::new();
    let node = strict_node(&authority).await;
    let pair = authority.sign("client.example", Valid::Now);
    let ring = client(&node, shows(&authority, &pair)).build().unwrap();
    assert!(ring.get("k").await.unwrap().is_some());
}

#[tokio::test]
async fn a_client_that_the_node_refuses_reads_why() {
    let (authority, other) = (Authority::new(), Authority::new());
    let node = strict_node(&authority).await;
    let without = refusal(&node, trusting(&authority)).await;
    assert!(without.contains("demands a client certificate"), "{without}");
    let stranger = other.sign("client.example", Valid::Now);
    let refused = refusal(&node, shows(&authority, &stranger)).await;
    assert!(refused.contains("refuses this client's certificate"), "{refused}");
}

#[tokio::test]
async fn a_patch_that_the_handshake_stopped_has_a_known_outcome() {
    let authority = Authority::new();
    let node = strict_node(&authority).await;
    let ring = client(&node, trusting(&authority)).build().unwrap();
    let error = ring.patch("visits", &Counter::add(1)).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(node.requests().is_empty());
}

#[tokio::test]
async fn the_next_node_is_asked_when_the_first_cannot_be_believed() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (first, second) = (node(&other, HOST, Valid::Now).await, node(&authority, HOST, Valid::Now).await);
    let nodes = [first.address, second.address];
    let ring = Client::builder().nodes(nodes).tls(trusting(&authority)).build().unwrap();
    assert!(ring.get("k").await.unwrap().is_some());
    assert_eq!((first.requests().len(), second.requests().len()), (0, 1));
}

#[tokio::test]
async fn a_ready_configuration_serves_as_well() {
    let authority = Authority::new();
    let node = node(&authority, HOST, Valid::Now).await;
    let mut roots = rustls::RootCertStore::empty();
    use rustls::pki_types::pem::PemObject;
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let ready = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let ring = Client::builder().nodes([node.address]).tls(ready).build().unwrap();
    assert!(ring.get("k").await.unwrap().is_some());
}

#[tokio::test]
async fn every_request_shows_the_bearer_token() {
    let node = Node::start([Step::Answer(answer(204, &[], "")), Step::Answer(found("v"))]).await;
    let ring = Client::builder().nodes([node.address]).bearer_token("s3cret.token").build().unwrap();
    ring.delete("k").await.unwrap();
    ring.get("k").await.unwrap();
    for request in node.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer s3cret.token"));
    }
    assert_eq!(node.requests().len(), 2);
}

#[test]
fn what_makes_no_configuration_is_named_and_no_key_is_shown() {
    let authority = Authority::new();
    let (one, other) = (authority.sign("a", Valid::Now), authority.sign("b", Valid::Now));
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("client.key");
    let cut = one.key.replace("-----END PRIVATE KEY-----", "");
    std::fs::write(&key, &cut).unwrap();
    let builder = || TlsConfig::builder().trust_pem(authority.pem.as_str());
    let locked = one.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let cases = [
        (TlsConfig::builder(), "nobody to trust"),
        (TlsConfig::builder().trust_pem("not a certificate"), "BEGIN CERTIFICATE"),
        (TlsConfig::builder().trust_pem_file("/nonexistent/ca.pem"), "/nonexistent/ca.pem"),
        (TlsConfig::builder().trust_pem_file("/dev/zero"), "more than 4194304 bytes"),
        (builder().identity_pem(one.certificate.as_str(), other.key.as_str()), "does not belong"),
        (builder().identity_pem(one.certificate.as_str(), locked.as_str()), "without a password"),
        (builder().identity_pem_files(&key, &key), "client.key"),
    ];
    let secret = one.key.lines().nth(1).unwrap();
    for (builder, expected) in cases {
        assert!(!format!("{builder:?}").contains(secret));
        let error: TlsConfigError = builder.build().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
}
