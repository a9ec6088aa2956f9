//! Rings with keystores made by the tools that people use: who comes in, who does not, and what both sides say.
//!
//! The cases of the facts page (section 10, I) are here by number.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use ringhold_integration_tests::{
    KEY_PASSWORD, Member, PASSWORD, Ring, RingBuilder, Workshop, assert_keeps_secrets,
    assert_outcasts_are_out, curl, loopback_address, reload, rounds, wait_until, wait_until_logged,
    with_certificate,
};

const REPOSE: &str = "/powerapi/dist-datastore/objects/3ae04e3f-164e-ab96-04d2-51aa51104daa";
const PATIENCE: Duration = Duration::from_secs(20);

/// `[tls]` for a store in a workshop.
fn tls(shop: &Workshop, store: &str, more: &str) -> String {
    format!("[tls]\nkeystore = \"{}\"\nkeystore_password = \"{PASSWORD}\"\n{more}", shop.name(store))
}

/// Three members with TLS on their addresses, and a plain door each for the harness.
fn three() -> RingBuilder {
    Ring::builder(3).with_doors()
}

fn url(member: &Member, path: &str) -> String {
    format!("https://{}{path}", member.address())
}

/// What a client with the right certificate can do, and one without cannot.
async fn assert_only_certificates_open(shop: &Workshop, ring: &Ring, right: &str) {
    shop.authority("elsewhere");
    shop.signed("stranger", "elsewhere", "");
    let stranger = with_certificate(&shop.path("stranger.crt"), &shop.path("elsewhere.crt"));
    let stranger = format!("{stranger} --key {}", shop.name("stranger.key"));
    for (number, member) in ring.insiders().enumerate() {
        let object = url(member, &format!("/objects/through-tls-{number}"));
        curl(shop, &format!("{right} -T {}", shop.write("value", "by curl").display()), &object)
            .assert_status(201);
        let found = curl(shop, right, &object);
        found.assert_status(200);
        assert_eq!(found.body, "by curl");
        curl(shop, "-k", &object).assert_no_handshake();
        curl(shop, &format!("-k {stranger}"), &object).assert_no_handshake();
        wait_until_logged(member, &["TLS", "no certificate"]).await;
    }
}

/// A ring with one store for all, a client with the same key.
async fn assert_one_store_for_all_works(shop: &Workshop, store: &str, client: &str, more: &str) {
    let ring = three().configure(tls(shop, store, more)).start().await;
    rounds(&ring, "shared").await;
    // The certificate names nobody, so curl is told not to ask for a name; the ring itself never is.
    assert_only_certificates_open(shop, &ring, &format!("-k --cert {client}")).await;
    assert_keeps_secrets(&ring, shop).await;
}

#[tokio::test]
async fn a_jks_store_of_keytool_with_a_key_password_of_its_own_secures_a_ring() {
    let shop = Workshop::new();
    shop.keytool("ring.jks", "JKS", "node", &format!("-dname CN=* -keypass {KEY_PASSWORD}"));
    shop.to_pem("ring.jks", "node", KEY_PASSWORD, "client.pem");
    let more = format!("key_password = \"{KEY_PASSWORD}\"");
    assert_one_store_for_all_works(&shop, "ring.jks", &shop.name("client.pem"), &more).await;
}

#[tokio::test]
async fn a_pkcs12_store_of_keytool_secures_a_ring() {
    let shop = Workshop::new();
    shop.keytool("ring.p12", "PKCS12", "node", "-dname CN=*");
    shop.to_pem("ring.p12", "node", PASSWORD, "client.pem");
    assert_one_store_for_all_works(&shop, "ring.p12", &shop.name("client.pem"), "").await;
}

#[tokio::test]
async fn stores_of_openssl_secure_a_ring_in_every_format() {
    let shop = Workshop::new();
    shop.run("openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 30 -subj /CN=*");
    let export = format!("openssl pkcs12 -export -inkey k.pem -in c.pem -name node -passout pass:{PASSWORD}");
    shop.run(&format!("{export} -out modern.p12"));
    shop.run(&format!("{export} -legacy -out legacy.p12"));
    shop.run(&format!("openssl pkcs8 -topk8 -in k.pem -passout pass:{PASSWORD} -out locked.pem"));
    shop.write("both.pem", [shop.bytes("locked.pem"), shop.bytes("c.pem")].concat());
    shop.write("client.pem", [shop.bytes("k.pem"), shop.bytes("c.pem")].concat());
    for store in ["modern.p12", "legacy.p12", "both.pem"] {
        let ring = three().configure(tls(&shop, store, "")).start().await;
        rounds(&ring, "openssl").await;
        let client = format!("-k --cert {}", shop.name("client.pem"));
        for member in ring.members() {
            curl(&shop, &client, &url(member, "/readyz")).assert_status(200);
            curl(&shop, "-k", &url(member, "/readyz")).assert_no_handshake();
        }
    }
}

