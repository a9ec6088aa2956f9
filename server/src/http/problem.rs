//! The catalogue of problems, and their form on the wire (RFC 9457, `application/problem+json`).
//!
//! Invariant: every error that the object API or an endpoint about the node answers has a [`Code`], and every
//! code stands on the page `proto-docs/problems.md`, in the same order. Codes are never renamed.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use ringhold_ring::KeyError;
use serde::Serialize;

use super::answer::Body;
use crate::object::Refusal;

macro_rules! codes {
    ($($variant:ident, $status:literal, $code:literal, $title:literal, $detail:literal;)*) => {
        /// What went wrong, as a stable name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the page.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            const fn entry(self) -> Entry {
                match self {
                    $(Self::$variant => Entry { status: $status, code: $code, title: $title, detail: $detail },)*
                }
            }
        }
    };
}

codes! {
    BadHost, 400, "bad-host", "The request names no host",
        "an HTTP/1.1 request carries exactly one Host header";
    BadKey, 400, "bad-key", "The key is not valid",
        "a key is 1 to 1024 bytes of UTF-8 without control characters, percent-encoded in the path";
    BadTtl, 400, "bad-ttl", "The time to live is not valid",
        "X-TTL is one whole number of seconds from 1 to 2147483647; leave it out for the store's default";
    BadBehavior, 400, "bad-behavior", "The datastore behavior is not valid",
        "X-PP-Datastore-Behavior is ALLOW_FORWARDING or DISALLOW_FORWARDING, once, in any case";
    BadCondition, 400, "bad-condition", "A conditional header is not valid",
        "If-Match and If-None-Match are \"*\" or a comma-separated list of entity tags in double quotes";
    BadContentType, 400, "bad-content-type", "The content type is not valid",
        "a Content-Type is given once: 1 to 255 visible ASCII characters or blanks";
    BadIdempotencyKey, 400, "bad-idempotency-key", "The idempotency key is not valid",
        "an Idempotency-Key is given once: 1 to 255 visible ASCII characters, the same for every repeat of a request";
    PartialPut, 400, "partial-put", "A part of a value cannot be put",
        "PUT stores a whole value and takes no Content-Range; use PATCH to change a part";
    BadBody, 400, "bad-body", "The body ended early or is framed wrongly",
        "send as many bytes as Content-Length announces, or well-formed chunks; nothing was stored";
    MalformedPatch, 400, "malformed-patch", "The patch is malformed",
        "the patch is not in the language that its Content-Type names";
    Unauthenticated, 401, "unauthenticated", "Credentials are needed, or those shown are not accepted",
        "show credentials that this node accepts; WWW-Authenticate names their kind, and the node's log says more";
    Forbidden, 403, "forbidden", "This is not allowed",
        "the node does not allow this request from there or with these credentials; its log says why";
    MembersOnly, 403, "members-only", "This path is for members of the ring",
        "a member proves that it is one by its certificate, the shared secret or its address; the log says more";
    NoSuchPath, 404, "no-such-path", "There is nothing at this path",
        "objects are at /objects/{key}; GET /openapi.json lists every path";
    ObjectNotFound, 404, "object-not-found", "There is no such object",
        "nothing is stored under this key, or its time to live is over; PUT creates it";
    MethodNotAllowed, 405, "method-not-allowed", "The path does not know this method",
        "the Allow header lists the methods that this path knows";
    BodyTimeout, 408, "body-timeout", "The body came too slowly",
        "send the body without long pauses; nothing was stored";
    PatchConflict, 409, "patch-conflict", "The stored value cannot take this patch",
        "the stored value is unchanged; read it, and send a patch that fits it";
    PreconditionFailed, 412, "precondition-failed", "A condition does not hold",
        "the stored object is not the one that the condition names; read it again and retry";
    TooLarge, 413, "too-large", "The value is too large",
        "the value, or what the patch makes of it, is over the limit of bytes under one key";
    UnsupportedPatch, 415, "unsupported-patch", "There is no such kind of patch",
        "name the kind of patch by Content-Type; the Accept-Patch header lists the kinds";
    UnsupportedContentEncoding, 415, "unsupported-content-encoding", "Content encodings are not kept",
        "send the body without Content-Encoding: a reader would not be told of it";
    RangeNotSatisfiable, 416, "range-not-satisfiable", "The range lies outside the value",
        "the Content-Range header gives the length of the value; ask for a range that begins below it";
    UpgradeRequired, 426, "upgrade-required", "This path speaks another protocol",
        "open it over HTTP/1.1 with Connection: upgrade and Upgrade: ringhold-peer/1; it is for members only";
    NotReady, 503, "not-ready", "The node should not take traffic now",
        "ask another node, or wait";
    Overloaded, 503, "overloaded", "The node has no room for the request now",
        "the node's memory for request bodies is in use; retry after the seconds in Retry-After";
    Unavailable, 503, "unavailable", "Who would execute the request could not be reached in time",
        "nothing was done; try again, here or at another node";
    NoMajority, 503, "no-majority", "The node reaches too few members",
        "cluster.majority_guard keeps a node that does not reach most members from diverging; try another node";
    TooFewCopies, 503, "too-few-copies", "Too few members hold the write",
        "fewer members than cluster.min_copies hold it; the outcome is unknown, and repeating the request is safe";
    OutcomeUnknown, 503, "outcome-unknown", "The outcome is unknown",
        "the request may or may not have been carried out; read the object to see";
    StoreFull, 507, "store-full", "The store is full",
        "nothing that may be evicted makes enough room; delete objects, or raise store.max_bytes";
}

