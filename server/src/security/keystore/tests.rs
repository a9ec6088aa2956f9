//! Keystores as `keytool` and `openssl` write them, good and bad.

use proptest::prelude::*;

use super::super::testing::{DAY, Workshop, now};
use super::*;

const KEYTOOL: &str = "keytool -genkeypair -keyalg EC -groupname secp256r1 -validity 30 -storepass changeit";

fn pass(password: &str) -> Passwords {
    Passwords::one(password)
}

fn two(store: &str, key: &str) -> Passwords {
    Passwords { store: Some(store.into()), key: Some(key.into()) }
}

/// Reads, chooses and builds; answers the leaf's subject.
fn subject(shop: &Workshop, name: &str, alias: Option<&str>, passwords: &Passwords) -> String {
    let store = shop.open(name, passwords).unwrap_or_else(|error| panic!("{name}: {error}"));
    let identity = store.identity(alias, passwords, now()).unwrap_or_else(|error| panic!("{name}: {error}"));
    identity.leaf().subject().to_owned()
}

fn refusal(shop: &Workshop, name: &str, alias: Option<&str>, passwords: &Passwords) -> KeystoreError {
    match shop.open(name, passwords) {
        Ok(store) => store.identity(alias, passwords, now()).unwrap_err(),
        Err(error) => error,
    }
}

#[test]
fn a_jks_store_of_keytool_is_read_with_rsa_and_ec_keys() {
    let shop = Workshop::new();
    shop.run(&format!("{KEYTOOL} -storetype JKS -keystore s.jks -alias one -dname CN=one"));
    shop.run(
        "keytool -genkeypair -keyalg RSA -keysize 2048 -storetype JKS -keystore s.jks -alias Two -dname CN=two \
         -storepass changeit -keypass separate -validity 30",
    );
    assert_eq!(subject(&shop, "s.jks", Some("one"), &pass("changeit")), "CN=one");
    assert_eq!(subject(&shop, "s.jks", Some("TWO"), &two("changeit", "separate")), "CN=two");

    let several = refusal(&shop, "s.jks", None, &pass("changeit"));
    assert!(several.to_string().contains("choose one by its alias: "), "{several}");
    assert!(several.to_string().contains("one") && several.to_string().contains("two"), "{several}");
    let missing = refusal(&shop, "s.jks", Some("three"), &pass("changeit"));
    assert!(missing.to_string().contains("no private key with the alias \"three\"; it has: "), "{missing}");
    let locked = refusal(&shop, "s.jks", Some("two"), &pass("changeit"));
    assert!(matches!(&locked, KeystoreError::WrongKeyPassword(alias) if alias == "two"), "{locked}");
    assert!(matches!(refusal(&shop, "s.jks", None, &pass("wrong")), KeystoreError::WrongStorePassword));
    assert!(matches!(refusal(&shop, "s.jks", None, &Passwords::default()), KeystoreError::NoStorePassword));
}

#[test]
fn a_jks_password_outside_ascii_opens_the_store() {
    let shop = Workshop::new();
    let command = "keytool -genkeypair -keyalg EC -groupname secp256r1 -storetype JKS -keystore s.jks -alias a \
                   -dname CN=a -J-Dfile.encoding=UTF-8 -J-Dsun.jnu.encoding=UTF-8 -storepass:file pass -keypass:file pass";
    shop.write("pass", "Grüße-\u{20ac}");
    shop.run(command);
    assert_eq!(subject(&shop, "s.jks", None, &pass("Grüße-\u{20ac}")), "CN=a");
}

