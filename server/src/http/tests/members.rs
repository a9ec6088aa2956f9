//! The door for members: who proves what before a connection becomes a member's stream.

use std::collections::HashSet;
use std::sync::Arc;

use ringhold_ring::MemberAddress;
use tokio::io::{AsyncRead, AsyncWrite};

use super::tls::{clock, connect, from, signed, tls};
use super::{Client, DEADLINE, LOOPBACK, Log, Node, Response};
use crate::http::AcceptedMember;
use crate::http::guard::{MemberProof, Policy};
use crate::peer::Channel;
use crate::security::access::{AddressList, BearerTokens, ForwardedHeader, TrustedProxies};
use crate::security::automatic::{self, NodeNames};
use crate::security::testing::{TestAuthority, Wanted, now, some_secrets};
use crate::security::tls::{ClientAuth, Material, NameCheck, client_config};
use crate::security::token::{DEFAULT_SKEW, TokenVerifier};

const UPGRADE: &str = "GET /internal/peer\nConnection: upgrade\nUpgrade: ringhold-peer/1";

fn member() -> MemberAddress {
    "127.0.0.1:9999".parse().unwrap()
}

/// A ring of one member on this machine, whose address proves nothing.
fn ring(proof: MemberProof) -> Policy {
    Policy { proof, ..Policy::open(vec![member()], HashSet::new()) }
}

fn secret() -> MemberProof {
    let verifier = TokenVerifier::new(&some_secrets(), member(), DEFAULT_SKEW, super::NOW);
    MemberProof::Secret(Arc::new(verifier))
}

async fn knock<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>) -> Response {
    client.send(super::framed(UPGRADE).as_bytes()).await;
    client.response().await
}

async fn accepted(node: &mut Node) -> AcceptedMember {
    tokio::time::timeout(DEADLINE, node.members.recv()).await.unwrap().unwrap()
}

fn assert_refused(response: &Response) {
    assert_eq!((response.status, response.code().as_str()), (403, "members-only"), "{response:?}");
}

#[tokio::test]
async fn on_a_plain_ring_a_members_address_opens_the_door() {
    let log = Log::start();
    let node = Node::start().await;
    assert_eq!(knock(&mut node.connect().await).await.status, 101);
    node.guard.replace(ring(MemberProof::Address));
    let mut stranger = node.connect().await;
    assert_refused(&knock(&mut stranger).await);
    assert!(log.lines()[0].contains("comes from no member's address"), "{:?}", log.lines());
    assert_refused(&stranger.ask("GET /internal/peer").await);
    assert!(stranger.is_usable().await, "it may ask for everything else");
}

#[tokio::test]
async fn a_forwarded_address_opens_no_door() {
    let mut policy = Policy::open(vec![member()], HashSet::from(["10.0.0.1".parse().unwrap()]));
    policy.access.proxies = TrustedProxies::new(&["127.0.0.1"], ForwardedHeader::XForwardedFor).unwrap();
    let node = Node::guarded(policy).await;
    let mut client = node.connect().await;
    assert_refused(&client.ask(&format!("{UPGRADE}\nX-Forwarded-For: 10.0.0.1")).await);
}

#[tokio::test]
async fn with_a_shared_secret_the_stream_itself_asks_for_the_proof() {
    let mut policy = ring(secret());
    policy.access.methods = vec![Box::new(BearerTokens::new(Vec::new()).unwrap())];
    let mut node = Node::guarded(policy).await;
    assert_eq!(knock(&mut node.connect().await).await.status, 101, "members have no bearer token");
    assert_eq!(accepted(&mut node).await.channel, Channel::Plain);
    let mut policy = ring(secret());
    policy.access.addresses = AddressList::Ranges(Vec::new());
    let node = Node::guarded(policy).await;
    let denied = knock(&mut node.connect().await).await;
    assert_eq!((denied.status, denied.code().as_str()), (403, "forbidden"));
}

