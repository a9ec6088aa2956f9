//! The Repose dialect: `/powerapi/dist-datastore/objects/{key}` as Repose's servlet answers it, with opaque bytes
//! in place of serialized Java objects. It translates; nothing else knows of it.
//!
//! The key space is that of `/objects`: the 36 characters are the key's text. Errors are Repose's plain texts, not
//! problem documents, and are found in its order: key, time to live, size, behaviour.

use bytes::Bytes;
use http::header::{ALLOW, HeaderValue};
use http::{Method, Response, StatusCode, Version, request};
use ringhold_ring::{Key, Ttl};

use super::App;
use super::answer::{self, Body};
use super::body::{Allowance, BodyError, Upload};
use super::headers::{self, Field, Fields};
use crate::object::{Answer, Conditions, ContentType, Forwarding, Operation, Outcome, Refusal};
use crate::patch::PatchKind;

/// Where the dialect lives, compared with the path as it was sent.
pub(super) const PREFIX: &str = "/powerapi/dist-datastore/objects/";

const KEY_BYTES: usize = 36;
const DEFAULT_TTL_SECONDS: u64 = 60;
const MAX_OBJECT_BYTES: usize = 2 << 20;

// Repose leaves out PATCH, which it knows, and lists TRACE, which it refuses; nobody can depend on either.
const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, PATCH, DELETE, OPTIONS");

const BAD_KEY: &str = "Cache key specified is invalid";
const BAD_TTL: &str = "X-TTL must be a valid, positive integer number";
const BAD_BEHAVIOR: &str = "X-PP-Datastore-Behavior header is not an expected value";
const TOO_LARGE: &str = "Object is too large to store into the cache.";

/// Answers a request in the dialect; `raw_key` is the rest of the path, not decoded.
pub(super) async fn answer(
    app: &App,
    head: &request::Parts,
    fields: &Fields<'_>,
    raw_key: &str,
    upload: &mut Upload,
) -> Response<Body> {
    let answered = match head.method {
        Method::GET | Method::HEAD => get(app, fields, raw_key).await,
        Method::PUT => write(app, fields, raw_key, upload, Write::Put).await,
        Method::PATCH => write(app, fields, raw_key, upload, Write::Patch).await,
        Method::DELETE => delete(app, fields, raw_key).await,
        Method::OPTIONS => Ok(allow(StatusCode::OK)),
        Method::POST if head.version == Version::HTTP_10 => Err(Failure::bare(StatusCode::BAD_REQUEST)),
        Method::POST | Method::TRACE => Ok(allow(StatusCode::METHOD_NOT_ALLOWED)),
        _ => Err(Failure::bare(StatusCode::NOT_IMPLEMENTED)),
    };
    answered.unwrap_or_else(Failure::into_response)
}

/// A status and Repose's text for it.
struct Failure {
    status: StatusCode,
    text: &'static str,
}

impl Failure {
    const fn bare(status: StatusCode) -> Self {
        Self { status, text: "" }
    }

    fn into_response(self) -> Response<Body> {
        text(self.status, self.text)
    }
}

async fn get(app: &App, fields: &Fields<'_>, raw_key: &str) -> Result<Response<Body>, Failure> {
    let key = key(raw_key).ok_or(Failure { status: StatusCode::NOT_FOUND, text: BAD_KEY })?;
    let forwarding = forwarding(fields).ok_or(Failure::bare(StatusCode::BAD_REQUEST))?;
    let operation = Operation::Get { conditions: Conditions::default() };
    Ok(response(app.objects.execute(&key, operation, forwarding).await))
}

async fn delete(app: &App, fields: &Fields<'_>, raw_key: &str) -> Result<Response<Body>, Failure> {
    // A key that nothing can be stored under is deleted already.
    let key = key(raw_key).ok_or(Failure::bare(StatusCode::NO_CONTENT))?;
    let forwarding = forwarding(fields).ok_or(Failure::bare(StatusCode::BAD_REQUEST))?;
    let operation = Operation::Delete { conditions: Conditions::default() };
    Ok(response(app.objects.execute(&key, operation, forwarding).await))
}

#[derive(Clone, Copy)]
enum Write {
    Put,
    Patch,
}

