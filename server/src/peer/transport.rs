//! What leads to a member now, whatever it speaks: a stream, or plain HTTP.
//!
//! Invariant: a reply that tells nothing of what was asked is a failure, and its fate says whether anything was executed.

use std::sync::Arc;
use std::time::Duration;

use ringhold_ring::Key;

use super::connection::{Connection, Lost, Trace};
use super::network::{Ask, Copied, Executed, Passage, Told};
use super::outbox::Fate;
use super::plain_http::{Failed, PlainHttp};
use super::reply::Reply;
use super::{ask, message, told};
use crate::object::{Operation, Refusal};

/// The way to a member, open.
pub(super) enum Transport {
    Stream(Arc<Connection>),
    PlainHttp(PlainHttp),
}

/// A request that brought nothing back.
pub(super) struct Failure {
    pub(super) fate: Fate,
    pub(super) cause: String,
}

impl Transport {
    pub(super) async fn execute(
        &self,
        key: &Key<'_>,
        operation: &Operation,
        passage: &Passage,
        time_left: Duration,
        trace: &Trace,
    ) -> Result<Executed, Failure> {
        let connection = match self {
            Self::Stream(connection) => connection,
            Self::PlainHttp(http) => {
                return Ok(Box::pin(http.execute(key, operation, passage, trace)).await?);
            }
        };
        let limit = connection.max_object_bytes();
        if message::value_of(operation).is_some_and(|(value, _)| value.len() > limit) {
            return Ok(Executed::Done(Err(Refusal::TooLarge { limit })));
        }
        match connection.execute(key, operation, passage, time_left, trace).await? {
            Reply::Done(result) => Ok(Executed::Done(result)),
            Reply::NotOwner { may_have_run } => Ok(Executed::NotOwner { may_have_run }),
            other => Err(no_answer(&other)),
        }
    }

    pub(super) async fn ask(&self, ask: &Ask, time_left: Duration, trace: &Trace) -> Result<Told, Failure> {
        let connection = match self {
            Self::Stream(connection) => connection,
            Self::PlainHttp(http) => return Ok(Box::pin(http.ask(ask, trace)).await?),
        };
        if ask::object_bytes(ask) > connection.max_object_bytes() {
            return Ok(Told::Copied(Copied::Full));
        }
        match connection.ask(ask, time_left, trace).await? {
            Reply::Told(told) if told::answers(&told, ask) => Ok(told),
            other => Err(no_answer(&other)),
        }
    }

    /// Whether new requests need another.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Stream(connection) => !connection.is_open(),
            Self::PlainHttp(http) => !http.is_usable(),
        }
    }

    /// Fails everything under way, now.
    pub(super) fn close(&self, cause: &str) {
        match self {
            Self::Stream(connection) => connection.close(cause),
            Self::PlainHttp(http) => http.close(),
        }
    }
}

/// What it means that a request was answered with `reply`, which tells nothing of what was asked.
fn no_answer(reply: &Reply) -> Failure {
    let (fate, cause) = match reply {
        Reply::Stale => (Fate::Unsent, "it was too busy to begin in time"),
        Reply::Failed => (Fate::Sent, "it failed while executing"),
        Reply::Done(_) | Reply::NotOwner { .. } | Reply::Told(_) => {
            (Fate::Sent, "it answered a request with the answer to another kind")
        }
    };
    Failure { fate, cause: cause.into() }
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        Self { fate: lost.fate, cause: lost.cause.to_string() }
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        Self { fate: failed.fate, cause: failed.cause }
    }
}