#[tokio::test]
async fn cases_69_and_70_one_store_on_both_sides_and_nothing_without_it() {
    let shop = Workshop::new();
    shop.run(&format!(
        "keytool -genkeypair -keyalg RSA -keysize 2048 -storetype JKS -keystore single.jks -alias one -dname CN=localhost \
         -validity 36500 -storepass {PASSWORD}"
    ));
    shop.to_pem("single.jks", "one", PASSWORD, "client.pem");
    let ring = Ring::builder(1).with_doors().configure(tls(&shop, "single.jks", "")).start().await;
    let body = shop.write("body", "a value");
    let put = |who: &str| curl(&shop, &format!("-k {who} -T {}", body.display()), &url(&ring[0], REPOSE));
    put("").assert_no_handshake();
    put(&format!("--cert {}", shop.name("client.pem"))).assert_status(202);
}

#[tokio::test]
async fn case_71_two_stores_that_trust_each_other_crosswise() {
    let shop = Workshop::new();
    for name in ["server", "client"] {
        shop.keytool(&format!("{name}.jks"), "JKS", name, &format!("-dname CN={name}"));
    }
    shop.to_pem("server.jks", "server", PASSWORD, "server.pem");
    shop.to_pem("client.jks", "client", PASSWORD, "client.pem");
    let trust = format!("truststore = \"{}\"\ntruststore_password = \"{PASSWORD}\"", shop.name("server.jks"));
    let ring = Ring::builder(1).with_doors().configure(tls(&shop, "client.jks", &trust)).start().await;
    let body = shop.write("body", "a value");
    let put = |pem: &str| {
        curl(&shop, &format!("-k --cert {} -T {}", shop.name(pem), body.display()), &url(&ring[0], REPOSE))
    };
    put("server.pem").assert_status(202);
    // Its own certificate is not among those that it trusts.
    put("client.pem").assert_no_handshake();
}

