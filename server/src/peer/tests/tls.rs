//! Members over TLS with certificates from a secret: who is believed, what is said when not, and what a reload changes.

use tokio::net::TcpStream;

use super::proof::{secrets, some_secrets};
use super::*;
use crate::peer::TlsConnect;
use crate::security::automatic::{NodeNames, material};
use crate::security::shared_secret::{SharedSecrets, generate_secret};
use crate::security::tls::{self, Tls, explain};

/// A node's TLS with certificates from these secrets.
pub(super) fn automatic(secrets: &SharedSecrets) -> Arc<Tls> {
    Arc::new(Tls::new(certificates(secrets), tls::Options::default(), Clock::system()).unwrap())
}

fn certificates(secrets: &SharedSecrets) -> tls::Material {
    let names = NodeNames::new(&[address("127.0.0.1:1")]).unwrap();
    material(secrets, &names, Clock::system().wall()).unwrap()
}

/// A member that serves streams over TLS.
struct TlsNode {
    address: MemberAddress,
    identity: Arc<Identity>,
    memory: Arc<Memory>,
    tls: Arc<Tls>,
    /// Why those were refused who were.
    refused: Arc<Mutex<Vec<String>>>,
}

impl TlsNode {
    async fn start(tls: Arc<Tls>, proves: Option<&SharedSecrets>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = MemberAddress::from(listener.local_addr().unwrap());
        let identity = identity_in("test", address.clone());
        identity.set_secrets(proves.cloned());
        let memory = Arc::new(Memory::default());
        let node = Self { address, identity, memory, tls, refused: Arc::default() };
        let (tls, identity, memory, refused) = (
            Arc::clone(&node.tls),
            Arc::clone(&node.identity),
            Arc::clone(&node.memory),
            Arc::clone(&node.refused),
        );
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let accepting = tls.acceptor().accept(stream).into_fallible();
                let (identity, memory, refused) =
                    (Arc::clone(&identity), Arc::clone(&memory), Arc::clone(&refused));
                tokio::spawn(async move {
                    let stream = match accepting.await {
                        Ok(stream) => stream,
                        Err((error, mut stream)) => {
                            let error = error.get_ref().and_then(|error| error.downcast_ref()).unwrap();
                            refused.lock().push(explain(error));
                            // Until the other side has read why.
                            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                            return;
                        }
                    };
                    let channel = Channel::of_tls(stream.get_ref().1).unwrap();
                    take_stream(stream, move |upgraded| async move {
                        let stop = CancellationToken::new();
                        if let Err(error) =
                            serve(upgraded, memory, identity, channel, || Some(()), stop).await
                        {
                            refused.lock().push(error.to_string());
                        }
                    })
                    .await;
                });
            }
        });
        node
    }
}

pub(super) fn peers_with(tls: &Arc<Tls>, proves: Option<&SharedSecrets>) -> Peers {
    let us = identity("127.0.0.1:1");
    us.set_secrets(proves.cloned());
    Peers::new(us, TlsConnect::new(Arc::clone(tls)))
}

