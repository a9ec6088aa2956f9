//! Speaking plain HTTP to a member that does not know the stream: an older one, or one behind something that
//! forbids upgrades.
//!
//! `/objects/{key}` with `X-PP-Datastore-Behavior: DISALLOW_FORWARDING`, over a few kept connections. Invariant: a
//! status that no member of ours would answer with is never taken for an outcome. With a shared secret each request
//! bears a member token, and TLS protects the answer: without it `dial` never leads here.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    CONTENT_TYPE, ETAG, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use ringhold_ring::{Heartbeat, Incarnation, Key, MemberAddress, MemberState, Standing, Timestamp, Version};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::connect::{Connect, reason};
use super::connection::Trace;
use super::network::{Ask, Executed, Passage, Told};
use super::outbox::Fate;
use super::{Identity, message};
use crate::object::{
    Conditions, ContentType, Object, Operation, OperationId, Outcome, PatchEffect, Refusal, Tags,
};

/// Connections to one member at once.
const MAX_CONNECTIONS: usize = 16;

/// The largest problem body that is read for its detail.
const MAX_PROBLEM_BYTES: usize = 16 << 10;

const BEHAVIOR: HeaderName = HeaderName::from_static("x-pp-datastore-behavior");
const TTL: HeaderName = HeaderName::from_static("x-ttl");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MEMBER: HeaderName = HeaderName::from_static("x-ringhold-member");
const OVERTAKEN: HeaderName = HeaderName::from_static("x-ringhold-overtaken");

type Sender = SendRequest<Full<Bytes>>;

/// A member's plain HTTP door.
pub(super) struct PlainHttp {
    member: MemberAddress,
    connector: Arc<dyn Connect>,
    identity: Arc<Identity>,
    idle: Mutex<Vec<Sender>>,
    slots: Semaphore,
    stop: CancellationToken,
    /// When the upgrade is tried again.
    until: Timestamp,
}

/// A request that brought no outcome.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) fate: Fate,
    pub(super) cause: String,
}

impl Failed {
    fn unsent(cause: impl Into<String>) -> Self {
        Self { fate: Fate::Unsent, cause: cause.into() }
    }

    fn sent(cause: impl Into<String>) -> Self {
        Self { fate: Fate::Sent, cause: cause.into() }
    }
}

impl PlainHttp {
    /// For how long a member is spoken to this way before the upgrade is tried again.
    pub(super) const REMEMBERED: Duration = Duration::from_secs(60);

    pub(super) fn new(member: MemberAddress, connector: Arc<dyn Connect>, identity: Arc<Identity>) -> Self {
        let until = identity.clock().now() + Self::REMEMBERED;
        let (idle, slots, stop) =
            (Mutex::default(), Semaphore::new(MAX_CONNECTIONS), CancellationToken::new());
        Self { member, connector, identity, idle, slots, stop, until }
    }

    /// Whether it is too early to try the upgrade again.
    pub(super) fn is_usable(&self) -> bool {
        !self.stop.is_cancelled() && self.identity.clock().now() < self.until
    }

    /// Fails every request under way, now.
    pub(super) fn close(&self) {
        self.stop.cancel();
        self.slots.close();
        self.idle.lock().clear();
    }

    /// Sends an operation and waits for what comes of it. `trace` knows whether it may have left.
    pub(super) async fn execute(
        &self,
        key: &Key<'_>,
        operation: &Operation,
        passage: &Passage,
        trace: &Trace,
    ) -> Result<Executed, Failed> {
        if passage.instead_of.is_some() {
            return Err(Failed::unsent("a member without the stream cannot act in another's place"));
        }
        let path = format!("/objects/{}", key.to_path());
        let request = self.request(&path, operation, passage.id)?;
        let (parts, body) = self.exchange(request, self.identity.max_object_bytes(), trace).await?;
        let now = self.identity.clock().now();
        let answer = Answer { status: parts.status, headers: &parts.headers, body, now };
        answer.into_result(operation, self.identity.max_object_bytes()).map(Executed::Done)
    }

