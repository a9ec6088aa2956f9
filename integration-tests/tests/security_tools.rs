//! What the program makes and says: its keystores in the hands of other tools, and no secret in anything that it prints.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringhold_integration_tests::{
    PASSWORD, Ring, Said, Workshop, assert_keeps_secrets, binary, curl, loopback_address, rounds, wait_until,
    with_certificate,
};

/// Runs the program; what it prints never holds a secret of the workshop.
fn ringhold(shop: &Workshop, command: &str) -> Said {
    let program = binary().display().to_string();
    let words: Vec<_> = std::iter::once(program.as_str()).chain(command.split_whitespace()).collect();
    let said = shop.try_run(&words);
    for secret in shop.secrets() {
        assert!(!said.all().contains(&secret), "{command} shows a secret: {said:?}");
    }
    said
}

#[tokio::test]
async fn keystores_that_the_program_makes_secure_a_ring_and_open_in_keytool_and_openssl() {
    let (shop, host) = (Workshop::new(), loopback_address());
    shop.write("password", PASSWORD);
    let create = |rest: &str| {
        let said = ringhold(&shop, &format!("keystore create {rest} --password-file password"));
        assert_eq!(said.code, Some(0), "{rest}: {said:?}");
    };
    let signed = "--signed-by authority.p12 --signed-by-password-file password";
    create("authority.p12 --authority");
    for member in 0..3 {
        create(&format!("node-{member}.p12 --host {host} --host node-{member}.ring.example {signed}"));
    }
    create(&format!("client.p12 --host client.example {signed}"));
    let mode = std::fs::metadata(shop.path("node-0.p12")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner reads it");
    let again = ringhold(&shop, "keystore create node-0.p12 --shared --password-file password");
    assert!(again.code != Some(0) && again.err.contains("exists already"), "{again:?}");

    let listed = shop.run(&format!("keytool -list -v -keystore node-0.p12 -storepass {PASSWORD}")).out;
    assert!(listed.contains("PrivateKeyEntry") && listed.contains("node-0.ring.example"), "{listed}");
    shop.run(&format!(
        "openssl pkcs12 -in client.p12 -passin pass:{PASSWORD} -clcerts -nodes -out client.pem"
    ));
    shop.run(&format!("openssl pkcs12 -in authority.p12 -passin pass:{PASSWORD} -nokeys -out authority.crt"));

    let ours = ringhold(&shop, "keystore list node-0.p12 --password-file password").well().out;
    assert!(ours.contains("private key") && ours.contains(&host.to_string()), "{ours}");
    let builder = (0..3).fold(Ring::builder(3).at(host).with_doors(), |builder, member| {
        let store = shop.name(&format!("node-{member}.p12"));
        let text =
            format!("[tls]\nkeystore = \"{store}\"\nkeystore_password_file = \"{}\"", shop.name("password"));
        builder.configure_member(member, text)
    });
    let ring = builder.start().await;
    rounds(&ring, "our-own").await;
    let options = with_certificate(&shop.path("client.pem"), &shop.path("authority.crt"));
    for (number, member) in ring.members().iter().enumerate() {
        let check = format!(
            "keystore check node-{number}.p12 --password-file password --strict --member {}",
            member.address()
        );
        ringhold(&shop, &check).well();
        curl(&shop, &options, &format!("https://{}/readyz", member.address())).assert_status(200);
        curl(&shop, "-k", &format!("https://{}/readyz", member.address())).assert_no_handshake();
    }
    let elsewhere = ringhold(
        &shop,
        "keystore check node-0.p12 --password-file password --strict --member elsewhere.example:1",
    );
    assert!(
        elsewhere.code != Some(0) && elsewhere.err.contains("not for elsewhere.example"),
        "{elsewhere:?}"
    );
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test]
async fn one_shared_keystore_of_the_program_is_all_that_a_ring_and_its_commands_need() {
    let shop = Workshop::new();
    shop.write("password", PASSWORD);
    ringhold(&shop, "keystore create ring.p12 --shared --password-file password").well();
    let text = format!(
        "[tls]\nkeystore = \"{}\"\nkeystore_password_file = \"{}\"",
        shop.name("ring.p12"),
        shop.name("password")
    );
    let ring = Ring::builder(3).with_doors().configure(text).start().await;
    rounds(&ring, "shared").await;
    let options = |member: usize| {
        format!(
            "--node https://{} --keystore ring.p12 --keystore-password-file password",
            ring[member].address()
        )
    };
    shop.write("value", "by the program");
    ringhold(&shop, &format!("put key value {}", options(0))).well();
    let got = ringhold(&shop, &format!("get key {}", options(1))).well();
    assert_eq!(got.out.trim_end(), "by the program");
    let bare = ringhold(&shop, &format!("get key --node https://{}", ring[1].address()));
    assert!(bare.code != Some(0) && !bare.out.contains("by the program"), "{bare:?}");
}

/// Ends a program that runs in the background, also when the test fails.
struct Ends(Arc<AtomicBool>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_local_ring_is_secured_by_one_word() {
    let (shop, host) = (Arc::new(Workshop::new()), loopback_address());
    let ends = Ends(Arc::default());
    let running = tokio::task::spawn_blocking({
        let (shop, ends, program) = (shop.clone(), ends.0.clone(), binary().display().to_string());
        move || shop.run_until(&[&program, "cluster", "--secure", "--host", &host.to_string()], &ends)
    });
    let door = |node: u16| format!("http://{host}:{}", 9999 + 3 + node);
    wait_until(Duration::from_secs(20), "three nodes that see each other", async || {
        (0..3).all(|node| {
            let report = curl(&shop, "", &format!("{}/cluster", door(node))).body;
            report.matches("\"online\"").count() == 3 && report.contains("\"tls\":\"automatic\"")
        })
    })
    .await;
    let value = shop.write("value", "a value").display().to_string();
    for key in ["one", "two", "three"] {
        curl(&shop, &format!("-T {value}"), &format!("{}/objects/{key}", door(0))).assert_status(201);
        let found = curl(&shop, "", &format!("{}/objects/{key}", door(1)));
        assert_eq!((found.status, found.body.as_str()), (200, "a value"), "{found:?}");
        curl(&shop, "-k", &format!("https://{host}:9999/objects/{key}")).assert_no_handshake();
    }
    drop(ends);
    running.await.unwrap();
}

#[test]
fn a_checked_configuration_is_printed_without_its_secrets() {
    let shop = Workshop::new();
    let (secret, accepted, token) = (shop.secret(), shop.secret(), shop.secret());
    shop.write("token", &token);
    let digest = shop.run("sha256sum token").out.split(' ').next().unwrap().to_owned();
    shop.keytool("ring.p12", "PKCS12", "node", "-dname CN=*");
    let text = |tls: &str, auth: &str| {
        format!(
            "[node]\naddress = \"127.0.0.1:9999\"\n\n[tls]\nkeystore = \"{}\"\nkeystore_password = \"{PASSWORD}\"\n{tls}\n\n\
             [auth]\nshared_secret = \"{secret}\"\naccept_secrets = [\"{accepted}\"]\n{auth}\n",
            shop.name("ring.p12")
        )
    };
    let tokens = format!("tokens = [{{ name = \"app\", sha256 = \"{digest}\", scope = \"read-only\" }}]");
    shop.write("good.toml", text("", &tokens));
    let printed = ringhold(&shop, "config check good.toml").well();
    assert!(printed.out.contains("***") && printed.out.contains("ring.p12"), "{printed:?}");
    assert!(!printed.out.contains(&digest), "a digest is as good as its token to who can guess: {printed:?}");
    for (name, tls, auth) in [
        ("unknown.toml", "keystore_pasword = \"x\"", tokens.as_str()),
        ("wrong.toml", "client_auth = \"sometimes\"", &tokens),
        ("digest.toml", "", "tokens = [{ name = \"app\", sha256 = \"abc\", scope = \"read-only\" }]"),
        ("twice.toml", "auto = true", &tokens),
        ("broken.toml", "= broken", &tokens),
    ] {
        shop.write(name, text(tls, auth));
        let refused = ringhold(&shop, &format!("config check {name}"));
        assert!(refused.code != Some(0) && !refused.err.trim().is_empty(), "{name}: {refused:?}");
    }
}

#[test]
fn commands_that_fail_do_not_show_what_they_were_given() {
    let shop = Workshop::new();
    let wrong = shop.secret();
    shop.write("wrong", &wrong);
    shop.keytool("ring.p12", "PKCS12", "node", "-dname CN=*");
    for command in [
        "keystore list ring.p12 --password-file wrong",
        "keystore check ring.p12 --password-file wrong",
        "keystore list absent.p12 --password-file wrong",
        "get key --node https://127.0.0.1:1 --keystore ring.p12 --keystore-password-file wrong",
        "get key --node https://127.0.0.1:1 --secret-file wrong",
        "get key --node http://127.0.0.1:1 --token-file wrong",
    ] {
        let failed = ringhold(&shop, command);
        assert!(failed.code != Some(0) && !failed.err.trim().is_empty(), "{command}: {failed:?}");
    }
}
