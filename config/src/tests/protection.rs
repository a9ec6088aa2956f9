//! What keeps strangers out, and every combination that would not.

use std::path::PathBuf;
use std::time::Duration;

use super::{file, load, load_toml, wrong};
use crate::{ClientAuth, Config, ForwardedHeader, Scope, SecretSource};

const RING: &str =
    "[cluster]\nmembers = [\"10.0.0.1:9999\", \"10.0.0.2:9999\"]\n[node]\naddress = \"10.0.0.1:9999\"\n";
const KEYSTORE: &str = "[tls]\nkeystore = \"/etc/ring.p12\"\n";
const SECRET: &str = "[auth]\nshared_secret = \"correct horse battery staple\"\n";
const AUTO: &str = "[tls]\nauto = true\n[auth]\nshared_secret_file = \"/etc/ring.secret\"\n[node]\naddress = \"10.0.0.1:9999\"\n";

fn inline(text: &str) -> Option<SecretSource> {
    Some(SecretSource::Inline(text.into()))
}

/// Which listeners speak TLS.
fn tls(text: &str) -> Vec<bool> {
    load_toml(text).unwrap().listeners.iter().map(|listener| listener.tls).collect()
}

fn listeners(addresses: &[&str]) -> String {
    addresses.iter().map(|address| format!("[[listener]]\naddress = \"{address}\"\n")).collect()
}

#[test]
fn every_setting_finds_its_place() {
    let digest = "0123456789abcdef".repeat(4);
    let config = load_toml(&format!(
        "[tls]\nkeystore = \"/k\"\nkeystore_password = \"one\"\nkey_password = \"two\"\nkey_alias = \"ring\"\n\
         truststore = \"/t\"\ntruststore_password = \"three\"\nclient_auth = \"optional\"\nverify_names = false\n\
         [auth]\nshared_secret = \"four\"\naccept_secrets = [\"five\", \"six\"]\naccept_secrets_files = [\"/seven\"]\n\
         clock_skew = \"1m\"\n[[auth.tokens]]\nname = \"app\"\nsha256 = \"{}\"\nscope = \"read-write\"\n\
         [[auth.tokens]]\nname = \"dashboard\"\nsha256 = \"{digest}\"\nscope = \"read-only\"\n\
         [access]\nallow = [\"10.0.0.0/8\", \"::1\", \"::ffff:192.0.2.1\"]\ntrusted_proxies = [\"10.0.0.9\"]\n\
         forwarded_header = \"forwarded\"\n",
        digest.to_uppercase()
    ))
    .unwrap();
    assert_eq!(config.tls.keystore, Some("/k".into()));
    assert_eq!(config.tls.keystore_password, inline("one"));
    assert_eq!(config.tls.key_password, inline("two"));
    assert_eq!(config.tls.key_alias.as_deref(), Some("ring"));
    assert_eq!(config.tls.truststore, Some("/t".into()));
    assert_eq!(config.tls.truststore_password, inline("three"));
    assert_eq!(config.tls.client_auth, ClientAuth::Optional);
    assert!(!config.tls.verify_names);
    assert_eq!(config.auth.shared_secret, inline("four"));
    let accepted = [inline("five"), inline("six"), Some(SecretSource::File("/seven".into()))];
    assert_eq!(config.auth.accept_secrets, accepted.map(Option::unwrap));
    assert_eq!(config.auth.clock_skew, Duration::from_secs(60));
    let tokens =
        config.auth.tokens.iter().map(|token| (token.name.as_str(), token.sha256.as_str(), token.scope));
    let expected =
        [("app", digest.as_str(), Scope::ReadWrite), ("dashboard", digest.as_str(), Scope::ReadOnly)];
    assert_eq!(tokens.collect::<Vec<_>>(), expected);
    let allowed: Vec<_> = config.access.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["10.0.0.0/8", "::1", "192.0.2.1"]);
    assert!(config.access.trusted_proxies[0].contains("10.0.0.9".parse().unwrap()));
    assert_eq!(config.access.forwarded_header, Some(ForwardedHeader::Forwarded));
}