    /// Asks something else. Such a member tells nothing but how it is.
    pub(super) async fn ask(&self, ask: &Ask, trace: &Trace) -> Result<Told, Failed> {
        let Ask::Heartbeat(ours) = ask else {
            return Err(Failed::unsent("a member without the stream takes no copies"));
        };
        Ok(Told::Heartbeat(heartbeat(self.probe(trace).await?, ours)))
    }

    /// Asks whether the member is ready.
    async fn probe(&self, trace: &Trace) -> Result<MemberState, Failed> {
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = http::Uri::from_static("/readyz");
        let (parts, body) = self.exchange(request, MAX_PROBLEM_BYTES, trace).await?;
        let answer =
            Answer { status: parts.status, headers: &parts.headers, body, now: self.identity.clock().now() };
        match parts.status {
            // Many a server that is no member answers every path with 200, or with 503.
            status if !answer.is_of_member() => Err(not_a_member(status)),
            StatusCode::OK => Ok(MemberState::Ready),
            StatusCode::SERVICE_UNAVAILABLE => Ok(MemberState::Starting),
            status => Err(not_a_member(status)),
        }
    }

    fn request(
        &self,
        path: &str,
        operation: &Operation,
        id: Option<OperationId>,
    ) -> Result<http::Request<Bytes>, Failed> {
        let (method, conditions, ttl) = match operation {
            Operation::Get { conditions } => (Method::GET, conditions, None),
            Operation::Put { conditions, ttl, .. } => (Method::PUT, conditions, *ttl),
            Operation::Delete { conditions } => (Method::DELETE, conditions, None),
            Operation::Patch { conditions, ttl, .. } => (Method::PATCH, conditions, *ttl),
        };
        let value = message::value_of(operation);
        let mut request = http::Request::new(value.map(|(value, _)| value.clone()).unwrap_or_default());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|error| Failed::unsent(format!("{path}: {error}")))?;
        let headers = request.headers_mut();
        headers.insert(BEHAVIOR, HeaderValue::from_static("DISALLOW_FORWARDING"));
        if let Some((_, content_type)) = value
            && let Ok(content_type) = HeaderValue::from_str(content_type.as_str())
        {
            headers.insert(CONTENT_TYPE, content_type);
        }
        if let Some(ttl) = ttl {
            headers.insert(TTL, ttl.as_seconds().into());
        }
        // The client's own name is known only by its digest: the member recognises repeats that come this way again.
        if let Some(Ok(name)) = id.map(|id| format!("{:032x}", id.as_u128()).try_into()) {
            headers.insert(IDEMPOTENCY_KEY, name);
        }
        put_conditions(headers, conditions);
        Ok(request)
    }

    /// One request and its whole answer. A kept connection that has died meanwhile is replaced unnoticed.
    async fn exchange(
        &self,
        request: http::Request<Bytes>,
        limit: usize,
        trace: &Trace,
    ) -> Result<(http::response::Parts, Bytes), Failed> {
        let host = HeaderValue::from_str(&self.member.to_string());
        let (body, mut request) = (request.body().clone(), request.map(Full::new));
        request.headers_mut().insert(HOST, host.map_err(|error| Failed::unsent(error.to_string()))?);
        let disconnected = "it was disconnected";
        let _slot = self.slots.acquire().await.map_err(|_| Failed::unsent(disconnected))?;
        let exchange = async {
            loop {
                let kept = self.idle.lock().pop();
                let is_kept = kept.is_some();
                let mut sender = match kept {
                    Some(sender) => sender,
                    None => self.connect().await?,
                };
                if is_kept && sender.ready().await.is_err() {
                    continue;
                }
                if let Some(secrets) = self.identity.secrets() {
                    let signed =
                        secrets.sign(&mut request, &body, &self.member, self.identity.clock().wall());
                    signed
                        .map_err(|error| Failed::unsent(format!("no member token can be made: {error}")))?;
                }
                trace.set(Fate::Sent);
                let mut error = match sender.try_send_request(request).await {
                    Ok(response) => return self.receive(response, sender, limit).await,
                    Err(error) => error,
                };
                match error.take_message() {
                    Some(unsent) => {
                        trace.set(Fate::Unsent);
                        if !is_kept {
                            return Err(Failed::unsent(reason(error.error())));
                        }
                        request = unsent;
                    }
                    None => return Err(Failed::sent(reason(error.error()))),
                }
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Failed { fate: trace.fate(), cause: disconnected.into() }),
            result = exchange => result,
        }
    }

    async fn connect(&self) -> Result<Sender, Failed> {
        let connected = self.connector.connect(&self.member).await;
        let connected =
            connected.map_err(|error| Failed::unsent(format!("cannot connect: {}", reason(&error))))?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(connected.stream))
            .await
            .map_err(|error| Failed::unsent(reason(&error)))?;
        // Its errors reach whoever uses the sender; it ends when the sender is dropped.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn receive(
        &self,
        response: Response<Incoming>,
        sender: Sender,
        limit: usize,
    ) -> Result<(http::response::Parts, Bytes), Failed> {
        let (parts, body) = response.into_parts();
        let limit = if parts.status.is_success() { limit } else { MAX_PROBLEM_BYTES };
        let body = Limited::new(body, limit).collect().await;
        let body = body.map_err(|error| Failed::sent(format!("its answer broke off: {error}")))?;
        if !self.stop.is_cancelled() {
            self.idle.lock().push(sender);
        }
        Ok((parts, body.to_bytes()))
    }
}