#[tokio::test]
async fn case_72_state_is_shared_between_nodes_over_mutual_tls() {
    let shop = Workshop::new();
    shop.keytool("server.jks", "JKS", "server", "-dname CN=localhost");
    let ring = Ring::builder(2).with_doors().configure(tls(&shop, "server.jks", "")).start().await;
    let limits = r#"{"limits":[{"name":"hourly","maximum":3,"window_seconds":3600}]}"#;
    let key = ring.key_of(1, "user");
    for (asked, used) in [(0, 1), (0, 2), (0, 3), (1, 4)] {
        let request = ring[asked]
            .object("PATCH", &key)
            .header("content-type", "application/vnd.ringhold.rate-limit+json");
        let counted = request.body(limits).send().await.json();
        assert_eq!(counted["limits"][0]["used"], used, "{counted}");
        assert_eq!(counted["over"].as_str(), (used > 3).then_some("hourly"), "{counted}");
    }
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_older_and_no_suite_without_forward_secrecy() {
    let shop = Workshop::new();
    shop.run("openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 30 -subj /CN=*");
    shop.write("both.pem", [shop.bytes("k.pem"), shop.bytes("c.pem")].concat());
    let ring = Ring::builder(1).with_doors().configure(tls(&shop, "both.pem", "")).start().await;
    let address = ring[0].address().to_string();
    let client = |options: &str| {
        let mut words =
            vec!["openssl", "s_client", "-connect", &address, "-cert", "both.pem", "-key", "both.pem"];
        words.extend(options.split_whitespace());
        shop.try_run(&words)
    };
    for (options, agreed) in [
        ("-tls1_3", "TLSv1.3, Cipher is TLS_"),
        ("-tls1_2", "TLSv1.2, Cipher is ECDHE-"),
        ("-tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384", "Cipher is ECDHE-RSA-AES256-GCM-SHA384"),
    ] {
        let said = client(options);
        assert!(said.out.contains(agreed), "{options}: {said:?}");
    }
    for options in [
        "-tls1 -cipher ALL:@SECLEVEL=0",
        "-tls1_1 -cipher ALL:@SECLEVEL=0",
        "-tls1_2 -cipher AES128-SHA:@SECLEVEL=0",
        "-tls1_2 -cipher AES256-GCM-SHA384",
        "-tls1_2 -cipher ECDHE-RSA-AES128-SHA:@SECLEVEL=0",
        "-tls1_2 -cipher ALL:aNULL:eNULL:!ECDHE:@SECLEVEL=0",
    ] {
        let said = client(options);
        assert!(said.code != Some(0) && said.out.contains("Cipher is (NONE)"), "{options}: {said:?}");
    }
    wait_until_logged(&ring[0], &["TLS", "1.2 and 1.3"]).await;
}

/// A private authority `ring`, and a store `node-0.p12`... for each of three members on `host`, who differ by port.
fn stores_of_an_authority(shop: &Workshop, host: Ipv4Addr) {
    shop.authority("ring");
    for member in 0..3 {
        shop.signed_store(
            &format!("node-{member}"),
            "ring",
            &format!("IP:{host},DNS:node-{member}.ring.example"),
        );
    }
}

fn own_stores(shop: &Workshop, builder: RingBuilder) -> RingBuilder {
    (0..3).fold(builder, |builder, member| {
        builder.configure_member(member, tls(shop, &format!("node-{member}.p12"), ""))
    })
}

#[tokio::test]
async fn certificates_of_a_private_authority_are_checked_with_their_names() {
    let (shop, host) = (Workshop::new(), loopback_address());
    stores_of_an_authority(&shop, host);
    shop.signed("client", "ring", "");
    let ring = own_stores(&shop, three().at(host)).start().await;
    rounds(&ring, "authority").await;
    // curl checks the names here: nothing is waved through.
    let right = with_certificate(&shop.path("client.crt"), &shop.path("ring.crt"));
    let right = format!("{right} --key {}", shop.name("client.key"));
    assert_only_certificates_open(&shop, &ring, &right).await;
    let other_name = curl(
        &shop,
        &format!("{right} --resolve other.example:1:{host} --connect-to ::{}", ring[0].address()),
        "https://other.example/readyz",
    );
    assert_eq!((other_name.status, other_name.code), (0, Some(60)), "{other_name:?}");
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test]
async fn a_wildcard_name_stands_for_every_node() {
    let (shop, host) = (Workshop::new(), loopback_address());
    shop.authority("ring");
    shop.signed_store("all", "ring", &format!("IP:{host},DNS:*.ring.example"));
    shop.signed("client", "ring", "");
    let ring = three().at(host).configure(tls(&shop, "all.p12", "")).start().await;
    rounds(&ring, "wildcard").await;
    let right = with_certificate(&shop.path("client.crt"), &shop.path("ring.crt"));
    let right = format!("{right} --key {}", shop.name("client.key"));
    for (number, member) in ring.members().iter().enumerate() {
        let options = format!("{right} --connect-to ::{}", member.address());
        curl(&shop, &options, &format!("https://node-{number}.ring.example/readyz")).assert_status(200);
        let deeper = curl(&shop, &options, &format!("https://a.node-{number}.ring.example/readyz"));
        assert_eq!((deeper.status, deeper.code), (0, Some(60)), "{deeper:?}");
    }
}

/// Members that call each other by names, which nothing but a wildcard stands for. Each has a key of its own: one that
/// they shared would be trusted without a look at its names.
#[tokio::test]
async fn wildcard_certificates_serve_a_ring_of_names_and_none_that_is_one_level_deeper() {
    let (shop, host) = (Workshop::new(), loopback_address());
    shop.authority("ring");
    for node in 0..3 {
        shop.signed_store(&format!("node-{node}"), "ring", "DNS:*.ring.test");
    }
    for (domain, works) in [("ring.test", true), ("deeper.ring.test", false)] {
        let names = (0..3).map(|node| format!("{host} node-{node}.{domain}\n"));
        let hosts = shop.write("hosts", names.collect::<String>()).display().to_string();
        // Names without a name server, for these processes alone.
        let mount = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, &hosts];
        let builder = (0..3).fold(three().at(host).in_domain(domain), |builder, member| {
            let builder = builder.start_member_by(member, &wrapper);
            if works { builder } else { builder.outcast(member) }
        });
        let ring = own_stores(&shop, builder).start().await;
        if works {
            rounds(&ring, "wildcard-names").await;
            continue;
        }
        for (number, member) in ring.members().iter().enumerate() {
            let other = format!("node-{}.{domain}", (number + 1) % 3);
            wait_until_logged(member, &["is for *.ring.test, not for", &other]).await;
        }
    }
}