#[test]
fn secrets_come_from_files_and_variables_too() {
    let file = file(
        "ring.toml",
        "[tls]\nkeystore = \"k\"\nkeystore_password_file = \"p\"\nkey_password_file = \"p\"\ntruststore = \"t\"\n\
         truststore_password_file = \"p\"\n[auth]\nshared_secret_file = \"p\"\n",
    );
    let config = load(Some(&file.1), &[], &[]).unwrap();
    let in_folder = SecretSource::File(file.0.path().join("p"));
    for source in [
        &config.tls.keystore_password,
        &config.tls.key_password,
        &config.tls.truststore_password,
        &config.auth.shared_secret,
    ] {
        assert_eq!(source.as_ref(), Some(&in_folder));
    }
    let environment =
        [("RINGHOLD_AUTH__SHARED_SECRET", "one, two"), ("RINGHOLD_AUTH__ACCEPT_SECRETS", "three,four")];
    let config = load(None, &environment, &[]).unwrap();
    assert_eq!(config.auth.shared_secret, inline("one, two"), "a variable is the secret as it is");
    assert_eq!(config.auth.accept_secrets, ["three", "four"].map(|text| SecretSource::Inline(text.into())));
}

#[test]
fn a_relative_path_counts_from_the_folder_of_the_file_that_says_it() {
    let file = file("ring.toml", "[tls]\nkeystore = \"stores/ring.p12\"\ntruststore = \"/etc/trust.pem\"\n");
    let keystore = |environment: &[_], overrides: &[_]| {
        let tls = load(Some(&file.1), environment, overrides).unwrap().tls;
        assert_eq!(tls.truststore, Some("/etc/trust.pem".into()));
        tls.keystore.unwrap()
    };
    assert_eq!(keystore(&[], &[]), file.0.path().join("stores/ring.p12"));
    assert_eq!(keystore(&[("RINGHOLD_TLS__KEYSTORE", "here.p12")], &[]), PathBuf::from("here.p12"));
    assert_eq!(keystore(&[], &["tls.keystore=here.p12"]), PathBuf::from("here.p12"));
}

#[test]
fn listeners_speak_tls_when_there_is_some_but_the_additional_one_on_loopback() {
    assert_eq!(tls(KEYSTORE), [true], "the only one, on loopback");
    assert_eq!(tls(AUTO), [true]);
    let sidecar = listeners(&["0.0.0.0:9999", "127.0.0.1:9998"]);
    assert_eq!(tls(&format!("{KEYSTORE}{sidecar}")), [true, false]);
    assert_eq!(tls(&format!("{AUTO}{sidecar}")), [true, false]);
    let said =
        "[[listener]]\naddress = \"0.0.0.0:9999\"\ntls = true\n[[listener]]\naddress = \"127.0.0.1:9998\"\n";
    assert_eq!(tls(&format!("{KEYSTORE}{said}")), [true, false]);
    assert_eq!(tls(&format!("{KEYSTORE}{said}tls = true\n")), [true, true], "what is said counts");

    let on_one_machine = listeners(&["127.0.0.1:7001", "127.0.0.1:7002"]);
    assert_eq!(tls(&format!("{KEYSTORE}{on_one_machine}")), [true, true], "neither is additional");
    let ring = |address: &str| {
        let node = format!("[node]\naddress = \"{address}\"\n");
        format!("{KEYSTORE}{on_one_machine}{node}[cluster]\nmembers = [\"127.0.0.1:8001\", \"{address}\"]\n")
    };
    assert_eq!(tls(&ring("127.0.0.1:7002")), [false, true], "the second one is for the members");
    assert_eq!(tls(&ring("alpha:7002")), [false, true]);
    assert_eq!(tls(&ring("192.0.2.1:9")), [true, true], "neither is known to be for the members");
}

#[test]
fn members_speak_tls_when_the_listener_for_them_does() {
    let speak = |text: &str| load_toml(text).unwrap().members_speak_tls();
    let said = |cluster: bool, local: bool| {
        format!(
            "{KEYSTORE}[access]\nallow_all = true\n[[listener]]\naddress = \"10.0.0.1:9999\"\ntls = {cluster}\n\
             [[listener]]\naddress = \"127.0.0.1:9998\"\ntls = {local}\n"
        )
    };
    assert!(speak(&said(true, false)));
    assert!(!speak(&said(false, true)));
    assert!(!Config::default().members_speak_tls());
}