/// What a member that knows no heartbeats would say to `ours`: it agrees with everything, and holds nobody up.
const fn heartbeat(state: MemberState, ours: &Heartbeat) -> Heartbeat {
    Heartbeat {
        acts: true,
        unsettled: false,
        incarnation: Incarnation::new(0),
        number: 0,
        state,
        ring: ours.ring,
        target: ours.target,
        prepared: true,
        knows: Some(ours.incarnation),
        sees: Standing::Online,
        damages: 0,
        online: 1,
        handed: true,
    }
}

/// What a member answered.
struct Answer<'a> {
    status: StatusCode,
    headers: &'a HeaderMap,
    body: Bytes,
    now: Timestamp,
}

impl Answer<'_> {
    fn into_result(self, operation: &Operation, limit: usize) -> Result<Result<Outcome, Refusal>, Failed> {
        if !self.is_of_member() {
            return Err(not_a_member(self.status));
        }
        let outcome = match (operation, self.status) {
            (Operation::Get { .. }, StatusCode::OK) => Outcome::Found(self.object()?),
            (Operation::Get { .. }, StatusCode::NOT_MODIFIED) => Outcome::NotModified(self.object()?),
            (Operation::Get { .. }, StatusCode::NOT_FOUND) => Outcome::Missing,
            (Operation::Put { .. }, StatusCode::CREATED) => Outcome::Created(self.version()?),
            (Operation::Put { .. }, StatusCode::NO_CONTENT) => Outcome::Replaced(self.version()?),
            (Operation::Delete { .. }, StatusCode::NO_CONTENT) => Outcome::Deleted,
            (Operation::Patch { .. }, StatusCode::OK) => {
                let is_overtaken = self.headers.contains_key(OVERTAKEN);
                let effect = if is_overtaken { PatchEffect::Overtaken } else { PatchEffect::Changed };
                Outcome::Patched { object: self.object()?, effect }
            }
            (Operation::Patch { .. }, StatusCode::CREATED) => {
                Outcome::Patched { object: self.object()?, effect: PatchEffect::Created }
            }
            _ => return self.refusal(operation, limit).map(Err),
        };
        Ok(Ok(outcome))
    }

    fn refusal(&self, operation: &Operation, limit: usize) -> Result<Refusal, Failed> {
        let is_patch = matches!(operation, Operation::Patch { .. });
        let (code, detail) = self.problem();
        Ok(match self.status {
            StatusCode::PRECONDITION_FAILED => Refusal::PreconditionFailed,
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge { limit },
            StatusCode::INSUFFICIENT_STORAGE => Refusal::StoreFull,
            StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE if is_patch => {
                Refusal::MalformedPatch(detail)
            }
            StatusCode::CONFLICT if is_patch => Refusal::PatchConflict(detail),
            _ if code == "outcome-unknown" => Refusal::OutcomeUnknown(detail),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                return Err(Failed::unsent(format!("it refuses access with status {status}")));
            }
            status => return Err(Failed::sent(format!("it answered with status {status}: {detail}"))),
        })
    }

    fn is_of_member(&self) -> bool {
        self.is_problem() || self.headers.contains_key(MEMBER)
    }

    fn is_problem(&self) -> bool {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        content_type.is_some_and(|text| text.starts_with("application/problem+json"))
    }

    fn problem(&self) -> (String, String) {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let field =
            |name: &str| problem.get(name).and_then(|value| value.as_str()).unwrap_or_default().into();
        (field("code"), field("detail"))
    }

    fn version(&self) -> Result<Version, Failed> {
        let tag = self.headers.get(ETAG).map(HeaderValue::as_bytes).unwrap_or_default();
        Version::from_entity_tag(tag).map_err(|_| not_a_member(self.status))
    }

    fn object(&self) -> Result<Object, Failed> {
        let broken = |_| not_a_member(self.status);
        let content_type = match self.headers.get(CONTENT_TYPE) {
            Some(value) => ContentType::parse(value.as_bytes()).map_err(broken)?,
            None => ContentType::default(),
        };
        let seconds_left = self.headers.get(TTL).and_then(|value| value.to_str().ok()?.parse().ok());
        let expires_at = seconds_left.map(|seconds| self.now + Duration::from_secs(seconds));
        Ok(Object { value: self.body.clone(), content_type, version: self.version()?, expires_at })
    }
}

