//! Handshakes in memory between the configurations of two nodes: who gets in, who does not, and why.

mod automatic;
mod openssl;
mod replacing;

use rustls::{ClientConnection, ProtocolVersion, ServerConnection};

use super::super::keystore::Passwords;
use super::super::testing::{DAY, TestAuthority, Wanted, Workshop, before, now};
use super::*;

/// How a handshake ended on both sides.
struct Ended {
    client: Result<ClientConnection, rustls::Error>,
    server: Result<ServerConnection, rustls::Error>,
}

impl Ended {
    fn accepted(self) -> (ClientConnection, ServerConnection) {
        let explained = |error: &rustls::Error| format!("{error}: {}", explain(error));
        match (self.client, self.server) {
            (Ok(client), Ok(server)) => (client, server),
            (client, server) => panic!(
                "refused; client: {:?}, server: {:?}",
                client.err().as_ref().map(explained),
                server.err().as_ref().map(explained)
            ),
        }
    }

    /// Why it was refused, as the log of each side has it.
    fn refused(self) -> (String, String) {
        let why = |error: Option<rustls::Error>| error.as_ref().map(explain).unwrap_or_default();
        let (client, server) = (why(self.client.err()), why(self.server.err()));
        assert!(!client.is_empty() || !server.is_empty(), "it was accepted");
        (client, server)
    }
}

fn connect(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>, name: &str) -> Ended {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    let (mut client_error, mut server_error) = (None, None);
    loop {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut answer = Vec::new();
        if server_error.is_none() {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() && server_error.is_none() {
                server.read_tls(&mut rest).unwrap();
                server_error = server.process_new_packets().err();
            }
        }
        while server.wants_write() {
            server.write_tls(&mut answer).unwrap();
        }
        let mut rest = answer.as_slice();
        while !rest.is_empty() && client_error.is_none() {
            client.read_tls(&mut rest).unwrap();
            client_error = client.process_new_packets().err();
        }
        if bytes.is_empty() && answer.is_empty() {
            break;
        }
    }
    Ended { client: client_error.map_or(Ok(client), Err), server: server_error.map_or(Ok(server), Err) }
}

fn tls(identity: &Identity, trust: &Trust) -> Tls {
    with(identity, trust, Options::default(), &Clock::manual(now()))
}

fn with(identity: &Identity, trust: &Trust, options: Options, clock: &Clock) -> Tls {
    let material = Material { identity: identity.clone(), trust: trust.clone() };
    Tls::new(material, options, clock.clone()).unwrap()
}

fn pinned(identities: &[&Identity]) -> Trust {
    let leaves: Vec<_> = identities.iter().map(|identity| identity.leaf().clone()).collect();
    Trust::new(&leaves, &[]).unwrap()
}

fn from(authority: &TestAuthority) -> Trust {
    Trust::new(&[], std::slice::from_ref(&authority.certificate)).unwrap()
}

/// A connection of one node to another.
fn between(client: &Tls, server: &Tls, name: &str) -> Ended {
    connect(&client.current().client, &server.current().server, name)
}

#[test]
fn a_server_takes_the_cheaper_cipher_though_the_client_would_rather_have_another() {
    let shared = Wanted { subject: "*", ..Wanted::default() }.self_signed();
    let node = tls(&shared, &pinned(&[&shared]));
    for version in VERSIONS {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        assert!(provider.cipher_suites.first().is_some_and(|suite| !is_aes_128(suite.suite())));
        let verifier = verify::servers(&pinned(&[&shared]), NameCheck::default(), &provider);
        let time = Arc::new(WallTime(Clock::manual(now())));
        let client = ClientConfig::builder_with_details(provider, time)
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shared.certified_key())));
        let (_, server) = connect(&Arc::new(client), &node.current().server, "10.0.0.2").accepted();
        let suite = server.negotiated_cipher_suite().unwrap().suite();
        assert!(is_aes_128(suite), "{suite:?}");
    }
}

