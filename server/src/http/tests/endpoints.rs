//! The endpoints about the node, and the door for members.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{DEADLINE, Node};
use crate::http::report::{ClusterReport, Location};
use crate::peer::Channel;

#[tokio::test]
async fn the_ring_is_told_as_json() {
    let node = Node::start().await;
    let response = node.ask("GET /cluster").await;
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));
    let report: ClusterReport = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(report.members.len(), 1);
    assert!(!response.text().contains("\"state\""), "what is not known is left out");
}

#[tokio::test]
async fn any_key_can_be_located() {
    let node = Node::start().await;
    for (path, key) in [("object-key", "object-key"), ("a%2Fb//c", "a/b//c"), ("/", "/"), ("..", "..")] {
        let response = node.ask(&format!("GET /cluster/locate/{path}")).await;
        let location: Location = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((response.status, location.key.as_str()), (200, key));
    }
    let response = node.ask("GET /cluster/locate/object-key").await;
    let location: Location = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(location.uuid, "cecda330-5a61-26cd-1a71-d5fe34a8e302");
    for bad in ["", "%zz", "%00"] {
        let refused = node.ask(&format!("GET /cluster/locate/{bad}")).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad-key"), "{bad:?}");
    }
}

#[tokio::test]
async fn a_node_lives_before_it_is_ready() {
    let node = Node::start().await;
    let ready = node.ask("GET /readyz").await;
    assert_eq!((ready.status, ready.header("x-ringhold-member")), (200, Some(super::MEMBER)));
    *node.status.not_ready.lock().unwrap() = Some("draining".into());
    let refused = node.ask("GET /readyz").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "not-ready"));
    assert!(refused.text().contains("draining"));
    assert_eq!(node.ask("GET /healthz").await.status, 200);
}

#[tokio::test]
async fn known_paths_tell_their_methods_and_others_are_not_found() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    for path in
        ["/cluster", "/cluster/locate/a", "/healthz", "/readyz", "/metrics", "/openapi.json", "/problems"]
    {
        let refused = client.ask(&format!("PUT {path}\n\nbody")).await;
        assert_eq!((refused.status, refused.code().as_str()), (405, "method-not-allowed"), "{path}");
        assert_eq!(refused.header("allow"), Some("GET,HEAD"));
    }
    for path in ["/", "/objects", "/object/a", "/OBJECTS/a", "/powerapi", "/internal", "/healthz/"] {
        for method in ["GET", "PUT", "BREW"] {
            let missing = client.ask(&format!("{method} {path}\n\nbody")).await;
            assert_eq!((missing.status, missing.code().as_str()), (404, "no-such-path"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_protocol_is_served_by_the_node_itself() {
    let node = Node::start().await;
    let openapi = node.ask("GET /openapi.json").await;
    assert_eq!(
        (openapi.text(), openapi.header("content-type")),
        (ringhold_proto_docs::OPENAPI, Some("application/json"))
    );
    assert_eq!(node.ask("GET /problems").await.text(), ringhold_proto_docs::PROBLEMS);
}

#[tokio::test]
async fn a_members_connection_is_handed_over() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    let request = "GET /internal/peer\nConnection: keep-alive, Upgrade\nUpgrade: Ringhold-Peer/1";
    // The first frames may come right behind the head.
    client.send((super::framed(request) + "hello").as_bytes()).await;
    let switched = client.head_response().await;
    assert_eq!((switched.status, switched.header("upgrade")), (101, Some("ringhold-peer/1")));
    let member = tokio::time::timeout(DEADLINE, node.members.recv()).await.unwrap().unwrap();
    assert_eq!(member.channel, Channel::Plain, "there is no TLS to bind a proof to");
    assert_eq!(member.peer, client.stream.local_addr().unwrap());
    let mut member = member.stream;
    let mut hello = [0; 5];
    member.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    member.write_all(b"welcome").await.unwrap();
    member.flush().await.unwrap();
    let mut welcome = [0; 7];
    client.stream.read_exact(&mut welcome).await.unwrap();
    assert_eq!(&welcome, b"welcome");
}

#[tokio::test]
async fn the_door_for_members_opens_to_their_protocol_only() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    for headers in [
        "",
        "\nConnection: upgrade\nUpgrade: websocket",
        "\nUpgrade: ringhold-peer/1",
        "\nConnection: upgrade",
    ] {
        let refused = client.ask(&format!("GET /internal/peer{headers}")).await;
        assert_eq!((refused.status, refused.code().as_str()), (426, "upgrade-required"), "{headers}");
        assert_eq!(refused.header("upgrade"), Some("ringhold-peer/1"));
    }
    assert!(client.is_usable().await);
}