async fn write(
    app: &App,
    fields: &Fields<'_>,
    raw_key: &str,
    upload: &mut Upload,
    write: Write,
) -> Result<Response<Body>, Failure> {
    let bad = |text| Failure { status: StatusCode::BAD_REQUEST, text };
    let key = key(raw_key).ok_or_else(|| bad(BAD_KEY))?;
    let ttl = Some(ttl(fields).ok_or_else(|| bad(BAD_TTL))?);
    let allowance = Allowance { max_bytes: app.max_object_bytes.min(MAX_OBJECT_BYTES), ..app.allowance() };
    let received = upload.receive(allowance).await?;
    let forwarding = forwarding(fields).ok_or_else(|| bad(BAD_BEHAVIOR))?;
    let (body, conditions) = (received.bytes.clone(), Conditions::default());
    let content_type = ContentType::OctetStream;
    let operation = match write {
        Write::Put => Operation::Put { value: body, content_type, ttl, conditions },
        Write::Patch => {
            Operation::Patch { kind: PatchKind::Append, document: body, content_type, ttl, conditions }
        }
    };
    let answer = app.objects.execute(&key, operation, forwarding).await;
    drop(received);
    Ok(response(answer))
}

/// Exactly 36 characters, whatever they are: not decoded, and compared with case.
fn key(raw_key: &str) -> Option<Key<'_>> {
    let plain = raw_key.len() == KEY_BYTES && raw_key.is_ascii();
    plain.then(|| Key::new(raw_key).ok()).flatten()
}

/// A blank header counts as none, and of several the first counts.
fn ttl(fields: &Fields<'_>) -> Option<Ttl> {
    match non_blank(fields.ttl) {
        Some(text) => headers::parse_ttl(text).ok(),
        None => Ttl::from_seconds(DEFAULT_TTL_SECONDS).ok(),
    }
}

fn forwarding(fields: &Fields<'_>) -> Option<Forwarding> {
    match non_blank(fields.behavior) {
        Some(text) => headers::parse_forwarding(text).ok(),
        None => Some(Forwarding::Allowed),
    }
}

fn non_blank(field: Field<'_>) -> Option<&[u8]> {
    field.first().filter(|text| !text.trim_ascii().is_empty())
}

fn response(answer: Answer) -> Response<Body> {
    let Answer { result, member, route } = answer;
    let mut response = match result {
        Ok(Outcome::Found(object) | Outcome::Patched { object, .. }) => {
            Response::new(Body::whole(object.value))
        }
        Ok(Outcome::Created(_) | Outcome::Replaced(_)) => answer::bare(StatusCode::ACCEPTED),
        Ok(Outcome::Deleted) => answer::bare(StatusCode::NO_CONTENT),
        Ok(Outcome::Missing | Outcome::NotModified(_)) => answer::bare(StatusCode::NOT_FOUND),
        Err(refusal) => refused(&refusal),
    };
    answer::put_executor(&mut response, &member, route);
    response
}

/// Where Repose knows no such case, the status is that of `/objects`, without a text.
fn refused(refusal: &Refusal) -> Response<Body> {
    match refusal {
        Refusal::TooLarge { .. } => text(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE),
        Refusal::MalformedPatch(_) | Refusal::PatchConflict(_) => answer::bare(StatusCode::BAD_REQUEST),
        Refusal::PreconditionFailed => answer::bare(StatusCode::PRECONDITION_FAILED),
        Refusal::StoreFull => answer::bare(StatusCode::INSUFFICIENT_STORAGE),
        Refusal::OutcomeUnknown(_)
        | Refusal::TooFewCopies { .. }
        | Refusal::NoMajority { .. }
        | Refusal::Unavailable(_) => answer::bare(StatusCode::SERVICE_UNAVAILABLE),
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { .. } => Self { status: StatusCode::PAYLOAD_TOO_LARGE, text: TOO_LARGE },
            BodyError::Broken | BodyError::TimedOut => Self::bare(StatusCode::INTERNAL_SERVER_ERROR),
            BodyError::Forged => Self::bare(StatusCode::UNAUTHORIZED),
            BodyError::Overloaded => Self::bare(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::whole(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

fn allow(status: StatusCode) -> Response<Body> {
    let mut response = answer::bare(status);
    response.headers_mut().insert(ALLOW, ALLOWED);
    response
}