#[test]
fn nodes_that_share_one_self_signed_certificate_trust_each_other_under_any_name() {
    for is_ca in [false, true] {
        let shared = Wanted { subject: "*", is_ca, ..Wanted::default() }.self_signed();
        let nodes = [tls(&shared, &pinned(&[&shared])), tls(&shared, &pinned(&[&shared]))];
        let (client, server) = between(&nodes[0], &nodes[1], "10.0.0.2").accepted();
        assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let own = &nodes[0].current().material;
        let peer = Peer::of(client.peer_certificates(), own);
        assert!(matches!(peer, Peer::SharesIdentity(_)), "{peer:?}");
        assert!(Peer::of(server.peer_certificates(), own).is_member(&"10.0.0.7:1".parse().unwrap()));
    }
}

#[test]
fn keystores_made_by_keytool_and_openssl_make_a_ring() {
    let shop = Workshop::new();
    shop.run("keytool -genkeypair -keyalg RSA -keysize 2048 -storetype JKS -keystore a.jks -alias a -dname CN=* -storepass changeit -validity 30");
    shop.run("keytool -genkeypair -keyalg EC -groupname secp256r1 -storetype PKCS12 -keystore b.p12 -alias b -dname CN=* -storepass changeit -validity 30");
    shop.run("openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 30 -subj /CN=*");
    shop.write("c.all.pem", [shop.bytes("k.pem"), shop.bytes("c.pem")].concat());
    let passwords = Passwords::one("changeit");
    for name in ["a.jks", "b.p12", "c.all.pem"] {
        let store = shop.open(name, &passwords).unwrap();
        let identity = store.identity(None, &passwords, now()).unwrap();
        let trust = store.trust().unwrap();
        between(&tls(&identity, &trust), &tls(&identity, &trust), "node.example").accepted();
    }
}

/// The four TLS cases of Repose's functional tests, with stores made as its own were.
#[test]
fn the_keystores_of_repose_work_as_they_did() {
    let shop = Workshop::new();
    for name in ["server", "client", "bogus"] {
        let subject = if name == "server" { "CN=localhost" } else { "CN=Stabby_the_Narwhal" };
        shop.run(&format!(
            "keytool -genkeypair -keyalg RSA -keysize 2048 -sigalg SHA256withRSA -storetype JKS -keystore {name}.jks \
             -alias {name} -dname {subject} -storepass password -keypass password -validity 36500"
        ));
    }
    for name in ["server", "client"] {
        shop.run(&format!(
            "keytool -importkeystore -srckeystore {name}.jks -srcstorepass password -destkeystore single.jks \
             -deststoretype JKS -deststorepass password"
        ));
    }
    let passwords = Passwords::one("password");
    let open = |name: &str, alias| {
        let store = shop.open(name, &passwords).unwrap();
        (store.identity(Some(alias), &passwords, now()).unwrap(), store.trust().unwrap())
    };
    let (server, trust_server) = open("server.jks", "server");
    let (client, trust_client) = open("client.jks", "client");
    let (single, trust_single) = open("single.jks", "server");
    let (other, _) = open("single.jks", "client");
    let (bogus, _) = open("bogus.jks", "bogus");
    let clock = Clock::manual(now());
    // No client certificate.
    let bare = Arc::new(client_config(None, &trust_single, NameCheck::Required, &clock).unwrap());
    connect(&bare, &tls(&single, &trust_single).current().server, "127.0.0.1").refused();
    // One store with both keys on both sides, whichever key each side takes.
    between(&tls(&single, &trust_single), &tls(&single, &trust_single), "127.0.0.1").accepted();
    between(&tls(&other, &trust_single), &tls(&single, &trust_single), "127.0.0.1").accepted();
    // Keystore and truststore crossed.
    between(&tls(&server, &trust_client), &tls(&client, &trust_server), "127.0.0.1").accepted();
    // Two nodes with the same keystore.
    between(&tls(&server, &trust_server), &tls(&server, &trust_server), "localhost").accepted();
    between(&tls(&bogus, &trust_single), &tls(&single, &trust_single), "localhost").refused();
}

