//! A node that is simple enough to be seen to be right, and can be built with a bug: what shows that the checks find
//! bugs and nothing else.
//!
//! A key's first home member executes everything and never changes; the other home members get copies later. So it
//! survives pauses and partitions by refusing what it cannot reach, and it does not survive a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use ringhold_ring::{Key, MemberAddress, Ring, Version, VersionClock, WriterId};
use ringhold_server::clock::Clock;
use ringhold_server::object::{
    Answer, ContentType, Delivery, Object, Operation, OperationId, Outcome, PatchEffect, Record, Refusal,
    Route,
};
use ringhold_server::peer::PeerError;
use ringhold_server::peer::network::{
    Ask, Copied, CopyOf, Copying, Executed, Handler, Network, Passage, RingDescription, Told,
};

use crate::node::{Node, Setup};

/// No bug.
pub const SOUND: u8 = 0;
/// One acknowledged write in thirty is not stored.
pub const LOSES_WRITES: u8 = 1;
/// Deletes leave nothing behind that would keep copies from coming back.
pub const RESURRECTS: u8 = 2;
/// Repeats are not recognised.
pub const RUNS_TWICE: u8 = 3;

/// How long it waits for another member.
const TIMEOUT: Duration = Duration::from_millis(400);
/// Between two attempts to bring copies up to date.
const COPY_INTERVAL: Duration = Duration::from_millis(300);
/// Every how many of those it sends everything to everybody who should have it.
const SWEEP_EVERY: u64 = 10;

/// The node, with the bug of this number.
#[derive(Debug)]
pub struct Toy<const BUG: u8>(Arc<Inner<BUG>>);

/// Its answering side.
#[derive(Debug)]
pub struct Inner<const BUG: u8> {
    me: MemberAddress,
    ring: Ring,
    network: Arc<dyn Network>,
    clock: Clock,
    versions: VersionClock,
    tombstone_ttl: Duration,
    held: Mutex<Held>,
    writes: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    records: BTreeMap<String, (Key<'static>, Record)>,
    executed: BTreeSet<u128>,
    /// Who lacks which key's latest record.
    lacking: BTreeSet<(MemberAddress, String)>,
}

impl<const BUG: u8> Inner<BUG> {
    fn homes(&self, key: &Key<'_>) -> Vec<MemberAddress> {
        let list = self.ring.preference_list(key.digest()).take(self.ring.replicas());
        list.map(|member| self.ring.address(member).clone()).collect()
    }

    fn execute_here(
        &self,
        key: &Key<'static>,
        operation: &Operation,
        id: Option<OperationId>,
    ) -> Result<Outcome, Refusal> {
        let mut held = self.held.lock();
        let now = self.clock.now();
        let current = match held.records.get(key.as_str()) {
            Some((_, Record::Object(object))) if object.expires_at.is_none_or(|end| end > now) => {
                Some(object.clone())
            }
            _ => None,
        };
        let is_repeat = id.is_some_and(|id| !held.executed.insert(id.as_u128())) && BUG != RUNS_TWICE;
        let found = |object: Option<Object>| object.map_or(Outcome::Missing, Outcome::Found);
        let (value, content_type, ttl) = match operation {
            Operation::Get { .. } => return Ok(found(current)),
            Operation::Patch { .. } if is_repeat => {
                return Ok(current.map_or(Outcome::Missing, |object| Outcome::Patched {
                    object,
                    effect: PatchEffect::Overtaken,
                }));
            }
            _ if is_repeat => return Ok(found(current)),
            Operation::Put { conditions, .. } | Operation::Delete { conditions }
                if !holds(conditions, current.as_ref().map(|object| object.version)) =>
            {
                // It was not executed: a repeat may be.
                if let Some(id) = id {
                    held.executed.remove(&id.as_u128());
                }
                return Err(Refusal::PreconditionFailed);
            }
            Operation::Delete { .. } => {
                self.delete(&mut held, key);
                return Ok(Outcome::Deleted);
            }
            Operation::Put { value, content_type, ttl, .. } => (value.clone(), content_type.clone(), *ttl),
            Operation::Patch { ttl, .. } => (sum(current.as_ref()), ContentType::Json, *ttl),
        };
        let version = self.versions.next(now);
        let expires_at = ttl.map(|ttl| now + ttl.as_duration());
        let object = Object { value, content_type, version, expires_at };
        let is_lost = BUG == LOSES_WRITES && self.writes.fetch_add(1, Ordering::Relaxed) % 30 == 29;
        if !is_lost {
            self.keep(&mut held, key, Record::Object(object.clone()));
        }
        Ok(match (operation, current) {
            (Operation::Patch { .. }, None) => Outcome::Patched { object, effect: PatchEffect::Created },
            (Operation::Patch { .. }, Some(_)) => Outcome::Patched { object, effect: PatchEffect::Changed },
            (_, None) => Outcome::Created(version),
            (_, Some(_)) => Outcome::Replaced(version),
        })
    }

