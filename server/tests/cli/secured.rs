//! Commands against nodes over TLS, with everything that secures a ring.

use ringhold_server::clock::Clock;
use ringhold_server::security::automatic::{self, NodeNames};
use ringhold_server::security::material::TlsFiles;
use ringhold_server::security::secret::{Secret, SecretSource};
use ringhold_server::security::shared_secret::SharedSecrets;
use ringhold_server::security::tls::{ClientAuth, Material, server_config};

use crate::certificates::{Authority, Valid};
use crate::support::{Node, Step, found, replaced};
use crate::workshop::{PASSWORD, Workshop};

async fn node(material: &Material) -> Node {
    let config = server_config(material, ClientAuth::Required, &Clock::system()).unwrap();
    Node::start_tls([Step::Answer(found("value"))], config).await
}

/// A node with this keystore.
async fn node_with(shop: &Workshop, keystore: &str) -> Node {
    let files = TlsFiles {
        keystore: shop.path(keystore),
        keystore_password: Some(SecretSource::Inline(PASSWORD.into())),
        ..TlsFiles::default()
    };
    node(&files.load(Clock::system().wall()).unwrap()).await
}

/// A node of a ring with automatic TLS.
async fn automatic_node(shop: &Workshop, secret: &str) -> Node {
    let secret = std::fs::read_to_string(shop.path(secret)).unwrap();
    let secrets = SharedSecrets::new(&Secret::from(secret.trim_end()), &[]).unwrap();
    let names = NodeNames::new(&["127.0.0.1:1".parse().unwrap()]).unwrap();
    node(&automatic::material(&secrets, &names, Clock::system().wall()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_keystore_opens_the_ring_to_a_command() {
    let shop = Workshop::new();
    shop.succeed("keystore create ring.p12 --shared --password-file password").await;
    shop.succeed("keystore create other.p12 --shared --password-file password").await;
    let node = node_with(&shop, "ring.p12").await;
    let get = format!("get k --node {} --keystore-password-file password --keystore", node.address);
    let wrong = shop.ringhold(&format!("{get} other.p12")).await;
    assert_eq!((wrong.code, wrong.text()), (5, ""));
    assert!(wrong.stderr.contains("certificate is not trusted"), "{wrong:?}");
    assert!(node.requests().is_empty());
    assert_eq!(shop.succeed(&format!("{get} ring.p12")).await.text(), "value");
}

#[tokio::test(flavor = "multi_thread")]
async fn keystores_of_keytool_serve_as_well() {
    let shop = Workshop::new();
    shop.tool(
        "keytool -genkeypair -keyalg RSA -keysize 2048 -alias ring -dname CN=* -validity 30 -storepass PASSWORD \
         -storetype JKS -keystore ring.jks",
    );
    let node = node_with(&shop, "ring.jks").await;
    let mut command = shop.command("get k");
    command.env("RINGHOLD_NODES", node.address.to_string());
    command.env("RINGHOLD_KEYSTORE", "ring.jks").env("RINGHOLD_KEYSTORE_PASSWORD", PASSWORD);
    let run = shop.finish(command, "").await;
    assert_eq!((run.code, run.text()), (0, "value"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_secret_is_all_that_automatic_tls_needs() {
    let shop = Workshop::new();
    shop.succeed("secret generate --output secret").await;
    shop.succeed("secret generate --output another").await;
    let node = automatic_node(&shop, "secret").await;
    let get = format!("get k --node https://{} --secret-file", node.address);
    let wrong = shop.ringhold(&format!("{get} another")).await;
    assert_eq!((wrong.code, wrong.text()), (5, ""));
    assert!(wrong.stderr.contains("certificate"), "{wrong:?}");
    for name in ["secret", "another"] {
        let secret = std::fs::read_to_string(shop.path(name)).unwrap();
        assert!(!wrong.stderr.contains(secret.trim_end()), "{wrong:?}");
    }
    let right = shop.succeed(&format!("{get} secret")).await;
    assert_eq!((right.text(), right.stderr.as_str()), ("value", ""));
    let weak = shop.ringhold(&format!("{get} password")).await;
    assert!(weak.code == 1 && weak.stderr.contains("ringhold secret generate"), "{weak:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pem_files_of_a_private_authority_open_the_ring() {
    let shop = Workshop::new();
    let authority = Authority::new();
    let client = authority.sign("client.example", Valid::Now);
    shop.write("authority.pem", &authority.pem);
    shop.write("client.pem", client.certificate);
    shop.write("client.key", client.key);
    let server = authority.server(&authority.sign("127.0.0.1", Valid::Now), true);
    let node = Node::start_tls([Step::Answer(found("value"))], server).await;
    let get = format!("get k --node {} --cacert authority.pem", node.address);
    let without = shop.ringhold(&get).await;
    assert!(without.code == 5 && without.stderr.contains("demands a client certificate"), "{without:?}");
    shop.tool("openssl pkey -in client.key -aes256 -passout pass:PASSWORD -out locked.key");
    for (cert, key, expected) in [
        ("client.pem", "locked.key", "without a password"),
        ("client.key", "client.key", "no certificate"),
        ("authority.pem", "client.key", "does not belong"),
    ] {
        let run = shop.ringhold(&format!("{get} --cert {cert} --key {key}")).await;
        assert!(run.code == 1 && run.stderr.contains(expected), "{run:?}");
    }
    let with = shop.succeed(&format!("{get} --cert client.pem --key client.key")).await;
    assert_eq!(with.text(), "value");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_create_makes_for_a_client_serves_curl_and_commands_alike() {
    let shop = Workshop::new();
    let signed = "--signed-by a.p12 --signed-by-password-file password";
    shop.succeed("keystore create a.p12 --authority --password-file password").await;
    shop.succeed(&format!("keystore create n.p12 --host 127.0.0.1 --password-file password {signed}")).await;
    shop.succeed(&format!("keystore create client.pem --host client.example {signed}")).await;
    shop.tool("openssl pkcs12 -in a.p12 -passin pass:PASSWORD -nokeys -out a.pem");
    let node = node_with(&shop, "n.p12").await;
    let (address, folder) = (node.address, shop.text("."));
    let options = "--cacert a.pem --cert client.pem --key client.pem";
    let got = shop.succeed(&format!("get k --node {address} {options}")).await;
    assert_eq!(got.text(), "value");

    let node = node_with(&shop, "n.p12").await;
    // The node of this test knows HTTP/1.1 only.
    let curl = format!(
        "curl --http1.1 --silent --show-error --fail --cacert {folder}/a.pem --cert {folder}/client.pem https://{}/objects/k",
        node.address
    );
    let curled = tokio::task::spawn_blocking(move || shop.tool(&curl)).await.unwrap();
    assert_eq!(curled, "value");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_to_the_node_and_to_nobody_else() {
    let shop = Workshop::new();
    for source in ["file", "stdin", "variable"] {
        let node = Node::start([Step::Answer(found("value"))]).await;
        let mut command = shop.command(&format!("get k --node {}", node.address));
        match source {
            "file" => command.args(["--token-file", "password"]),
            "stdin" => command.args(["--token-file", "-"]),
            _ => command.env("RINGHOLD_TOKEN", PASSWORD),
        };
        let input = format!("{PASSWORD}\n");
        let run = shop.finish(command, &input).await;
        assert_eq!(run.code, 0, "{source}: {run:?}");
        assert_eq!(node.request().header("authorization"), Some(&*format!("Bearer {PASSWORD}")), "{source}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_and_a_value_come_through_one_pipe() {
    let shop = Workshop::new();
    let node = Node::start([Step::Answer(replaced())]).await;
    let put = format!("put k - --node {} --token-file -", node.address);
    let run = shop.ringhold_with(&put, &format!("{PASSWORD}\nfirst\nsecond\n")).await;
    assert_eq!(run.code, 0, "{run:?}");
    let request = node.request();
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {PASSWORD}")));
    assert_eq!(request.body, b"first\nsecond\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_together_asks_nobody() {
    let shop = Workshop::new();
    let node = Node::start([]).await;
    let address = node.address;
    for (line, expected) in [
        (format!("get k --node https://{address}"), "--cacert"),
        (format!("get k --node {address} --secret-file password --cacert a.pem"), "--secret-file"),
        (format!("get k --node {address} --keystore a.p12 --cert a.pem --key a.key"), "leave out --cert"),
        (format!("get k --node {address} --cert a.pem --cacert a.pem"), "belong together"),
        (format!("get k --node {address} --cert a.pem --key a.key"), "--cacert"),
    ] {
        let run = shop.ringhold(&line).await;
        assert_eq!((run.code, run.text()), (2, ""), "{line}: {run:?}");
        assert!(run.stderr.contains(expected), "{line}: {run:?}");
    }
    shop.write("authority.pem", Authority::new().pem);
    let plain = shop.ringhold(&format!("get k --node http://{address} --cacert authority.pem")).await;
    assert!(plain.code == 2 && plain.stderr.contains("without TLS"), "{plain:?}");
    assert!(node.requests().is_empty());
}
