//! What `[tls]`, `[auth]`, `[access]` and the listeners mean for each other.
//!
//! Invariant: a configuration that passes leaves no listener open to a network by oversight, and no ring of several
//! members that anyone may join.

use super::mistake;
use crate::error::Mistake;
use crate::load::Places;
use crate::protection::ClientAuth;
use crate::settings::{LISTENER, SETTINGS};
use crate::trust::MAX_ACCEPTED;
use crate::{Config, Listener};

/// Decides of the listeners that do not say it whether they speak TLS. `said` tells which do.
pub(super) fn derive(config: &mut Config, said: &[bool]) {
    if !config.tls.is_configured() {
        return;
    }
    let (node, is_ring) = (config.node.address.clone(), config.cluster.members.len() > 1);
    let unsaid = |index: usize| !said.get(index).copied().unwrap_or(false);
    for (_, listener) in config.listeners.iter_mut().enumerate().filter(|(index, _)| unsaid(*index)) {
        listener.tls = !listener.is_loopback() || (is_ring && listener.is_bound_for(&node));
    }
    // TLS that is configured and said nowhere is meant for what there is.
    if config.listeners.iter().all(|listener| !listener.tls) {
        let listeners = config.listeners.iter_mut().enumerate().filter(|(index, _)| unsaid(*index));
        listeners.for_each(|(_, listener)| listener.tls = true);
    }
}

/// Everything that cannot be.
pub(super) fn check(config: &Config, places: &Places, mistakes: &mut Vec<Mistake>) {
    check_pairs(places, mistakes);
    check_tls(config, places, mistakes);
    check_auth(config, places, mistakes);
    check_access(config, places, mistakes);
    for listener in &config.listeners {
        if let Some(right) = unprotected(config, listener) {
            let key = if places.contains_key(LISTENER) { LISTENER } else { "node.address" };
            mistakes.push(mistake(places, key, format!("\"{}\"", listener.address), right));
        }
    }
}

/// A secret is given itself or by its file. Lists of both are one list.
fn check_pairs(places: &Places, mistakes: &mut Vec<Mistake>) {
    for in_file in SETTINGS.iter().map(|setting| setting.key) {
        let itself = in_file.strip_suffix("_file");
        if let Some(itself) = itself.filter(|key| places.contains_key(key) && places.contains_key(in_file)) {
            let other = places.get(itself).map_or("", String::as_str);
            let right = format!("{itself} is set too ({other}): keep one of the two");
            mistakes.push(mistake(places, in_file, "set".into(), right));
        }
    }
}

fn check_tls(config: &Config, places: &Places, mistakes: &mut Vec<Mistake>) {
    const OF_KEYSTORE: [&str; 8] = [
        "tls.keystore_password",
        "tls.keystore_password_file",
        "tls.key_password",
        "tls.key_password_file",
        "tls.key_alias",
        "tls.truststore",
        "tls.truststore_password",
        "tls.truststore_password_file",
    ];
    const OF_TRUSTSTORE: [&str; 2] = ["tls.truststore_password", "tls.truststore_password_file"];
    let tls = &config.tls;
    let mut without = |keys: &[&'static str], missing: &str| {
        for key in keys.iter().copied().filter(|key| places.contains_key(key)) {
            let right = format!("it means nothing without {missing}: set that too, or remove this");
            mistakes.push(mistake(places, key, "set".into(), right));
        }
    };
    if tls.keystore.is_none() {
        without(&OF_KEYSTORE, "tls.keystore");
    } else if tls.truststore.is_none() {
        without(&OF_TRUSTSTORE, "tls.truststore");
    }
    if tls.auto && tls.keystore.is_some() {
        let right = "tls.keystore is set too, and a node has one identity: keep one of the two".into();
        mistakes.push(mistake(places, "tls.auto", "true".into(), right));
    }
    if tls.auto && config.auth.shared_secret.is_none() {
        let right = "its certificates are made from the shared secret: set auth.shared_secret or \
                     auth.shared_secret_file (`ringhold secret generate` makes a secret)"
            .into();
        mistakes.push(mistake(places, "tls.auto", "true".into(), right));
    }
    if !tls.is_configured() && config.listeners.iter().any(|listener| listener.tls) {
        let right = "there is nothing to speak TLS with: set tls.keystore, or tls.auto = true".into();
        mistakes.push(mistake(places, "listener.tls", "true".into(), right));
    }
}

