//! `ringhold keystore` and `ringhold secret`, with `keytool` and `openssl` as their judges and their sources.

use crate::names;
use crate::workshop::{PASSWORD, Workshop};

#[tokio::test(flavor = "multi_thread")]
async fn what_create_writes_keytool_and_openssl_read() {
    let shop = Workshop::new();
    let said = shop.succeed("keystore create ring.p12 --shared --password-file password").await;
    assert!(said.text().starts_with("created ring.p12 (PKCS#12)\n"), "{said:?}");
    assert_eq!(shop.mode("ring.p12"), 0o600);
    let listed = shop.tool("keytool -list -v -keystore ring.p12 -storepass PASSWORD");
    assert!(listed.contains("PrivateKeyEntry") && listed.contains("CN=*"), "{listed}");
    let listed = shop.tool("openssl pkcs12 -in ring.p12 -passin pass:PASSWORD -nokeys");
    assert!(listed.contains("BEGIN CERTIFICATE"), "{listed}");

    shop.succeed("keystore create ring.pem --shared --password-file password --days 10").await;
    shop.tool("openssl pkey -in ring.pem -passin pass:PASSWORD -noout");
    shop.tool("openssl x509 -in ring.pem -noout -checkend 777600");
    assert_eq!(names(&shop.path(".")).len(), 3, "nothing else is left in the folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_signs_hosts_that_openssl_verifies() {
    let shop = Workshop::new();
    shop.succeed("keystore create authority.p12 --authority --password-file password").await;
    let signed = "--signed-by authority.p12 --signed-by-password-file password --password-file password";
    shop.succeed(&format!("keystore create node.p12 --host node-1.example --host 10.0.0.1 {signed}")).await;
    shop.tool("openssl pkcs12 -in authority.p12 -passin pass:PASSWORD -nokeys -out authority.pem");
    shop.tool("openssl pkcs12 -in node.p12 -passin pass:PASSWORD -nokeys -clcerts -out node.pem");
    shop.tool("openssl verify -CAfile authority.pem -verify_hostname node-1.example node.pem");
    shop.tool("openssl verify -CAfile authority.pem -verify_ip 10.0.0.1 node.pem");

    let check = "keystore check node.p12 --password-file password --strict --member";
    shop.succeed(&format!("{check} 10.0.0.1:9999")).await;
    let wrong = shop.ringhold(&format!("{check} 10.0.0.2:9999")).await;
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("ringhold: warning: the certificate is not for 10.0.0.2"), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten() {
    let shop = Workshop::new();
    shop.write("ring.p12", "precious");
    for line in
        ["keystore create ring.p12 --shared --password-file password", "secret generate --output ring.p12"]
    {
        let run = shop.ringhold(line).await;
        assert_eq!((run.code, run.text()), (1, ""), "{run:?}");
        assert!(run.stderr.contains("ring.p12 exists already"), "{run:?}");
    }
    assert_eq!(std::fs::read(shop.path("ring.p12")).unwrap(), b"precious");
    assert_eq!(names(&shop.path(".")).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_of_keytool_are_listed_and_checked() {
    let shop = Workshop::new();
    let make = "keytool -genkeypair -keyalg EC -groupname secp256r1 -dname CN=* -storepass PASSWORD";
    shop.tool(&format!("{make} -alias ringhold -validity 825 -storetype PKCS12 -keystore ring.p12"));
    shop.tool(&format!("{make} -alias one -validity 10 -storetype JKS -keystore two.jks -keypass key-4711"));
    shop.tool(&format!("{make} -alias two -validity 10 -storetype JKS -keystore two.jks -keypass key-4711"));
    shop.tool(&format!("{make} -alias old -startdate -3d -validity 2 -storetype PKCS12 -keystore old.p12"));
    for name in ["ring.p12", "two.jks", "old.p12"] {
        std::fs::set_permissions(shop.path(name), std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
    }

    let listed = shop.succeed("keystore list ring.p12 --password-file password").await;
    assert!(
        listed.text().contains("ring.p12: PKCS#12, private keys: 1, trusted certificates: 0"),
        "{listed:?}"
    );
    assert!(listed.text().contains("private key \"ringhold\"\n  CN=* signed by CN=*"), "{}", listed.text());
    let listed = shop.succeed("keystore list two.jks --password-file password").await;
    assert!(listed.text().contains("two.jks: JKS, private keys: 2"), "{}", listed.text());

    let good = shop
        .succeed("keystore check ring.p12 --password-file password --member 10.0.0.1:9999 --strict")
        .await;
    assert!(good.text().starts_with("this node is\n  CN=*") && good.stderr.is_empty(), "{good:?}");
    shop.write("key-password", "key-4711");
    let chosen =
        "keystore check two.jks --password-file password --alias two --alias-password-file key-password";
    let short = shop.succeed(chosen).await;
    assert!(short.stderr.contains("warning: it expires in 9 days"), "{short:?}");

    for (line, expected) in [
        ("keystore check two.jks --password-file password", "choose one by its alias"),
        ("keystore check two.jks --password-file password --alias two", "key password"),
        ("keystore check old.p12 --password-file password", "expired on"),
        ("keystore check ring.p12 --password-file key-password", "password is wrong"),
        ("keystore list ring.p12", "password"),
        ("keystore list password", "no keystore"),
        ("keystore list none.p12 --password-file password", "none.p12"),
        ("keystore list ring.p12 --password-file none", "none"),
    ] {
        let run = shop.ringhold(line).await;
        assert_eq!((run.code, run.text()), (1, ""), "{line}: {run:?}");
        assert!(run.stderr.contains(expected) && !run.stderr.contains("key-4711"), "{line}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_comes_from_a_file_a_variable_or_a_line_of_stdin() {
    let shop = Workshop::new();
    let line = "keystore create a.p12 --authority --password-file -";
    assert_eq!(shop.ringhold_with(line, &format!("{PASSWORD}\n")).await.code, 0);
    let line = "keystore create n.p12 --host a.example --password-file - --signed-by a.p12 \
                --signed-by-password-file -";
    let both = shop.ringhold_with(line, &format!("{PASSWORD}\r\n{PASSWORD}")).await;
    assert_eq!(both.code, 0, "each - takes a line: {both:?}");
    let mut command = shop.command("keystore list n.p12");
    command.env("RINGHOLD_KEYSTORE_PASSWORD", PASSWORD);
    assert_eq!(shop.finish(command, "").await.code, 0);
    let mut command = shop.command("keystore list n.p12");
    command.env("RINGHOLD_KEYSTORE_PASSWORD_FILE", "password");
    assert_eq!(shop.finish(command, "").await.code, 0);
    let none = shop.ringhold_with("keystore list n.p12 --password-file -", "").await;
    assert!(none.code == 1 && none.stderr.contains("stdin has no line"), "{none:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_makes_no_sense_is_named() {
    let shop = Workshop::new();
    shop.write("short", "short");
    for (line, expected) in [
        ("keystore create r.p12 --shared", "--password-file"),
        ("keystore create r.p12 --shared --password-file short", "at least 6"),
        ("keystore create r.jks --shared --password-file password", "create PKCS#12"),
        ("keystore create r.p12 --password-file password", "--shared"),
        ("keystore create r.p12 --shared --authority --password-file password", "cannot be used with"),
        ("keystore create r.p12 --host a.example --password-file password", "--signed-by"),
        ("keystore create r.p12 --shared --days 0 --password-file password", "1..=36525"),
        (
            "keystore create r.p12 --shared --keystore ring.p12",
            "--keystore is for commands that talk to a node",
        ),
        ("serve --secret-file password", "[auth]"),
    ] {
        let run = shop.ringhold(line).await;
        assert_eq!((run.code, run.text()), (2, ""), "{line}: {run:?}");
        assert!(run.stderr.contains(expected), "{line}: {run:?}");
    }
    assert_eq!(names(&shop.path(".")).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_one_line_on_stdout_or_a_file_of_its_owner() {
    let shop = Workshop::new();
    let printed = shop.succeed("secret generate").await;
    assert_eq!((printed.text().trim_end().len(), printed.text().lines().count()), (88, 1));
    let silent = shop.succeed("secret generate --output secret").await;
    assert_eq!((silent.text(), silent.stderr.as_str()), ("", ""));
    assert_eq!(shop.mode("secret"), 0o600);
    let written = std::fs::read_to_string(shop.path("secret")).unwrap();
    assert!(written.len() == 89 && written.ends_with('\n') && written != printed.text());
}