#[test]
fn pkcs12_stores_of_keytool_and_openssl_modern_and_legacy_are_read() {
    let shop = Workshop::new();
    shop.run(&format!("{KEYTOOL} -storetype PKCS12 -keystore java.p12 -alias one -dname CN=java"));
    shop.run("openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 30 -subj /CN=ssl");
    let export = "openssl pkcs12 -export -inkey k.pem -in c.pem -name one -passout pass:changeit";
    shop.run(&format!("{export} -out modern.p12"));
    shop.run(&format!("{export} -legacy -out legacy.p12"));
    shop.run(&format!("{export} -nomac -out nomac.p12"));
    shop.run("openssl pkcs12 -export -inkey k.pem -in c.pem -passout pass: -out empty.p12");
    assert_eq!(subject(&shop, "java.p12", None, &pass("changeit")), "CN=java");
    for name in ["modern.p12", "legacy.p12", "nomac.p12"] {
        assert_eq!(subject(&shop, name, Some("ONE"), &pass("changeit")), "CN=ssl");
    }
    assert_eq!(subject(&shop, "empty.p12", None, &Passwords::default()), "CN=ssl");
    for name in ["java.p12", "modern.p12", "legacy.p12"] {
        let refused = refusal(&shop, name, None, &pass("wrong"));
        assert!(matches!(refused, KeystoreError::WrongStorePassword), "{name}: {refused}");
    }
    // Without a MAC one wrong password in 256 leaves padding that fits, and noise in place of the key behind it.
    let refused = refusal(&shop, "nomac.p12", None, &pass("wrong"));
    assert!(
        matches!(refused, KeystoreError::WrongStorePassword | KeystoreError::Damaged { .. }),
        "nomac.p12: {refused}"
    );
    assert!(matches!(
        refusal(&shop, "java.p12", None, &Passwords::default()),
        KeystoreError::NoStorePassword
    ));
}

#[test]
fn two_keys_in_one_pkcs12_store_are_told_apart_by_alias() {
    let shop = Workshop::new();
    shop.run(&format!("{KEYTOOL} -storetype PKCS12 -keystore s.p12 -alias server -dname CN=same"));
    shop.run(&format!("{KEYTOOL} -storetype PKCS12 -keystore s.p12 -alias client -dname CN=same"));
    let store = shop.open("s.p12", &pass("changeit")).unwrap();
    let leaf = |alias| store.identity(Some(alias), &pass("changeit"), now()).unwrap().leaf().fingerprint();
    assert_ne!(leaf("server"), leaf("client"), "the names in the certificates are equal, the keys are not");
    assert!(matches!(refusal(&shop, "s.p12", None, &pass("changeit")), KeystoreError::SeveralKeys { .. }));
    assert_eq!(store.trust().unwrap().len(), 2, "both keys' certificates are believed");
}

#[test]
fn pem_files_with_pkcs8_sec1_pkcs1_and_encrypted_keys_are_read() {
    let shop = Workshop::new();
    shop.run("openssl ecparam -genkey -name prime256v1 -out ec.key");
    shop.run("openssl req -x509 -new -key ec.key -days 30 -subj /CN=ec -out ec.crt");
    shop.run("openssl genrsa -traditional -out rsa.key 2048");
    shop.run("openssl req -x509 -new -key rsa.key -days 30 -subj /CN=rsa -out rsa.crt");
    shop.run("openssl pkcs8 -topk8 -nocrypt -in rsa.key -out rsa.p8");
    shop.run("openssl pkcs8 -topk8 -passout pass:changeit -in rsa.key -out rsa.enc");
    shop.run("openssl pkcs8 -topk8 -scrypt -passout pass:changeit -in rsa.key -out rsa.scrypt");
    shop.run("openssl rsa -aes128 -passout pass:changeit -in rsa.key -traditional -out rsa.old");
    for (key, certificate, expected) in [
        ("ec.key", "ec.crt", "CN=ec"),
        ("rsa.key", "rsa.crt", "CN=rsa"),
        ("rsa.p8", "rsa.crt", "CN=rsa"),
        ("rsa.enc", "rsa.crt", "CN=rsa"),
        ("rsa.scrypt", "rsa.crt", "CN=rsa"),
    ] {
        shop.write("both.pem", [shop.bytes(key), shop.bytes(certificate)].concat());
        assert_eq!(subject(&shop, "both.pem", None, &pass("changeit")), expected, "{key}");
    }
    shop.write("both.pem", [shop.bytes("rsa.crt"), shop.bytes("rsa.enc")].concat());
    let wrong = refusal(&shop, "both.pem", None, &pass("wrong"));
    assert!(matches!(wrong, KeystoreError::WrongKeyPassword(_)), "{wrong}");
    shop.write("both.pem", [shop.bytes("rsa.crt"), shop.bytes("rsa.old")].concat());
    assert!(matches!(refusal(&shop, "both.pem", None, &pass("changeit")), KeystoreError::Unsupported { .. }));
}

