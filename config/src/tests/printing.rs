//! What is printed loads back, and what is documented exists.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use proptest::{option, sample};
use ringhold_ring::{Placement, Ttl};

use super::{load, load_toml};
use crate::{
    Access, AddressRange, Auth, ClientAuth, ClientToken, Cluster, Config, ForwardedHeader, Limits, Listener,
    Log, LogFormat, Node, Scope, SecretSource, Store, Tls,
};

#[test]
fn the_examples_load() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let example = |name| load(Some(&examples.join(name)), &[], &[]).unwrap();
    assert_eq!(example("single.toml").ring().unwrap().len(), 1);
    let three = example("three-nodes.toml");
    assert_eq!(three.ring().unwrap().len(), 3);
    assert_eq!(three, example("three-nodes.yaml"));
    let keystore = example("keystore.toml");
    assert_eq!(keystore.tls.keystore, Some(examples.join("keystore.p12")));
    assert_eq!(keystore.tls.keystore_password, Some(SecretSource::File(examples.join("keystore.password"))));
    let automatic = example("automatic-tls.toml");
    assert!(automatic.tls.auto);
    assert_eq!(automatic.auth.shared_secret, Some(SecretSource::File(examples.join("ring.secret"))));
    for sidecar in [keystore, automatic] {
        assert!(sidecar.members_speak_tls());
        assert_eq!(sidecar.listeners.iter().map(|listener| listener.tls).collect::<Vec<_>>(), [true, false]);
        assert_eq!(sidecar.warnings(), [""; 0]);
    }
}

#[test]
fn the_documentation_lists_exactly_the_settings_there_are() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("<!-- settings -->\n").unwrap();
    let (tables, _) = rest.split_once("<!-- end of settings -->").unwrap();
    let advice =
        "run `cargo run -p ringhold-config --example reference` and put its output between the markers";
    assert_eq!(tables.trim(), crate::reference(), "{advice}");
    for ignored in crate::IGNORED_VARIABLES {
        assert!(page.contains(&format!("`{ignored}`")), "{ignored} is not documented");
    }
}

#[test]
fn every_setting_is_of_a_kind_that_takes_its_own_default() {
    let printed = Config::default().to_toml();
    assert_eq!(load_toml(&printed).unwrap(), Config::default());
    let lines = printed.lines().filter(|line| line.contains(" = ")).count();
    // Of what has no default nothing is printed: files, secrets, an alias.
    let without = crate::settings::keys().filter(|key| {
        ["tls.keystore", "tls.key_", "tls.truststore", "auth.shared_secret"]
            .iter()
            .any(|of| key.starts_with(of))
    });
    assert_eq!(lines, crate::settings::keys().count() - without.count());
}

fn durations(least_ms: u64, most_ms: u64) -> impl Strategy<Value = Duration> {
    (least_ms..=most_ms).prop_map(Duration::from_millis)
}

prop_compose! {
    fn clusters()(
        name in "[A-Za-z0-9._-]{1,64}",
        others in proptest::collection::btree_set(1u8..255, 0..20),
        rendezvous: bool,
        probe_interval in durations(10, 3_600_000),
        peer_timeout in durations(10, 60_000),
        rest in durations(10, 3_600_000),
        validation_passes in 1..=100u32,
        (copies, min_copies) in (1..=16usize, 1..=16usize),
        majority_guard: bool,
        sync_timeout in durations(100, 3_600_000),
        handoff_rate in (64u64 << 10)..=(1 << 40),
        tombstone_ttl in durations(1000, 604_800_000),
        sweep_interval in durations(100, 86_400_000),
    ) -> Cluster {
        let names = others.iter().map(|other| format!("node-{other}.example:{}", 1000 + u16::from(*other)));
        let replicas = copies.min(others.len() + 1);
        let members = std::iter::once("10.0.0.1:9999".to_owned()).chain(names);
        Cluster {
            name,
            members: members.map(|member| member.parse().unwrap()).collect(),
            placement: if rendezvous { Placement::Rendezvous } else { Placement::Modulo },
            replicas,
            min_copies: min_copies.min(replicas),
            majority_guard,
            probe_interval,
            peer_timeout,
            rest,
            validation_passes,
            sync_timeout,
            handoff_rate,
            tombstone_ttl,
            sweep_interval,
        }
    }
}

prop_compose! {
    fn limits()(
        max_connections in 1..=1_000_000usize,
        max_header_bytes in 8192..=1048576usize,
        max_body_bytes_in_flight in (1usize << 30)..=(1 << 40),
        max_http2_streams in 1..=10_000u32,
        header_timeout in durations(100, 3_600_000),
        body_timeout in durations(100, 3_600_000),
        drain in durations(0, 3_600_000),
        shutdown_timeout in durations(0, 3_600_000),
    ) -> Limits {
        Limits {
            max_connections, max_header_bytes, max_body_bytes_in_flight, max_http2_streams,
            header_timeout, body_timeout, drain, shutdown_timeout,
        }
    }
}

fn paths() -> impl Strategy<Value = PathBuf> {
    "/[^\\p{Cc}]{1,30}".prop_map(PathBuf::from)
}

fn sources() -> impl Strategy<Value = SecretSource> {
    let inline = "\\PC{4,40}".prop_map(|text: String| SecretSource::Inline(text.into()));
    prop_oneof![inline, paths().prop_map(SecretSource::File)]
}

