//! Carrying an operation out on this member: conditions, patch, version, per-key order.

mod conditions;

use bytes::Bytes;
use ringhold_config::Store as Settings;
use ringhold_ring::{Key, MemberAddress, Timestamp, Ttl, VersionClock, WriterId};

use crate::clock::Clock;
use crate::object::{Conditions, ContentType, Object, Operation, Outcome, Refusal};
use crate::patch::{self, PatchError, Patched};
use crate::store::{Full, Put, Store};
use crate::telemetry::metrics::{Counter, Striped};
use conditions::Verdict;

mod order;

/// Executes operations on the local store, one write at a time for each key.
#[derive(Debug)]
pub struct Owner {
    store: Store,
    versions: VersionClock,
    clock: Clock,
    settings: Settings,
    order: order::Order,
    /// Misses and hits.
    reads: Striped<[Counter; 2]>,
}

impl Owner {
    /// An owner of `store`, whose versions are `me`'s.
    #[must_use]
    pub fn new(me: &MemberAddress, settings: &Settings, store: Store, clock: Clock) -> Self {
        let versions = VersionClock::new(WriterId::of(me));
        let (order, reads) = Default::default();
        Self { store, versions, clock, settings: settings.clone(), order, reads }
    }

    /// The store underneath.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Reads that found nothing, and that found an object.
    #[must_use]
    pub fn reads(&self) -> [u64; 2] {
        [0, 1].map(|found| self.reads.sum(|reads| &reads[found]))
    }

    /// Carries `operation` out.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub async fn execute(&self, key: &Key<'_>, operation: Operation) -> Result<Outcome, Refusal> {
        match operation {
            Operation::Get { conditions } => self.get(key, &conditions),
            Operation::Put { value, content_type, ttl, conditions } => {
                let _turn = self.order.turn(key).await;
                self.put(key, value, content_type, ttl, &conditions)
            }
            Operation::Delete { conditions } => {
                let _turn = self.order.turn(key).await;
                self.delete(key, &conditions)
            }
            Operation::Patch { kind, document, content_type, ttl, conditions } => {
                let _turn = self.order.turn(key).await;
                let current = self.current_for_write(key, &conditions)?;
                let now = self.clock.now();
                let limit = self.settings.max_object_bytes;
                let patched = patch::apply(kind, current.as_ref(), &document, &content_type, now, limit)?;
                self.put_patched(key, current.as_ref(), patched, ttl, now)
            }
        }
    }

    /// Reads: the one operation that waits for nothing.
    ///
    /// # Errors
    /// [`Refusal::PreconditionFailed`]
    pub fn get(&self, key: &Key<'_>, conditions: &Conditions) -> Result<Outcome, Refusal> {
        let found = self.store.get(key);
        self.reads.raise(|reads| &reads[usize::from(found.is_some())]);
        match (conditions.check_read(found.as_ref().map(|object| object.version)), found) {
            (Verdict::Failed, _) => Err(Refusal::PreconditionFailed),
            (_, None) => Ok(Outcome::Missing),
            (Verdict::NotModified, Some(object)) => {
                Ok(Outcome::NotModified(Object { value: Bytes::new(), ..object }))
            }
            (Verdict::Proceed, Some(object)) => Ok(Outcome::Found(object)),
        }
    }

    fn put(
        &self,
        key: &Key<'_>,
        value: Bytes,
        content_type: ContentType,
        ttl: Option<Ttl>,
        conditions: &Conditions,
    ) -> Result<Outcome, Refusal> {
        self.check_size(value.len())?;
        if !conditions.is_empty() && !conditions.hold_for_write(self.store.version(key)) {
            return Err(Refusal::PreconditionFailed);
        }
        let now = self.clock.now();
        let version = self.versions.next(now);
        let expires_at = self.expiry(ttl, now);
        match self.store.put(key, Object { value, content_type, version, expires_at })? {
            Put::Created => Ok(Outcome::Created(version)),
            Put::Replaced => Ok(Outcome::Replaced(version)),
        }
    }

    fn delete(&self, key: &Key<'_>, conditions: &Conditions) -> Result<Outcome, Refusal> {
        if !conditions.is_empty() && !conditions.hold_for_write(self.store.version(key)) {
            return Err(Refusal::PreconditionFailed);
        }
        self.store.remove(key);
        Ok(Outcome::Deleted)
    }

    fn current_for_write(&self, key: &Key<'_>, conditions: &Conditions) -> Result<Option<Object>, Refusal> {
        let current = self.store.get(key);
        if conditions.hold_for_write(current.as_ref().map(|object| object.version)) {
            Ok(current)
        } else {
            Err(Refusal::PreconditionFailed)
        }
    }

    fn put_patched(
        &self,
        key: &Key<'_>,
        current: Option<&Object>,
        patched: Patched,
        ttl: Option<Ttl>,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let expires_at = match (current, ttl) {
            (Some(current), None) => current.expires_at,
            (_, ttl) => self.expiry(ttl, now),
        };
        let Patched { value, content_type } = patched;
        let object = Object { value, content_type, version: self.versions.next(now), expires_at };
        self.store.put(key, object.clone())?;
        Ok(Outcome::Patched { object, created: current.is_none() })
    }

    fn check_size(&self, bytes: usize) -> Result<(), Refusal> {
        let limit = self.settings.max_object_bytes;
        if bytes > limit { Err(Refusal::TooLarge { limit }) } else { Ok(()) }
    }

    fn expiry(&self, ttl: Option<Ttl>, now: Timestamp) -> Option<Timestamp> {
        ttl.or(self.settings.default_ttl).map(|ttl| now + ttl.as_duration())
    }
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Self::StoreFull
    }
}

impl From<PatchError> for Refusal {
    fn from(error: PatchError) -> Self {
        match error {
            PatchError::Malformed(why) => Self::MalformedPatch(why),
            PatchError::Conflict(why) => Self::PatchConflict(why),
            PatchError::TooLarge { limit } => Self::TooLarge { limit },
        }
    }
}
