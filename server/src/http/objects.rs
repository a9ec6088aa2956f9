//! `/objects/{key}`: the object API's handlers.
//!
//! They translate between HTTP and [`Operation`]s and decide nothing about objects. What is wrong with a request
//! is found in this order: method, key, headers, announced length, body; the owner checks conditions, then the
//! patch, then room.

use http::header::{ACCEPT_RANGES, ALLOW, CONTENT_RANGE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode, request};
use ringhold_ring::Key;

use super::App;
use super::answer::{self, Body};
use super::body::{Allowance, Received, Upload};
use super::headers::Fields;
use super::problem::{Code, Problem};
use super::range::{self, Selected};
use crate::object::{Answer, ContentType, Object, Operation, Outcome};
use crate::patch::PatchKind;

const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, DELETE, PATCH, OPTIONS");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const PATCH_KINDS: HeaderValue = HeaderValue::from_static(PatchKind::ACCEPT_PATCH);

/// Headers of an object that never expires. A map for more takes over a kibibyte, beyond what allocators keep at hand.
const USUAL_HEADERS: usize = 6;

/// Answers a request for the object whose key is the percent-encoded `raw_key`.
pub(super) async fn answer(
    app: &App,
    head: &request::Parts,
    fields: &Fields<'_>,
    raw_key: &str,
    upload: &mut Upload,
) -> Response<Body> {
    if head.method == Method::OPTIONS {
        return options();
    }
    carry_out(app, head, fields, raw_key, upload).await.unwrap_or_else(Problem::into_response)
}

/// Answers a sound request for an object that this node itself may read; nothing else, which [`answer`] is for.
pub(super) fn read_here(
    app: &App,
    headers: &HeaderMap,
    fields: &Fields<'_>,
    method: &Method,
    raw_key: &str,
) -> Option<Response<Body>> {
    let key = Key::from_path(raw_key).ok()?;
    let conditions = fields.read_conditions(headers).ok()?;
    let answer = app.objects.read_here(&key, &conditions, fields.read_delivery().ok()?)?;
    Some(response(app, fields, method, answer))
}

async fn carry_out(
    app: &App,
    head: &request::Parts,
    fields: &Fields<'_>,
    raw_key: &str,
    upload: &mut Upload,
) -> Result<Response<Body>, Problem> {
    let verb = Verb::of(&head.method)?;
    let key = Key::from_path(raw_key)?;
    let delivery = match verb {
        Verb::Get => fields.read_delivery()?,
        Verb::Put | Verb::Delete | Verb::Patch => fields.write_delivery()?,
    };
    let (operation, received) = match verb {
        Verb::Get => (Operation::Get { conditions: fields.read_conditions(&head.headers)? }, None),
        Verb::Delete => (Operation::Delete { conditions: fields.write_conditions(&head.headers)? }, None),
        Verb::Put => Box::pin(put(app, head, fields, upload)).await.map(|(put, body)| (put, Some(body)))?,
        Verb::Patch => {
            Box::pin(patch(app, head, fields, upload)).await.map(|(patch, body)| (patch, Some(body)))?
        }
    };
    let answer = app.objects.execute(&key, operation, delivery).await;
    drop(received);
    Ok(response(app, fields, &head.method, answer))
}

/// The methods that reach an object; `HEAD` is a `GET` whose value stays here.
#[derive(Clone, Copy)]
enum Verb {
    Get,
    Put,
    Delete,
    Patch,
}

impl Verb {
    fn of(method: &Method) -> Result<Self, Problem> {
        match *method {
            Method::GET | Method::HEAD => Ok(Self::Get),
            Method::PUT => Ok(Self::Put),
            Method::DELETE => Ok(Self::Delete),
            Method::PATCH => Ok(Self::Patch),
            _ => Err(Problem::from(Code::MethodNotAllowed).with(ALLOW, ALLOWED)),
        }
    }
}

async fn put<'a>(
    app: &'a App,
    head: &request::Parts,
    fields: &Fields<'_>,
    upload: &mut Upload,
) -> Result<(Operation, Received<'a>), Problem> {
    let ttl = fields.ttl()?;
    let conditions = fields.write_conditions(&head.headers)?;
    let content_type = fields.content_type()?.unwrap_or_default();
    fields.check_body_is_plain()?;
    let received = upload.receive(app.allowance()).await?;
    let value = received.bytes.clone();
    Ok((Operation::Put { value, content_type, ttl, conditions }, received))
}