/// Streams that are open live on; new ones are refused, and both sides say why until the keystore is replaced.
#[tokio::test]
async fn a_certificate_that_ends_while_its_node_runs_is_seen_coming_and_refused_in_new_connections() {
    let (shop, host) = (Workshop::new(), loopback_address());
    let named = format!("-dname CN=node -ext san=ip:{host}");
    let mut trusted = Vec::new();
    let mut trust = |store: &str| {
        shop.export_certificate(&format!("{store}.p12"), store, &format!("{store}.crt"));
        trusted.extend(shop.bytes(&format!("{store}.crt")));
    };
    for store in ["node-0", "node-1", "fresh"] {
        shop.keytool(&format!("{store}.p12"), "PKCS12", store, &named);
        trust(store);
    }
    shop.to_pem("node-0.p12", "node-0", PASSWORD, "client.pem");
    shop.run(&format!(
        "keytool -genkeypair -keyalg EC -groupname secp256r1 -storetype PKCS12 -keystore node-2.p12 -alias node-2 -storepass \
         {PASSWORD} -startdate -1d+30S -validity 1 {named}"
    ));
    trust("node-2");
    let trust = format!("truststore = \"{}\"", shop.write("trust.pem", trusted).display());
    // So long a member waits for what another has that only others reach.
    let three = three().at(host).set("cluster.sync_timeout", "2s");
    let builder = (0..3).fold(three, |builder, member| {
        builder.configure_member(member, tls(&shop, &format!("node-{member}.p12"), &trust))
    });
    let mut ring = builder.start().await;
    wait_until_logged(&ring[2], &["CN=node expires on", "replace the keystore"]).await;
    let ends = async |member: &Member| {
        let report = member.request("GET", "/cluster").send().await.json();
        report["security"]["certificate"]["expires_at_ms"].as_u64().expect("a number")
    };
    let (short, long) = (ends(&ring[2]).await, ends(&ring[0]).await);
    assert!(short + 29 * 24 * 3_600_000 > long - 24 * 3_600_000 && short < long, "{short} {long}");

    let client = with_certificate(&shop.path("client.pem"), &shop.path("node-2.crt"));
    // It is good through its last second.
    let over = SystemTime::UNIX_EPOCH + Duration::from_millis(short + 1000);
    wait_until(Duration::from_secs(60), "the certificate to end", async || SystemTime::now() > over).await;
    let refused = curl(&shop, &client, &url(&ring[2], "/readyz"));
    assert!(refused.code == Some(60) && refused.said.contains("certificate has expired"), "{refused:?}");
    rounds(&ring, "on-open-streams").await;

    ring.kill(0);
    ring.restart(0).await;
    wait_until_logged(&ring[0], &["no stream to a member", "expired on"]).await;
    wait_until_logged(&ring[0], &["a TLS connection is refused", "expired on"]).await;
    wait_until_logged(&ring[2], &["says that our certificate is expired"]).await;
    wait_until_logged(&ring[0], &["not everything was handed to this node", "misses_somebody=true"]).await;
    for (asked, about) in [(0, 2), (2, 0)] {
        let seen = ring[asked].sees(ring[about].address()).await;
        assert_ne!(seen.as_deref(), Some("online"), "{asked} sees {about}");
    }
    shop.replace("node-2.p12", "fresh.p12");
    reload(&ring[2], "tls").await;
    assert!(ends(&ring[2]).await > short);
    ring.wait_until_all_online().await;
    rounds(&ring, "replaced").await;
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test]
async fn a_node_whose_certificate_is_for_another_host_is_kept_out() {
    let (shop, host) = (Workshop::new(), loopback_address());
    stores_of_an_authority(&shop, host);
    shop.signed_store("wrong", "ring", "IP:127.254.254.254,DNS:elsewhere.example");
    std::fs::remove_file(shop.path("node-2.p12")).unwrap();
    shop.replace("node-2.p12", "wrong.p12");
    let ring = own_stores(&shop, three().at(host)).outcast(2).start().await;
    for member in ring.insiders() {
        wait_until_logged(member, &["elsewhere.example", &format!("not for {host}")]).await;
    }
    wait_until_logged(&ring[2], &["certificate"]).await;
    assert_outcasts_are_out(&ring).await;
}