    fn delete(&self, held: &mut Held, key: &Key<'static>) {
        if BUG == RESURRECTS {
            held.records.remove(key.as_str());
            return;
        }
        let now = self.clock.now();
        let tombstone =
            Record::Tombstone { version: self.versions.next(now), expires_at: now + self.tombstone_ttl };
        self.keep(held, key, tombstone);
    }

    fn keep(&self, held: &mut Held, key: &Key<'static>, record: Record) {
        held.records.insert(key.as_str().to_owned(), (key.clone(), record));
        let others = self.homes(key).into_iter().filter(|home| *home != self.me);
        held.lacking.extend(others.map(|home| (home, key.as_str().to_owned())));
    }

    fn take(&self, copy: CopyOf) -> Copied {
        let mut held = self.held.lock();
        let version = copy.record.version();
        // The sender's clock may be ahead; what it wrote is later all the same.
        let _ = self.versions.observe(version, self.clock.now());
        match held.records.get(copy.key.as_str()).map(|(_, record)| record.version()) {
            Some(ours) if ours > version => Copied::Newer(ours),
            _ => {
                held.records.insert(copy.key.as_str().to_owned(), (copy.key, copy.record));
                Copied::Kept
            }
        }
    }

    async fn copy_what_is_lacking(&self) {
        let lacking: Vec<_> = self.held.lock().lacking.iter().cloned().collect();
        let copies = lacking.into_iter().map(|(member, key)| async move {
            let Some((key, record)) = self.held.lock().records.get(&key).cloned() else { return };
            let version = record.version();
            if self.send(&member, &key, record).await == Some(Copied::Kept) {
                let mut held = self.held.lock();
                let latest = held.records.get(key.as_str()).map(|(_, record)| record.version());
                if latest == Some(version) {
                    held.lacking.remove(&(member, key.as_str().to_owned()));
                }
            }
        });
        futures_util::future::join_all(copies).await;
    }

    async fn send(&self, member: &MemberAddress, key: &Key<'static>, record: Record) -> Option<Copied> {
        let ring = self.ring.id();
        let copy = CopyOf { key: key.clone(), record, copying: Copying::Handoff, ring, ids: Vec::new() };
        match self.network.ask(member, &Ask::Copy(copy), TIMEOUT).await {
            Ok(Told::Copied(copied)) => Some(copied),
            _ => None,
        }
    }

    fn sweep(&self) {
        let mut held = self.held.lock();
        let all = held.records.values().flat_map(|(key, _)| {
            let others = self.homes(key).into_iter().filter(|home| *home != self.me);
            others.map(|home| (home, key.as_str().to_owned()))
        });
        let all: Vec<_> = all.collect();
        held.lacking.extend(all);
    }
}

impl<const BUG: u8> Node for Toy<BUG> {
    type Handler = Inner<BUG>;

