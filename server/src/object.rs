//! Objects, and what is done with them: the words that every layer of the node shares.

use std::sync::Arc;

use bytes::Bytes;
use ringhold_ring::{MemberAddress, Timestamp, Ttl, Version};

use crate::patch::PatchKind;

/// A stored object as a reader sees it. Cloning copies no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The stored bytes.
    pub value: Bytes,
    /// The type it was stored with.
    pub content_type: ContentType,
    /// Which write it is from.
    pub version: Version,
    /// When it ceases to exist; none: never.
    pub expires_at: Option<Timestamp>,
}

/// What a member keeps under a key: an object, or the memory of one that was deleted or has expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An object.
    Object(Object),
    /// What keeps older versions from coming back.
    Tombstone {
        /// Which write deleted the object; of an expired one, which wrote it.
        version: Version,
        /// When it may be forgotten.
        expires_at: Timestamp,
    },
}

impl Record {
    /// Which write it is from: of two records the one with the higher version wins, everywhere.
    #[must_use]
    pub const fn version(&self) -> Version {
        match self {
            Self::Object(object) => object.version,
            Self::Tombstone { version, .. } => *version,
        }
    }
}

/// What a repeat of an operation is recognised by: the MD5 of the client's `Idempotency-Key`, or a random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OperationId(u128);

impl OperationId {
    /// The id of the operation that a client calls `name`.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        Self(u128::from_be_bytes(*ringhold_ring::Digest::of(name).as_bytes()))
    }

    /// The id as a number, as it travels between members.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// An id that another member sent, or a random one.
    #[must_use]
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }
}

/// A media type as a client gave it: 1 to 255 visible ASCII characters and blanks, kept as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// `application/octet-stream`, the default.
    #[default]
    OctetStream,
    /// `application/json`
    Json,
    /// `text/plain`
    Text,
    /// Anything else.
    Other(Arc<str>),
}

/// Why bytes are not a content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a Content-Type is 1 to {} visible ASCII characters or blanks", ContentType::MAX_BYTES)]
pub struct ContentTypeError;

impl ContentType {
    /// The longest content type, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// A content type from a header or a frame.
    ///
    /// # Errors
    /// [`ContentTypeError`] when it is empty, too long, or holds anything but visible ASCII and blanks.
    pub fn parse(bytes: &[u8]) -> Result<Self, ContentTypeError> {
        let known = |text: &[u8]| {
            let mut all = [Self::OctetStream, Self::Json, Self::Text].into_iter();
            all.find(|known| known.as_str().as_bytes() == text)
        };
        // Before anything that takes longer.
        if let Some(known) = known(bytes) {
            return Ok(known);
        }
        // Not `all`, which stops at the first and so looks at one byte at a time.
        let is_visible = bytes.iter().fold(true, |so_far, byte| so_far & (b' '..=b'~').contains(byte));
        let bytes = bytes.trim_ascii();
        if !is_visible || !(1..=Self::MAX_BYTES).contains(&bytes.len()) {
            return Err(ContentTypeError);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ContentTypeError)?;
        Ok(known(bytes).unwrap_or_else(|| Self::Other(text.into())))
    }

    /// The text of the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::OctetStream => "application/octet-stream",
            Self::Json => "application/json",
            Self::Text => "text/plain",
            Self::Other(text) => text,
        }
    }

    /// The type without parameters, for comparing (RFC 9110 section 8.3.1): compare it ignoring case.
    #[must_use]
    pub fn essence(&self) -> &str {
        self.as_str().split(';').next().unwrap_or_default().trim()
    }
}

/// What a request asks of an object.
///
/// A value larger than [`crate::store::COPIED_BYTES`] owns its allocation: whoever makes an operation has
/// copied it out of any read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Read it.
    Get {
        /// `If-Match`, `If-None-Match` and their kin.
        conditions: Conditions,
    },
    /// Store it whole.
    Put {
        /// The new bytes.
        value: Bytes,
        /// Their type.
        content_type: ContentType,
        /// How long it lives; none: `store.default_ttl`.
        ttl: Option<Ttl>,
        /// What must hold first.
        conditions: Conditions,
    },
    /// Remove it.
    Delete {
        /// What must hold first.
        conditions: Conditions,
    },
    /// Change it in place.
    Patch {
        /// Which language the patch is written in.
        kind: PatchKind,
        /// The patch.
        document: Bytes,
        /// The patch's own content type: what an append gives to an object that it creates.
        content_type: ContentType,
        /// The new time to live; none: the object keeps its expiry.
        ttl: Option<Ttl>,
        /// What must hold first.
        conditions: Conditions,
    },
}

impl Operation {
    /// Whether it changes nothing.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::Get { .. })
    }

    /// Whether running it twice leaves the same as running it once: no patch, no condition on a write.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        match self {
            Self::Get { .. } => true,
            Self::Put { conditions, .. } | Self::Delete { conditions } => conditions.is_empty(),
            Self::Patch { .. } => false,
        }
    }
}