fn not_a_member(status: StatusCode) -> Failed {
    Failed::unsent(format!("not a member of this ring: it answered with status {status}, as no member would"))
}

fn put_conditions(headers: &mut HeaderMap, conditions: &Conditions) {
    let mut tags = |name: HeaderName, tags: &Option<Tags>| {
        let list = match tags {
            None => return,
            Some(Tags::Any) => "*".to_owned(),
            // An empty list matches no object of ours; nor does this.
            Some(Tags::Of(versions)) if versions.is_empty() => "\"\"".to_owned(),
            Some(Tags::Of(versions)) => {
                let tags: Vec<_> = versions.iter().map(|version| format!("\"{version}\"")).collect();
                tags.join(", ")
            }
        };
        if let Ok(list) = list.try_into() {
            headers.insert(name, list);
        }
    };
    tags(IF_MATCH, &conditions.if_match);
    tags(IF_NONE_MATCH, &conditions.if_none_match);
    let mut since = |name: HeaderName, since: Option<Timestamp>| {
        let date = since.map(|since| SystemTime::UNIX_EPOCH + Duration::from_millis(since.as_millis()));
        // A date that the format cannot hold would make it panic.
        let date = date.filter(|date| *date < SystemTime::UNIX_EPOCH + MAX_HTTP_DATE);
        if let Some(Ok(text)) = date.map(|date| httpdate::fmt_http_date(date).try_into()) {
            headers.insert(name, text);
        }
    };
    since(IF_MODIFIED_SINCE, conditions.if_modified_since);
    since(IF_UNMODIFIED_SINCE, conditions.if_unmodified_since);
}

/// The year 9999 is the last one that an HTTP date can name.
const MAX_HTTP_DATE: Duration = Duration::from_secs(253_402_300_800);