fn check_auth(config: &Config, places: &Places, mistakes: &mut Vec<Mistake>) {
    let lists = ["auth.accept_secrets", "auth.accept_secrets_files"];
    let accepted = config.auth.accept_secrets.len();
    if let Some(key) = lists.into_iter().rfind(|key| places.contains_key(key)) {
        if accepted > MAX_ACCEPTED {
            let right =
                format!("both lists together hold at most {MAX_ACCEPTED}; to rotate a secret takes one");
            mistakes.push(mistake(places, key, format!("one of {accepted} secrets"), right));
        }
        if accepted > 0 && config.auth.shared_secret.is_none() {
            let right = "these are accepted besides the shared secret: set auth.shared_secret too".into();
            mistakes.push(mistake(places, key, "set".into(), right));
        }
    }
}

fn check_access(config: &Config, places: &Places, mistakes: &mut Vec<Mistake>) {
    let access = &config.access;
    if access.allow_all && !access.allow.is_empty() {
        let right = "access.allow_all = true lets everyone in already: keep one of the two".into();
        mistakes.push(mistake(places, "access.allow", "set".into(), right));
    }
    match (access.trusted_proxies.is_empty(), access.forwarded_header) {
        (false, None) => {
            let right =
                "say in which header they tell where a request comes from: access.forwarded_header = \
                         \"x-forwarded-for\" or \"forwarded\""
                    .into();
            mistakes.push(mistake(places, "access.trusted_proxies", "set".into(), right));
        }
        (true, Some(header)) => {
            let right = "it is believed only from access.trusted_proxies: list them".into();
            let given = format!("\"{}\"", header.name());
            mistakes.push(mistake(places, "access.forwarded_header", given, right));
        }
        (true, None) | (false, Some(_)) => {}
    }
}

/// Why a listener must not be opened so: what would be right.
fn unprotected(config: &Config, listener: &Listener) -> Option<String> {
    let access = &config.access;
    if listener.is_loopback() || (listener.tls && config.tls.client_auth == ClientAuth::Required) {
        return None;
    }
    if !access.allow_all && access.allow.is_empty() {
        let how = if listener.tls {
            "others can reach it and need no certificate: set tls.client_auth = \"required\""
        } else {
            "others can reach it and it has no protection: give it TLS (tls.keystore, or tls.auto = true)"
        };
        return Some(format!(
            "{how}, list who may use it in access.allow, listen on loopback (127.0.0.1), or let everyone in with \
             access.allow_all = true"
        ));
    }
    let proves_members = listener.tls && config.tls.client_auth != ClientAuth::None;
    let is_open_ring = config.cluster.members.len() > 1
        && config.auth.shared_secret.is_none()
        && access.allow.is_empty()
        && config.serves_members(listener);
    (is_open_ring && !proves_members).then(|| {
        "members talk to each other there, and nothing tells a member from a stranger: set auth.shared_secret, give \
         it TLS with client certificates, or list who may use it in access.allow"
            .into()
    })
}

/// What is allowed of it and worth a word.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let plain = config.listeners.iter().filter(|listener| !listener.tls && !listener.is_loopback());
    let mut warnings: Vec<_> = plain
        .map(|listener| {
            format!(
                "the listener {} is plain and others can reach it: whoever is on the way can read and change what is \
                 sent; tls.keystore or tls.auto = true would prevent that",
                listener.address
            )
        })
        .collect();
    if config.tls.is_configured() && config.listeners.iter().all(|listener| !listener.tls) {
        warnings.push("TLS is configured and no listener speaks it: every listener says tls = false".into());
    }
    warnings
}

impl Config {
    /// Whether this ring's members speak TLS to each other: whether the listener for `node.address` does.
    #[must_use]
    pub fn members_speak_tls(&self) -> bool {
        self.listeners.iter().any(|listener| listener.tls && self.serves_members(listener))
    }

    /// Whether other members may reach `listener` as `node.address`. Any may, when none is bound for it: something
    /// between translates the address.
    fn serves_members(&self, listener: &Listener) -> bool {
        let node = &self.node.address;
        listener.is_bound_for(node) || !self.listeners.iter().any(|other| other.is_bound_for(node))
    }
}
