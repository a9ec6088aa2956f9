//! `/objects/{key}`: the object API's handlers.
//!
//! They translate between HTTP and [`Operation`]s and decide nothing about objects. What is wrong with a request
//! is found in this order: method, key, headers, announced length, body; the owner checks conditions, then the
//! patch, then room.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_RANGE, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use ringhold_ring::Key;

use super::App;
use super::answer::{self, Body, Head};
use super::body::{Allowance, Upload};
use super::headers::Fields;
use super::problem::{Code, Problem};
use super::range::{self, Selected};
use crate::object::{Answer, ContentType, Delivery, Object, Operation, Outcome, PatchEffect};
use crate::patch::PatchKind;

const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, DELETE, PATCH, OPTIONS");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const PATCH_KINDS: HeaderValue = HeaderValue::from_static(PatchKind::ACCEPT_PATCH);

/// What is asked about an object.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    /// Percent-encoded.
    pub(super) raw_key: &'a str,
    pub(super) fields: &'a Fields<'a>,
}

/// Answers a request for an object.
pub(super) async fn answer(app: &App, asked: &Asked<'_>, upload: &mut Upload) -> Response<Body> {
    if asked.method == Method::OPTIONS {
        return options();
    }
    match carry_out(app, asked, upload).await {
        Ok(answer) => response(app, asked, answer),
        Err(problem) => problem.into_response(),
    }
}

/// Does what is asked.
pub(super) async fn carry_out(app: &App, asked: &Asked<'_>, upload: &mut Upload) -> Result<Answer, Problem> {
    let mut sound = sound(asked)?;
    let mut received = None;
    if let Some(body) = body_of(&mut sound.operation) {
        let upload = received.insert(upload.receive(app.allowance()).await?);
        *body = std::mem::take(&mut upload.bytes);
    }
    let answer = sound.carry_out(app).await;
    drop(received);
    Ok(answer)
}

/// A request in which nothing is wrong up to its body, which is still missing.
pub(super) struct Sound<'a> {
    key: Key<'a>,
    operation: Operation,
    delivery: Delivery,
}

impl Sound<'_> {
    /// Takes a body that has arrived and is no longer than it may be, if there is to be one.
    pub(super) fn take_body(&mut self, arrived: impl FnOnce() -> Bytes) {
        if let Some(body) = body_of(&mut self.operation) {
            *body = arrived();
        }
    }

    /// Does what is asked.
    pub(super) async fn carry_out(self, app: &App) -> Answer {
        let Self { key, operation, delivery } = self;
        app.objects.execute(&key, operation, delivery).await
    }

    /// Does what is asked, if nothing has to be waited for.
    pub(super) fn carry_out_at_once(&self, app: &App) -> Option<Answer> {
        app.objects.execute_at_once(&self.key, &self.operation, self.delivery)
    }

    /// Does what could not be done at once.
    pub(super) async fn carry_out_in_time(self, app: &App) -> Answer {
        let Self { key, operation, delivery } = self;
        app.objects.execute_in_time(&key, operation, delivery).await
    }
}

/// What is asked, if nothing is wrong with it.
pub(super) fn sound<'a>(asked: &Asked<'a>) -> Result<Sound<'a>, Problem> {
    let Asked { method, raw_key, fields } = *asked;
    let verb = Verb::of(method)?;
    let key = Key::from_path(raw_key)?;
    let delivery = match verb {
        Verb::Get => fields.read_delivery()?,
        Verb::Put | Verb::Delete | Verb::Patch => fields.write_delivery()?,
    };
    let operation = match verb {
        Verb::Get => Operation::Get { conditions: fields.read_conditions()? },
        Verb::Delete => Operation::Delete { conditions: fields.write_conditions()? },
        Verb::Put => put(fields)?,
        Verb::Patch => patch(fields)?,
    };
    Ok(Sound { key, operation, delivery })
}