#[tokio::test]
async fn a_node_with_the_store_of_another_ring_is_kept_out_and_both_logs_say_why() {
    let shop = Workshop::new();
    shop.keytool("ring.p12", "PKCS12", "node", "-dname CN=*");
    shop.keytool("other.p12", "PKCS12", "node", "-dname CN=*");
    let builder = [(0, "ring.p12"), (1, "ring.p12"), (2, "other.p12")]
        .into_iter()
        .fold(three(), |builder, (member, store)| builder.configure_member(member, tls(&shop, store, "")));
    let ring = builder.outcast(2).start().await;
    for member in ring.members() {
        wait_until_logged(member, &["another keystore"]).await;
    }
    assert_outcasts_are_out(&ring).await;
}

#[tokio::test]
async fn an_expired_certificate_keeps_its_node_from_starting_and_its_client_out() {
    let shop = Workshop::new();
    shop.keytool("ring.p12", "PKCS12", "node", "-dname CN=*");
    shop.run(&format!(
        "keytool -genkeypair -keyalg EC -groupname secp256r1 -storetype PKCS12 -keystore old.p12 -alias old -dname CN=* \
         -storepass {PASSWORD} -startdate -10d -validity 5"
    ));
    shop.export_certificate("ring.p12", "node", "node.crt");
    shop.export_certificate("old.p12", "old", "old.crt");
    shop.truststore("trust.p12", &[("node", "node.crt"), ("old", "old.crt")]);
    shop.to_pem("old.p12", "old", PASSWORD, "old.pem");
    let trust = format!("truststore = \"{}\"\ntruststore_password = \"{PASSWORD}\"", shop.name("trust.p12"));
    let builder = [(0, "ring.p12"), (1, "ring.p12"), (2, "old.p12")]
        .into_iter()
        .fold(three(), |builder, (member, store)| {
            builder.configure_member(member, tls(&shop, store, &trust))
        });
    let ring = builder.outcast(2).start().await;
    wait_until(PATIENCE, "the node with an expired certificate to give up", async || !ring[2].is_running())
        .await;
    assert!(ring[2].log().contains("expired on"), "{}", ring[2].log());
    rounds(&ring, "without-one").await;
    let old = curl(&shop, &format!("-k --cert {}", shop.name("old.pem")), &url(&ring[0], "/readyz"));
    old.assert_no_handshake();
    assert!(old.said.contains("alert certificate expired"), "{old:?}");
    wait_until_logged(&ring[0], &["expired on"]).await;
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test]
async fn clients_without_certificates_come_in_where_none_is_demanded_and_wrong_ones_do_not() {
    let shop = Workshop::new();
    shop.keytool("ring.p12", "PKCS12", "node", "-dname CN=*");
    shop.to_pem("ring.p12", "node", PASSWORD, "client.pem");
    shop.authority("elsewhere");
    shop.signed("stranger", "elsewhere", "");
    let stranger = format!("-k --cert {} --key {}", shop.name("stranger.crt"), shop.name("stranger.key"));
    let optional = tls(&shop, "ring.p12", "client_auth = \"optional\"");
    let ring = three().configure(optional).start().await;
    rounds(&ring, "optional").await;
    curl(&shop, "-k", &url(&ring[0], "/readyz")).assert_status(200);
    curl(&shop, &format!("-k --cert {}", shop.name("client.pem")), &url(&ring[0], "/readyz"))
        .assert_status(200);
    curl(&shop, &stranger, &url(&ring[0], "/readyz")).assert_no_handshake();
}