#[tokio::test]
async fn a_stream_keeps_its_place_until_whoever_accepts_it_lets_go() {
    let mut node =
        Node::serving("127.0.0.1:0", ring(secret()), None, |config| config.limits.max_connections = 1).await;
    let mut opener = node.connect().await;
    assert_eq!(knock(&mut opener).await.status, 101);
    let AcceptedMember { stream: _stream, place, .. } = accepted(&mut node).await;
    let refused = node.connect().await.ask("GET /cluster").await;
    assert_eq!(refused.code().as_str(), "overloaded", "the stream counts as a connection");
    drop(place);
    // The node sees that in its own time; the connection that was upgraded is gone with its last part.
    let deadline = tokio::time::Instant::now() + super::DEADLINE;
    while node.connect().await.ask("GET /cluster").await.status != 200 {
        assert!(tokio::time::Instant::now() < deadline, "there is room again");
    }
}

#[tokio::test]
async fn a_members_certificate_opens_the_door_and_a_clients_does_not() {
    let authority = TestAuthority::new("ring");
    let material = Material { identity: signed(&authority, "127.0.0.1"), trust: from(&authority) };
    let tls = tls(material, ClientAuth::Optional);
    let node = Node::secured(ring(MemberProof::Certificate), &tls).await;
    let other_member = signed(&authority, "127.0.0.1");
    let application = signed(&authority, "application.example");
    let config = |identity| super::tls::client(&authority, identity);
    assert_eq!(knock(&mut connect(&node, config(Some(&other_member))).await.unwrap()).await.status, 101);
    for shown in [Some(&application), None] {
        let mut client = connect(&node, config(shown)).await.unwrap();
        assert_refused(&knock(&mut client).await);
        assert!(client.is_usable().await);
    }
    let plain = Node::guarded(ring(MemberProof::Certificate)).await;
    assert_refused(&knock(&mut plain.connect().await).await);
}

#[tokio::test]
async fn a_member_is_let_in_by_its_certificate_from_any_address_without_a_token() {
    let shared = Wanted { subject: "*", names: &["127.0.0.1"], ..Wanted::default() }.self_signed();
    let pinned = crate::security::identity::Trust::new(&[shared.leaf().clone()], &[]).unwrap();
    let material = Material { identity: shared.clone(), trust: pinned.clone() };
    let mut policy = ring(MemberProof::Certificate);
    policy.access.addresses = AddressList::Ranges(Vec::new());
    policy.access.methods = vec![Box::new(BearerTokens::new(Vec::new()).unwrap())];
    let mut node = Node::secured(policy, &tls(material, ClientAuth::Optional)).await;
    let config = |identity| client_config(identity, &pinned, NameCheck::Required, &clock()).unwrap();
    let mut sharer = connect(&node, config(Some(&shared))).await.unwrap();
    assert_eq!(sharer.ask("GET /cluster").await.status, 200);
    let mut nobody = connect(&node, config(None)).await.unwrap();
    assert_eq!(nobody.ask("GET /cluster").await.status, 403);
    assert_eq!(knock(&mut sharer).await.status, 101);
    accepted(&mut node).await;
}

#[tokio::test]
async fn both_sides_of_a_members_stream_know_its_channel() {
    let secrets = some_secrets();
    let names = NodeNames::new(&[member()]).unwrap();
    let material = || automatic::material(&secrets, &names, now()).unwrap();
    let mut node = Node::secured(ring(secret()), &tls(material(), ClientAuth::Required)).await;
    let other = tls(material(), ClientAuth::Required);
    let mut client = connect(&node, (*other.current().client).clone()).await.unwrap();
    assert_eq!(knock(&mut client).await.status, 101);
    let member = accepted(&mut node).await;
    let (socket, session) = client.stream.get_ref();
    assert_eq!(member.channel, Channel::of_tls(session).unwrap());
    assert_ne!(member.channel, Channel::Plain);
    assert_eq!((member.peer, member.peer.ip()), (socket.local_addr().unwrap(), LOOPBACK));
    let stranger = some_secrets();
    let strange = automatic::material(&stranger, &names, now()).unwrap();
    let strange = tls(strange, ClientAuth::Required);
    assert!(connect(&node, (*strange.current().client).clone()).await.is_err(), "another secret");
}

#[tokio::test]
async fn what_opens_is_never_a_door_for_clients() {
    // Ahead of the upgrade and of the method: a stranger learns nothing about the protocol.
    let node = Node::guarded(Policy { members: Vec::new(), ..ring(MemberProof::Address) }).await;
    for request in ["GET /internal/peer", "PUT /internal/peer\n\nbody", UPGRADE] {
        assert_refused(&node.ask(request).await);
    }
}
