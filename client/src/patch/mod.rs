//! Patches: one type per kind, each with the answer that its kind gives. What they do to a value is the ring's affair.

mod counter;
mod documents;
mod rate_limit;
mod set;

use bytes::Bytes;
use ringhold_ring::Ttl;

pub use counter::Counter;
pub use documents::{Append, JsonPatch, MergePatch, PatchOperation, RawPatch};
pub use rate_limit::{RateLimit, RateLimitAnswer, RateLimitPatch, RateLimitState};
pub use set::{SetPatch, SetValue};

use crate::{Condition, EntityTag, Error, IdempotencyKey, Object, ObjectInfo, Served};

/// A change of an object in place, atomic per key.
pub trait Patch {
    /// What the caller learns of the new value.
    type Answer;

    /// The media type that names the kind.
    fn content_type(&self) -> &str;

    /// The patch as it is sent.
    ///
    /// # Errors
    /// [`Error::BadArgument`] when it cannot be written.
    fn document(&self) -> Result<Bytes, Error>;

    /// The answer in the patched object.
    ///
    /// # Errors
    /// [`Error::Protocol`] when the new value is not what this kind of patch makes.
    fn read(&self, object: Object) -> Result<Self::Answer, Error>;
}

/// How a patch is to be applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchOptions {
    /// The new time to live; none: the object keeps its expiry.
    pub ttl: Option<Ttl>,
    /// What must hold first.
    pub condition: Condition,
    /// What a repeat is recognised by; none: a random name.
    pub idempotency_key: Option<IdempotencyKey>,
}

impl PatchOptions {
    /// With a new time to live.
    #[must_use]
    pub fn ttl(mut self, ttl: Ttl) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Only if `condition` holds.
    #[must_use]
    pub fn condition(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// Under this name.
    #[must_use]
    pub fn idempotency_key(mut self, key: IdempotencyKey) -> Self {
        self.idempotency_key = Some(key);
        self
    }
}

/// What came of a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patched<A> {
    /// The answer of the patch's kind.
    pub answer: A,
    /// Whether the patch made the object.
    pub created: bool,
    /// Whether the patch had run before, as a request whose answer was lost, and others have changed the object since: the
    /// answer is of the object as it is now, and not as this patch left it.
    pub overtaken: bool,
    /// The state that the object is in now.
    pub etag: EntityTag,
    /// Who patched it.
    pub served: Served,
}

fn to_json(document: &impl serde::Serialize) -> Result<Bytes, Error> {
    match serde_json::to_vec(document) {
        Ok(bytes) => Ok(bytes.into()),
        Err(error) => Err(Error::BadArgument(format!("the patch cannot be written as JSON: {error}"))),
    }
}

fn from_json<A: serde::de::DeserializeOwned>(object: &Object, what: &str) -> Result<A, Error> {
    serde_json::from_slice(&object.value).map_err(|error| nonsense(&object.info, &format!("{what}: {error}")))
}

fn nonsense(info: &ObjectInfo, why: &str) -> Error {
    let node = info.served.member.clone().unwrap_or_else(|| "the node".into());
    Error::Protocol { node, why: format!("its answer to the patch is not {why}") }
}