async fn refused_by(peers: &Peers, member: &MemberAddress) -> String {
    match peers.execute(member, &key("k"), &put("x"), PATIENCE).await {
        Err(PeerError::NotSent(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn members_that_share_a_secret_serve_each_other_over_tls() {
    let shared = some_secrets();
    for proves in [None, Some(&shared)] {
        let node = TlsNode::start(automatic(&shared), proves).await;
        let peers = peers_with(&automatic(&shared), proves);
        for size in [0, 100, (16 << 10) + 1, 1 << 20] {
            let (key, value) = (key(&size.to_string()), Bytes::from(vec![3; size]));
            let stored = peers.execute(&node.address, &key, &put(value.clone()), PATIENCE).await;
            assert!(matches!(stored, Ok(Ok(Outcome::Created(_)))), "{stored:?}");
            let found = peers.execute(&node.address, &key, &get(), PATIENCE).await;
            assert!(matches!(found, Ok(Ok(Outcome::Found(object))) if object.value == value));
        }
        assert!(peers.probe(&node.address, PATIENCE).await.is_ok());
    }
}

#[tokio::test]
async fn an_impostor_is_refused_before_anything_is_sent_and_both_sides_know_why() {
    let node = TlsNode::start(automatic(&some_secrets()), None).await;
    let text = refused_by(&peers_with(&automatic(&some_secrets()), None), &node.address).await;
    assert!(text.contains("TLS failed: the certificate of the other side is trusted neither"), "{text}");
    assert!(text.contains("another shared secret"), "{text}");
    eventually("it knows too", || !node.refused.lock().is_empty()).await;
    assert!(
        node.refused.lock()[0].contains("it does not trust our certificate"),
        "{:?}",
        node.refused.lock()
    );
}

#[tokio::test]
async fn a_member_that_does_not_trust_us_says_so_in_words() {
    let (ours, theirs) = (generate_secret().unwrap(), generate_secret().unwrap());
    let node = TlsNode::start(automatic(&secrets(&theirs, &[])), None).await;
    let trusting = automatic(&secrets(&ours, &[theirs]));
    let text = refused_by(&peers_with(&trusting, None), &node.address).await;
    assert!(text.contains("TLS failed: the other side refused: it does not trust our certificate"), "{text}");
    eventually("it knows too", || !node.refused.lock().is_empty()).await;
    assert!(node.refused.lock()[0].contains("trusted neither"), "{:?}", node.refused.lock());
    assert_eq!(node.memory.begun.load(Ordering::Acquire), 0);
}

#[tokio::test]
async fn a_member_that_ends_the_connection_without_a_word_points_to_its_log() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let member = MemberAddress::from(listener.local_addr().unwrap());
    let certificates = some_secrets();
    let theirs = automatic(&certificates);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        drop(theirs.acceptor().accept(stream).await.unwrap());
    });
    let text = refused_by(&peers_with(&automatic(&certificates), None), &member).await;
    assert!(text.contains("if it does not trust our certificate, its log says so"), "{text}");
}

#[tokio::test]
async fn a_member_without_tls_is_not_spoken_to_without_it() {
    let node = Node::start().await;
    let text = refused_by(&peers_with(&automatic(&some_secrets()), None), &node.address).await;
    assert!(text.contains("does not speak TLS"), "{text}");
    assert_eq!(node.memory.begun.load(Ordering::Acquire), 0);
}

#[tokio::test]
async fn a_trusted_certificate_is_no_proof_of_the_secret() {
    let (certificates, ours, theirs) = (some_secrets(), some_secrets(), some_secrets());
    for proves in [Some(&ours), None] {
        let node = TlsNode::start(automatic(&certificates), Some(&theirs)).await;
        let text = refused_by(&peers_with(&automatic(&certificates), proves), &node.address).await;
        assert!(text.contains("refused by the other side"), "{text}");
        assert!(text.contains("shared secret"), "{text}");
        eventually("it knows too", || !node.refused.lock().is_empty()).await;
        assert!(node.refused.lock()[0].contains("shared secret"), "{:?}", node.refused.lock());
    }
}

/// Somebody with a trusted certificate who passes everything on, word for word.
#[tokio::test]
async fn a_proof_cannot_be_passed_on_from_one_tls_connection_to_another() {
    let (certificates, shared) = (some_secrets(), some_secrets());
    let node = TlsNode::start(automatic(&certificates), Some(&shared)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let between = listener.local_addr().unwrap();
    let (tls, member) = (automatic(&certificates), node.address.clone());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut asking = tls.acceptor().accept(stream).await.unwrap();
        let (ip, name) = (member.ip().unwrap(), tls::server_name(&member).unwrap());
        let stream = TcpStream::connect((ip, member.port())).await.unwrap();
        let mut answering = tls.connector().connect(name, stream).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut asking, &mut answering).await;
    });
    let redirected = Redirected { to: between, tls: automatic(&certificates) };
    let us = identity("127.0.0.1:1");
    us.set_secrets(Some(shared));
    let peers = Peers::new(us, redirected);
    let text = refused_by(&peers, &node.address).await;
    assert!(text.contains("does not know the shared secret"), "{text}");
    assert_eq!(node.memory.begun.load(Ordering::Acquire), 0);
}

/// Packets to a member go astray.
struct Redirected {
    to: std::net::SocketAddr,
    tls: Arc<Tls>,
}

impl Connect for Redirected {
    fn connect<'a>(&'a self, member: &'a MemberAddress) -> Connecting<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect(self.to).await?;
            let name = tls::server_name(member).unwrap();
            let stream = self.tls.connector().connect(name, stream).await?;
            let channel = Channel::of_tls(stream.get_ref().1)?;
            Ok(Connected { stream: Box::new(stream), channel })
        })
    }
}

#[tokio::test]
async fn a_reload_changes_what_new_connections_show_and_leaves_open_ones_alone() {
    let (before, after) = (some_secrets(), some_secrets());
    let node = TlsNode::start(automatic(&before), None).await;
    let ours = automatic(&before);
    let (old, other) = (peers_with(&ours, None), peers_with(&ours, None));
    assert!(old.execute(&node.address, &key("k"), &put("x"), PATIENCE).await.is_ok());

    node.tls.replace(certificates(&after)).unwrap();
    assert!(old.execute(&node.address, &key("k"), &get(), PATIENCE).await.is_ok(), "it was open");
    assert!(refused_by(&other, &node.address).await.contains("TLS failed"));

    ours.replace(certificates(&after)).unwrap();
    assert!(other.execute(&node.address, &key("k"), &get(), PATIENCE).await.is_ok());
    assert!(old.execute(&node.address, &key("k"), &get(), PATIENCE).await.is_ok(), "it is open still");
}
