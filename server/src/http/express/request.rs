//! Which requests are plain: those that nobody could read in two ways, with nothing in them but an object request.
//!
//! It is hyper's own parser that splits the head, and what is plain here is less than what hyper takes: so both see the
//! same request, and whatever is doubtful is hyper's to judge.

use std::mem::MaybeUninit;

use http::Method;

use super::super::headers::Fields;
use super::super::objects::Asked;
use super::super::service::OBJECTS;
use crate::security::token;

/// More header lines than these are not plain.
const MAX_LINES: usize = 32;

/// Longer names are none that anybody here knows.
const LONGEST_NAME: usize = 32;

/// What is plain as far as its length goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) head_bytes: usize,
    pub(super) body_bytes: usize,
}

/// What bytes begin with.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it stays where it is made; a box would cost more than the rest"
)]
pub(super) enum Recognised<'a> {
    Plain(Request<'a>),
    /// A head that may become plain.
    Partial,
    Other,
}

/// A plain request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) raw_key: &'a str,
    fields: Fields<'a>,
    pub(super) head_bytes: usize,
    pub(super) body_bytes: usize,
}

impl Request<'_> {
    pub(super) const fn asked(&self) -> Asked<'_> {
        Asked { method: &self.method, raw_key: self.raw_key, fields: &self.fields }
    }
}

/// Looks at the request that `bytes` begin with.
pub(super) fn recognise(bytes: &[u8], limits: Limits) -> Recognised<'_> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut lines) {
        Ok(httparse::Status::Complete(head_bytes)) if head_bytes <= limits.head_bytes => {
            let mut plain = Request {
                method: Method::GET,
                raw_key: "",
                fields: Fields::default(),
                head_bytes,
                body_bytes: 0,
            };
            match plain.take(&request, limits) {
                Some(()) => Recognised::Plain(plain),
                None => Recognised::Other,
            }
        }
        Ok(httparse::Status::Partial) => Recognised::Partial,
        Ok(httparse::Status::Complete(_)) | Err(_) => Recognised::Other,
    }
}

impl<'a> Request<'a> {
    /// Takes what the head says, if all of it is plain.
    fn take(&mut self, head: &httparse::Request<'_, 'a>, limits: Limits) -> Option<()> {
        self.method = match head.method? {
            "GET" => Method::GET,
            "HEAD" => Method::HEAD,
            "PUT" => Method::PUT,
            "DELETE" => Method::DELETE,
            "PATCH" => Method::PATCH,
            _ => return None,
        };
        self.raw_key = head.path?.strip_prefix(OBJECTS)?;
        if head.version? != 1 || !self.raw_key.bytes().all(|byte| PATH[usize::from(byte)]) {
            return None;
        }
        let mut length = None;
        for line in head.headers.iter() {
            let mut name = [0; LONGEST_NAME];
            let Some(name) = name.get_mut(..line.name.len()) else { continue };
            name.copy_from_slice(line.name.as_bytes());
            name.make_ascii_lowercase();
            match &*name {
                b"content-length" if length.is_none() => length = Some(digits(line.value)?),
                b"connection" if line.value.eq_ignore_ascii_case(b"keep-alive") => {}
                b"content-length" | b"connection" | b"transfer-encoding" | b"expect" | b"upgrade" => {
                    return None;
                }
                name if name == token::HEADER.as_bytes() => return None,
                name => self.fields.add(name, line.value),
            }
        }
        self.body_bytes = length.unwrap_or(0);
        let may_have_body = matches!(self.method, Method::PUT | Method::PATCH);
        let is_sound = self.body_bytes <= if may_have_body { limits.body_bytes } else { 0 };
        (is_sound && self.fields.has_one_host()).then_some(())
    }
}

/// A length that is small enough to be plain.
fn digits(text: &[u8]) -> Option<usize> {
    let is_sound = matches!(text.len(), 1..=9) && text.iter().all(u8::is_ascii_digit);
    is_sound.then(|| text.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

/// What may stand in a path literally (RFC 3986 section 3.3), with the sign of escapes; a query is not plain.
const PATH: [bool; 256] = {
    const OTHERS: &[u8] = b"-._~!$&'()*+,;=:@/%";
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        allowed[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < OTHERS.len() {
        allowed[OTHERS[at] as usize] = true;
        at += 1;
    }
    allowed
};