#[tokio::test]
async fn a_connection_opens_over_a_real_stream() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let shared = Wanted::default().self_signed();
    let node = tls(&shared, &pinned(&[&shared]));
    let (near, far) = tokio::io::duplex(4096);
    let name = server_name(&"10.0.0.2:9999".parse().unwrap()).unwrap();
    let (opened, accepted) = tokio::join!(node.connector().connect(name, near), node.acceptor().accept(far));
    let (mut opened, mut accepted) = (opened.unwrap(), accepted.unwrap());
    opened.write_all(b"hello").await.unwrap();
    opened.flush().await.unwrap();
    let mut read = [0; 5];
    accepted.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"hello");
    let label = crate::security::stream::CHANNEL_LABEL;
    let near = opened.get_ref().1.export_keying_material([0_u8; 32], label, None).unwrap();
    let far = accepted.get_ref().1.export_keying_material([0_u8; 32], label, None).unwrap();
    assert_eq!(near, far, "both sides have the channel that stream proofs are bound to");
}

#[test]
fn a_server_and_a_client_store_that_hold_each_others_certificates_work() {
    let (server, client) = (Wanted::default().self_signed(), Wanted::default().self_signed());
    let ended = between(&tls(&client, &pinned(&[&server])), &tls(&server, &pinned(&[&client])), "localhost");
    ended.accepted();
}

#[test]
fn certificates_of_a_private_authority_work_for_the_names_they_bear() {
    let authority = TestAuthority::new("ring authority");
    let node =
        |names: &[&str]| tls(&authority.sign(&Wanted { names, ..Wanted::default() }), &from(&authority));
    let client = node(&["10.0.0.1"]);
    for (names, called) in [
        (&["10.0.0.2"][..], "10.0.0.2"),
        (&["node-2.example"], "node-2.example"),
        (&["*.ring.example"], "node-2.ring.example"),
        (&["::1", "x.example"], "::1"),
    ] {
        between(&client, &node(names), called).accepted();
    }
    for (names, called) in [
        (&["10.0.0.2"][..], "10.0.0.3"),
        (&["*.ring.example"], "a.b.ring.example"),
        (&["*.ring.example"], "ring.example"),
        (&[], "node-2.example"),
        (&["node-2.example"], "10.0.0.2"),
    ] {
        let (client, server) = between(&client, &node(names), called).refused();
        assert!(client.contains(&format!("not for {called}")), "{names:?} {called}: {client}");
        assert!(server.contains("the other side refused"), "{server}");
    }
}

#[test]
fn without_the_name_check_any_trusted_certificate_serves_for_any_name() {
    let authority = TestAuthority::new("ring authority");
    let identity = authority.sign(&Wanted { names: &["10.0.0.2"], ..Wanted::default() });
    let options = Options { names: NameCheck::Off, ..Options::default() };
    let node = with(&identity, &from(&authority), options, &Clock::manual(now()));
    between(&node, &node, "elsewhere.example").accepted();
}

#[test]
fn impostors_are_refused_on_both_sides() {
    let shared = Wanted { subject: "*", ..Wanted::default() }.self_signed();
    let impostor = Wanted { subject: "*", ..Wanted::default() }.self_signed();
    let node = tls(&shared, &pinned(&[&shared]));
    let stranger = tls(&impostor, &pinned(&[&shared, &impostor]));
    let (client, server) = between(&stranger, &node, "10.0.0.1").refused();
    assert!(server.contains("is trusted neither by itself nor by its issuer"), "{server}");
    assert!(client.contains("it does not trust our certificate"), "{client}");
    let (client, _) = between(&node, &stranger, "10.0.0.1").refused();
    assert!(client.contains("is trusted neither by itself nor by its issuer"), "{client}");
}

#[test]
fn an_authority_of_the_same_name_is_still_another_authority() {
    let (ours, theirs) = (TestAuthority::new("ring authority"), TestAuthority::new("ring authority"));
    let wanted = Wanted { names: &["10.0.0.1"], ..Wanted::default() };
    let node = tls(&ours.sign(&wanted), &from(&ours));
    let impostor = tls(&theirs.sign(&wanted), &from(&ours));
    for ended in [between(&impostor, &node, "10.0.0.1"), between(&node, &impostor, "10.0.0.1")] {
        let (client, server) = ended.refused();
        assert!([client, server].iter().any(|why| why.contains("not its signature")));
    }
}

#[test]
fn whoever_has_the_certificate_but_not_its_key_is_refused() {
    // A certificate is public: another key with the shared certificate beside it must not open a connection.
    let (shared, thief) = (Wanted::default().self_signed(), Wanted::default().self_signed());
    let mut stolen = thief.certified_key();
    stolen.cert = shared.certified_key().cert;
    let node = tls(&shared, &pinned(&[&shared]));
    let mut config = (*node.current().client).clone();
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(stolen));
    let ended = connect(&Arc::new(config), &node.current().server, "10.0.0.1");
    assert!(ended.server.is_err(), "the server took a certificate without its key");
}