#[test]
fn a_key_encrypted_at_a_cost_that_scrypt_does_not_have_is_refused() {
    let shop = Workshop::new();
    shop.run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.crt -days 30 -subj /CN=a");
    shop.run("openssl pkcs8 -topk8 -scrypt -scrypt_N 2 -scrypt_r 8 -scrypt_p 1 -passout pass:changeit -in a.key -outform DER -out a.der");
    let der = shop.bytes("a.der");
    let cost = der.windows(6).position(|bytes| bytes == [2, 1, 2, 2, 1, 8]).unwrap() + 2;
    for (number, expected) in
        [(2, None), (0, Some("a cost of scrypt of 0")), (3, Some("a cost of scrypt of 3"))]
    {
        let mut der = der.clone();
        der[cost] = number;
        let mut key = String::new();
        write::section(&mut key, "ENCRYPTED PRIVATE KEY", &der);
        shop.write("a.pem", [key.into_bytes(), shop.bytes("a.crt")].concat());
        match expected {
            None => assert_eq!(subject(&shop, "a.pem", None, &pass("changeit")), "CN=a"),
            Some(expected) => {
                let refused = refusal(&shop, "a.pem", None, &pass("changeit"));
                assert!(refused.to_string().contains(expected), "{refused}");
            }
        }
    }
}

#[test]
fn a_key_with_the_certificate_of_another_is_refused() {
    let shop = Workshop::new();
    for name in ["one", "two"] {
        shop.run(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.crt -days 30 -subj /CN={name}"
        ));
    }
    shop.write("mixed.pem", [shop.bytes("one.key"), shop.bytes("two.crt")].concat());
    let refused = refusal(&shop, "mixed.pem", None, &Passwords::default());
    assert!(refused.to_string().contains("does not belong to the certificate of CN=two"), "{refused}");
    let bare = refusal(&shop, "one.key", None, &Passwords::default());
    assert!(bare.to_string().contains("no certificate comes with the private key"), "{bare}");
    let trust_only = refusal(&shop, "one.crt", None, &Passwords::default());
    assert!(matches!(trust_only, KeystoreError::NoPrivateKey));
}

#[test]
fn expired_and_not_yet_valid_certificates_are_told_apart() {
    let shop = Workshop::new();
    shop.run(&format!("{KEYTOOL} -storetype PKCS12 -keystore s.p12 -alias one -dname CN=one"));
    let store = shop.open("s.p12", &pass("changeit")).unwrap();
    let at = |moment| store.identity(None, &pass("changeit"), moment).map(|_| ());
    assert!(at(now() + DAY * 29).is_ok());
    let expired = at(now() + DAY * 31).unwrap_err().to_string();
    assert!(expired.contains("of CN=one expired on ") && expired.contains("GMT"), "{expired}");
    let early = at(super::super::testing::before(now(), DAY)).unwrap_err().to_string();
    assert!(early.contains("is not valid before "), "{early}");
}

#[test]
fn a_chain_is_put_in_order_whatever_the_order_in_the_file() {
    let shop = Workshop::new();
    let ca = "-nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256";
    shop.run(&format!("openssl req -x509 {ca} -keyout root.key -out root.crt -days 30 -subj /CN=root"));
    shop.write("ca.ext", "basicConstraints=critical,CA:TRUE\n");
    shop.write("leaf.ext", "subjectAltName=DNS:node.example\n");
    for (name, issuer, extensions) in [("middle", "root", "ca.ext"), ("leaf", "middle", "leaf.ext")] {
        shop.run(&format!("openssl req {ca} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        shop.run(&format!(
            "openssl x509 -req -in {name}.csr -CA {issuer}.crt -CAkey {issuer}.key -CAcreateserial -days 30 -extfile {extensions} -out {name}.crt"
        ));
    }
    let parts = |names: &[&str]| names.iter().flat_map(|name| shop.bytes(name)).collect::<Vec<_>>();
    shop.write("chain.pem", parts(&["root.crt", "leaf.key", "leaf.crt", "middle.crt"]));
    shop.write("extra.crt", parts(&["root.crt", "middle.crt"]));
    shop.run("openssl pkcs12 -export -inkey leaf.key -in leaf.crt -certfile extra.crt -passout pass:changeit -out chain.p12");
    shop.run("keytool -importkeystore -srckeystore chain.p12 -srcstorepass changeit -destkeystore chain.jks -deststoretype JKS -deststorepass changeit -srcalias 1 -destalias node");
    for name in ["chain.pem", "chain.p12", "chain.jks"] {
        let store = shop.open(name, &pass("changeit")).unwrap();
        let identity = store.identity(None, &pass("changeit"), now()).unwrap();
        let chain: Vec<_> = identity.chain().iter().map(Certificate::short_name).collect();
        assert_eq!(chain, ["leaf", "middle", "root"], "{name}");
        assert_eq!(identity.leaf().names(), ["node.example"]);
        let trust = store.trust().unwrap();
        assert!(trust.anchors().is_empty(), "{name}: the issuers of its own chain are no authorities");
        assert_eq!(trust.len(), 1, "{name}");
        assert!(trust.exact(identity.leaf().der()).is_some(), "{name}");
    }
    // The same signed without extensions: a version 1 certificate.
    shop.run(
        "openssl x509 -req -in leaf.csr -CA root.crt -CAkey root.key -CAcreateserial -days 30 -out old.crt",
    );
    shop.write("old.pem", parts(&["leaf.key", "old.crt"]));
    let old = refusal(&shop, "old.pem", None, &Passwords::default());
    assert!(old.to_string().contains("is X.509 version 1; TLS needs version 3"), "{old}");
}