fn ranges() -> impl Strategy<Value = Vec<AddressRange>> {
    let range = prop_oneof![
        any::<Ipv4Addr>().prop_map(|address| address.to_string()),
        any::<Ipv6Addr>().prop_map(|address| address.to_string()),
        any::<u8>().prop_map(|first| format!("{first}.0.0.0/8")),
        any::<u16>().prop_map(|first| format!("{first:x}::/16")),
    ];
    proptest::collection::vec(range.prop_map(|text| text.parse().unwrap()), 0..5)
}

prop_compose! {
    fn stores()(
        keystore in paths(),
        keystore_password in option::of(sources()),
        key_password in option::of(sources()),
        key_alias in option::of("[^\\p{Cc}]{1,30}"),
        truststore in option::of((paths(), option::of(sources()))),
        client_auth in sample::select(&ClientAuth::ALL[..]),
        verify_names: bool,
    ) -> Tls {
        let (truststore, truststore_password) = truststore.unzip();
        Tls {
            keystore: Some(keystore), keystore_password, key_password, key_alias, truststore,
            truststore_password: truststore_password.flatten(), client_auth, auto: false, verify_names,
        }
    }
}

prop_compose! {
    fn auths()(
        shared_secret in sources(),
        mut accept_secrets in proptest::collection::vec(sources(), 0..=4),
        clock_skew in durations(1000, 600_000),
        tokens in proptest::collection::btree_map("[a-z]{1,9}", ("[0-9a-f]{64}", any::<bool>()), 0..5),
    ) -> Auth {
        // Those in files are read after the others.
        accept_secrets.sort_by_key(|source| source.path().is_some());
        let token = |(name, (sha256, read_only))| ClientToken {
            name, sha256, scope: if read_only { Scope::ReadOnly } else { Scope::ReadWrite },
        };
        Auth {
            shared_secret: Some(shared_secret), accept_secrets, clock_skew,
            tokens: tokens.into_iter().map(token).collect(),
        }
    }
}

prop_compose! {
    fn accesses()(allow in ranges(), trusted_proxies in ranges(), rfc_7239: bool) -> Access {
        let header = if rfc_7239 { ForwardedHeader::Forwarded } else { ForwardedHeader::XForwardedFor };
        Access {
            allow_all: allow.is_empty(),
            allow,
            forwarded_header: (!trusted_proxies.is_empty()).then_some(header),
            trusted_proxies,
        }
    }
}

/// Every place for secrets that stand in the configuration itself.
fn all_sources(config: &mut Config) -> Vec<&mut SecretSource> {
    let Config { tls, auth, .. } = config;
    let single = [
        &mut tls.keystore_password,
        &mut tls.key_password,
        &mut tls.truststore_password,
        &mut auth.shared_secret,
    ];
    single.into_iter().flatten().chain(&mut auth.accept_secrets).collect()
}

/// The secrets and digests of a configuration, in the order in which they are printed.
fn hidden(config: &mut Config) -> Vec<String> {
    let inline = all_sources(config).into_iter().filter_map(|source| match source {
        SecretSource::Inline(secret) => Some(secret.expose().to_owned()),
        SecretSource::File(_) => None,
    });
    let mut hidden: Vec<_> = inline.collect();
    hidden.extend(config.auth.tokens.iter().map(|token| token.sha256.clone()));
    hidden
}

prop_compose! {
    fn configs()(
        cluster in clusters(),
        limits in limits(),
        tls in stores(),
        auth in auths(),
        access in accesses(),
        ports in proptest::collection::btree_map(1..u16::MAX, any::<bool>(), 1..16),
        max_bytes in (1u64 << 30)..=(1 << 50),
        max_object_bytes in 1..=(1usize << 30),
        ttl in proptest::option::of(1..=u64::from(Ttl::MAX_SECONDS)),
        filter in "[^\\p{Cc}]{1,100}",
        json: bool,
    ) -> Config {
        Config {
            node: Node { address: "10.0.0.1:9999".parse().unwrap() },
            cluster,
            listeners: ports
                .into_iter()
                .map(|(port, tls)| Listener { address: ([0, 0, 0, 0], port).into(), tls })
                .collect(),
            store: Store {
                max_bytes,
                max_object_bytes,
                default_ttl: ttl.map(|seconds| Ttl::from_seconds(seconds).unwrap()),
            },
            tls,
            auth,
            access,
            limits,
            log: Log { filter, format: if json { LogFormat::Json } else { LogFormat::Text } },
        }
    }
}

proptest! {
    #[test]
    fn what_is_printed_loads_back_once_the_secrets_are_put_in(mut config in configs()) {
        let printed = config.to_toml();
        let mut parts = printed.split("\"***\"");
        let mut restored = parts.next().unwrap().to_owned();
        let hidden = hidden(&mut config);
        for (secret, part) in hidden.iter().zip(parts.by_ref()) {
            restored.extend([&crate::kind::quoted(secret), part]);
        }
        prop_assert_eq!(parts.next(), None, "more masks than secrets");
        prop_assert_eq!(load_toml(&restored).unwrap(), config, "{}", restored);
        if !hidden.is_empty() {
            let refusal = load_toml(&printed).unwrap_err().to_string();
            let told = ["printed in place of a secret", "64 hexadecimal digits"];
            prop_assert!(told.iter().any(|told| refusal.contains(told)), "{}", refusal);
        }
    }
}