/// Where the body of a request goes that has one.
const fn body_of(operation: &mut Operation) -> Option<&mut Bytes> {
    match operation {
        Operation::Put { value, .. } => Some(value),
        Operation::Patch { document, .. } => Some(document),
        Operation::Get { .. } | Operation::Delete { .. } => None,
    }
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

fn put(fields: &Fields<'_>) -> Result<Operation, Problem> {
    let ttl = fields.ttl()?;
    let conditions = fields.write_conditions()?;
    let content_type = fields.content_type()?.unwrap_or_default();
    fields.check_body_is_plain()?;
    Ok(Operation::Put { value: Bytes::new(), content_type, ttl, conditions })
}

fn patch(fields: &Fields<'_>) -> Result<Operation, Problem> {
    let ttl = fields.ttl()?;
    let conditions = fields.write_conditions()?;
    let (kind, content_type) = patch_kind(fields.content_type()?)?;
    fields.check_body_is_plain()?;
    Ok(Operation::Patch { kind, document: Bytes::new(), content_type, ttl, conditions })
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

/// The answer, whatever came of the request.
pub(super) fn response(app: &App, asked: &Asked<'_>, answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match usual(app, asked, answer, &mut response) {
        Ok(value) => {
            *response.body_mut() = Body::whole(value);
            response
        }
        Err(answer) => unusual(app, asked, answer),
    }
}

/// Writes the head of an answer that only tells what an object is now, and gives its body; or gives the answer back.
pub(super) fn usual(
    app: &App,
    asked: &Asked<'_>,
    answer: Answer,
    head: &mut impl Head,
) -> Result<Bytes, Answer> {
    let Answer { result, member, route } = answer;
    let mut value = Bytes::new();
    match result {
        Ok(Outcome::Found(object)) if !asked.is_for_a_part() => {
            value = whole(app, StatusCode::OK, object, head);
        }
        Ok(Outcome::NotModified(object)) => {
            head.begin(StatusCode::NOT_MODIFIED);
            answer::put_version(head, &object, &app.clock);
        }
        Ok(Outcome::Created(version)) => {
            head.begin(StatusCode::CREATED);
            answer::put_entity_tag(head, version);
        }
        Ok(Outcome::Replaced(version)) => {
            head.begin(StatusCode::NO_CONTENT);
            answer::put_entity_tag(head, version);
        }
        Ok(Outcome::Deleted) => head.begin(StatusCode::NO_CONTENT),
        Ok(Outcome::Patched { object, effect }) => {
            let is_new = effect == PatchEffect::Created;
            value = whole(app, if is_new { StatusCode::CREATED } else { StatusCode::OK }, object, head);
            if effect == PatchEffect::Overtaken {
                answer::put_overtaken(head);
            }
        }
        result => return Err(Answer { result, member, route }),
    }
    answer::put_executor(head, &member, route);
    Ok(value)
}

fn unusual(app: &App, asked: &Asked<'_>, answer: Answer) -> Response<Body> {
    let mut response = match answer.result {
        Ok(Outcome::Found(object)) => read(app, asked.fields, object),
        Ok(_) => Problem::from(Code::ObjectNotFound).into_response(),
        Err(refusal) => Problem::from(refusal).into_response(),
    };
    answer::put_executor(&mut response, &answer.member, answer.route);
    response
}

impl Asked<'_> {
    /// Whether it is a `GET`, which alone may ask for a part (RFC 9110 section 14.2), with a range.
    fn is_for_a_part(&self) -> bool {
        *self.method == Method::GET && self.fields.range.once().is_some()
    }
}

/// A `GET` with a range.
fn read(app: &App, fields: &Fields<'_>, object: Object) -> Response<Body> {
    let length = object.value.len();
    let mut response = Response::new(Body::empty());
    match part(app, fields, &object) {
        Selected::Whole => {
            let value = whole(app, StatusCode::OK, object, &mut response);
            *response.body_mut() = Body::whole(value);
        }
        Selected::Part { first, last } => {
            let part = Object { value: object.value.slice(first..=last), ..object };
            let value = whole(app, StatusCode::PARTIAL_CONTENT, part, &mut response);
            *response.body_mut() = Body::whole(value);
            put_content_range(&mut response, format_args!("bytes {first}-{last}/{length}"));
        }
        Selected::Unsatisfiable => {
            response = Problem::from(Code::RangeNotSatisfiable).into_response();
            put_content_range(&mut response, format_args!("bytes */{length}"));
        }
    }
    response
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

fn whole(app: &App, status: StatusCode, object: Object, head: &mut impl Head) -> Bytes {
    head.begin(status);
    answer::put_content_type(head, &object.content_type);
    answer::put_version(head, &object, &app.clock);
    answer::put_accept_ranges(head);
    object.value
}

impl App {
    /// What a body may cost that becomes one object.
    pub(super) fn allowance(&self) -> Allowance<'_> {
        Allowance { max_bytes: self.max_object_bytes, pause: self.limits.body_timeout, budget: &self.bodies }
    }
}
