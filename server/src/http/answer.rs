//! Answers on their way out: their body, and the headers that tell of an object.
//!
//! No value is copied here, and nothing is formatted that the answer does not need.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED,
};
use http::{Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use ringhold_ring::{MemberAddress, Timestamp, Version};

use crate::clock::Clock;
use crate::object::{ContentType, Object, Route};

pub(super) const X_TTL: HeaderName = HeaderName::from_static("x-ttl");
pub(super) const X_RINGHOLD_MEMBER: HeaderName = HeaderName::from_static("x-ringhold-member");
pub(super) const X_RINGHOLD_ROUTE: HeaderName = HeaderName::from_static("x-ringhold-route");
/// On a patch that ran before and that others have followed.
const X_RINGHOLD_OVERTAKEN: HeaderName = HeaderName::from_static("x-ringhold-overtaken");

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

    /// All of it, if it is one piece.
    pub(super) fn into_whole(self) -> Option<Bytes> {
        match self.0 {
            Source::Whole(bytes) => Some(bytes.unwrap_or_default()),
            Source::Other(_) => None,
        }
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

/// What the head of an answer is written into: a response, or the bytes of one.
pub(super) trait Head {
    /// Comes first, once.
    fn begin(&mut self, status: StatusCode);

    /// Adds a header; each name at most once.
    fn put(&mut self, name: &Name, value: Text<'_>);
}

/// The name of a header, and how its line begins behind the line before.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) name: HeaderName,
    pub(super) line: &'static str,
}

impl Name {
    const fn new(name: HeaderName, line: &'static str) -> Self {
        Self { name, line }
    }
}

const CONTENT_TYPE_LINE: Name = Name::new(CONTENT_TYPE, "\r\ncontent-type: ");
const ENTITY_TAG_LINE: Name = Name::new(ETAG, "\r\netag: ");
const LAST_MODIFIED_LINE: Name = Name::new(LAST_MODIFIED, "\r\nlast-modified: ");
const TTL_LINE: Name = Name::new(X_TTL, "\r\nx-ttl: ");
const ACCEPT_RANGES_LINE: Name = Name::new(ACCEPT_RANGES, "\r\naccept-ranges: ");
const MEMBER_LINE: Name = Name::new(X_RINGHOLD_MEMBER, "\r\nx-ringhold-member: ");
const ROUTE_LINE: Name = Name::new(X_RINGHOLD_ROUTE, "\r\nx-ringhold-route: ");
const OVERTAKEN_LINE: Name = Name::new(X_RINGHOLD_OVERTAKEN, "\r\nx-ringhold-overtaken: ");

/// The value of a header: visible ASCII, in the form that costs least to come by.
#[derive(Debug)]
pub(super) enum Text<'a> {
    Static(&'static str),
    Short(&'a [u8]),
    Number(u64),
    /// Before the year 10000.
    Date(Timestamp),
}

/// Headers of an object that expires, and the two that HTTP/2 adds: to make a map larger costs more than to make it.
const USUAL_HEADERS: usize = 9;

impl Head for Response<Body> {
    fn begin(&mut self, status: StatusCode) {
        *self.status_mut() = status;
        self.headers_mut().reserve(USUAL_HEADERS);
    }

    fn put(&mut self, name: &Name, value: Text<'_>) {
        let value = match value {
            Text::Static(text) => Ok(HeaderValue::from_static(text)),
            Text::Short(bytes) => HeaderValue::from_bytes(bytes),
            Text::Number(number) => Ok(number.into()),
            Text::Date(at) => HeaderValue::from_bytes(&http_date(at)),
        };
        if let Ok(value) = value {
            self.headers_mut().insert(&name.name, value);
        }
    }
}

/// Who executed the request, and how it got there.
pub(super) fn put_executor(head: &mut impl Head, member: &MemberAddress, route: Route) {
    head.put(&MEMBER_LINE, Text::Short(member.as_str().as_bytes()));
    head.put(&ROUTE_LINE, Text::Static(route.name()));
}

/// Says that a patch had run before, and that others have followed.
pub(super) fn put_overtaken(head: &mut impl Head) {
    head.put(&OVERTAKEN_LINE, Text::Static("true"));
}

/// `ETag`
pub(super) fn put_entity_tag(head: &mut impl Head, version: Version) {
    head.put(&ENTITY_TAG_LINE, Text::Short(&version.to_entity_tag()));
}

/// `ETag`, `Last-Modified` and `X-TTL`: what a reader is told even when it has the value already.
pub(super) fn put_version(head: &mut impl Head, object: &Object, clock: &Clock) {
    put_entity_tag(head, object.version);
    let written_at = object.version.written_at();
    if written_at.as_millis() < YEAR_10000_MILLIS {
        head.put(&LAST_MODIFIED_LINE, Text::Date(written_at));
    }
    if let Some(expires_at) = object.expires_at {
        head.put(&TTL_LINE, Text::Number(seconds_left(expires_at, clock.now())));
    }
}

/// `Content-Type`
pub(super) fn put_content_type(head: &mut impl Head, content_type: &ContentType) {
    let text = match content_type {
        ContentType::OctetStream => Text::Static("application/octet-stream"),
        ContentType::Json => Text::Static("application/json"),
        ContentType::Text => Text::Static("text/plain"),
        ContentType::Other(text) => Text::Short(text.as_bytes()),
    };
    head.put(&CONTENT_TYPE_LINE, text);
}

/// `Accept-Ranges`
pub(super) fn put_accept_ranges(head: &mut impl Head) {
    head.put(&ACCEPT_RANGES_LINE, Text::Static("bytes"));
}

/// Whole seconds, rounded up, so that an object that is alive never has zero left.
fn seconds_left(expires_at: Timestamp, now: Timestamp) -> u64 {
    expires_at.since(now).as_millis().div_ceil(1000).max(1) as u64
}

/// Dates end with the year 9999.
const YEAR_10000_MILLIS: u64 = 253_402_300_800_000;

/// The date form of HTTP (RFC 9110 section 5.6.7) of a time before the year 10000.
pub(super) fn http_date(at: Timestamp) -> [u8; DATE_BYTES] {
    let mut dates = Dates::default();
    *dates.write(at)
}

/// Writes dates; of those of one day, only the time of day is written anew.
#[derive(Debug)]
pub(super) struct Dates {
    day: u64,
    text: [u8; DATE_BYTES],
}

impl Default for Dates {
    fn default() -> Self {
        Self { day: 0, text: *b"Thu, 01 Jan 1970 00:00:00 GMT" }
    }
}

impl Dates {
    /// The date form of HTTP of a time before the year 10000.
    pub(super) fn write(&mut self, at: Timestamp) -> &[u8; DATE_BYTES] {
        let seconds = at.as_millis() / 1000;
        let (day, second) = (seconds / 86_400, seconds % 86_400);
        if day != self.day {
            self.write_day(day);
        }
        let [.., h1, h0, _, m1, m0, _, s1, s0, _, _, _, _] = &mut self.text;
        (*h1, *h0) = two_digits(second / 3600);
        (*m1, *m0) = two_digits(second / 60 % 60);
        (*s1, *s0) = two_digits(second % 60);
        &self.text
    }

    fn write_day(&mut self, day_number: u64) {
        const DAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed";
        const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
        let (year, month, day) = civil(day_number);
        let (weekday, month) = ((day_number % 7) as usize * 3, month as usize * 3);
        let ((d1, d0), (c1, c0), (y1, y0)) =
            (two_digits(day), two_digits(year / 100), two_digits(year % 100));
        self.text[..3].copy_from_slice(&DAYS[weekday..weekday + 3]);
        self.text[5..7].copy_from_slice(&[d1, d0]);
        self.text[8..11].copy_from_slice(&MONTHS[month..month + 3]);
        self.text[12..16].copy_from_slice(&[c1, c0, y1, y0]);
        self.day = day_number;
    }
}

/// How long a date is.
pub(super) const DATE_BYTES: usize = 29;

/// Year, month from 0 and day from 1 of a day since 1970, in the Gregorian calendar. Years begin in March here, so
/// that the odd day comes last.
const fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_MARCH_OF_YEAR_0: u64 = 719_468;
    const ERA: u64 = 146_097;
    let days = days + DAYS_TO_MARCH_OF_YEAR_0;
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let is_next_year = month_from_march >= 10;
    let year = era * 400 + year_of_era + is_next_year as u64;
    (year, (month_from_march + 2) % 12, day)
}

const fn two_digits(number: u64) -> (u8, u8) {
    (b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_living_object_never_has_zero_seconds_left() {
        let now = Timestamp::from_millis(10_000);
        let left = |millis| seconds_left(Timestamp::from_millis(millis), now);
        assert_eq!([left(10_001), left(11_000), left(11_001), left(9_000)], [1, 1, 2, 1]);
    }

    #[test]
    fn dates_have_the_form_of_http() {
        let date = http_date(Timestamp::from_millis(784_111_777_999));
        assert_eq!(&date, b"Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn every_day_until_the_year_10000_has_its_date() {
        let mut dates = Dates::default();
        for day in 0..YEAR_10000_MILLIS / 86_400_000 {
            let at = Duration::from_secs(day * 86_400 + day % 86_400);
            let date = dates.write(Timestamp::default() + at);
            let known = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + at);
            assert_eq!(std::str::from_utf8(date).unwrap(), known);
        }
    }
}
