//! Every message, word for word; and no input that makes loading panic.

use std::path::Path;

use proptest::prelude::*;

use super::{file, load, load_toml, load_yaml, wrong, wrong_override};
use crate::ConfigError;

#[test]
fn unknown_keys_name_the_place_and_the_nearest() {
    assert_eq!(
        wrong("[cluster]\npeer_timout = \"1s\"\n"),
        "ring.toml: cluster.peer_timout is not a setting; the nearest is cluster.peer_timeout"
    );
    // Listeners are one key outside of a file.
    assert_eq!(
        wrong_override("listener.address=127.0.0.1:9999"),
        "--set: listener.address is not a setting; the nearest is listener"
    );
    assert_eq!(
        wrong("[cluster]\nmax_bytes = \"1GiB\"\n"),
        "ring.toml: cluster.max_bytes is not a setting; the nearest is store.max_bytes"
    );
    assert_eq!(
        wrong("[clutser]\nname = \"a\"\n"),
        "ring.toml: clutser is not a setting; the nearest section is cluster"
    );
    assert_eq!(
        wrong("[[listener]]\naddress = \"127.0.0.1:1\"\nadress = 1\n"),
        "ring.toml: listener.adress is not a setting; the nearest is listener.address"
    );
    assert_eq!(
        wrong("default_ttl = 5\n"),
        "ring.toml: default_ttl is not a setting; the nearest is store.default_ttl"
    );
    assert_eq!(
        wrong("\"cluster.name\" = \"a\"\n"),
        "ring.toml: \"cluster.name\" is not a setting; write a section, and the setting in it"
    );
    assert_eq!(
        load(None, &[("RINGHOLD_CLUSTER__PEER_TIMOUT", "1s")], &[]).unwrap_err().to_string(),
        "environment: RINGHOLD_CLUSTER__PEER_TIMOUT is not a setting; the nearest is RINGHOLD_CLUSTER__PEER_TIMEOUT"
    );
    assert_eq!(
        wrong_override("cluster.peer_timout=1s"),
        "--set: cluster.peer_timout is not a setting; the nearest is cluster.peer_timeout"
    );
}

#[test]
fn an_override_has_a_key_and_a_value() {
    let right = "write section.key=value, for example cluster.peer_timeout=2s";
    let message = load(None, &[], &["cluster.rest=1s", "cluster.rest"]).unwrap_err().to_string();
    assert_eq!(message, format!("--set number 2 has no \"=\": {right}"));
}