#[test]
fn an_old_authority_of_version_1_and_an_expired_end_of_a_chain_do_no_harm() {
    let shop = Workshop::new();
    let key = "-nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256";
    shop.run(&format!("openssl req {key} -keyout root.key -out root.csr -subj /CN=root"));
    shop.run("openssl x509 -req -in root.csr -signkey root.key -days 1 -out root.crt");
    let trust = shop.open("root.crt", &Passwords::default()).unwrap().trust().unwrap();
    assert_eq!(trust.anchors().len(), 1, "the version 1 root is an authority");

    shop.run(&format!("openssl req {key} -keyout leaf.key -out leaf.csr -subj /CN=leaf"));
    shop.write("leaf.ext", "subjectAltName=DNS:node.example\n");
    shop.run("openssl x509 -req -in leaf.csr -CA root.crt -CAkey root.key -CAcreateserial -days 30 -extfile leaf.ext -out leaf.crt");
    let parts = ["leaf.key", "leaf.crt", "root.crt"].iter().flat_map(|name| shop.bytes(name));
    shop.write("all.pem", parts.collect::<Vec<_>>());
    let store = shop.open("all.pem", &Passwords::default()).unwrap();
    let later = now() + DAY * 10;
    let identity = store.identity(None, &Passwords::default(), later).unwrap();
    assert_eq!(identity.chain().len(), 2);
    assert!(identity.expires_at() > later, "the root's end is not the identity's");
}

#[test]
fn a_trusted_node_is_no_authority() {
    let shop = Workshop::new();
    shop.run(&format!("{KEYTOOL} -storetype PKCS12 -keystore node.p12 -alias node -dname CN=node"));
    shop.run("keytool -exportcert -rfc -keystore node.p12 -storepass changeit -alias node -file node.crt");
    let trust = shop.open("node.crt", &Passwords::default()).unwrap().trust().unwrap();
    assert_eq!(trust.len(), 1);
    assert!(trust.anchors().is_empty(), "its key must not make further nodes");
}

#[test]
fn keys_that_tls_cannot_use_are_named() {
    let shop = Workshop::new();
    shop.run("openssl req -x509 -newkey rsa:1024 -nodes -keyout k.pem -out c.pem -days 30 -subj /CN=short");
    shop.write("short.pem", [shop.bytes("k.pem"), shop.bytes("c.pem")].concat());
    shop.run("keytool -genkeypair -keyalg DSA -storetype PKCS12 -keystore dsa.p12 -alias a -dname CN=dsa -storepass changeit");
    for name in ["short.pem", "dsa.p12"] {
        let refused = refusal(&shop, name, None, &pass("changeit")).to_string();
        assert!(refused.contains("it is neither RSA (2048 bits or more), EC"), "{name}: {refused}");
    }
}

