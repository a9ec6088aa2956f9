//! Keys and secrets that are replaced while requests run: none of them fails.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use ringhold_integration_tests::{
    Accepts, Caller, Clock, Load, Member, PASSWORD, Request, Ring, Workshop, assert_keeps_secrets, curl,
    loopback_address, reload, rounds, wait_until, wait_until_logged, with_certificate,
};

const PATIENCE: Duration = Duration::from_secs(30);
const KEYS_OF_EACH: usize = 10;

/// Clients over kept-alive plain connections: every key through every member, over and over.
fn through_doors(load: Load, ring: &Ring, keys: &Arc<Vec<String>>) -> Load {
    (0..ring.members().len()).fold(load, |load, member| {
        let (caller, keys) = (Caller::new(ring, [member], Accepts::Everything), Arc::clone(keys));
        load.client(move |turn| {
            let (caller, keys, turn) = (caller.clone(), Arc::clone(&keys), member + turn);
            async move { one_request(&caller, &keys[turn * 7 % keys.len()], turn).await }
        })
    })
}

/// A client for each member that connects anew for each request, over TLS, and checks the certificate.
fn over_tls(load: Load, ring: &Ring, shop: &Arc<Workshop>, options: &str, key: &str) -> Load {
    ring.members().iter().fold(load, |load, member| {
        let (shop, options) = (Arc::clone(shop), options.to_owned());
        let url = format!("https://{}/objects/{key}", member.address());
        load.blocking_client(move || match curl(&shop, &options, &url) {
            answer if answer.status == 200 => Ok(()),
            answer => Err(format!("{url}: {answer:?}")),
        })
    })
}

/// One TLS connection to a member that is kept for the whole time: twenty requests a second on it.
fn on_one_connection(load: Load, member: &Member, shop: &Arc<Workshop>, options: &str, key: &str) -> Load {
    let shop = Arc::clone(shop);
    // A quick succession of URLs that differ in a query that nobody reads.
    let url = format!("https://{}/objects/{key}?[1-100000]", member.address());
    let options = format!("{options} --rate 20/s --fail-early -f -o /dev/null");
    load.companion(move |ends| {
        let mut words = vec!["curl", "-sS", "--noproxy", "*"];
        words.extend(options.split_whitespace());
        words.extend(["-w", "%{stderr}%{num_connects} %{http_code}\n", &url]);
        let said = shop.run_until(&words, ends);
        // Standard error is not buffered: nothing of it is lost when curl is ended.
        let lines: Vec<_> = said.err.lines().collect();
        let began = lines.first() == Some(&"1 200") && lines.len() >= 20;
        if began && lines.iter().skip(1).all(|line| *line == "0 200") {
            return Ok(());
        }
        Err(format!("the kept connection: {}", said.all()))
    })
}

/// What was wrong with one request, two of seven a write. Every key is there, and stays.
async fn one_request(caller: &Caller, key: &str, turn: usize) -> Result<(), String> {
    let (method, right) = if turn % 7 < 2 { ("PUT", 204) } else { ("GET", 200) };
    let build = |request: Request| if method == "PUT" { request.body("a newer value") } else { request };
    let answer = caller.call(0, method, key, build).await?;
    if answer.status == right { Ok(()) } else { Err(format!("{method} {key}: {answer:?}")) }
}

async fn fill(ring: &Ring, name: &str) -> Arc<Vec<String>> {
    let mut keys = Vec::new();
    for owner in 0..ring.members().len() {
        for number in 0..KEYS_OF_EACH {
            let key = ring.key_of(owner, &format!("{name}-{number}"));
            ring[owner].object("PUT", &key).body("a value").send().await.assert_status(201);
            keys.push(key);
        }
    }
    Arc::new(keys)
}

/// Files of secrets on every node, each of which is replaced alone: one that signs, two that are accepted besides.
fn secret_files(shop: &Workshop) -> String {
    format!(
        "[auth]\nshared_secret_file = \"{}\"\naccept_secrets_files = [\"{}\", \"{}\"]",
        shop.name("signs"),
        shop.name("accepted-new"),
        shop.name("accepted-old")
    )
}

/// Rotates the secret on all members: what signs is replaced only after everyone accepts the new one.
async fn rotate_secret(shop: &Workshop, ring: &Ring, load: &Load) {
    shop.secret_file("new");
    for file in ["accepted-new", "signs", "accepted-old"] {
        shop.replace(file, "new");
        for member in ring.members() {
            reload(member, "secrets").await;
            load.continue_for(30).await;
        }
        load.continue_for(300).await;
    }
}