async fn patch<'a>(
    app: &'a App,
    head: &request::Parts,
    fields: &Fields<'_>,
    upload: &mut Upload,
) -> Result<(Operation, Received<'a>), Problem> {
    let ttl = fields.ttl()?;
    let conditions = fields.write_conditions(&head.headers)?;
    let (kind, content_type) = patch_kind(fields.content_type()?)?;
    fields.check_body_is_plain()?;
    let received = upload.receive(app.allowance()).await?;
    let document = received.bytes.clone();
    Ok((Operation::Patch { kind, document, content_type, ttl, conditions }, received))
}

fn patch_kind(content_type: Option<ContentType>) -> Result<(PatchKind, ContentType), Problem> {
    let unsupported = || Problem::from(Code::UnsupportedPatch).with(ACCEPT_PATCH, PATCH_KINDS);
    let content_type = content_type.ok_or_else(unsupported)?;
    let kind = PatchKind::from_content_type(&content_type).ok_or_else(unsupported)?;
    Ok((kind, content_type))
}

fn options() -> Response<Body> {
    let mut response = answer::bare(StatusCode::NO_CONTENT);
    response.headers_mut().insert(ALLOW, ALLOWED);
    response.headers_mut().insert(ACCEPT_PATCH, PATCH_KINDS);
    response
}

fn response(app: &App, fields: &Fields<'_>, method: &Method, answer: Answer) -> Response<Body> {
    let Answer { result, member, route } = answer;
    let mut response = match result {
        Ok(Outcome::Found(object)) if *method == Method::GET => read(app, fields, object),
        Ok(Outcome::Found(object)) => whole(app, StatusCode::OK, object),
        Ok(Outcome::NotModified(object)) => {
            let mut response = answer::bare(StatusCode::NOT_MODIFIED);
            answer::put_version(response.headers_mut(), &object, &app.clock);
            response
        }
        Ok(Outcome::Missing) => Problem::from(Code::ObjectNotFound).into_response(),
        Ok(Outcome::Created(version)) => written(StatusCode::CREATED, version),
        Ok(Outcome::Replaced(version)) => written(StatusCode::NO_CONTENT, version),
        Ok(Outcome::Deleted) => answer::bare(StatusCode::NO_CONTENT),
        Ok(Outcome::Patched { object, created }) => {
            whole(app, if created { StatusCode::CREATED } else { StatusCode::OK }, object)
        }
        Err(refusal) => Problem::from(refusal).into_response(),
    };
    answer::put_executor(response.headers_mut(), member, route);
    response
}

fn written(status: StatusCode, version: ringhold_ring::Version) -> Response<Body> {
    let mut response = answer::bare(status);
    answer::put_entity_tag(response.headers_mut(), version);
    response
}

/// A `GET`, which alone may ask for a part (RFC 9110 section 14.2).
fn read(app: &App, fields: &Fields<'_>, object: Object) -> Response<Body> {
    let length = object.value.len();
    match part(app, fields, &object) {
        Selected::Whole => whole(app, StatusCode::OK, object),
        Selected::Part { first, last } => {
            let part = Object { value: object.value.slice(first..=last), ..object };
            let mut response = whole(app, StatusCode::PARTIAL_CONTENT, part);
            put_content_range(&mut response, format_args!("bytes {first}-{last}/{length}"));
            response
        }
        Selected::Unsatisfiable => {
            let mut response = Problem::from(Code::RangeNotSatisfiable).into_response();
            put_content_range(&mut response, format_args!("bytes */{length}"));
            response
        }
    }
}

fn part(app: &App, fields: &Fields<'_>, object: &Object) -> Selected {
    let Some(range) = fields.range.once() else {
        return Selected::Whole;
    };
    let permitted = match fields.if_range.first() {
        Some(if_range) => range::permits(if_range, object.version, app.clock.now()),
        None => true,
    };
    if permitted { range::select(range, object.value.len()) } else { Selected::Whole }
}

fn put_content_range(response: &mut Response<Body>, range: std::fmt::Arguments<'_>) {
    if let Ok(value) = HeaderValue::try_from(range.to_string()) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
}

fn whole(app: &App, status: StatusCode, object: Object) -> Response<Body> {
    let mut headers = HeaderMap::with_capacity(USUAL_HEADERS);
    answer::put_content_type(&mut headers, &object.content_type);
    answer::put_version(&mut headers, &object, &app.clock);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let mut response = Response::new(Body::whole(object.value));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

impl App {
    /// What a body may cost that becomes one object.
    pub(super) fn allowance(&self) -> Allowance<'_> {
        Allowance { max_bytes: self.max_object_bytes, pause: self.limits.body_timeout, budget: &self.bodies }
    }
}