/// Real input: a hundred and more authorities, some of them old and odd.
#[test]
fn the_truststore_of_java_itself_is_read_and_every_authority_is_usable() {
    let shop = Workshop::new();
    let settings = shop.run("java -XshowSettings:properties -version");
    let home = settings.lines().find_map(|line| line.trim().strip_prefix("java.home = ")).unwrap();
    let store = Keystore::open(&Path::new(home).join("lib/security/cacerts"), &pass("changeit")).unwrap();
    assert!(store.trusted().len() > 50);
    let distinct: std::collections::HashSet<_> =
        store.trusted().iter().map(|entry| entry.certificate.fingerprint()).collect();
    let trust = store.trust().unwrap();
    assert_eq!(trust.len(), distinct.len());
    assert_eq!(trust.anchors().len(), store.trusted().len(), "each is an authority");
}

#[test]
fn truststores_of_every_format_hold_only_trusted_certificates() {
    let shop = Workshop::new();
    for name in ["one", "two"] {
        shop.run(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.crt -days 30 -subj /CN={name}"
        ));
        for kind in ["JKS", "PKCS12"] {
            shop.run(&format!("keytool -importcert -noprompt -file {name}.crt -alias {name} -storetype {kind} -keystore trust.{kind} -storepass changeit"));
        }
    }
    shop.write("trust.pem", [shop.bytes("one.crt"), shop.bytes("two.crt")].concat());
    shop.run("openssl pkcs12 -export -nokeys -in trust.pem -passout pass:changeit -out trust.ssl");
    for name in ["trust.JKS", "trust.PKCS12", "trust.pem", "trust.ssl"] {
        let store = shop.open(name, &pass("changeit")).unwrap();
        let mut subjects: Vec<_> =
            store.trusted().iter().map(|entry| entry.certificate.short_name()).collect();
        subjects.sort_unstable();
        assert_eq!(subjects, ["one", "two"], "{name}");
        assert_eq!(store.trust().unwrap().anchors().len(), 2, "{name}");
        let refused = store.identity(None, &pass("changeit"), now()).unwrap_err();
        assert!(matches!(refused, KeystoreError::NoPrivateKey), "{name}: {refused}");
    }
}

#[test]
fn other_kinds_of_files_are_named() {
    let shop = Workshop::new();
    shop.run("openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 30 -subj /CN=x");
    shop.run("openssl x509 -in c.pem -outform DER -out c.der");
    shop.run(&format!("{KEYTOOL} -storetype JCEKS -keystore s.jceks -alias a -dname CN=a"));
    shop.write("empty", "");
    shop.write("text", "hello");
    for (name, expected) in [
        ("c.der", "a single certificate or key in DER"),
        ("s.jceks", "JCEKS"),
        ("empty", "it is empty"),
        ("text", "it is no keystore"),
    ] {
        let refused = shop.open(name, &pass("changeit")).unwrap_err().to_string();
        assert!(refused.contains(expected), "{name}: {refused}");
    }
    let error = Keystore::open(&shop.path("none"), &pass("x")).unwrap_err().to_string();
    assert!(error.contains("/none") && error.contains("cannot read"), "{error}");
}

#[test]
fn a_damaged_store_is_not_called_a_wrong_password() {
    let shop = Workshop::new();
    shop.run(&format!("{KEYTOOL} -storetype JKS -keystore s.jks -alias one -dname CN=one"));
    shop.run(&format!("{KEYTOOL} -storetype PKCS12 -keystore s.p12 -alias one -dname CN=one"));
    for name in ["s.jks", "s.p12"] {
        let bytes = shop.bytes(name);
        for length in [4, 12, 40, bytes.len() / 2, bytes.len() - 1] {
            let error = Keystore::read(&bytes[..length], &pass("changeit")).unwrap_err();
            let is_damage = matches!(
                error,
                KeystoreError::Damaged { .. }
                    | KeystoreError::UnknownFormat { .. }
                    | KeystoreError::Certificate(_)
            );
            assert!(is_damage, "{name} cut to {length}: {error:?}");
        }
    }
}

#[test]
fn no_error_and_no_debug_output_shows_a_password_or_a_key() {
    let shop = Workshop::new();
    let password = "sesame-open-sesame";
    let generate = "keytool -genkeypair -keyalg EC -groupname secp256r1 -alias one -dname CN=one";
    for kind in ["JKS", "PKCS12"] {
        shop.run(&format!("{generate} -storetype {kind} -keystore s.{kind} -storepass {password}"));
        let store = shop.open(&format!("s.{kind}"), &pass(password)).unwrap();
        let identity = store.identity(None, &pass(password), now()).unwrap();
        let wrong = "wrong-wrong-wrong";
        let refused = shop.open(&format!("s.{kind}"), &pass(wrong)).unwrap_err();
        for shown in [
            format!("{store:?}"),
            format!("{identity:?}"),
            format!("{:?}", pass(password)),
            format!("{refused:?} {refused}"),
        ] {
            assert!(!shown.contains(password) && !shown.contains(wrong), "{shown}");
            assert!(!shown.contains(", 48, ") && !shown.contains("[48, "), "no bytes: {shown}");
        }
    }
}