#[test]
fn wrong_values_name_the_key_what_was_given_and_what_would_be_right() {
    let duration = "a duration is a whole number and a unit: \"250ms\", \"10s\", \"2m\", \"1h\"";
    let size = "a size is a whole number and a unit: \"1GiB\", \"2MiB\", \"512KiB\", \"5MB\"";
    let ttl = "it is \"none\", a whole number of seconds from 1 to 2147483647, or a duration in whole seconds \
               like \"10m\"";
    let listener = "a listener's address is an IP address and a port from 1 to 65535, for example \
                    \"127.0.0.1:9999\" or \"[::1]:9999\"";
    let rate = "it is a size from 64KiB to 1TiB";
    let table = [
        ("cluster.rest", "5", format!("{duration}; \"5s\" would be 5 seconds")),
        ("cluster.rest", "\"5\"", format!("{duration}; \"5s\" would be 5 seconds")),
        ("cluster.rest", "\"soon\"", duration.into()),
        ("cluster.rest", "\"2h\"", "it is a duration from 10ms to 1h".into()),
        ("cluster.peer_timeout", "\"0s\"", "it is a duration from 10ms to 1m".into()),
        ("cluster.probe_interval", "\"0ms\"", "it is a duration from 10ms to 1h".into()),
        ("cluster.validation_passes", "0", "it is a whole number from 1 to 100".into()),
        ("cluster.validation_passes", "101", "it is a whole number from 1 to 100".into()),
        ("cluster.validation_passes", "1.5", "it is a whole number from 1 to 100".into()),
        ("cluster.validation_passes", "\"4\"", "it is a whole number from 1 to 100".into()),
        ("cluster.replicas", "17", "it is a whole number from 1 to 16".into()),
        ("cluster.replicas", "0", "it is a whole number from 1 to 16".into()),
        ("cluster.min_copies", "0", "it is a whole number from 1 to 16".into()),
        ("cluster.majority_guard", "1", "it is true or false".into()),
        ("cluster.sync_timeout", "\"99ms\"", "it is a duration from 100ms to 1h".into()),
        ("cluster.handoff_rate", "\"1KiB\"", rate.into()),
        ("cluster.tombstone_ttl", "\"0s\"", "it is a duration from 1s to 168h".into()),
        ("cluster.sweep_interval", "\"48h\"", "it is a duration from 100ms to 24h".into()),
        ("cluster.placement", "\"random\"", "it is \"modulo\" or \"rendezvous\"".into()),
        ("cluster.name", "\"a b\"", "it is a name of 1 to 64 letters, digits, '-', '_' or '.'".into()),
        ("cluster.name", "12", "it is a name of 1 to 64 letters, digits, '-', '_' or '.', in quotes".into()),
        ("cluster.members", "[]", "it is a list of 1 to 1024 members, each host:port".into()),
        ("cluster.members", "\"a:1\"", "it is a list of 1 to 1024 members, each host:port".into()),
        ("cluster.members", "[5]", "a member is host:port, for example \"10.0.0.1:9999\"".into()),
        (
            "node.address",
            "\"10.0.0.1\"",
            "\"10.0.0.1\" has no port; a member is host:port, for example 10.0.0.1:9999 or [::1]:9999".into(),
        ),
        ("store.max_bytes", "\"1 GiB\"", size.into()),
        ("store.max_bytes", "-1", size.into()),
        ("store.max_bytes", "5", "it is a size from 1MiB to 1024TiB".into()),
        ("store.max_object_bytes", "\"2GiB\"", "it is a size from 1B to 1GiB".into()),
        ("store.default_ttl", "0", ttl.into()),
        ("store.default_ttl", "\"1500ms\"", ttl.into()),
        ("store.default_ttl", "\"never\"", ttl.into()),
        ("access.allow_all", "\"true\"", "it is true or false".into()),
        (
            "log.filter",
            "\"\"",
            "it is a filter like \"info\" or \"warn,ringhold_server=debug\", at most 1000 bytes".into(),
        ),
        ("log.format", "\"xml\"", "it is \"text\" or \"json\"".into()),
    ];
    for (key, value, right) in table {
        let (section, name) = key.split_once('.').unwrap();
        let given = if value.starts_with('[') { "a list" } else { value };
        let message = wrong(&format!("[{section}]\n{name} = {value}\n"));
        assert_eq!(message, format!("ring.toml: {key} is {given}; {right}"));
    }
    let message = wrong("[[listener]]\naddress = \"localhost:1\"\n");
    assert_eq!(message, format!("ring.toml: listener.address is \"localhost:1\"; {listener}"));
    let message = load(None, &[("RINGHOLD_LISTENER", "127.0.0.1:0")], &[]).unwrap_err().to_string();
    let place = "environment: RINGHOLD_LISTENER: listener.address";
    assert_eq!(message, format!("{place} is \"127.0.0.1:0\"; {listener}"));
    let message = load(None, &[("RINGHOLD_CLUSTER__REST", "5")], &[]).unwrap_err().to_string();
    let place = "environment: RINGHOLD_CLUSTER__REST: cluster.rest";
    assert_eq!(message, format!("{place} is \"5\"; {duration}; \"5s\" would be 5 seconds"));
}

#[test]
fn every_setting_refuses_what_is_out_of_its_range() {
    for (key, least, most) in [
        ("limits.max_connections", "0", "1000001"),
        ("limits.max_header_bytes", "8191", "1048577"),
        ("limits.max_body_bytes_in_flight", "1048575", "1025GiB"),
        ("limits.max_http2_streams", "0", "10001"),
        ("limits.header_timeout", "99ms", "61m"),
        ("limits.body_timeout", "99ms", "61m"),
        ("limits.drain", "-1s", "61m"),
        ("limits.shutdown_timeout", "-1s", "61m"),
        ("cluster.peer_timeout", "9ms", "61s"),
        ("store.max_bytes", "1023KiB", "1048577GiB"),
        ("store.max_object_bytes", "0", "1025MiB"),
    ] {
        for value in [least, most] {
            assert!(
                wrong_override(&format!("{key}={value}"))
                    .starts_with(&format!("--set: {key} is \"{value}\"; "))
            );
        }
    }
}

#[test]
fn a_section_is_a_table() {
    assert_eq!(
        wrong("cluster = 5\n"),
        "ring.toml: cluster is 5; it is a section, with settings like cluster.name"
    );
    assert_eq!(
        wrong("listener = 5\n"),
        "ring.toml: listener is 5; it is a list of 1 to 16 tables, each [[listener]] with an address; in the \
         environment and after --set, addresses between commas"
    );
    assert_eq!(
        wrong("[[listener]]\n"),
        "ring.toml: listener.address is missing; every [[listener]] needs one, for example \"127.0.0.1:9999\""
    );
    assert!(load_yaml("cluster:\nstore:\n").is_ok());
}

#[test]
fn members_hold_this_node() {
    assert_eq!(
        wrong(
            "[node]\naddress = \"10.0.0.1:9998\"\n[cluster]\nmembers = [\"10.0.0.1:9999\", \"10.0.0.2:9999\"]\n[access]\nallow = [\"10.0.0.0/8\"]\n"
        ),
        "ring.toml: node.address is \"10.0.0.1:9998\"; it is one of cluster.members; the nearest of them is \
         \"10.0.0.1:9999\""
    );
    assert_eq!(
        wrong("[cluster]\nmembers = [\"127.0.0.1:9999\", \"127.0.0.1:9999\"]\n"),
        "ring.toml: cluster.members is not a ring; member 127.0.0.1:9999 is listed twice; list each member once"
    );
}

