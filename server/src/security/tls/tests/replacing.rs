//! What becomes of sessions and connections when identity and trust are replaced.

use super::*;

#[test]
fn sessions_resume_until_the_material_is_replaced() {
    let shared = Wanted::default().self_signed();
    let node = tls(&shared, &pinned(&[&shared]));
    let kind = |node: &Tls| between(node, node, "x.example").accepted().0.handshake_kind();
    assert_eq!(kind(&node), Some(rustls::HandshakeKind::Full));
    assert_eq!(kind(&node), Some(rustls::HandshakeKind::Resumed));
    node.replace(node.current().material.clone()).unwrap();
    assert_eq!(kind(&node), Some(rustls::HandshakeKind::Full));
}

#[test]
fn a_client_that_keeps_its_ticket_cannot_resume_after_its_certificate_was_taken_out() {
    let (server, client) = (Wanted::default().self_signed(), Wanted::default().self_signed());
    let node = tls(&server, &pinned(&[&server, &client]));
    let guest = tls(&client, &pinned(&[&server, &client]));
    between(&guest, &node, "x.example").accepted();
    let (resumed, _) = between(&guest, &node, "x.example").accepted();
    assert_eq!(resumed.handshake_kind(), Some(rustls::HandshakeKind::Resumed));

    node.replace(Material { identity: server.clone(), trust: pinned(&[&server]) }).unwrap();
    let (_, why) = between(&guest, &node, "x.example").refused();
    assert!(why.contains("is trusted neither by itself"), "{why}");
}

#[test]
fn sessions_are_forgotten_after_an_hour_so_that_expired_certificates_stay_out() {
    let clock = Clock::manual(now());
    let shared = Wanted { to: now() + Duration::from_secs(1800), ..Wanted::default() }.self_signed();
    let node = with(&shared, &pinned(&[&shared]), Options::default(), &clock);
    between(&node, &node, "x.example").accepted();
    clock.advance(MAX_SESSION_AGE);
    node.renew_sessions().unwrap();
    let (client, _) = between(&node, &node, "x.example").refused();
    assert!(client.contains("expired on"), "{client}");
}

#[test]
fn an_open_connection_lives_on_when_the_material_is_replaced() {
    use std::io::{Read, Write};
    let (old, new) = (Wanted::default().self_signed(), Wanted::default().self_signed());
    let node = tls(&old, &pinned(&[&old]));
    let (mut client, mut server) = between(&node, &node, "x.example").accepted();
    node.replace(Material { identity: new.clone(), trust: pinned(&[&new]) }).unwrap();
    client.writer().write_all(b"still here").unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    server.read_tls(&mut bytes.as_slice()).unwrap();
    server.process_new_packets().unwrap();
    let mut read = [0; 10];
    server.reader().read_exact(&mut read).unwrap();
    assert_eq!(&read, b"still here");
}