struct Entry {
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: &'static str,
}

impl Code {
    /// The code as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.entry().code
    }

    /// The status that goes with it.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.entry().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What it means, in a few words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.entry().title
    }

    /// What would be right, when nothing more particular is known.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        self.entry().detail
    }

    /// The body with the detail that every such problem has; made once, since misses are ordinary answers.
    fn fixed_body(self) -> Bytes {
        static BODIES: LazyLock<Vec<Bytes>> =
            LazyLock::new(|| Code::ALL.iter().map(|code| code.body(code.detail())).collect());
        BODIES.get(self as usize).cloned().unwrap_or_default()
    }

    fn body(self, detail: &str) -> Bytes {
        #[derive(Serialize)]
        struct Document<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            detail: &'a str,
            code: &'a str,
        }
        let Entry { status, code, title, .. } = self.entry();
        let document = Document { r#type: format!("/problems#{code}"), title, status, detail, code };
        // Strings and numbers always serialize.
        serde_json::to_vec(&document).unwrap_or_default().into()
    }
}

/// One answer that is an error.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    field: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// The problem with a detail of its own: what was wrong with this request.
    #[must_use]
    pub fn because(code: Code, detail: impl ToString) -> Self {
        Self { code, detail: Some(detail.to_string()), field: None }
    }

    /// The same with a header that says what would be right.
    #[must_use]
    pub fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { field: Some((name, value)), ..self }
    }

    /// The answer.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let body = self.detail.map_or_else(|| self.code.fixed_body(), |detail| self.code.body(&detail));
        let mut response = Response::new(Body::whole(body));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = self.field {
            headers.insert(name, value);
        }
        response
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self { code, detail: None, field: None }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        Self::because(Code::BadKey, error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::PreconditionFailed => return Code::PreconditionFailed.into(),
            Refusal::StoreFull => return Code::StoreFull.into(),
            Refusal::TooLarge { .. } => Code::TooLarge,
            Refusal::MalformedPatch(_) => Code::MalformedPatch,
            Refusal::PatchConflict(_) => Code::PatchConflict,
            Refusal::OutcomeUnknown(_) => Code::OutcomeUnknown,
            Refusal::TooFewCopies { .. } => Code::TooFewCopies,
            Refusal::NoMajority { .. } => Code::NoMajority,
            Refusal::Unavailable(_) => Code::Unavailable,
        };
        Self::because(code, refusal)
    }
}

impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        Self::into_response(self).map(axum::body::Body::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page as (code, status) pairs: each section is headed by its code and opens with its status.
    fn page() -> Vec<(String, u16)> {
        let sections = ringhold_proto_docs::PROBLEMS.split("\n## ").skip(1);
        let section = |text: &str| {
            let (code, rest) = text.split_once('\n').expect("a heading and a body");
            let status = rest.trim_start().strip_prefix("Status ").expect("opens with \"Status nnn\"");
            (code.trim().to_owned(), status[..3].parse().expect("a status"))
        };
        sections.map(section).collect()
    }

    #[test]
    fn the_page_lists_exactly_the_codes_that_exist() {
        let codes: Vec<_> =
            Code::ALL.iter().map(|code| (code.as_str().to_owned(), code.status().as_u16())).collect();
        assert_eq!(page(), codes);
    }

    #[test]
    fn every_section_of_the_page_has_a_remedy_and_an_example_with_the_right_code() {
        for text in ringhold_proto_docs::PROBLEMS.split("\n## ").skip(1) {
            let code = text.lines().next().unwrap().trim();
            assert!(text.contains("\nRemedy: "), "{code} has no remedy");
            let example = text.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
            let example: serde_json::Value =
                serde_json::from_str(example.unwrap_or_else(|| panic!("{code} has no example"))).unwrap();
            assert_eq!(example["code"], code);
            assert_eq!(example["type"], format!("/problems#{code}"));
        }
    }

    #[test]
    fn fixed_bodies_belong_to_their_codes() {
        for code in Code::ALL {
            let body: serde_json::Value = serde_json::from_slice(&code.fixed_body()).unwrap();
            assert_eq!(body["code"], code.as_str());
            assert_eq!(body["status"], code.status().as_u16());
            assert_eq!(body["detail"], code.detail());
        }
    }
}
