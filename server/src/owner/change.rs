//! What a write makes of an object: its conditions checked, its patch applied, its version taken. Nothing is stored.

use ringhold_ring::{Key, Timestamp, Ttl, Version, View};

use super::Owner;
use crate::object::{Conditions, Object, Operation, Outcome, PatchEffect, Record, Refusal};
use crate::patch::{self, PatchError};
use crate::store::{Applied, Full};

/// A record that is to be stored, and what is answered once it is.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) record: Record,
    /// What the operation made: of a repeat, when it ran; `record` may be a later one.
    pub(super) made: Version,
    answer: Answer,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Put,
    Delete,
    Patch(PatchEffect),
}

impl Change {
    fn new(record: Record, answer: Answer) -> Self {
        Self { made: record.version(), record, answer }
    }

    /// What is answered when the store did that.
    pub(super) fn outcome(&self, applied: Applied) -> Outcome {
        match (self.answer, &self.record) {
            (Answer::Patch(effect), Record::Object(object)) => {
                Outcome::Patched { object: object.clone(), effect }
            }
            (Answer::Put, _) if applied == Applied::Created => Outcome::Created(self.made),
            (Answer::Put, _) => Outcome::Replaced(self.made),
            (Answer::Delete | Answer::Patch(_), _) => Outcome::Deleted,
        }
    }
}

impl Owner {
    /// What `operation` makes of what is stored under `key` now, or what it `has_run` and made.
    pub(super) fn change(
        &self,
        key: &Key<'_>,
        operation: &Operation,
        has_run: Option<Version>,
        view: &View,
    ) -> Result<Change, Refusal> {
        match has_run {
            Some(made) => self.change_again(key, operation, made, view),
            None => self.change_first(key, operation, view),
        }
    }

    fn change_first(&self, key: &Key<'_>, operation: &Operation, view: &View) -> Result<Change, Refusal> {
        match operation {
            // A read changes nothing, and nobody asks what it would change.
            Operation::Get { .. } => Err(Refusal::PreconditionFailed),
            Operation::Put { value, content_type, ttl, conditions } => {
                let limit = self.settings.max_object_bytes;
                if value.len() > limit {
                    return Err(Refusal::TooLarge { limit });
                }
                self.check(key, conditions)?;
                let now = self.clock.now();
                let (version, expires_at) = (self.versions.next(now), self.expiry(*ttl, now));
                let (value, content_type) = (value.clone(), content_type.clone());
                let record = Record::Object(Object { value, content_type, version, expires_at });
                Ok(Change::new(record, Answer::Put))
            }
            Operation::Delete { conditions } => {
                self.check(key, conditions)?;
                let now = self.clock.now();
                let keep = if view.ring().len() == 1 {
                    std::time::Duration::ZERO
                } else {
                    self.cluster.tombstone_ttl
                };
                let record = Record::Tombstone { version: self.versions.next(now), expires_at: now + keep };
                Ok(Change::new(record, Answer::Delete))
            }
            Operation::Patch { kind, document, content_type, ttl, conditions } => {
                let current = self.store.get(key);
                if !conditions.hold_for_write(current.as_ref().map(|object| object.version)) {
                    return Err(Refusal::PreconditionFailed);
                }
                let now = self.clock.now();
                let limit = self.settings.max_object_bytes;
                let patched = patch::apply(*kind, current.as_ref(), document, content_type, now, limit)?;
                let expires_at = match (&current, ttl) {
                    (Some(current), None) => current.expires_at,
                    (_, ttl) => self.expiry(*ttl, now),
                };
                let patch::Patched { value, content_type } = patched;
                let version = self.versions.next(now);
                let record = Record::Object(Object { value, content_type, version, expires_at });
                let effect = if current.is_none() { PatchEffect::Created } else { PatchEffect::Changed };
                Ok(Change::new(record, Answer::Patch(effect)))
            }
        }
    }

    /// What is stored, where `operation` has run and `made` this version: whoever ran it may not have come to copy it to all,
    /// or to answer.
    fn change_again(
        &self,
        key: &Key<'_>,
        operation: &Operation,
        made: Version,
        view: &View,
    ) -> Result<Change, Refusal> {
        let object = || {
            let ran_and_gone = || Refusal::OutcomeUnknown("it ran, and the object has gone since".to_owned());
            self.store.get(key).ok_or_else(ran_and_gone)
        };
        match operation {
            Operation::Get { .. } => self.change_first(key, operation, view),
            Operation::Put { .. } => {
                Ok(Change { record: Record::Object(object()?), made, answer: Answer::Put })
            }
            Operation::Patch { .. } => {
                let object = object()?;
                let is_latest = object.version == made;
                let effect = if is_latest { PatchEffect::Changed } else { PatchEffect::Overtaken };
                Ok(Change { record: Record::Object(object), made, answer: Answer::Patch(effect) })
            }
            Operation::Delete { .. } => match self.store.record(key) {
                Some(record) => Ok(Change { record, made, answer: Answer::Delete }),
                None => {
                    let conditions = Conditions::default();
                    self.change_first(key, &Operation::Delete { conditions }, view)
                }
            },
        }
    }

    fn check(&self, key: &Key<'_>, conditions: &Conditions) -> Result<(), Refusal> {
        if conditions.is_empty() || conditions.hold_for_write(self.store.version(key)) {
            Ok(())
        } else {
            Err(Refusal::PreconditionFailed)
        }
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
