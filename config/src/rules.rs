//! What settings mean for each other: values that follow from others, and combinations that cannot be.
//!
//! Each value is right in itself by now.

mod protection;

use std::net::SocketAddr;

use ringhold_ring::RingError;

use crate::error::{Mistake, nearest};
use crate::load::Places;
use crate::settings::LISTENER;
use crate::{Cluster, Config, Listener};

const DEFAULTS: &str = "defaults";

/// Fills in what was not given and follows from what was.
/// `said_tls` tells of each listener whether it says if it speaks TLS.
pub(crate) fn derive(config: &mut Config, places: &Places, said_tls: &[bool], mistakes: &mut Vec<Mistake>) {
    let given = |key| places.contains_key(key);
    // A node alone is known by the address it listens on.
    if !given("node.address") && !given("cluster.members") && given(LISTENER) {
        let specified = config.listeners.iter().find(|listener| !listener.address.ip().is_unspecified());
        if let Some(listener) = specified {
            config.node.address = listener.address.into();
        }
    }
    if !given("cluster.members") {
        config.cluster.members = vec![config.node.address.clone()];
    }
    if !given("cluster.replicas") {
        config.cluster.replicas = Cluster::default_replicas(config.cluster.members.len());
    }
    if !given(LISTENER) {
        match config.node.address.ip() {
            Some(ip) => {
                config.listeners =
                    vec![Listener { address: SocketAddr::new(ip, config.node.address.port()), tls: false }];
            }
            None => mistakes.push(mistake(
                places,
                "node.address",
                format!("{:?}", config.node.address.to_string()),
                "a name says nothing of what to listen on: add a [[listener]] with an IP address".into(),
            )),
        }
    }
    protection::derive(config, said_tls);
}

/// Everything that cannot be.
pub(crate) fn check(config: &Config, places: &Places, mistakes: &mut Vec<Mistake>) {
    check_members(config, places, mistakes);
    check_copies(config, places, mistakes);
    check_listeners(config, places, mistakes);
    protection::check(config, places, mistakes);
    check_sizes(config, places, mistakes);
}

fn check_members(config: &Config, places: &Places, mistakes: &mut Vec<Mistake>) {
    let me = config.node.address.to_string();
    if !config.cluster.members.contains(&config.node.address) {
        let members: Vec<_> = config.cluster.members.iter().map(ToString::to_string).collect();
        let nearest = nearest(&me, members.iter().map(String::as_str)).unwrap_or_default();
        let right = format!("it is one of cluster.members; the nearest of them is \"{nearest}\"");
        mistakes.push(mistake(places, "node.address", format!("{me:?}"), right));
    }
    match config.ring() {
        Ok(_) => {}
        Err(error @ (RingError::Duplicate(_) | RingError::NoMembers | RingError::TooManyMembers(_))) => {
            mistakes.push(mistake(places, "cluster.members", "not a ring".into(), error.to_string()));
        }
        Err(RingError::BadReplicas { replicas, members }) => {
            let right = format!(
                "each copy is on another member, and cluster.members names {members}: it is at most {members}"
            );
            mistakes.push(mistake(places, "cluster.replicas", replicas.to_string(), right));
        }
    }
}

fn check_copies(config: &Config, places: &Places, mistakes: &mut Vec<Mistake>) {
    let Cluster { replicas, min_copies, .. } = config.cluster;
    if min_copies > replicas {
        let right = format!("it is at most cluster.replicas, which is {replicas}: lower this, or raise that");
        mistakes.push(mistake(places, "cluster.min_copies", min_copies.to_string(), right));
    }
}

impl Config {
    /// What is allowed and worth a word: one sentence each, to be logged at start.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = protection::warnings(self);
        warnings.extend(copies_warning(self));
        warnings
    }
}

fn copies_warning(config: &Config) -> Option<String> {
    let Cluster { members, min_copies, majority_guard, .. } = &config.cluster;
    if *majority_guard && members.len() == 2 {
        return Some(
            "cluster.majority_guard is on in a ring of two: one alone is no majority, so when either is lost the other \
             serves nothing; three members are the fewest that can spare one"
                .into(),
        );
    }
    (members.len() > 1 && *min_copies == members.len()).then(|| {
        format!(
            "cluster.min_copies is {min_copies}, the number of members: while any of them is away, no write is \
             acknowledged"
        )
    })
}

fn check_listeners(config: &Config, places: &Places, mistakes: &mut Vec<Mistake>) {
    for (index, listener) in config.listeners.iter().enumerate() {
        let address = listener.address;
        if config.listeners.iter().take(index).any(|earlier| earlier.address == address) {
            let right = "an address can be bound once: remove one of the two".into();
            mistakes.push(mistake(places, LISTENER, format!("\"{address}\" twice"), right));
        }
    }
}

fn check_sizes(config: &Config, places: &Places, mistakes: &mut Vec<Mistake>) {
    let object = config.store.max_object_bytes as u64;
    let bounds = [
        ("store.max_bytes", config.store.max_bytes),
        ("limits.max_body_bytes_in_flight", config.limits.max_body_bytes_in_flight as u64),
    ];
    for (bound, most) in bounds.into_iter().filter(|(_, most)| object > *most) {
        let right = format!("it is at most {bound}, which is {most} bytes");
        mistakes.push(mistake(places, "store.max_object_bytes", format!("{object} bytes"), right));
    }
}

fn mistake(places: &Places, key: &'static str, given: String, right: String) -> Mistake {
    // The place of a listener's setting is that of all listeners.
    let section = key.split_once('.').map_or(key, |(section, _)| section);
    let place = places.get(key).or_else(|| places.get(section)).map_or(DEFAULTS, String::as_str).to_owned();
    Mistake::WrongValue { place, key: key.into(), given, right }
}