#[test]
fn what_is_open_to_a_network_says_who_may_come() {
    let listener = listeners(&["0.0.0.0:9999"]);
    let plain = "ring.toml: listener is \"0.0.0.0:9999\"; others can reach it and it has no protection: give it TLS \
                 (tls.keystore, or tls.auto = true), list who may use it in access.allow, listen on loopback \
                 (127.0.0.1), or let everyone in with access.allow_all = true";
    assert_eq!(wrong(&listener), plain);
    assert!(wrong("[node]\naddress = \"10.0.0.1:9999\"\n").starts_with("ring.toml: node.address is "));
    assert_eq!(
        wrong(&format!("{SECRET}{listener}")),
        plain,
        "a secret keeps strangers out of the ring alone"
    );
    for auth in ["optional", "none"] {
        assert_eq!(
            wrong(&format!("{KEYSTORE}client_auth = \"{auth}\"\n{listener}")),
            "ring.toml: listener is \"0.0.0.0:9999\"; others can reach it and need no certificate: set \
             tls.client_auth = \"required\", list who may use it in access.allow, listen on loopback (127.0.0.1), or \
             let everyone in with access.allow_all = true"
        );
    }
    let forgotten = format!("{KEYSTORE}{listener}tls = false\n");
    assert_eq!(wrong(&forgotten), plain, "a keystore that the listener does not use");

    for right in [
        format!("{listener}[access]\nallow_all = true\n"),
        format!("{listener}[access]\nallow = [\"10.0.0.0/8\"]\n"),
        format!("{KEYSTORE}{listener}"),
        format!("{KEYSTORE}client_auth = \"none\"\n{listener}[access]\nallow = [\"10.0.0.0/8\"]\n"),
        AUTO.into(),
        listeners(&["[::1]:9999", "127.9.9.9:9999", "[::ffff:127.0.0.1]:7"]),
    ] {
        assert!(load_toml(&right).is_ok(), "{right}: {}", load_toml(&right).unwrap_err());
    }
}

#[test]
fn a_ring_that_anyone_could_join_is_refused() {
    let all = "[access]\nallow_all = true\n";
    let refused = "ring.toml: node.address is \"10.0.0.1:9999\"; members talk to each other there, and nothing tells a \
                   member from a stranger: set auth.shared_secret, give it TLS with client certificates, or list who \
                   may use it in access.allow";
    assert_eq!(wrong(&format!("{RING}{all}")), refused);
    assert_eq!(wrong(&format!("{RING}{all}{KEYSTORE}client_auth = \"none\"\n")), refused);
    let translated = format!("{RING}{all}{}", listeners(&["172.17.0.2:9999"]));
    assert!(wrong(&translated).contains("listener is \"172.17.0.2:9999\"; members talk to each other there"));
    let aside = listeners(&["10.0.0.1:9998", "127.0.0.1:9999"]);
    let named = RING.replace("10.0.0.1:9999", "alpha:9999");
    for right in [
        format!("{RING}{all}{SECRET}"),
        format!("{RING}[access]\nallow = [\"10.0.0.0/24\"]\n"),
        format!("{RING}{all}{KEYSTORE}client_auth = \"optional\"\n"),
        format!("[node]\naddress = \"10.0.0.1:9999\"\n{all}"),
        format!("{named}{all}{aside}"),
        "[cluster]\nmembers = [\"127.0.0.1:9999\", \"127.0.0.1:9998\"]\n".into(),
    ] {
        assert!(load_toml(&right).is_ok(), "{right}: {}", load_toml(&right).unwrap_err());
    }
}

#[test]
fn what_is_allowed_and_worth_a_word_is_warned_of() {
    let warnings = |text: &str| load_toml(text).unwrap().warnings();
    let plain = "the listener 10.0.0.1:9999 is plain and others can reach it: whoever is on the way can read and \
                 change what is sent; tls.keystore or tls.auto = true would prevent that";
    assert_eq!(warnings(&format!("{RING}[access]\nallow = [\"10.0.0.0/8\"]\n")), [plain]);
    assert_eq!(warnings(&format!("{RING}{KEYSTORE}")), [""; 0]);
    assert_eq!(warnings(""), [""; 0]);
    let unused = "TLS is configured and no listener speaks it: every listener says tls = false";
    assert_eq!(warnings(&format!("{KEYSTORE}{}tls = false\n", listeners(&["127.0.0.1:1"]))), [unused]);
}

