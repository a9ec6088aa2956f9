//! The operations. Each says what it sends and how its answer is read; who is asked is the fail-over's affair.

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RANGE};
use http::{HeaderValue, Method, StatusCode};
use ringhold_ring::Ttl;
use serde::de::DeserializeOwned;

use crate::call::{Answer, Body, Call, Repeat, Take, object_path};
use crate::failover::Failover;
use crate::object::{Stored, X_TTL, etag};
use crate::{
    BuildError, ByteRange, Changed, ClientBuilder, ClusterReport, Condition, EntityTag, Error, Location,
    Object, ObjectInfo, ObjectStream, Patch, PatchOptions, Patched, Problem, Served, Value,
};

/// A client of one ring. Cloning is cheap; clones share their connections and what they know of the nodes.
#[derive(Clone, Debug)]
pub struct Client(Arc<Failover>);

/// How a value is to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// Its type; none: `application/octet-stream`.
    pub content_type: Option<String>,
    /// How long it lives; none: what the ring is configured with.
    pub ttl: Option<Ttl>,
    /// What must hold first.
    pub condition: Condition,
}

impl PutOptions {
    /// With a type.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// With a time to live.
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
}

impl Client {
    /// A client of these nodes, each a base URL or `host:port`, with default limits.
    ///
    /// # Errors
    /// [`BuildError`] as [`ClientBuilder::build`].
    pub fn new(nodes: impl IntoIterator<Item = impl Display>) -> Result<Self, BuildError> {
        Self::builder().nodes(nodes).build()
    }

    /// A client to be configured.
    #[must_use]
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn over(failover: Failover) -> Self {
        Self(Arc::new(failover))
    }

    /// The object under `key`; nothing when there is none.
    ///
    /// # Errors
    /// [`Error::AnswerTooLong`] when the value is over the client's limit, and those of every operation.
    pub async fn get(&self, key: &str) -> Result<Option<Object>, Error> {
        let answer = self.0.send(&Call::object(Method::GET, key)?).await?;
        match answer.status {
            StatusCode::OK => read_object(answer).map(Some),
            StatusCode::NOT_FOUND => missing(answer).map(|()| None),
            _ => Err(answer.into_error()),
        }
    }

    /// A part of the value under `key`: as much of `range` as the value has.
    ///
    /// # Errors
    /// [`Error::RangeNotSatisfiable`] when the range begins behind the value's end, and those of [`Client::get`].
    pub async fn get_range(&self, key: &str, range: impl Into<ByteRange>) -> Result<Option<Object>, Error> {
        let mut call = Call::object(Method::GET, key)?;
        call.headers.insert(RANGE, range.into().to_header()?);
        let answer = self.0.send(&call).await?;
        match answer.status {
            StatusCode::PARTIAL_CONTENT => read_object(answer).map(Some),
            StatusCode::NOT_FOUND => missing(answer).map(|()| None),
            StatusCode::OK => Err(range_ignored(answer)),
            _ => Err(answer.into_error()),
        }
    }

    /// The object under `key`, unless it is still in the state `known`.
    ///
    /// # Errors
    /// Those of [`Client::get`].
    pub async fn get_if_changed(&self, key: &str, known: &EntityTag) -> Result<Changed, Error> {
        let mut call = Call::object(Method::GET, key)?;
        Condition::IfNoneMatch(known.clone()).write_to(&mut call.headers);
        let answer = self.0.send(&call).await?;
        match answer.status {
            StatusCode::OK => read_object(answer).map(Changed::Changed),
            StatusCode::NOT_MODIFIED => Ok(Changed::Unchanged),
            StatusCode::NOT_FOUND => missing(answer).map(|()| Changed::Missing),
            _ => Err(answer.into_error()),
        }
    }

    /// The object under `key`, its value as a stream: of any size, in little memory. A node that fails before the
    /// value begins is replaced by another; one that fails later ends the stream with an error.
    ///
    /// # Errors
    /// Those of every operation.
    pub async fn get_stream(&self, key: &str) -> Result<Option<ObjectStream>, Error> {
        self.open(key, None).await
    }

