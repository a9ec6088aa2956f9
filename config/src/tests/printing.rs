//! What is printed loads back, and what is documented exists.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use ringhold_ring::{Placement, Ttl};

use super::{load, load_toml};
use crate::{Access, Auth, Cluster, Config, Limits, Listener, Log, LogFormat, Node, Store, Tls};

#[test]
fn the_examples_load() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let example = |name| load(Some(&examples.join(name)), &[], &[]).unwrap();
    assert_eq!(example("single.toml").ring().unwrap().len(), 1);
    let three = example("three-nodes.toml");
    assert_eq!(three.ring().unwrap().len(), 3);
    assert_eq!(three, example("three-nodes.yaml"));
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
    assert_eq!(lines, crate::settings::keys().count());
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
    ) -> Cluster {
        let names = others.iter().map(|other| format!("node-{other}.example:{}", 1000 + u16::from(*other)));
        let members = std::iter::once("10.0.0.1:9999".to_owned()).chain(names);
        Cluster {
            name,
            members: members.map(|member| member.parse().unwrap()).collect(),
            placement: if rendezvous { Placement::Rendezvous } else { Placement::Modulo },
            replicas: 1,
            probe_interval,
            peer_timeout,
            rest,
            validation_passes,
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

prop_compose! {
    fn configs()(
        cluster in clusters(),
        limits in limits(),
        ports in proptest::collection::btree_set(1..u16::MAX, 1..16),
        max_bytes in (1u64 << 30)..=(1 << 50),
        max_object_bytes in 1..=(1usize << 30),
        ttl in proptest::option::of(1..=u64::from(Ttl::MAX_SECONDS)),
        filter in "[^\\p{Cc}]{1,100}",
        json: bool,
    ) -> Config {
        Config {
            node: Node { address: "10.0.0.1:9999".parse().unwrap() },
            cluster,
            listeners: ports.into_iter().map(|port| Listener { address: ([0, 0, 0, 0], port).into(), tls: false }).collect(),
            store: Store {
                max_bytes,
                max_object_bytes,
                default_ttl: ttl.map(|seconds| Ttl::from_seconds(seconds).unwrap()),
            },
            tls: Tls::default(),
            auth: Auth::default(),
            access: Access { allow_all: true, ..Access::default() },
            limits,
            log: Log { filter, format: if json { LogFormat::Json } else { LogFormat::Text } },
        }
    }
}

proptest! {
    #[test]
    fn what_is_printed_loads_back(config in configs()) {
        let printed = config.to_toml();
        prop_assert_eq!(load_toml(&printed).unwrap(), config, "{}", printed);
    }
}