#[test]
fn settings_that_exclude_or_need_each_other_are_told() {
    let without = |key: &str, needs: &str| {
        format!("ring.toml: {key} is set; it means nothing without {needs}: set that too, or remove this")
    };
    for key in [
        "keystore_password",
        "keystore_password_file",
        "key_password",
        "key_password_file",
        "key_alias",
        "truststore",
        "truststore_password",
        "truststore_password_file",
    ] {
        let expected = without(&format!("tls.{key}"), "tls.keystore");
        assert_eq!(wrong(&format!("[tls]\n{key} = \"x\"\n")), expected);
        assert_eq!(wrong(&format!("{}\n{key} = \"x\"\n{SECRET}", "[tls]\nauto = true")), expected);
    }
    for key in ["truststore_password", "truststore_password_file"] {
        let expected = without(&format!("tls.{key}"), "tls.truststore");
        assert_eq!(wrong(&format!("{KEYSTORE}{key} = \"x\"\n")), expected);
    }
    assert_eq!(
        wrong(&format!("{KEYSTORE}auto = true\n{SECRET}")),
        "ring.toml: tls.auto is true; tls.keystore is set too, and a node has one identity: keep one of the two"
    );
    assert_eq!(
        wrong("[tls]\nauto = true\n"),
        "ring.toml: tls.auto is true; its certificates are made from the shared secret: set auth.shared_secret or \
         auth.shared_secret_file (`ringhold secret generate` makes a secret)"
    );
    assert_eq!(
        wrong("[[listener]]\naddress = \"127.0.0.1:1\"\ntls = true\n"),
        "ring.toml: listener.tls is true; there is nothing to speak TLS with: set tls.keystore, or tls.auto = true"
    );
    for key in ["accept_secrets", "accept_secrets_files"] {
        assert_eq!(
            wrong(&format!("[auth]\n{key} = [\"x\"]\n")),
            format!(
                "ring.toml: auth.{key} is set; these are accepted besides the shared secret: set auth.shared_secret too"
            )
        );
    }
    assert_eq!(
        wrong(&format!(
            "{SECRET}accept_secrets = [\"1\", \"2\", \"3\"]\naccept_secrets_files = [\"4\", \"5\"]\n"
        )),
        "ring.toml: auth.accept_secrets_files is one of 5 secrets; both lists together hold at most 4; to rotate a \
         secret takes one"
    );
    assert_eq!(
        wrong("[access]\nallow_all = true\nallow = [\"10.0.0.0/8\"]\n"),
        "ring.toml: access.allow is set; access.allow_all = true lets everyone in already: keep one of the two"
    );
    assert_eq!(
        wrong("[access]\ntrusted_proxies = [\"10.0.0.1\"]\n"),
        "ring.toml: access.trusted_proxies is set; say in which header they tell where a request comes from: \
         access.forwarded_header = \"x-forwarded-for\" or \"forwarded\""
    );
    assert_eq!(
        wrong("[access]\nforwarded_header = \"x-forwarded-for\"\n"),
        "ring.toml: access.forwarded_header is \"x-forwarded-for\"; it is believed only from access.trusted_proxies: \
         list them"
    );
}

#[test]
fn a_secret_is_given_itself_or_by_its_file() {
    let store = "[tls]\nkeystore = \"k\"\ntruststore = \"t\"\n";
    for (start, key) in [
        (store, "tls.keystore_password"),
        (store, "tls.key_password"),
        (store, "tls.truststore_password"),
        ("[auth]\n", "auth.shared_secret"),
    ] {
        let (_, name) = key.split_once('.').unwrap();
        let message = wrong(&format!("{start}{name} = \"x\"\n{name}_file = \"y\"\n"));
        let expected =
            format!("ring.toml: {key}_file is set; {key} is set too (ring.toml): keep one of the two");
        assert_eq!(message, expected);
    }
    let file = file("ring.toml", SECRET);
    let message =
        load(Some(&file.1), &[("RINGHOLD_AUTH__SHARED_SECRET_FILE", "x")], &[]).unwrap_err().to_string();
    let place =
        "environment: RINGHOLD_AUTH__SHARED_SECRET_FILE: auth.shared_secret_file is set; auth.shared_secret";
    assert!(message.starts_with(place) && message.contains("ring.toml"), "{message}");
}
