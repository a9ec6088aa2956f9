//! TLS on a listener, through real sockets: who gets in, in which protocol, and what becomes of those who do not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::AlertDescription;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Client, DEADLINE, Log, Node, open};
use crate::clock::Clock;
use crate::security::identity::{Identity, Trust};
use crate::security::testing::{TestAuthority, Wanted, now};
use crate::security::tls::{ClientAuth, Material, NameCheck, Options, Tls, client_config};

pub(super) fn clock() -> Clock {
    Clock::manual(now())
}

pub(super) fn from(authority: &TestAuthority) -> Trust {
    Trust::new(&[], std::slice::from_ref(&authority.certificate)).unwrap()
}

pub(super) fn signed(authority: &TestAuthority, name: &str) -> Identity {
    authority.sign(&Wanted { names: &[name], ..Wanted::default() })
}

fn material(authority: &TestAuthority) -> Material {
    Material { identity: signed(authority, "127.0.0.1"), trust: from(authority) }
}

pub(super) fn tls(material: Material, client_auth: ClientAuth) -> Arc<Tls> {
    let options = Options { client_auth, names: NameCheck::Required };
    Arc::new(Tls::new(material, options, clock()).unwrap())
}

/// A client that trusts `authority` and shows `identity`.
pub(super) fn client(authority: &TestAuthority, identity: Option<&Identity>) -> rustls::ClientConfig {
    client_config(identity, &from(authority), NameCheck::Required, &clock()).unwrap()
}

pub(super) async fn connect(
    node: &Node,
    config: rustls::ClientConfig,
) -> std::io::Result<Client<TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(node.address).await.unwrap();
    let name = ServerName::from(node.address.ip());
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    Ok(Client::over(tokio::time::timeout(DEADLINE, connecting).await.expect("a handshake in time")?))
}

/// Whether a request over it is answered; in TLS 1.3 a client learns only by its first read that it is refused.
async fn is_served(node: &Node, config: rustls::ClientConfig) -> bool {
    use tokio::io::AsyncWriteExt as _;
    let Ok(mut client) = connect(node, config).await else { return false };
    let request = super::framed("GET /cluster");
    if client.stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    if !tokio::time::timeout(DEADLINE, client.fill()).await.expect("an end in time") {
        return false;
    }
    assert_eq!(client.response().await.status, 200);
    true
}

#[tokio::test]
async fn clients_show_a_certificate_as_the_setting_says_and_never_another_authoritys() {
    let (ours, theirs) = (TestAuthority::new("ours"), TestAuthority::new("theirs"));
    let (friend, stranger) = (signed(&ours, "client"), signed(&theirs, "client"));
    for (client_auth, nobody_gets_in, stranger_gets_in) in [
        (ClientAuth::Required, false, false),
        (ClientAuth::Optional, true, false),
        (ClientAuth::None, true, true),
    ] {
        let node = Node::secured(open(), &tls(material(&ours), client_auth)).await;
        assert!(is_served(&node, client(&ours, Some(&friend))).await, "{client_auth:?}");
        assert_eq!(is_served(&node, client(&ours, None)).await, nobody_gets_in, "{client_auth:?}");
        let strange = client(&ours, Some(&stranger));
        assert_eq!(is_served(&node, strange).await, stranger_gets_in, "{client_auth:?}");
        assert!(!is_served(&node, client(&theirs, Some(&friend))).await, "the client does not trust us");
        assert!(is_served(&node, client(&ours, Some(&friend))).await, "nobody spoils it for the others");
    }
}