#[test]
fn a_node_certificate_cannot_sign_for_others() {
    // A pinned certificate that is an authority by its own word is believed as it is, not for what it signs.
    let authority = TestAuthority::new("shared");
    let trust = Trust::new(std::slice::from_ref(&authority.certificate), &[]).unwrap();
    let signed = authority.sign(&Wanted { names: &["10.0.0.1"], ..Wanted::default() });
    let node = tls(&Wanted::default().self_signed(), &trust);
    let (client, _) = between(&node, &tls(&signed, &trust), "10.0.0.1").refused();
    assert!(client.contains("is trusted neither by itself"), "{client}");
}

#[test]
fn expired_and_early_certificates_are_refused_though_they_are_pinned_or_signed() {
    let authority = TestAuthority::new("ring authority");
    let names = &["10.0.0.1"][..];
    let expired = Wanted { names, from: before(now(), DAY * 9), to: before(now(), DAY), ..Wanted::default() };
    let early = Wanted { names, from: now() + DAY, to: now() + DAY * 9, ..Wanted::default() };
    let good = authority.sign(&Wanted { names, ..Wanted::default() });
    for (wanted, expected) in [(expired, "expired on"), (early, "is not valid before")] {
        for bad in [wanted.self_signed(), authority.sign(&wanted)] {
            let trust =
                Trust::new(&[bad.leaf().clone()], std::slice::from_ref(&authority.certificate)).unwrap();
            let unpinned = from(&authority);
            let trusts = if bad.leaf().is_self_issued() { vec![trust] } else { vec![trust, unpinned] };
            for trust in trusts {
                let (good, bad) = (tls(&good, &trust), tls(&bad, &trust));
                let (client, server) = between(&good, &bad, "10.0.0.1").refused();
                assert!(client.contains(expected), "{expected}: {client}");
                assert!(server.contains("the other side refused"), "{server}");
                let (_, server) = between(&bad, &good, "10.0.0.1").refused();
                assert!(server.contains(expected), "{expected}: {server}");
            }
        }
    }
}

#[test]
fn client_certificates_are_required_optional_or_not_asked_for() {
    let shared = Wanted::default().self_signed();
    let stranger = Wanted::default().self_signed();
    let trust = pinned(&[&shared]);
    let clock = Clock::manual(now());
    let config = |identity| {
        let trust = Trust::new(&[shared.leaf().clone()], &[]).unwrap();
        Arc::new(client_config(identity, &trust, NameCheck::Required, &clock).unwrap())
    };
    let material = Material { identity: shared.clone(), trust };
    let server = |client_auth| Arc::new(server_config(&material, client_auth, &clock).unwrap());
    let (required, optional, none) =
        (server(ClientAuth::Required), server(ClientAuth::Optional), server(ClientAuth::None));
    let (client, server) = connect(&config(None), &required, "x.example").refused();
    assert!(server.contains("showed no certificate"), "{server}");
    assert!(client.contains("demands a certificate"), "{client}");
    connect(&config(Some(&shared)), &required, "x.example").accepted();

    let (_, anonymous) = connect(&config(None), &optional, "x.example").accepted();
    assert_eq!(Peer::of(anonymous.peer_certificates(), &material), Peer::Anonymous);
    assert!(!Peer::Anonymous.is_member(&"10.0.0.1:1".parse().unwrap()));
    connect(&config(Some(&stranger)), &optional, "x.example").refused();

    let (_, unasked) = connect(&config(Some(&shared)), &none, "x.example").accepted();
    assert!(unasked.peer_certificates().is_none());
}

#[test]
fn a_trusted_certificate_makes_a_client_and_only_its_name_makes_it_a_member() {
    let authority = TestAuthority::new("ring authority");
    let ours = authority.sign(&Wanted { names: &["10.0.0.1"], ..Wanted::default() });
    let app = authority.sign(&Wanted { names: &["app.example"], ..Wanted::default() });
    let other = authority.sign(&Wanted { names: &["10.0.0.2"], ..Wanted::default() });
    let node = tls(&ours, &from(&authority));
    for (identity, is_member) in [(&app, false), (&other, true)] {
        let (_, server) = between(&tls(identity, &from(&authority)), &node, "10.0.0.1").accepted();
        let peer = Peer::of(server.peer_certificates(), &node.current().material);
        assert!(matches!(peer, Peer::Certified(_)));
        assert_eq!(peer.is_member(&"10.0.0.2:9999".parse().unwrap()), is_member);
    }
}