/// The conditional headers of a request (RFC 9110 section 13.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-Match`
    pub if_match: Option<Tags>,
    /// `If-None-Match`
    pub if_none_match: Option<Tags>,
    /// `If-Modified-Since`, whole seconds.
    pub if_modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`, whole seconds.
    pub if_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The entity tags of `If-Match` or `If-None-Match`; tags that no object of ours can have are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// `*`: any object at all.
    Any,
    /// One of these.
    Of(Vec<Version>),
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Read.
    Found(Object),
    /// Read, and the client has it already; the value is empty.
    NotModified(Object),
    /// There is no such object.
    Missing,
    /// Stored where nothing was.
    Created(Version),
    /// Stored in place of an older value.
    Replaced(Version),
    /// Not there, or not there any more.
    Deleted,
    /// Patched; the whole new value.
    Patched {
        /// The object as it is now.
        object: Object,
        /// What the patch had to do with that.
        effect: PatchEffect,
    },
}

/// What a patch did to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchEffect {
    /// It changed it.
    Changed,
    /// It made it.
    Created,
    /// It had changed it before, and others have since: this was a repeat.
    Overtaken,
}

/// Why an operation changed nothing, or may have changed something without our knowing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A condition does not hold.
    #[error("a condition of the request does not hold for the stored object; read it again and retry")]
    PreconditionFailed,
    /// The value, or what a patch makes of it, is over the limit.
    #[error("the value is too large; at most {limit} bytes are stored under one key")]
    TooLarge {
        /// `store.max_object_bytes`
        limit: usize,
    },
    /// Nothing that may be evicted makes enough room.
    #[error("the store is full, and nothing in it may be evicted to make room")]
    StoreFull,
    /// The patch document is not in its kind's language.
    #[error("the patch is malformed: {0}")]
    MalformedPatch(String),
    /// The stored value cannot take this patch; it is unchanged.
    #[error("the stored value cannot take this patch: {0}")]
    PatchConflict(String),
    /// The member that may have executed it did not answer, and running it again could run it twice.
    #[error("the outcome is unknown: {0}; read the object to see")]
    OutcomeUnknown(String),
    /// Fewer members than `cluster.min_copies` hold the write. Some may: it may come to light later.
    #[error(
        "only {held} of the {wanted} members that must hold it have the write; the outcome is unknown, and repeating \
         the request is safe"
    )]
    TooFewCopies {
        /// How many hold it.
        held: usize,
        /// `cluster.min_copies`
        wanted: usize,
    },
    /// `cluster.majority_guard` is on, and most members cannot be reached.
    #[error("this node reaches only {reached} of {members} members; try another node")]
    NoMajority {
        /// Members that are online as it sees them, itself included.
        reached: usize,
        /// Members of the ring.
        members: usize,
    },
    /// Nothing was executed: who would do it could not be reached in time.
    #[error("nothing was done: {0}; try again")]
    Unavailable(String),
}

impl Refusal {
    /// The same, unless it says that nothing was done where an earlier attempt at the operation may have run.
    #[must_use]
    pub fn honest(self, may_have_run: bool) -> Self {
        match self {
            Self::OutcomeUnknown(_) | Self::TooFewCopies { .. } | Self::MalformedPatch(_) => self,
            other if may_have_run => {
                Self::OutcomeUnknown(format!("a first attempt may have been carried out ({other})"))
            }
            other => other,
        }
    }
}

/// An operation's result, who executed it, and how it got there.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What came of it.
    pub result: Result<Outcome, Refusal>,
    /// The member that executed it.
    pub member: MemberAddress,
    /// How it got there, as the node that the client asked sees it.
    pub route: Route,
}

/// How a request got to who executed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Executed by the node that was asked.
    Local,
    /// Sent to its owner.
    Forwarded,
    /// Executed, here or elsewhere, by a member that is not at home for the key.
    StandIn,
}

impl Route {
    /// Its name in `X-Ringhold-Route`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Forwarded => "forwarded",
            Self::StandIn => "stand-in",
        }
    }
}

/// Whether a request may be sent on (`X-PP-Datastore-Behavior`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarding {
    /// To its owner, once.
    #[default]
    Allowed,
    /// Not at all: it is executed on the local store.
    Disallowed,
}

/// How a client wants its operation handled, besides what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Whether it may be sent on.
    pub forwarding: Forwarding,
    /// Any home member may answer, though its copy may be older than the owner's (`Cache-Control: max-stale`). Reads
    /// only.
    pub any_copy: bool,
    /// What a repeat of it is recognised by (`Idempotency-Key`).
    pub id: Option<OperationId>,
}

impl From<Forwarding> for Delivery {
    fn from(forwarding: Forwarding) -> Self {
        Self { forwarding, ..Self::default() }
    }
}