/// Each is refused after it has taken the handshake for done and begun to send; none may find its connection reset.
#[tokio::test]
async fn curl_and_openssl_name_the_alert_that_refuses_them() {
    let shop = Workshop::new();
    shop.keytool("ring.p12", "PKCS12", "node", "-dname CN=*");
    shop.authority("elsewhere");
    shop.signed("stranger", "elsewhere", "");
    let body = shop.write("body", "x".repeat(300_000)).display().to_string();
    let ring = Ring::builder(1).with_doors().configure(tls(&shop, "ring.p12", "")).start().await;
    let address = ring[0].address().to_string();
    for (shown, alert) in
        [("", "alert certificate required"), ("--cert stranger.crt --key stranger.key", "alert unknown ca")]
    {
        for _ in 0..10 {
            let refused = curl(&shop, &format!("-k {shown} -T {body}"), &url(&ring[0], "/objects/body"));
            refused.assert_no_handshake();
            assert!(refused.said.contains(alert), "{refused:?}");
            let shown = shown.replace("--", "-");
            let words = format!("openssl s_client -connect {address} -ign_eof -tls1_3 {shown}");
            let said = shop.try_run(&words.split_whitespace().collect::<Vec<_>>());
            assert!(said.code != Some(0) && said.err.contains(alert), "{said:?}");
        }
    }
    ring[0].request("GET", "/readyz").send().await.assert_status(200);
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so() {
    let shop = Workshop::new();
    shop.keytool("ring.p12", "PKCS12", "node", "-dname CN=*");
    let ring = Ring::builder(1).with_doors().configure(tls(&shop, "ring.p12", "")).start().await;
    let told = curl(&shop, "", &format!("http://{}/readyz", ring[0].address()));
    told.assert_status(400);
    assert!(told.body.contains("TLS only"), "{told:?}");
}

#[tokio::test]
async fn stores_that_cannot_serve_end_the_start_with_a_reason_of_their_own() {
    let shop = Workshop::new();
    shop.keytool("one.p12", "PKCS12", "first", "-dname CN=*");
    shop.keytool("two.p12", "PKCS12", "first", "-dname CN=*");
    shop.keytool("two.p12", "PKCS12", "second", "-dname CN=*");
    shop.keytool("jks.jks", "JKS", "locked", &format!("-dname CN=* -keypass {KEY_PASSWORD}"));
    shop.export_certificate("one.p12", "first", "first.crt");
    shop.truststore("trusted.p12", &[("first", "first.crt")]);
    shop.write("rubbish", "this is no keystore");
    shop.run(&format!(
        "keytool -genkeypair -keyalg EC -groupname secp256r1 -storetype PKCS12 -keystore early.p12 -alias early -dname CN=* \
         -storepass {PASSWORD} -startdate +10d -validity 5"
    ));
    for name in ["ours", "theirs"] {
        shop.authority(name);
    }
    shop.write("mixed.pem", [shop.bytes("ours.key"), shop.bytes("theirs.crt")].concat());
    let password = format!("keystore_password = \"{PASSWORD}\"\n");
    for (store, more, reason) in [
        ("one.p12", "keystore_password = \"wr0ng-password\"\n", "the keystore password is wrong"),
        ("two.p12", &password, "choose one by its alias: "),
        ("two.p12", &format!("{password}key_alias = \"third\"\n"), "no private key with the alias \"third\""),
        ("jks.jks", &password, "the password of the private key \"locked\" is wrong"),
        ("trusted.p12", &password, "it holds no private key"),
        ("rubbish", &password, "it is no keystore"),
        ("early.p12", &password, "is not valid before"),
        ("mixed.pem", "", "the private key does not belong to the certificate"),
        ("absent.p12", &password, "absent.p12"),
    ] {
        let text = format!("[tls]\nkeystore = \"{}\"\n{more}", shop.name(store));
        let ring = Ring::builder(1).with_doors().outcast(0).configure(text).start().await;
        wait_until(PATIENCE, &format!("a node with {store} to give up"), async || !ring[0].is_running())
            .await;
        assert!(ring[0].log().contains(reason), "{store}: {reason} is not in {}", ring[0].log());
        assert_keeps_secrets(&ring, &shop).await;
        assert!(!ring[0].log().contains("wr0ng-password"), "{}", ring[0].log());
    }
    let chosen = format!("{password}key_alias = \"SECOND\"\n");
    let text = format!("[tls]\nkeystore = \"{}\"\n{chosen}", shop.name("two.p12"));
    let ring = Ring::builder(1).with_doors().configure(text).start().await;
    ring[0].request("GET", "/readyz").send().await.assert_status(200);
}
