//! What each layer may say, which one wins, and what follows from it.

use std::time::Duration;

use ringhold_ring::{Placement, Ttl};

use super::{file, load, load_toml, load_yaml, wrong};
use crate::{Config, Listener, Log, LogFormat, Store};

#[test]
fn without_anything_it_is_one_plain_node_on_loopback() {
    let loaded = load(None, &[], &[]).unwrap();
    let Config { store: Store { max_bytes, .. }, .. } = loaded;
    let default = Config::default();
    assert_eq!(loaded, Config { store: Store { max_bytes, ..default.store.clone() }, ..default });
    assert!(max_bytes >= 2 << 20, "{max_bytes}");
    assert_eq!(loaded.ring().unwrap().len(), 1);
}

#[test]
fn a_later_layer_wins() {
    let file =
        file("ring.toml", "[cluster]\npeer_timeout = \"2s\"\nprobe_interval = \"2s\"\nrest = \"2s\"\n");
    let environment = [("RINGHOLD_CLUSTER__PROBE_INTERVAL", "3s"), ("RINGHOLD_CLUSTER__REST", "3s")];
    let config = load(Some(&file.1), &environment, &["cluster.rest=4s"]).unwrap();
    assert_eq!(config.cluster.peer_timeout, Duration::from_secs(2));
    assert_eq!(config.cluster.probe_interval, Duration::from_secs(3));
    assert_eq!(config.cluster.rest, Duration::from_secs(4));
    assert_eq!(config.cluster.validation_passes, 4);
}

#[test]
fn every_shape_of_a_value_is_read() {
    let config = load_toml(
        "[cluster]\nplacement = \"rendezvous\"\nvalidation_passes = 7\nrest = \"2m\"\npeer_timeout = \"250ms\"\n\
         [store]\nmax_bytes = \"1GB\"\nmax_object_bytes = 100000\ndefault_ttl = 90\n\
         [limits]\nmax_header_bytes = \"512KiB\"\n[log]\nfilter = \"warn\"\nformat = \"json\"\n",
    )
    .unwrap();
    assert_eq!(config.cluster.placement, Placement::Rendezvous);
    assert_eq!(config.cluster.validation_passes, 7);
    assert_eq!(config.cluster.rest, Duration::from_secs(120));
    assert_eq!(config.cluster.peer_timeout, Duration::from_millis(250));
    assert_eq!(config.store.max_bytes, 1_000_000_000);
    assert_eq!(config.store.max_object_bytes, 100_000);
    assert_eq!(config.store.default_ttl, Some(Ttl::from_seconds(90).unwrap()));
    assert_eq!(config.limits.max_header_bytes, 512 << 10);
    assert_eq!(config.log, Log { filter: "warn".into(), format: LogFormat::Json });
}

#[test]
fn a_default_ttl_is_none_or_whole_seconds_or_a_duration() {
    let ttl = |text| load(None, &[], &[text]).unwrap().store.default_ttl.map(Ttl::as_seconds);
    assert_eq!(ttl("store.default_ttl=none"), None);
    assert_eq!(ttl("store.default_ttl=60"), Some(60));
    assert_eq!(ttl("store.default_ttl=10m"), Some(600));
    assert_eq!(ttl("store.default_ttl=2000ms"), Some(2));
}

#[test]
fn lists_in_the_environment_are_bare_or_bracketed() {
    for members in [
        "127.0.0.1:9999,127.0.0.2:9999",
        "[\"127.0.0.1:9999\", '127.0.0.2:9999',]",
        "127.0.0.1:9999 , 127.0.0.2:9999",
    ] {
        let config = load(None, &[("RINGHOLD_CLUSTER__MEMBERS", members)], &[]).unwrap();
        assert_eq!(config.ring().unwrap().len(), 2, "{members}");
    }
    let config = load(None, &[("RINGHOLD_LISTENER", "127.0.0.1:7001,[::1]:7001")], &[]).unwrap();
    assert_eq!(config.listeners.len(), 2);
}

#[test]
fn listeners_of_a_later_layer_replace_those_of_an_earlier() {
    let file = file("ring.toml", "[[listener]]\naddress = \"127.0.0.1:7001\"\n");
    let config = load(Some(&file.1), &[], &["listener=127.0.0.1:7002"]).unwrap();
    assert_eq!(config.listeners, [Listener { address: "127.0.0.1:7002".parse().unwrap(), tls: false }]);
}

#[test]
fn an_address_alone_makes_a_ring_of_one_that_listens_there() {
    let config = load_toml("[node]\naddress = \"127.0.0.5:7000\"\n").unwrap();
    assert_eq!(config.cluster.members, ["127.0.0.5:7000".parse().unwrap()]);
    assert_eq!(config.listeners, [Listener { address: "127.0.0.5:7000".parse().unwrap(), tls: false }]);
}

#[test]
fn a_listener_alone_makes_a_ring_of_one_known_by_it() {
    let config = load_toml("[[listener]]\naddress = \"127.0.0.5:7000\"\n").unwrap();
    assert_eq!(config.node.address, "127.0.0.5:7000".parse().unwrap());
    assert_eq!(config.cluster.members, ["127.0.0.5:7000".parse().unwrap()]);
}

#[test]
fn a_named_node_listens_where_it_is_told() {
    let named = "[node]\naddress = \"alpha:7000\"\n";
    assert_eq!(
        wrong(named),
        "ring.toml: node.address is \"alpha:7000\"; a name says nothing of what to listen on: add a [[listener]] \
         with an IP address"
    );
    let config = load_toml(&format!("{named}[[listener]]\naddress = \"127.0.0.1:7000\"\n")).unwrap();
    assert_eq!(config.cluster.members, ["alpha:7000".parse().unwrap()]);
}

#[test]
fn other_variables_are_not_looked_at() {
    let environment =
        [("RINGHOLD_CONFIG", "x"), ("RINGHOLD_BIN", "y"), ("PATH", "z"), ("ringhold_log__filter", "!")];
    assert_eq!(load(None, &environment, &[]).unwrap().log, Config::default().log);
}

#[test]
fn an_empty_file_says_nothing() {
    let nothing = load(None, &[], &[]).unwrap();
    for text in ["", "\n", "# only a comment\n"] {
        assert_eq!(load_toml(text).unwrap(), nothing);
        assert_eq!(load_yaml(text).unwrap(), nothing);
    }
}
