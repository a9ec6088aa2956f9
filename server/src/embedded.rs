//! The ring from inside the process that embeds a node: the object operations as plain calls, without a socket.
//!
//! They take the same way as a request over HTTP, from [`crate::routing`] on.

use bytes::Bytes;
use ringhold_ring::{Key, KeyError, Ttl, Version};

use crate::object::{
    Conditions, ContentType, Delivery, Object, Operation, OperationId, Outcome, Refusal, Tags,
};
use crate::patch::PatchKind;
use crate::routing::Objects;
use crate::store::COPIED_BYTES;

/// How a value is written. The default: `application/octet-stream`, `store.default_ttl`, whatever is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Write {
    /// The type of the value.
    pub content_type: ContentType,
    /// How long it lives; none: `store.default_ttl` for a put, and unchanged for a patch.
    pub ttl: Option<Ttl>,
    /// What must hold first.
    pub conditions: Conditions,
    /// What a repeat is recognised by; none: the call is not repeated.
    pub id: Option<OperationId>,
}

impl Write {
    /// Only if there is no such object.
    #[must_use]
    pub fn if_absent() -> Self {
        let conditions = Conditions { if_none_match: Some(Tags::Any), ..Conditions::default() };
        Self { conditions, ..Self::default() }
    }

    /// Only if the object is still at `version`.
    #[must_use]
    pub fn if_at(version: Version) -> Self {
        let conditions = Conditions { if_match: Some(Tags::Of(vec![version])), ..Conditions::default() };
        Self { conditions, ..Self::default() }
    }

    /// The same with this type.
    #[must_use]
    pub fn content_type(self, content_type: ContentType) -> Self {
        Self { content_type, ..self }
    }

    /// The same with this time to live.
    #[must_use]
    pub fn ttl(self, ttl: Ttl) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    /// The same under a name: calls with the same name, for the same key within five minutes, run once. Name each
    /// operation differently: a random number will do.
    #[must_use]
    pub fn idempotency_key(self, name: &[u8]) -> Self {
        Self { id: Some(OperationId::of(name)), ..self }
    }
}

/// How an object is removed. The default: whatever is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// What must hold first.
    pub conditions: Conditions,
    /// What a repeat is recognised by; none: the call is not repeated.
    pub id: Option<OperationId>,
}

impl Removal {
    /// Only if the object is still at `version`.
    #[must_use]
    pub fn if_at(version: Version) -> Self {
        Self { conditions: Write::if_at(version).conditions, id: None }
    }

    /// The same under a name, as [`Write::idempotency_key`]: a repeat does not remove what was stored in between.
    #[must_use]
    pub fn idempotency_key(self, name: &[u8]) -> Self {
        Self { id: Some(OperationId::of(name)), ..self }
    }
}

/// Why a call did not do what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// The text is not a key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The member that executed it refused it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Objects {
    /// The object under `key`, if there is one.
    ///
    /// # Errors
    /// [`ObjectError::Key`]
    pub async fn get(&self, key: &str) -> Result<Option<Object>, ObjectError> {
        self.read(key, Delivery::default()).await
    }

    /// The same from any of its home members, this node before others: it may be older than what the owner has.
    ///
    /// # Errors
    /// [`ObjectError::Key`]
    pub async fn get_any_copy(&self, key: &str) -> Result<Option<Object>, ObjectError> {
        self.read(key, Delivery { any_copy: true, ..Delivery::default() }).await
    }

    /// Stores `value` under `key`; answers the version it has now.
    ///
    /// # Errors
    /// [`ObjectError`]: a bad key, a condition that does not hold, a value over the limit, a full store.
    pub async fn put(
        &self,
        key: &str,
        value: impl Into<Bytes>,
        write: Write,
    ) -> Result<Version, ObjectError> {
        let Write { content_type, ttl, conditions, id } = write;
        let value = owned(value.into());
        let operation = Operation::Put { value, content_type, ttl, conditions };
        match self.run(key, operation, Delivery { id, ..Delivery::default() }).await? {
            Outcome::Created(version) | Outcome::Replaced(version) => Ok(version),
            other => Err(unexpected(&other)),
        }
    }

    /// Removes the object under `key`, whether or not there is one.
    ///
    /// # Errors
    /// [`ObjectError`]: a bad key, a condition that does not hold.
    pub async fn delete(&self, key: &str, removal: Removal) -> Result<(), ObjectError> {
        let Removal { conditions, id } = removal;
        let delivery = Delivery { id, ..Delivery::default() };
        self.run(key, Operation::Delete { conditions }, delivery).await.map(drop)
    }

    /// Patches the object under `key`, or makes one; answers it as it is now.
    ///
    /// `write.content_type` is what an append gives to an object that it makes; the other kinds ignore it.
    ///
    /// # Errors
    /// [`ObjectError`]: a bad key, a malformed patch, a value that cannot take it, a condition that does not hold.
    pub async fn patch(
        &self,
        key: &str,
        kind: PatchKind,
        document: impl Into<Bytes>,
        write: Write,
    ) -> Result<Object, ObjectError> {
        let Write { content_type, ttl, conditions, id } = write;
        let document = document.into();
        let operation = Operation::Patch { kind, document, content_type, ttl, conditions };
        match self.run(key, operation, Delivery { id, ..Delivery::default() }).await? {
            Outcome::Patched { object, .. } => Ok(object),
            other => Err(unexpected(&other)),
        }
    }

    async fn read(&self, key: &str, delivery: Delivery) -> Result<Option<Object>, ObjectError> {
        let operation = Operation::Get { conditions: Conditions::default() };
        Ok(match self.run(key, operation, delivery).await? {
            Outcome::Found(object) => Some(object),
            _ => None,
        })
    }

    async fn run(&self, key: &str, operation: Operation, delivery: Delivery) -> Result<Outcome, ObjectError> {
        let key = Key::new(key)?;
        let answer = match self.execute_at_once(&key, &operation, delivery) {
            Some(answer) => answer,
            None if operation.is_read() => self.execute_in_time(&key, operation, delivery).await,
            None => {
                // As a task: a program that neither polls nor drops it must not hold up who else writes to the key.
                let (this, key) = (self.clone(), key.into_owned());
                let writing =
                    tokio::spawn(async move { this.execute_in_time(&key, operation, delivery).await });
                let failed = |error| Refusal::OutcomeUnknown(format!("executing it failed: {error}"));
                writing.await.map_err(failed)?
            }
        };
        Ok(answer.result?)
    }
}

/// The caller may hand in a piece of a much larger buffer; the store must not keep that alive.
fn owned(value: Bytes) -> Bytes {
    if value.len() > COPIED_BYTES { Bytes::from(value.to_vec()) } else { value }
}

/// A member that answers another operation than it was asked for.
fn unexpected(outcome: &Outcome) -> ObjectError {
    ObjectError::Refused(Refusal::OutcomeUnknown(format!("a member answered {outcome:?}")))
}
