//! The commands, and `keytool` and `openssl` as their judges.

use super::super::testing::{Workshop, now};
use super::*;
use crate::security::secret::SecretSource;

fn create(shop: &Workshop, name: &str, purpose: Purpose) -> Create {
    let format = if name.ends_with(".pem") { Format::Pem } else { Format::Pkcs12 };
    Create { path: shop.path(name), format, password: Some("changeit".into()), purpose, days: DEFAULT_DAYS }
}

fn files(shop: &Workshop, name: &str) -> TlsFiles {
    TlsFiles {
        keystore: shop.path(name),
        keystore_password: Some(SecretSource::Inline("changeit".into())),
        ..TlsFiles::default()
    }
}

fn node(shop: &Workshop, authority: &str, names: &[&str]) -> Purpose {
    Purpose::Node {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        authority: shop.path(authority),
        passwords: Passwords::one("changeit"),
    }
}

#[test]
fn a_shared_keystore_is_all_that_a_ring_needs() {
    let shop = Workshop::new();
    let said = keystore_create(&create(&shop, "s.p12", Purpose::Shared), now()).unwrap();
    assert!(said.starts_with("created ") && said.contains("CN=* signed by CN=*"), "{said}");
    let report =
        keystore_check(&files(&shop, "s.p12"), Some(&"10.0.0.1:9999".parse().unwrap()), now()).unwrap();
    assert_eq!(report.warnings, [""; 0]);
    let listed = shop.run("keytool -list -v -keystore s.p12 -storepass changeit");
    assert!(listed.contains("PrivateKeyEntry") && listed.contains("CN=*"), "{listed}");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(shop.path("s.p12")).unwrap());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_authority_signs_nodes_that_openssl_verifies() {
    let shop = Workshop::new();
    keystore_create(&create(&shop, "ca.p12", Purpose::Authority), now()).unwrap();
    let names = ["node-1.example", "10.0.0.1", "*.ring.example"];
    for name in ["node.p12", "node.pem"] {
        keystore_create(&create(&shop, name, node(&shop, "ca.p12", &names)), now()).unwrap();
    }
    shop.run("openssl pkcs12 -in ca.p12 -passin pass:changeit -nokeys -out ca.crt");
    shop.run("openssl verify -CAfile ca.crt -verify_hostname node-1.example -purpose sslserver node.pem");
    shop.run("openssl verify -CAfile ca.crt -verify_ip 10.0.0.1 -purpose sslclient node.pem");
    let check = |address: &str| {
        keystore_check(&files(&shop, "node.p12"), Some(&address.parse().unwrap()), now()).unwrap().warnings
    };
    assert_eq!(check("10.0.0.1:9999"), [""; 0]);
    assert_eq!(check("x.ring.example:9999"), [""; 0]);
    assert!(check("10.0.0.2:9999")[0].contains("is not for 10.0.0.2"));
    let listed = keystore_list(&shop.path("node.p12"), &Passwords::one("changeit")).unwrap();
    assert!(listed.contains("PKCS#12, private keys: 1, trusted certificates: 1"), "{listed}");
    assert!(listed.contains("names: node-1.example, 10.0.0.1, *.ring.example"), "{listed}");
}

#[test]
fn a_node_cannot_sign_a_node() {
    let shop = Workshop::new();
    keystore_create(&create(&shop, "s.p12", Purpose::Shared), now()).unwrap();
    let refused =
        keystore_create(&create(&shop, "n.p12", node(&shop, "s.p12", &["10.0.0.1"])), now()).unwrap_err();
    assert!(refused.to_string().contains("cannot sign for nodes"), "{refused}");
    assert!(!shop.path("n.p12").exists());
}

#[test]
fn an_authority_made_by_openssl_signs_too() {
    let shop = Workshop::new();
    shop.run("openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 30 -subj /CN=ca");
    shop.write("ca.pem", [shop.bytes("k.pem"), shop.bytes("c.pem")].concat());
    keystore_create(&create(&shop, "n.pem", node(&shop, "ca.pem", &["10.0.0.1"])), now()).unwrap();
    shop.run("openssl verify -CAfile c.pem -verify_ip 10.0.0.1 n.pem");
}

#[test]
fn nothing_is_overwritten_and_wrong_wishes_are_named() {
    let shop = Workshop::new();
    shop.write("there.p12", "precious");
    let shared = |name: &str| create(&shop, name, Purpose::Shared);
    let cases = [
        (shared("there.p12"), "exists already"),
        (Create { password: None, ..shared("s.p12") }, "needs a password"),
        (Create { password: Some("short".into()), ..shared("s.p12") }, "at least 6"),
        (Create { format: Format::Jks, ..shared("s.jks") }, "create PKCS#12"),
        (Create { days: 0, ..shared("s.p12") }, "1 to 36525 days"),
        (shared("no/such/folder/s.p12"), "cannot write"),
        (create(&shop, "n.p12", node(&shop, "ca.p12", &["10.0.0.1"])), "/ca.p12"),
    ];
    for (wish, expected) in cases {
        let error = keystore_create(&wish, now()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(shop.bytes("there.p12"), b"precious");
    keystore_create(&shared("ca.pem"), now()).unwrap();
    keystore_create(&create(&shop, "ca.p12", Purpose::Authority), now()).unwrap();
    for (names, expected) in [(&[][..], "needs the names"), (&["not a name"], "\"not a name\" is neither")] {
        let error =
            keystore_create(&create(&shop, "n.p12", node(&shop, "ca.p12", names)), now()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn check_warns_of_what_will_go_wrong() {
    let shop = Workshop::new();
    keystore_create(&Create { days: 10, ..create(&shop, "s.p12", Purpose::Shared) }, now()).unwrap();
    keystore_create(&create(&shop, "other.p12", Purpose::Shared), now()).unwrap();
    std::fs::set_permissions(shop.path("s.p12"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    let files = TlsFiles { truststore: Some(shop.path("other.p12")), ..files(&shop, "s.p12") };
    let warnings = keystore_check(&files, None, now()).unwrap().warnings;
    for (warning, expected) in
        warnings.iter().zip(["it expires in ", "holds neither this certificate", "chmod 600"])
    {
        assert!(warning.contains(expected), "{warnings:?}");
    }
    assert_eq!(warnings.len(), 3);
    let expired = keystore_check(&files, None, now() + DAY * 11).unwrap_err().to_string();
    assert!(expired.contains("expired on"), "{expired}");
}

#[test]
fn a_generated_secret_is_never_the_same() {
    assert_ne!(secret_generate().unwrap().expose(), secret_generate().unwrap().expose());
}