    fn start(setup: &Setup, network: Arc<dyn Network>, clock: Clock, _seed: u64) -> Result<Self, String> {
        let ring = Ring::new(setup.members.iter().cloned(), setup.placement, setup.replicas);
        Ok(Self(Arc::new(Inner {
            me: setup.address.clone(),
            ring: ring.map_err(|error| error.to_string())?,
            network,
            clock,
            versions: VersionClock::new(WriterId::of(&setup.address)),
            tombstone_ttl: setup.tombstone_ttl,
            held: Mutex::default(),
            writes: AtomicU64::new(0),
        })))
    }

    async fn execute(&self, key: &Key<'static>, operation: Operation, delivery: Delivery) -> Answer {
        let inner = &self.0;
        let owner = inner.homes(key).into_iter().next().unwrap_or_else(|| inner.me.clone());
        let (result, route) = if owner == inner.me {
            (inner.execute_here(key, &operation, delivery.id), Route::Local)
        } else {
            let passage = Passage { id: delivery.id, ..Passage::through(1, inner.ring.id()) };
            let result = match inner.network.execute(&owner, key, &operation, &passage, TIMEOUT).await {
                Ok(Executed::Done(result)) => result,
                Ok(Executed::NotOwner { .. }) => Err(Refusal::Unavailable("the owner disagrees".into())),
                Err(PeerError::NotSent(why)) => Err(Refusal::Unavailable(why)),
                Err(PeerError::Lost(why)) => Err(Refusal::OutcomeUnknown(why)),
            };
            (result, Route::Forwarded)
        };
        Answer { result, member: owner, route }
    }

    fn handler(&self) -> Arc<Self::Handler> {
        Arc::clone(&self.0)
    }

    async fn run(&self) {
        let mut rounds = 0_u64;
        loop {
            tokio::time::sleep(COPY_INTERVAL).await;
            rounds += 1;
            if rounds.is_multiple_of(SWEEP_EVERY) {
                self.0.sweep();
            }
            self.0.copy_what_is_lacking().await;
        }
    }

    async fn leave(&self) {}

    fn is_ready(&self) -> bool {
        true
    }

    fn reload(&self, _setup: &Setup) -> Result<(), String> {
        Err("a toy keeps its members".into())
    }

    fn records(&self) -> Vec<(Key<'static>, Record)> {
        self.0.held.lock().records.values().cloned().collect()
    }
}

impl<const BUG: u8> Handler for Inner<BUG> {
    async fn execute(
        &self,
        _from: &MemberAddress,
        key: Key<'static>,
        operation: Operation,
        passage: Passage,
        _time_left: Duration,
    ) -> Executed {
        Executed::Done(self.execute_here(&key, &operation, passage.id))
    }

    async fn answer(&self, _from: &MemberAddress, ask: Ask) -> Told {
        match ask {
            Ask::Copy(copy) => Told::Copied(self.take(copy)),
            Ask::Ring(_) => Told::Ring(RingDescription {
                members: self.ring.members().map(|(_, address)| address.clone()).collect(),
                placement: self.ring.placement(),
                replicas: self.ring.replicas(),
            }),
            Ask::Heartbeat(_) | Ask::Record(_) | Ask::Offer(_) | Ask::Sums { .. } => Told::Busy,
        }
    }
}

fn holds(conditions: &ringhold_server::object::Conditions, current: Option<Version>) -> bool {
    use ringhold_server::object::Tags;
    let matches = |tags: &Tags| match tags {
        Tags::Any => current.is_some(),
        Tags::Of(versions) => current.is_some_and(|current| versions.contains(&current)),
    };
    conditions.if_match.as_ref().is_none_or(matches)
        && !conditions.if_none_match.as_ref().is_some_and(matches)
}

fn sum(current: Option<&Object>) -> Bytes {
    let text = current.and_then(|object| std::str::from_utf8(&object.value).ok());
    let count: u64 = text.and_then(|text| text.parse().ok()).unwrap_or_default();
    Bytes::from((count + 1).to_string())
}
