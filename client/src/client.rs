//! The operations. Each says what it sends and how its answer is read; who is asked is the fail-over's affair.

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RANGE};
use http::{HeaderValue, Method, StatusCode};
use ringhold_ring::Ttl;
use serde::de::DeserializeOwned;

use crate::call::{Answer, Body, Call, Take, object_path};
use crate::failover::Failover;
use crate::object::{OVERTAKEN, Stored, X_TTL, etag};
use crate::{
    BuildError, ByteRange, Changed, ClientBuilder, ClusterReport, Condition, EntityTag, Error,
    IdempotencyKey, Location, Object, ObjectInfo, ObjectStream, Patch, PatchOptions, Patched, Problem,
    Served, Value,
};

/// A client of one ring. Cloning is cheap; clones share their connections and what they know of the nodes.
#[derive(Clone, Debug)]
pub struct Client(Arc<Failover>);

/// How an object is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetOptions {
    /// Only this part of the value; none: all of it.
    pub range: Option<ByteRange>,
    /// Whether any member that keeps the object may answer, though its copy may be older than the last write.
    pub max_stale: bool,
}

impl GetOptions {
    /// Only this part.
    #[must_use]
    pub fn range(mut self, range: impl Into<ByteRange>) -> Self {
        self.range = Some(range.into());
        self
    }

    /// From any member that keeps it.
    #[must_use]
    pub fn max_stale(mut self) -> Self {
        self.max_stale = true;
        self
    }
}

/// How a value is to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// Its type; none: `application/octet-stream`.
    pub content_type: Option<String>,
    /// How long it lives; none: what the ring is configured with.
    pub ttl: Option<Ttl>,
    /// What must hold first.
    pub condition: Condition,
    /// What a repeat is recognised by; none: a random name, if there is a condition.
    pub idempotency_key: Option<IdempotencyKey>,
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

    /// Under this name.
    #[must_use]
    pub fn idempotency_key(mut self, key: IdempotencyKey) -> Self {
        self.idempotency_key = Some(key);
        self
    }
}

/// How an object is to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// What must hold first.
    pub condition: Condition,
    /// What a repeat is recognised by; none: a random name, if there is a condition.
    pub idempotency_key: Option<IdempotencyKey>,
}

impl DeleteOptions {
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
        self.get_with(key, &GetOptions::default()).await
    }

    /// A part of the value under `key`: as much of `range` as the value has.
    ///
    /// # Errors
    /// [`Error::RangeNotSatisfiable`] when the range begins behind the value's end, and those of [`Client::get`].
    pub async fn get_range(&self, key: &str, range: impl Into<ByteRange>) -> Result<Option<Object>, Error> {
        self.get_with(key, &GetOptions::default().range(range)).await
    }

    /// The object under `key`, read as `options` say.
    ///
    /// # Errors
    /// Those of [`Client::get_range`].
    pub async fn get_with(&self, key: &str, options: &GetOptions) -> Result<Option<Object>, Error> {
        self.read(key, options, Take::Whole).await?.map(read_object).transpose()
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
        self.get_stream_with(key, &GetOptions::default()).await
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
        self.get_stream_with(key, &GetOptions::default().range(range)).await
    }

    /// The object under `key`, read as `options` say, its value as a stream.
    ///
    /// # Errors
    /// Those of [`Client::get_range`].
    pub async fn get_stream_with(
        &self,
        key: &str,
        options: &GetOptions,
    ) -> Result<Option<ObjectStream>, Error> {
        let Some(answer) = self.read(key, options, Take::Head).await? else { return Ok(None) };
        let info = ObjectInfo::read(&answer.node, &answer.headers)?;
        let response = match answer.body {
            Body::Coming(response) => Some(response),
            Body::Whole(_) => None,
        };
        Ok(Some(ObjectStream::new(info, answer.node, response, self.0.timeout)))
    }

    /// The answer to a GET, if there is such an object.
    async fn read(&self, key: &str, options: &GetOptions, take: Take) -> Result<Option<Answer>, Error> {
        let mut call = Call { take, ..Call::object(Method::GET, key)? };
        let mut expected = StatusCode::OK;
        if let Some(range) = options.range {
            call.headers.insert(RANGE, range.to_header()?);
            expected = StatusCode::PARTIAL_CONTENT;
        }
        if options.max_stale {
            call.headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-stale"));
        }
        let answer = self.0.send(&call).await?;
        match answer.status {
            status if status == expected => Ok(Some(answer)),
            StatusCode::NOT_FOUND => missing(answer).map(|()| None),
            StatusCode::OK => Err(range_ignored(answer)),
            _ => Err(answer.into_error()),
        }
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

    /// Stores `value` under `key` as `options` say. A stream is sent only once.
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
        let mut call =
            write(Method::PUT, key, options.ttl, &options.condition, options.idempotency_key.clone())?;
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
        self.delete_with(key, &DeleteOptions::default()).await
    }

    /// Removes the object under `key`, if there is one, as `options` say.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] when the condition does not hold, [`Error::OutcomeUnknown`] when no answer says
    /// what happened, and those of every operation.
    pub async fn delete_with(&self, key: &str, options: &DeleteOptions) -> Result<Served, Error> {
        let DeleteOptions { condition, idempotency_key } = options;
        let call = write(Method::DELETE, key, None, condition, idempotency_key.clone())?;
        let answer = self.0.send(&call).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(Served::read(&answer.headers)),
            _ => Err(answer.into_error()),
        }
    }

    /// Changes the object under `key` in place; the answer is that of the patch's kind.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the stored value cannot take the patch, [`Error::BadRequest`] when it is malformed,
    /// [`Error::OutcomeUnknown`] when no answer says what happened, and those of every operation.
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
        let name = options.idempotency_key.clone().unwrap_or_else(IdempotencyKey::random);
        let mut call = write(Method::PATCH, key, options.ttl, &options.condition, Some(name))?;
        call.headers.insert(CONTENT_TYPE, header(patch.content_type(), "content type")?);
        call.payload = Value::from(patch.document()?).0;
        let answer = self.0.send(&call).await?;
        let created = answer.status == StatusCode::CREATED;
        if !created && answer.status != StatusCode::OK {
            return Err(answer.into_error());
        }
        let overtaken = answer.headers.contains_key(OVERTAKEN);
        let object = read_object(answer)?;
        let (etag, served) = (object.info.etag.clone(), object.info.served.clone());
        Ok(Patched { answer: patch.read(object)?, created, overtaken, etag, served })
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

/// A write; one whose second run might do harm gets a name, if it has none.
fn write(
    method: Method,
    key: &str,
    ttl: Option<Ttl>,
    condition: &Condition,
    name: Option<IdempotencyKey>,
) -> Result<Call, Error> {
    let mut call = Call::object(method, key)?;
    condition.write_to(&mut call.headers);
    if let Some(name) = name.or_else(|| (!condition.is_always()).then(IdempotencyKey::random)) {
        name.write_to(&mut call.headers);
    }
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