fn first_secret(shop: &Workshop) {
    shop.secret_file("signs");
    shop.replace("accepted-new", "signs");
    shop.replace("accepted-old", "signs");
}

fn tls(shop: &Workshop, member: usize) -> String {
    format!(
        "[tls]\nkeystore = \"{}\"\nkeystore_password = \"{PASSWORD}\"\ntruststore = \"{}\"\ntruststore_password = \
         \"{PASSWORD}\"",
        shop.name(&format!("node-{member}.p12")),
        shop.name(&format!("trust-{member}.p12"))
    )
}

/// Options of `keytool` for a shared certificate that is for everything on one host.
fn named(host: Ipv4Addr) -> String {
    format!("-dname CN=ring -ext san=ip:{host}")
}

/// Everything for a ring with the shared certificate `old` that clients of the authority `clients` may use.
fn stores(shop: &Workshop, options: &str) {
    shop.authority("clients");
    shop.signed("client", "clients", "");
    for age in ["old", "new"] {
        shop.keytool(&format!("{age}.p12"), "PKCS12", age, options);
        shop.export_certificate(&format!("{age}.p12"), age, &format!("{age}.crt"));
    }
    shop.truststore("trust-old.p12", &[("clients", "clients.crt"), ("old", "old.crt")]);
    shop.truststore("trust-both.p12", &[("clients", "clients.crt"), ("old", "old.crt"), ("new", "new.crt")]);
    shop.truststore("trust-new.p12", &[("clients", "clients.crt"), ("new", "new.crt")]);
    shop.write("both.crt", [shop.bytes("old.crt"), shop.bytes("new.crt")].concat());
    for member in 0..3 {
        shop.replace(&format!("node-{member}.p12"), "old.p12");
        shop.replace(&format!("trust-{member}.p12"), "trust-old.p12");
    }
}