#[test]
fn a_listener_is_given_once() {
    assert_eq!(
        wrong("[[listener]]\naddress = \"127.0.0.1:1\"\n[[listener]]\naddress = \"127.0.0.1:1\"\n"),
        "ring.toml: listener is \"127.0.0.1:1\" twice; an address can be bound once: remove one of the two"
    );
}

#[test]
fn an_object_fits_into_the_store_and_into_the_bodies_in_flight() {
    assert_eq!(
        wrong("[store]\nmax_bytes = \"1MiB\"\nmax_object_bytes = \"2MiB\"\n"),
        "ring.toml: store.max_object_bytes is 2097152 bytes; it is at most store.max_bytes, which is 1048576 bytes"
    );
    assert_eq!(
        wrong("[limits]\nmax_body_bytes_in_flight = \"1MiB\"\n"),
        "defaults: store.max_object_bytes is 2097152 bytes; it is at most limits.max_body_bytes_in_flight, which is \
         1048576 bytes"
    );
}

#[test]
fn several_mistakes_are_told_together() {
    let file = file("ring.toml", "[cluster]\nrest = 5\nnam = \"a\"\n[log]\nformat = \"xml\"\n");
    let error = load(Some(&file.1), &[("RINGHOLD_LOGS", "1")], &["x"]).unwrap_err();
    let ConfigError::Mistakes(mistakes) = &error else { panic!("{error}") };
    assert_eq!(mistakes.as_slice().len(), 5, "{error}");
    assert_eq!(error.to_string().lines().count(), 5);
}

#[test]
fn a_flood_of_mistakes_is_cut() {
    let text: String = (0..1000).map(|n| format!("unknown{n} = 1\n")).collect();
    let message = wrong(&text);
    assert_eq!(message.lines().count(), 21);
    assert!(message.ends_with("... and 980 more"), "{message}");
    let long = wrong(&format!("{} = 1\n", "k".repeat(10_000)));
    assert!(long.len() < 300, "{long}");
}

#[test]
fn deep_nesting_is_refused() {
    for deep in ["[".repeat(200_000), "{a: ".repeat(200_000), "a.".repeat(200_000), "- ".repeat(200_000)] {
        assert!(load_toml(&format!("a = {deep}")).is_err());
        assert!(load_toml(&deep).is_err());
        assert!(load_yaml(&deep).is_err());
        assert!(load(None, &[("RINGHOLD_CLUSTER__MEMBERS", &deep)], &[&format!("{deep}=1")]).is_err());
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let missing = load(Some(Path::new("/nowhere/ring.toml")), &[], &[]).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read the configuration file /nowhere/ring.toml: "), "{missing}");

    let unknown = load(Some(Path::new("ring.ini")), &[], &[]).unwrap_err().to_string();
    let right = "its name must end in .toml, .yaml or .yml";
    assert_eq!(unknown, format!("cannot tell the format of the configuration file ring.ini: {right}"));

    let large = wrong(&"#".repeat((1 << 20) + 1));
    assert_eq!(large, "the configuration file ring.toml is larger than 1048576 bytes; is it the right file?");
    assert_eq!(wrong("[log]\n[cluster\n"), "ring.toml: not valid TOML: look at line 2, column 9");
    let yaml = load_yaml("log:\ncluster: [").unwrap_err().to_string();
    assert!(yaml.contains("ring.yaml: not valid YAML: look at line 2, column "), "{yaml}");
}

/// Text that looks enough like a configuration to get past the parser at times.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        proptest::sample::select(crate::settings::keys().collect::<Vec<_>>()).prop_map(Into::into),
        proptest::sample::select(crate::settings::sections()).prop_map(Into::into),
        proptest::sample::select(vec![
            "[",
            "]",
            "[[",
            "]]",
            "{",
            "}",
            "=",
            ":",
            ": ",
            "- ",
            "\n",
            "\n  ",
            "\"",
            "'",
            ",",
            ".",
            "&a",
            "*a",
            "~",
            "none",
            "true",
            "1s",
            "1GiB",
            "5",
            "-5",
            "1e9",
            "1979-05-27",
            "!!int",
            "|",
            ">",
            "#",
            "\u{feff}",
        ])
        .prop_map(Into::into),
        any::<String>(),
    ];
    proptest::collection::vec(scrap, 0..40).prop_map(|scraps| scraps.concat())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in scraps()) {
        for name in ["ring.toml", "ring.yaml"] {
            if let Err(error) = load(Some(&file(name, &text).1), &[], &[]) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn no_variable_or_override_makes_it_panic(name in scraps(), value in scraps(), key in 0..100usize) {
        let keys: Vec<_> = crate::settings::keys().collect();
        let key = keys[key % keys.len()];
        let variable = crate::layers::variable_of(key);
        let any = format!("RINGHOLD_{name}");
        let _ = load(None, &[(&variable, &value), (&any, &value)], &[&name, &format!("{key}={value}")]);
    }
}
