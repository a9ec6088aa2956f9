//! Rings with nothing but a shared secret: with TLS that needs no files, and plain with proofs.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringhold_integration_tests::{
    Clock, Ring, RingBuilder, Workshop, assert_keeps_secrets, assert_outcasts_are_out, binary, curl, rounds,
    wait_until, wait_until_logged,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(20);

fn secret(shop: &Workshop, file: &str) -> String {
    format!("[auth]\nshared_secret_file = \"{}\"", shop.name(file))
}

const AUTO: &str = "[tls]\nauto = true";

/// Three members, the last with another secret than the others.
async fn two_and_a_stranger(shop: &Workshop, builder: RingBuilder) -> Ring {
    shop.secret_file("ours");
    shop.secret_file("theirs");
    let builder = [(0, "ours"), (1, "ours"), (2, "theirs")]
        .into_iter()
        .fold(builder, |builder, (member, file)| builder.configure_member(member, secret(shop, file)));
    let ring = builder.outcast(2).start().await;
    assert_outcasts_are_out(&ring).await;
    ring
}

#[tokio::test]
async fn two_settings_secure_a_ring_and_the_program_talks_to_it_with_the_secret() {
    let shop = Workshop::new();
    shop.secret_file("ours");
    shop.secret_file("theirs");
    // Without doors: there is nothing but TLS, so the program itself asks whether the ring is up.
    let builder = (0..3).fold(Ring::builder(3), RingBuilder::outcast);
    let ring = builder.configure(format!("{}\n\n{AUTO}", secret(&shop, "ours"))).start().await;
    let program = binary().display().to_string();
    let run = |member: usize, file: &str, words: &[&str]| {
        let node = format!("https://{}", ring[member].address());
        let file = shop.name(file);
        let options = ["--node", &node, "--secret-file", &file, "--timeout", "5s"];
        shop.try_run(&[&[program.as_str()], words, &options].concat())
    };
    for member in 0..3 {
        wait_until(PATIENCE, "every member to be seen online", async || {
            let status = run(member, "ours", &["status"]);
            status.code == Some(0) && status.out.matches("online").count() >= 3
        })
        .await;
    }
    for member in 0..3 {
        let key = format!("key-{member}");
        let file = shop.write("value", "a value").display().to_string();
        run(member, "ours", &["put", &key, &file]).well();
        let got = run((member + 1) % 3, "ours", &["get", &key]);
        assert_eq!((got.code, got.out.trim()), (Some(0), "a value"), "{got:?}");
    }
    let refused = run(0, "theirs", &["get", "key-0"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert!(!refused.all().contains("a value"), "{refused:?}");
    curl(&shop, "-k", &format!("https://{}/readyz", ring[0].address())).assert_no_handshake();
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test]
async fn with_automatic_tls_a_node_with_another_secret_is_kept_out_and_both_logs_say_why() {
    let shop = Workshop::new();
    let ring = two_and_a_stranger(&shop, Ring::builder(3).with_doors().configure(AUTO)).await;
    for member in ring.members() {
        wait_until_logged(member, &["another shared secret"]).await;
    }
    assert_outcasts_are_out(&ring).await;
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test]
async fn on_a_plain_ring_a_node_with_another_secret_is_kept_out_and_both_logs_say_why() {
    let shop = Workshop::new();
    let ring = two_and_a_stranger(&shop, Ring::builder(3)).await;
    for member in ring.members() {
        wait_until_logged(member, &["secret"]).await;
    }
    assert_outcasts_are_out(&ring).await;
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test]
async fn a_plain_ring_with_a_secret_serves_and_a_node_without_one_is_kept_out() {
    let shop = Workshop::new();
    shop.secret_file("ours");
    let builder = (0..2)
        .fold(Ring::builder(3), |builder, member| builder.configure_member(member, secret(&shop, "ours")));
    let ring = builder.outcast(2).start().await;
    rounds(&ring, "without-one").await;
    let large = "x".repeat(500_000);
    let key = ring.key_of(1, "large");
    ring[0].object("PUT", &key).body(large.clone()).send().await.assert_status(201);
    assert_eq!(ring[0].object("GET", &key).send().await.text().len(), large.len());
    wait_until_logged(&ring[0], &["secret"]).await;
    wait_until_logged(&ring[2], &["secret"]).await;
    assert_outcasts_are_out(&ring).await;
    assert_keeps_secrets(&ring, &shop).await;
}

/// Answers as a member that knows no stream would, and as somebody between two members could.
async fn pose_as_a_member(address: SocketAddr, asked: Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(address).await.expect("nobody else has this address");
    loop {
        let (mut stream, _) = listener.accept().await.expect("it listens");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|read| read > 0) {}
        let head = String::from_utf8_lossy(&head);
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let status = if path == "/internal/peer" { "404 Not Found" } else { "200 OK" };
        asked.lock().expect("nobody panics with it").push(path);
        let answer = format!(
            "HTTP/1.1 {status}\r\nX-Ringhold-Member: {address}\r\nETag: \"010203040506070809101112\"\r\n\
             Content-Length: 6\r\nConnection: close\r\n\r\nforged"
        );
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

#[tokio::test]
async fn on_a_plain_ring_nobody_can_force_members_out_of_the_stream_and_answer_for_them() {
    let shop = Workshop::new();
    shop.secret_file("ours");
    let builder = Ring::builder(2).configure(secret(&shop, "ours"));
    let ring = builder.start_member_by(1, &["true"]).outcast(1).start().await;
    let asked = Arc::<Mutex<Vec<_>>>::default();
    let posing = tokio::spawn(pose_as_a_member(ring[1].address(), Arc::clone(&asked)));
    wait_until_logged(&ring[0], &["no stream to a member", "with status 404", "auth.shared_secret"]).await;
    let key = ring.key_of(1, "object");
    for round in 0..20 {
        let value = format!("value {round}");
        let put = ring[0].object("PUT", &key).body(value.clone()).send().await;
        assert!(put.status == 201 || put.status == 204, "{put:?}");
        let found = ring[0].object("GET", &key).send().await;
        assert_eq!((found.status, found.text()), (200, value.as_str()));
        assert_ne!(ring[0].sees(ring[1].address()).await.as_deref(), Some("online"));
    }
    posing.abort();
    let asked = asked.lock().unwrap().clone();
    assert!(!asked.is_empty() && asked.iter().all(|path| path == "/internal/peer"), "{asked:?}");
    assert_eq!(ring[0].log().matches("no stream to a member").count(), 1, "{}", ring[0].log());
}

#[tokio::test]
async fn a_forged_member_token_opens_nothing_and_changes_nothing() {
    let shop = Workshop::new();
    shop.secret_file("ours");
    let ring = Ring::builder(2).configure(secret(&shop, "ours")).start().await;
    let key = ring.key_of(0, "object");
    ring[0].object("PUT", &key).body("a value").send().await.assert_status(201);
    let (member, zeros) = (ring[1].address(), "A".repeat(43));
    let forged = format!("v1,{member},1800000000000,AAAAAAAAAAAAAAAAAAAAAA,{zeros},{zeros}");
    for token in [forged.as_str(), "v1,rubbish", "", "v9,a,b,c,d,e"] {
        let answer =
            ring[0].object("PUT", &key).header("x-ringhold-member-token", token).body("forged").send().await;
        answer.assert_problem(401, "unauthenticated");
    }
    wait_until_logged(&ring[0], &["member token"]).await;
    assert_eq!(ring[0].object("GET", &key).send().await.text(), "a value");
    // Once a minute for each peer: four refusals are one line.
    assert_eq!(ring[0].log().matches("member token").count(), 1, "{}", ring[0].log());
}

#[tokio::test]
async fn a_node_whose_clock_is_ten_minutes_off_is_kept_out_of_automatic_tls_and_both_logs_say_why() {
    let shop = Workshop::new();
    shop.secret_file("ours");
    for offset in ["+10m", "-10m"] {
        let clock = Clock::new(shop.path("clock"));
        clock.set(offset);
        let builder = Ring::builder(3).with_doors().configure(format!("{}\n\n{AUTO}", secret(&shop, "ours")));
        let ring = builder.start_member_by(2, &clock.wrapper()).outcast(2).start().await;
        for member in ring.members() {
            wait_until_logged(member, &["clock"]).await;
        }
        assert_outcasts_are_out(&ring).await;
    }
}

#[tokio::test]
async fn weak_secrets_end_the_start_and_the_reason_does_not_show_them() {
    let shop = Workshop::new();
    for weak in ["weakling", "passwordpasswordpasswordpassword", "abababababababababababababababab"] {
        let ring = Ring::builder(1)
            .outcast(0)
            .configure(format!("[auth]\nshared_secret = \"{weak}\""))
            .start()
            .await;
        wait_until(PATIENCE, "a node with a weak secret to give up", async || !ring[0].is_running()).await;
        assert!(ring[0].log().contains("ringhold secret generate"), "{}", ring[0].log());
        assert!(!ring[0].log().contains(weak), "{}", ring[0].log());
    }
    let generated = shop.run(&format!("{} secret generate", binary().display()));
    shop.write("made", &generated.out);
    let ring = Ring::builder(2).configure(secret(&shop, "made")).start().await;
    rounds(&ring, "generated").await;
    assert!(!ring[0].log().contains(generated.out.trim()));
}