#[tokio::test]
async fn objects_are_stored_and_read_over_http_1_and_http_2() {
    let ours = TestAuthority::new("ours");
    let node = Node::secured(open(), &tls(material(&ours), ClientAuth::Required)).await;
    let friend = signed(&ours, "client");
    let mut http1 = connect(&node, client(&ours, Some(&friend))).await.unwrap();
    assert_eq!(http1.stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let value = "v".repeat(90_000);
    assert_eq!(http1.ask(&format!("PUT /objects/a\n\n{value}")).await.status, 201);
    assert_eq!(http1.ask("GET /objects/a").await.text(), value);

    let mut config = client(&ours, Some(&friend));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = connect(&node, config).await.unwrap().stream;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://test/objects/a").body(Full::<Bytes>::default()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), value);
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken() {
    let ours = TestAuthority::new("ours");
    let node = Node::secured(open(), &tls(material(&ours), ClientAuth::None)).await;
    for version in [&TLS12, &TLS13] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let trust = Arc::clone(from(&ours).anchors());
        assert!(is_served(&node, builder.with_root_certificates(trust).with_no_client_auth()).await);
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so_and_gets_no_further() {
    let log = Log::start();
    let ours = TestAuthority::new("ours");
    let node = Node::secured(open(), &tls(material(&ours), ClientAuth::None)).await;
    let mut plain = node.connect().await;
    let refused = plain.ask(&format!("PUT /objects/a\n\n{}", "x".repeat(50_000))).await;
    assert_eq!((refused.status, refused.header("content-type")), (400, Some("text/plain")));
    assert!(refused.text().contains("TLS"));
    assert!(plain.is_closed().await);
    assert!(log.lines()[0].contains("speaks plain HTTP on a TLS port"), "{:?}", log.lines());
    let mut other = node.connect().await;
    other.send(b"\x00\x01 nothing anyone knows").await;
    assert!(other.is_closed().await);
    assert_eq!(log.lines().len(), 1, "one line a minute: {:?}", log.lines());
}

#[tokio::test]
async fn a_failed_handshake_is_explained_in_the_log() {
    let ours = TestAuthority::new("ours");
    let friend = signed(&ours, "client");
    let theirs = TestAuthority::new("theirs");
    let cases = [
        (client(&ours, None), "tls.client_auth demands one"),
        (client(&ours, Some(&signed(&theirs, "client"))), "is trusted neither by itself nor by its issuer"),
        (client(&theirs, Some(&friend)), "it does not trust our certificate"),
    ];
    for (config, why) in cases {
        let log = Log::start();
        let node = Node::secured(open(), &tls(material(&ours), ClientAuth::Required)).await;
        for _ in 0..3 {
            assert!(!is_served(&node, config.clone()).await);
        }
        let lines = log.lines();
        assert_eq!(lines.len(), 1, "once a minute: {lines:?}");
        assert!(lines[0].contains(why) && lines[0].contains("127.0.0.1"), "{lines:?}");
    }
}

/// In TLS 1.3 a client takes the handshake for done before the node has looked at its certificate.
#[tokio::test]
async fn who_is_refused_reads_why_though_it_is_sending_already() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (ours, theirs) = (TestAuthority::new("ours"), TestAuthority::new("theirs"));
    let stranger = signed(&theirs, "client");
    for (shown, alert) in
        [(None, AlertDescription::CertificateRequired), (Some(&stranger), AlertDescription::UnknownCA)]
    {
        let log = Log::start();
        let node = Node::secured(open(), &tls(material(&ours), ClientAuth::Required)).await;
        let mut stream = connect(&node, client(&ours, shown)).await.unwrap().stream;
        let refused = async {
            while log.lines().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, refused).await.expect("it is refused");
        for _ in 0..50 {
            stream.write_all(&[b'x'; 4 << 10]).await.expect("the connection is not reset");
            stream.flush().await.expect("the connection is not reset");
        }
        let read = tokio::time::timeout(DEADLINE, stream.read(&mut [0])).await.expect("an end in time");
        let error = read.unwrap_err().downcast::<rustls::Error>().unwrap();
        assert_eq!(error, rustls::Error::AlertReceived(alert));
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_end_gives_its_place_to_the_next() {
    let ours = TestAuthority::new("ours");
    let material = tls(material(&ours), ClientAuth::None);
    let node = Node::serving("127.0.0.1:0", open(), Some(material), |config| {
        config.limits.max_connections = 1;
        config.limits.header_timeout = Duration::from_millis(300);
    })
    .await;
    let mut silent = node.connect().await;
    let mut hesitant = node.connect().await;
    hesitant.send(&[22, 3, 1]).await;
    assert!(silent.is_closed().await);
    assert!(hesitant.is_closed().await);
    assert!(is_served(&node, client(&ours, None)).await);
}

#[tokio::test]
async fn other_material_serves_new_connections_while_open_ones_live_on() {
    let (old, new) = (TestAuthority::new("old"), TestAuthority::new("new"));
    let tls = tls(material(&old), ClientAuth::Required);
    let node = Node::secured(open(), &tls).await;
    let (of_old, of_new) = (signed(&old, "client"), signed(&new, "client"));
    let mut before = connect(&node, client(&old, Some(&of_old))).await.unwrap();
    assert!(before.is_usable().await);
    assert!(!is_served(&node, client(&new, Some(&of_new))).await);
    tls.replace(material(&new)).unwrap();
    assert!(is_served(&node, client(&new, Some(&of_new))).await);
    assert!(!is_served(&node, client(&old, Some(&of_old))).await);
    assert!(before.is_usable().await, "it outlives the certificate that it was opened with");
}

#[tokio::test]
async fn a_node_that_stops_ends_handshakes_and_finishes_requests() {
    let ours = TestAuthority::new("ours");
    let mut node = Node::secured(open(), &tls(material(&ours), ClientAuth::None)).await;
    let mut silent = node.connect().await;
    let mut idle = connect(&node, client(&ours, None)).await.unwrap();
    assert!(idle.is_usable().await);
    node.shutdown.cancel();
    assert!(silent.is_closed().await);
    assert!(idle.is_closed().await);
    tokio::time::timeout(DEADLINE, &mut node.serving).await.expect("it returns").unwrap();
}