    /// A part of the value under `key` as a stream.
    ///
    /// # Errors
    /// Those of [`Client::get_range`].
    pub async fn get_range_stream(
        &self,
        key: &str,
        range: impl Into<ByteRange>,
    ) -> Result<Option<ObjectStream>, Error> {
        self.open(key, Some(range.into())).await
    }

    async fn open(&self, key: &str, range: Option<ByteRange>) -> Result<Option<ObjectStream>, Error> {
        let mut call = Call { take: Take::Head, ..Call::object(Method::GET, key)? };
        let expected = match range {
            Some(range) => {
                call.headers.insert(RANGE, range.to_header()?);
                StatusCode::PARTIAL_CONTENT
            }
            None => StatusCode::OK,
        };
        let answer = self.0.send(&call).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return missing(answer).map(|()| None);
        }
        if answer.status == StatusCode::OK && range.is_some() {
            return Err(range_ignored(answer));
        }
        if answer.status != expected {
            return Err(answer.into_error());
        }
        let info = ObjectInfo::read(&answer.node, &answer.headers)?;
        let response = match answer.body {
            Body::Coming(response) => Some(response),
            Body::Whole(_) => None,
        };
        Ok(Some(ObjectStream::new(info, answer.node, response, self.0.timeout)))
    }

    /// What is known of the object under `key` without its value.
    ///
    /// # Errors
    /// Those of every operation.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectInfo>, Error> {
        let answer = self.0.send(&Call::object(Method::HEAD, key)?).await?;
        match answer.status {
            StatusCode::OK => ObjectInfo::read(&answer.node, &answer.headers).map(Some),
            StatusCode::NOT_FOUND => missing(answer).map(|()| None),
            _ => Err(answer.into_error()),
        }
    }

    /// Stores `value` under `key`, in place of whatever is there.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::StoreFull`], and those of every operation.
    pub async fn put(&self, key: &str, value: impl Into<Value>) -> Result<Stored, Error> {
        self.put_with(key, value, &PutOptions::default()).await
    }

    /// Stores `value` under `key` as `options` say. With a condition, or from a stream, it is sent only once.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] when the condition does not hold, [`Error::Source`] when a stream cannot be read,
    /// [`Error::OutcomeUnknown`] when no answer says what happened, and those of [`Client::put`].
    pub async fn put_with(
        &self,
        key: &str,
        value: impl Into<Value>,
        options: &PutOptions,
    ) -> Result<Stored, Error> {
        let mut call = write(Method::PUT, key, options.ttl, &options.condition)?;
        if let Some(content_type) = &options.content_type {
            call.headers.insert(CONTENT_TYPE, header(content_type, "content type")?);
        }
        call.payload = value.into().0;
        let answer = self.0.send(&call).await?;
        match answer.status {
            StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(Stored {
                created: answer.status == StatusCode::CREATED,
                etag: etag(&answer.node, &answer.headers)?,
                served: Served::read(&answer.headers),
            }),
            _ => Err(answer.into_error()),
        }
    }

    /// Removes the object under `key`, if there is one.
    ///
    /// # Errors
    /// Those of every operation.
    pub async fn delete(&self, key: &str) -> Result<Served, Error> {
        self.delete_if(key, &Condition::Always).await
    }

    /// Removes the object under `key` if `condition` holds. With a condition it is sent only once.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] when the condition does not hold, [`Error::OutcomeUnknown`] when no answer says
    /// what happened, and those of every operation.
    pub async fn delete_if(&self, key: &str, condition: &Condition) -> Result<Served, Error> {
        let answer = self.0.send(&write(Method::DELETE, key, None, condition)?).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(Served::read(&answer.headers)),
            _ => Err(answer.into_error()),
        }
    }

    /// Changes the object under `key` in place; the answer is that of the patch's kind.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the stored value cannot take the patch, [`Error::BadRequest`] when it is malformed,
    /// [`Error::OutcomeUnknown`] when no answer says what happened (a patch is never sent twice), and those of every
    /// operation.
    pub async fn patch<P: Patch>(&self, key: &str, patch: &P) -> Result<P::Answer, Error> {
        Ok(self.patch_with(key, patch, &PatchOptions::default()).await?.answer)
    }

    /// Changes the object under `key` in place as `options` say.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] when the condition does not hold, and those of [`Client::patch`].
    pub async fn patch_with<P: Patch>(
        &self,
        key: &str,
        patch: &P,
        options: &PatchOptions,
    ) -> Result<Patched<P::Answer>, Error> {
        let mut call = write(Method::PATCH, key, options.ttl, &options.condition)?;
        call.repeat = Repeat::Harmful;
        call.headers.insert(CONTENT_TYPE, header(patch.content_type(), "content type")?);
        call.payload = Value::from(patch.document()?).0;
        let answer = self.0.send(&call).await?;
        let created = answer.status == StatusCode::CREATED;
        if !created && answer.status != StatusCode::OK {
            return Err(answer.into_error());
        }
        let object = read_object(answer)?;
        let (etag, served) = (object.info.etag.clone(), object.info.served.clone());
        Ok(Patched { answer: patch.read(object)?, created, etag, served })
    }

    /// Where `key` lives, as the node that is asked sees it; whether there is such an object does not matter.
    ///
    /// # Errors
    /// Those of every operation.
    pub async fn locate(&self, key: &str) -> Result<Location, Error> {
        self.report(object_path("/cluster/locate/", key)?).await
    }

    /// The ring, as the node that is asked sees it.
    ///
    /// # Errors
    /// Those of every operation.
    pub async fn cluster(&self) -> Result<ClusterReport, Error> {
        self.report("/cluster".into()).await
    }

    /// Whether the process of the first configured node lives; no other is asked.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nothing answers.
    pub async fn healthz(&self) -> Result<bool, Error> {
        self.check("/healthz").await
    }

    /// Whether the first configured node takes traffic now; no other is asked.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nothing answers.
    pub async fn readyz(&self) -> Result<bool, Error> {
        self.check("/readyz").await
    }

    async fn check(&self, path: &str) -> Result<bool, Error> {
        let answer = self.0.send_to_first(&Call::get(path.into())).await?;
        match answer.status {
            status if status.is_success() => Ok(true),
            StatusCode::SERVICE_UNAVAILABLE => Ok(false),
            _ => Err(answer.into_error()),
        }
    }

    async fn report<T: DeserializeOwned>(&self, path: String) -> Result<T, Error> {
        let answer = self.0.send(&Call::get(path)).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.into_error());
        }
        let node = answer.node.clone();
        serde_json::from_slice(&answer.into_bytes())
            .map_err(|error| Error::Protocol { node, why: format!("its report is not readable: {error}") })
    }
}