#[test]
fn what_is_written_here_is_read_here_and_by_keytool_and_openssl() {
    let shop = Workshop::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["node.example".to_owned()]).unwrap().self_signed(&key);
    let certificate = Certificate::parse(certificate.unwrap().der().clone()).unwrap();
    let other = super::super::testing::Wanted::default().self_signed().leaf().clone();
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let chain = std::slice::from_ref(&certificate);
    let password = Secret::from("changeit");

    shop.write(
        "s.p12",
        to_pkcs12("ringhold", &der, chain, std::slice::from_ref(&other), &password).unwrap().as_slice(),
    );
    let store = shop.open("s.p12", &pass("changeit")).unwrap();
    assert_eq!(store.identity(Some("ringhold"), &pass("changeit"), now()).unwrap().leaf(), &certificate);
    assert_eq!(store.trusted()[0].certificate, other);
    let listed = shop.run("keytool -list -keystore s.p12 -storepass changeit");
    assert!(listed.contains("PrivateKeyEntry") && listed.contains("trustedCertEntry"), "{listed}");
    shop.run("openssl pkcs12 -in s.p12 -passin pass:changeit -nodes -out all.pem");

    shop.write("locked.pem", to_pem(&der, chain, Some(&password)).unwrap().as_str());
    shop.write("open.pem", to_pem(&der, chain, None).unwrap().as_str());
    shop.run("openssl pkey -in locked.pem -passin pass:changeit -noout -check");
    shop.run("openssl pkey -in open.pem -noout -check");
    for name in ["locked.pem", "open.pem"] {
        let identity = shop.open(name, &pass("changeit")).unwrap().identity(None, &pass("changeit"), now());
        assert_eq!(identity.unwrap().leaf(), &certificate);
    }
}

/// Small stores of each format, made once.
fn samples() -> &'static [Vec<u8>] {
    static SAMPLES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    SAMPLES.get_or_init(|| {
        let shop = Workshop::new();
        shop.run(&format!("{KEYTOOL} -storetype JKS -keystore s.jks -alias one -dname CN=one"));
        shop.run(&format!("{KEYTOOL} -storetype JKS -keystore s.jks -alias two -dname CN=two"));
        shop.run(&format!(
            "{KEYTOOL} -storetype PKCS12 -keystore s.p12 -alias one -dname CN=one -J-Dkeystore.pkcs12.macIterationCount=1 \
             -J-Dkeystore.pkcs12.certPbeIterationCount=1 -J-Dkeystore.pkcs12.keyPbeIterationCount=1"
        ));
        let pem = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 30 -subj /CN=x -nodes";
        shop.run(&format!("{pem} -keyout k.pem -out c.pem"));
        vec![shop.bytes("s.jks"), shop.bytes("s.p12"), [shop.bytes("k.pem"), shop.bytes("c.pem")].concat()]
    })
}

/// The reader may refuse in any way it likes; it must come back.
fn read_to_the_end(bytes: &[u8]) {
    let passwords = pass("changeit");
    if let Ok(store) = Keystore::read(bytes, &passwords) {
        for alias in store.keys().iter().map(|entry| entry.alias.as_str()) {
            let _ = store.identity(Some(alias), &passwords, now());
        }
        let _ = store.trust();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic_a_reader(
        head in prop::sample::select(vec![
            &b""[..], &[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], &[0x30, 0x82, 1, 0, 2, 1, 3],
            b"-----BEGIN CERTIFICATE-----\n", b"-----BEGIN PRIVATE KEY-----\n",
        ]),
        tail in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        read_to_the_end(&[head, &tail].concat());
    }

    #[test]
    fn stores_with_changed_bytes_never_panic_a_reader(
        sample in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = samples()[sample].clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        read_to_the_end(&bytes);
    }
}