/// Which certificate a member shows to those who connect now: `old` or `new`.
fn shown(shop: &Workshop, member: &Member) -> &'static str {
    let address = member.address().to_string();
    let said = shop.try_run(&[
        "openssl",
        "s_client",
        "-connect",
        &address,
        "-cert",
        "client.crt",
        "-key",
        "client.key",
    ]);
    let base64 = |text: &str| text.split_whitespace().collect::<String>();
    let shows = |age: &&str| {
        let file = shop.bytes(&format!("{age}.crt"));
        base64(&said.out).contains(&base64(&String::from_utf8_lossy(&file)))
    };
    ["old", "new"].into_iter().find(shows).unwrap_or_else(|| panic!("no certificate of ours in {said:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keystores_and_then_the_secret_are_replaced_under_load_and_no_request_fails() {
    let (shop, host) = (Arc::new(Workshop::new()), loopback_address());
    stores(&shop, &named(host));
    first_secret(&shop);
    let builder = Ring::builder(3).at(host).with_doors().configure(secret_files(&shop));
    let builder =
        (0..3).fold(builder, |builder, member| builder.configure_member(member, tls(&shop, member)));
    let ring = builder.start().await;
    let keys = fill(&ring, "rotated").await;
    let options = with_certificate(&shop.path("client.crt"), &shop.path("both.crt"));
    let options = format!("{options} --key {}", shop.name("client.key"));
    let load = through_doors(Load::new(), &ring, &keys);
    let load = over_tls(load, &ring, &shop, &options, &keys[0]);
    let load = on_one_connection(load, &ring[1], &shop, &options, &keys[0]);
    load.continue_for(300).await;

    for (file, by) in [("trust", "trust-both.p12"), ("node", "new.p12"), ("trust", "trust-new.p12")] {
        for (number, member) in ring.members().iter().enumerate() {
            shop.replace(&format!("{file}-{number}.p12"), by);
            reload(member, "tls").await;
            load.continue_for(100).await;
            if by == "new.p12" {
                assert_eq!(shown(&shop, member), "new", "new connections use the new keystore");
            }
        }
    }
    rotate_secret(&shop, &ring, &load).await;
    load.end().await;

    // Who holds only what was replaced is out now.
    shop.to_pem("old.p12", "old", PASSWORD, "old.pem");
    let url = format!("https://{}/readyz", ring[0].address());
    curl(&shop, &format!("-k --cert {}", shop.name("old.pem")), &url).assert_no_handshake();
    ring.wait_until_all_online().await;
    rounds(&ring, "rotated").await;
    assert_keeps_secrets(&ring, &shop).await;
}

/// Nothing but the certificates proves members here, and no certificate has a name. Streams that are open live on, so
/// after each step the member opens and takes new ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shared_keystore_without_names_is_replaced_under_load_and_members_that_restart_still_come_in() {
    let shop = Arc::new(Workshop::new());
    stores(&shop, "-dname CN=*");
    let builder = (0..3).fold(Ring::builder(3).with_doors(), |builder, member| {
        builder.configure_member(member, tls(&shop, member))
    });
    let mut ring = builder.start().await;
    let options = format!("-k --cert {} --key {}", shop.name("client.crt"), shop.name("client.key"));
    for (file, by) in [("trust", "trust-both.p12"), ("node", "new.p12"), ("trust", "trust-new.p12")] {
        for number in 0..3 {
            let keys = fill(&ring, &format!("{file}-{by}-{number}")).await;
            let load = through_doors(Load::new(), &ring, &keys);
            let load = over_tls(load, &ring, &shop, &options, &keys[0]);
            load.continue_for(50).await;
            shop.replace(&format!("{file}-{number}.p12"), by);
            reload(&ring[number], "tls").await;
            load.continue_for(100).await;
            load.end().await;
            ring.kill(number);
            ring.restart(number).await;
            ring.wait_until_all_online().await;
            rounds(&ring, &format!("{file}-{number}-restarted")).await;
        }
    }
    assert!(ring.members().iter().all(|member| shown(&shop, member) == "new"));
    // Who holds only what was replaced is out now, and a client was never a member.
    shop.to_pem("old.p12", "old", PASSWORD, "old.pem");
    let url = format!("https://{}/internal/peer", ring[0].address());
    let old = curl(&shop, &format!("-k --cert {}", shop.name("old.pem")), &url);
    old.assert_no_handshake();
    assert!(old.said.contains("alert unknown ca"), "{old:?}");
    let upgrade = "-H Connection:Upgrade -H Upgrade:ringhold-peer/1";
    curl(&shop, &format!("{options} {upgrade}"), &url).assert_status(403);
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_secret_of_automatic_tls_is_replaced_under_load_and_no_request_fails() {
    let shop = Workshop::new();
    first_secret(&shop);
    let text = format!("{}\n\n[tls]\nauto = true", secret_files(&shop));
    let ring = Ring::builder(3).with_doors().configure(text).start().await;
    let keys = fill(&ring, "rotated").await;
    let load = through_doors(Load::new(), &ring, &keys);
    rotate_secret(&shop, &ring, &load).await;
    load.end().await;
    ring.wait_until_all_online().await;
    rounds(&ring, "rotated").await;
    assert_keeps_secrets(&ring, &shop).await;
}

/// A clock that a test turns by a file moves all members at once.
#[tokio::test]
async fn automatic_certificates_are_renewed_in_time_and_no_connection_ends() {
    let shop = Workshop::new();
    first_secret(&shop);
    let clock = Clock::new(shop.path("clock"));
    let wrapper = clock.wrapper();
    let text = format!("{}\n\n[tls]\nauto = true", secret_files(&shop));
    let builder = Ring::builder(3).with_doors().configure(text);
    let builder = (0..3).fold(builder, |builder, member| builder.start_member_by(member, &wrapper));
    let mut ring = builder.start().await;
    let shown = async |member: &Member| {
        let report = member.request("GET", "/cluster").send().await.json();
        report["security"]["certificate"]["fingerprint"].as_str().expect("a certificate").to_owned()
    };
    let mut before = Vec::new();
    for member in ring.members() {
        before.push(shown(member).await);
    }
    let logged: Vec<_> = ring.members().iter().map(|member| member.log().len()).collect();
    // Half of their life is over; nodes look once a minute.
    clock.set("+13h");
    wait_until(PATIENCE * 4, "every certificate to be renewed", async || {
        rounds(&ring, "meanwhile").await;
        let mut renewed = 0;
        for (member, before) in ring.members().iter().zip(&before) {
            renewed += usize::from(shown(member).await != *before);
        }
        renewed == before.len()
    })
    .await;
    // The first ones are no longer valid.
    clock.set("+30h");
    rounds(&ring, "on-open-streams").await;
    for (member, before) in ring.members().iter().zip(logged) {
        let log = member.log().split_off(before);
        let is_quiet = ["member damaged", "stream", "is refused"].iter().all(|word| !log.contains(word));
        assert!(is_quiet && log.contains("a new certificate is in use"), "{log}");
    }
    ring.kill(1);
    ring.restart(1).await;
    ring.wait_until_all_online().await;
    rounds(&ring, "restarted").await;
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_secret_of_a_plain_ring_is_replaced_under_load_and_a_member_that_restarts_still_comes_in() {
    let shop = Workshop::new();
    first_secret(&shop);
    let mut ring = Ring::builder(3).configure(secret_files(&shop)).start().await;
    let keys = fill(&ring, "rotated").await;
    let load = through_doors(Load::new(), &ring, &keys);
    rotate_secret(&shop, &ring, &load).await;
    load.end().await;
    ring.kill(2);
    ring.restart(2).await;
    ring.wait_until_all_online().await;
    rounds(&ring, "restarted").await;
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test]
async fn bad_new_files_change_nothing_and_are_reported_until_they_are_right() {
    let (shop, host) = (Workshop::new(), loopback_address());
    stores(&shop, &named(host));
    first_secret(&shop);
    let builder = Ring::builder(3).at(host).with_doors().configure(secret_files(&shop));
    let builder =
        (0..3).fold(builder, |builder, member| builder.configure_member(member, tls(&shop, member)));
    let ring = builder.start().await;
    let member = &ring[0];
    let source = async |name: &str| {
        let report = member.request("GET", "/cluster").send().await.json();
        let sources = report["security"]["sources"].as_array().expect("a list").clone();
        sources
            .into_iter()
            .find(|source| source["name"] == name)
            .unwrap_or_else(|| panic!("no {name} in {report}"))
    };
    let good = shop.bytes("node-0.p12");
    let strong = shop.bytes("signs");
    for (name, file, bad, reason) in [
        ("tls", "node-0.p12", &b"rubbish"[..], "it is no keystore"),
        ("tls", "node-0.p12", &good[..good.len() / 2], "node-0.p12"),
        ("tls", "node-0.p12", &shop.bytes("client.crt"), "node-0.p12"),
        ("tls", "trust-0.p12", b"", "trust-0.p12"),
        ("secrets", "signs", b"weakling\n", "ringhold secret generate"),
        ("secrets", "signs", b"\xff\xfe\xfd", "signs"),
    ] {
        let right = shop.bytes(file);
        let (reloads, failures) = {
            let before = source(name).await;
            (before["reloads"].as_u64().unwrap(), before["failures"].as_u64().unwrap())
        };
        shop.write(file, bad);
        member.hang_up();
        wait_until(PATIENCE, "the bad file to be reported", async || {
            source(name).await["failures"].as_u64().unwrap() > failures
        })
        .await;
        let found = source(name).await;
        assert!(found["error"].as_str().is_some_and(|error| error.contains(reason)), "{file}: {found}");
        assert_eq!(found["reloads"], reloads, "{found}");
        wait_until_logged(member, &["not reloaded", reason]).await;
        assert_eq!(shown(&shop, member), "old");
        rounds(&ring, "as-before").await;

        shop.write(file, right);
        reload_after_error(member, name, &source).await;
    }
    assert_eq!(shop.bytes("signs"), strong);
    ring.wait_until_all_online().await;
    assert!(!member.log().contains("weakling"), "{}", member.log());
    assert_keeps_secrets(&ring, &shop).await;
}

async fn reload_after_error(member: &Member, name: &str, source: &impl AsyncFn(&str) -> serde_json::Value) {
    member.hang_up();
    wait_until(PATIENCE, "the right file to be in use", async || source(name).await["error"].is_null()).await;
}

#[tokio::test]
async fn a_changed_file_is_seen_without_a_signal() {
    let (shop, host) = (Workshop::new(), loopback_address());
    stores(&shop, &named(host));
    let ring = Ring::builder(1).at(host).with_doors().configure(tls(&shop, 0)).start().await;
    assert_eq!(shown(&shop, &ring[0]), "old");
    shop.replace("node-0.p12", "new.p12");
    wait_until(PATIENCE, "the new keystore to be in use", async || shown(&shop, &ring[0]) == "new").await;
}