fn write(method: Method, key: &str, ttl: Option<Ttl>, condition: &Condition) -> Result<Call, Error> {
    let mut call = Call::object(method, key)?;
    call.repeat = if condition.is_always() { Repeat::Harmless } else { Repeat::Harmful };
    condition.write_to(&mut call.headers);
    if let Some(ttl) = ttl {
        call.headers.insert(X_TTL, ttl.as_seconds().into());
    }
    Ok(call)
}

fn header(text: &str, what: &str) -> Result<HeaderValue, Error> {
    let visible = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let value = HeaderValue::from_str(text).ok().filter(|_| visible && !text.trim().is_empty());
    value.ok_or_else(|| {
        Error::BadArgument(format!(
            "the {what} {text:?} cannot be sent; it is one or more visible ASCII characters"
        ))
    })
}

/// A 404 says that there is no object, unless it says that there is no such path.
fn missing(answer: Answer) -> Result<(), Error> {
    let node = answer.node.clone();
    let problem = Problem::read(answer.status, &answer.into_bytes());
    let is_path = problem.code == Problem::NO_SUCH_PATH;
    if is_path { Err(Error::Protocol { node, why: problem.to_string() }) } else { Ok(()) }
}

fn read_object(answer: Answer) -> Result<Object, Error> {
    let mut info = ObjectInfo::read(&answer.node, &answer.headers)?;
    let partial = answer.status == StatusCode::PARTIAL_CONTENT;
    let value: Bytes = answer.into_bytes();
    if !partial {
        info.length = Some(value.len() as u64);
    }
    Ok(Object { value, info })
}

fn range_ignored(answer: Answer) -> Error {
    Error::Protocol { node: answer.node, why: "it answered a range with the whole value".into() }
}
