//! Answers on their way out: their body, and the headers that tell of an object.
//!
//! No value is copied here, and nothing is formatted that the answer does not need.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED};
use http::{Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use httpdate::HttpDate;
use ringhold_ring::{Timestamp, Version};

use crate::clock::Clock;
use crate::object::{ContentType, Object, Route};

pub(super) const X_TTL: HeaderName = HeaderName::from_static("x-ttl");
pub(super) const X_RINGHOLD_MEMBER: HeaderName = HeaderName::from_static("x-ringhold-member");
pub(super) const X_RINGHOLD_ROUTE: HeaderName = HeaderName::from_static("x-ringhold-route");

/// The body of an answer.
#[derive(Debug)]
pub struct Body(Source);

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    Other(axum::body::Body),
}

impl Body {
    /// No body.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Source::Whole(None))
    }

    /// All of these bytes.
    #[must_use]
    pub fn whole(bytes: Bytes) -> Self {
        Self(Source::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    /// What another handler made.
    pub(super) const fn other(body: axum::body::Body) -> Self {
        Self(Source::Other(body))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.0 {
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Other(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Whole(bytes) => bytes.is_none(),
            Source::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Source::Other(body) => body.size_hint(),
        }
    }
}

/// An answer without a body.
pub(super) fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// What `HEAD` answers: the headers of the `GET`, its length among them, and no body.
pub(super) fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let bodiless = head.status == StatusCode::NOT_MODIFIED || head.status == StatusCode::NO_CONTENT;
    if let (false, Some(length)) = (bodiless, body.size_hint().exact()) {
        // Whoever took the body off already has left its length.
        head.headers.entry(CONTENT_LENGTH).or_insert(length.into());
    }
    Response::from_parts(head, Body::empty())
}

/// Who executed the request, and how it got there.
pub(super) fn put_executor(headers: &mut HeaderMap, member: Bytes, route: Route) {
    if let Ok(member) = HeaderValue::from_maybe_shared(member) {
        headers.insert(X_RINGHOLD_MEMBER, member);
    }
    headers.insert(X_RINGHOLD_ROUTE, HeaderValue::from_static(route.name()));
}

/// `ETag`
pub(super) fn put_entity_tag(headers: &mut HeaderMap, version: Version) {
    if let Ok(tag) = HeaderValue::from_bytes(&version.to_entity_tag()) {
        headers.insert(ETAG, tag);
    }
}

/// `ETag`, `Last-Modified` and `X-TTL`: what a reader is told even when it has the value already.
pub(super) fn put_version(headers: &mut HeaderMap, object: &Object, clock: &Clock) {
    put_entity_tag(headers, object.version);
    if let Some(date) = http_date(object.version.written_at()) {
        headers.insert(LAST_MODIFIED, date);
    }
    if let Some(expires_at) = object.expires_at {
        headers.insert(X_TTL, seconds_left(expires_at, clock.now()).into());
    }
}

/// `Content-Type`
pub(super) fn put_content_type(headers: &mut HeaderMap, content_type: &ContentType) {
    let value = match content_type {
        ContentType::OctetStream => Ok(HeaderValue::from_static("application/octet-stream")),
        ContentType::Json => Ok(HeaderValue::from_static("application/json")),
        ContentType::Text => Ok(HeaderValue::from_static("text/plain")),
        ContentType::Other(text) => HeaderValue::from_str(text),
    };
    if let Ok(value) = value {
        headers.insert(CONTENT_TYPE, value);
    }
}

/// Whole seconds, rounded up, so that an object that is alive never has zero left.
fn seconds_left(expires_at: Timestamp, now: Timestamp) -> u64 {
    expires_at.since(now).as_millis().div_ceil(1000).max(1) as u64
}

/// The date form of HTTP (RFC 9110 section 5.6.7), which ends with the year 9999.
fn http_date(at: Timestamp) -> Option<HeaderValue> {
    const YEAR_10000_MILLIS: u64 = 253_402_300_800_000;
    if at.as_millis() >= YEAR_10000_MILLIS {
        return None;
    }
    let mut text = [0; 29];
    let date = HttpDate::from(SystemTime::UNIX_EPOCH + Duration::from_millis(at.as_millis()));
    write!(text.as_mut_slice(), "{date}").ok()?;
    HeaderValue::from_bytes(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_object_never_has_zero_seconds_left() {
        let now = Timestamp::from_millis(10_000);
        let left = |millis| seconds_left(Timestamp::from_millis(millis), now);
        assert_eq!([left(10_001), left(11_000), left(11_001), left(9_000)], [1, 1, 2, 1]);
    }

    #[test]
    fn dates_have_the_form_of_http() {
        let date = http_date(Timestamp::from_millis(784_111_777_999)).unwrap();
        assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(Timestamp::from_millis(u64::MAX)), None);
    }
}
