//! When a ring has healed, all home members of a key hold the same object or none, and no other member holds one.

use std::collections::BTreeMap;

use ringhold_ring::{Key, MemberAddress, Ring, Timestamp, Version};
use ringhold_server::object::Record;

use super::Violation;
use super::seen::is_over;
use crate::node::Setup;

/// What one member holds.
#[derive(Clone, Debug)]
pub struct Holding {
    /// Who it is.
    pub member: MemberAddress,
    /// The time, by its own clock.
    pub now: Timestamp,
    /// What it holds.
    pub records: Vec<(Key<'static>, Record)>,
}

/// What the members of a ring hold, compared.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    violations: Vec<Violation>,
    latest: BTreeMap<String, Version>,
}

impl Agreement {
    /// Of members that hold this.
    #[must_use]
    pub fn of(setup: &Setup, held: Vec<Holding>) -> Self {
        let mut this = Self::default();
        let ring = match Ring::new(setup.members.iter().cloned(), setup.placement, setup.replicas) {
            Ok(ring) => ring,
            Err(error) => {
                this.violations.push(Violation::new(None, format!("no ring: {error}")));
                return this;
            }
        };
        let mut keys: BTreeMap<String, Holders> = BTreeMap::new();
        for Holding { member, now, records } in held {
            for (key, record) in records {
                let version = record.version();
                let latest = this.latest.entry(key.as_str().to_owned()).or_insert(version);
                *latest = version.max(*latest);
                let object = matches!(record, Record::Object(_)) && !is_over(&record, now);
                if object {
                    keys.entry(key.as_str().to_owned()).or_default().insert(member.clone(), version);
                }
            }
        }
        for (key, holders) in keys {
            let Ok(key) = Key::new(key) else { continue };
            if let Some(what) = judge(&ring, &key, &holders) {
                this.violations.push(Violation::new(Some(key), what));
            }
        }
        this
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_reached(&self) -> bool {
        self.violations.is_empty()
    }

    /// What is wrong.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The latest version of a key that anybody holds, deletions among them.
    #[must_use]
    pub fn latest(&self, key: &Key<'_>) -> Option<Version> {
        self.latest.get(key.as_str()).copied()
    }
}

type Holders = BTreeMap<MemberAddress, Version>;

fn judge(ring: &Ring, key: &Key<'_>, holders: &Holders) -> Option<String> {
    let homes = ring.preference_list(key.digest()).take(ring.replicas());
    let homes: Vec<_> = homes.map(|home| ring.address(home).clone()).collect();
    if let Some((stranger, version)) = holders.iter().find(|(holder, _)| !homes.contains(holder)) {
        return Some(format!(
            "{stranger} still holds version {version}, and is no home member; those are {homes:?}"
        ));
    }
    let versions: Vec<_> = homes.iter().map(|home| holders.get(home)).collect();
    let agree = versions.iter().all(|version| Some(version) == versions.first());
    (!agree).then(|| format!("the home members {homes:?} hold {versions:?}"))
}