/// Two certificates that a truststore holds at once are one identity in turn only when nothing tells them apart but
/// their keys.
#[test]
fn in_a_rotation_the_other_shared_certificate_is_a_members_and_a_trusted_clients_is_not() {
    let star = Wanted { subject: "*", ..Wanted::default() };
    let (old, new) = (star.self_signed(), star.self_signed());
    let client = Wanted { subject: "client", ..Wanted::default() }.self_signed();
    let authority = TestAuthority::new("clients");
    let issued = authority.sign(&star);
    let authorities = std::slice::from_ref(&authority.certificate);
    let leaves = [&old, &new, &client, &issued].map(|identity| identity.leaf().clone());
    let trust = Trust::new(&leaves, authorities).unwrap();
    let member = "10.0.0.7:1".parse().unwrap();
    let is_member = |shown: &Identity, to: &Identity, trust: &Trust| {
        let (_, server) = between(&tls(shown, trust), &tls(to, trust), "10.0.0.7").accepted();
        let material = Material { identity: to.clone(), trust: trust.clone() };
        Peer::of(server.peer_certificates(), &material).is_member(&member)
    };
    for (shown, to) in [(&old, &new), (&new, &old), (&new, &new)] {
        assert!(is_member(shown, to, &trust));
    }
    assert!(!is_member(&client, &old, &trust), "it has another subject");
    assert!(!is_member(&issued, &old, &trust), "an authority signed it");
    assert!(!is_member(&old, &issued, &trust), "there is no shared certificate to take turns with");
    // Only what is trusted as it is takes part, not what a trusted authority of that name has signed.
    let namesake = TestAuthority::new("*");
    let signed = namesake.sign(&star);
    let trust = Trust::new(&[old.leaf().clone()], std::slice::from_ref(&namesake.certificate)).unwrap();
    let material = Material { identity: old.clone(), trust };
    assert!(!Peer::of(Some(&[signed.leaf().der().clone()]), &material).is_member(&member));
}

#[test]
fn http_2_is_agreed_on_and_tls_1_2_is_spoken_and_nothing_older() {
    let shared = Wanted::default().self_signed();
    let node = tls(&shared, &pinned(&[&shared]));
    let mut config = (*node.current().client).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let (client, _) = connect(&Arc::new(config), &node.current().server, "x.example").accepted();
    assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
    let (client, _) = between(&node, &node, "x.example").accepted();
    assert_eq!(client.alpn_protocol(), Some(&b"http/1.1"[..]));

    let trust = pinned(&[&shared]);
    let old = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS12]).unwrap();
    let verifier = verify::servers(&trust, NameCheck::Required, &provider());
    let old = old.dangerous().with_custom_certificate_verifier(verifier);
    let old = old.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shared.certified_key())));
    let (client, _) = connect(&Arc::new(old), &node.current().server, "x.example").accepted();
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    assert!(format!("{:?}", client.negotiated_cipher_suite()).contains("ECDHE"), "forward secrecy");
}

#[test]
fn plain_http_on_a_tls_listener_is_called_by_its_name() {
    let shared = Wanted::default().self_signed();
    let node = tls(&shared, &pinned(&[&shared]));
    let mut server = ServerConnection::new(Arc::clone(&node.current().server)).unwrap();
    server.read_tls(&mut &b"GET /objects/x HTTP/1.1\r\n\r\n"[..]).unwrap();
    let why = explain(&server.process_new_packets().unwrap_err());
    assert!(why.contains("plain HTTP on a TLS port?"), "{why}");
}

#[test]
fn debug_output_of_the_whole_shows_no_key() {
    let shared = Wanted::default().self_signed();
    let node = tls(&shared, &pinned(&[&shared]));
    let shown = format!("{:?}", node.current().material);
    assert!(shown.contains("key: \"***\""), "{shown}");
}
