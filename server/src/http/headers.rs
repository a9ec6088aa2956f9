//! The request headers that the object API knows, from text to the types of `object`.
//!
//! The headers are walked once; a request pays only for what it carries. Whoever gets a value from here need not
//! check it again.

use std::time::SystemTime;

use http::HeaderMap;
use ringhold_ring::{Timestamp, Ttl, Version};

use super::problem::{Code, Problem};
use crate::object::{Conditions, ContentType, Delivery, Forwarding, OperationId, Tags};

/// A header that makes sense only once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Field<'a> {
    #[default]
    Absent,
    Once(&'a [u8]),
    Several(&'a [u8]),
}

impl<'a> Field<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = match *self {
            Self::Absent => Self::Once(value),
            Self::Once(first) | Self::Several(first) => Self::Several(first),
        };
    }

    /// Its bytes when it stands there exactly once.
    pub(super) fn once(self) -> Option<&'a [u8]> {
        match self {
            Self::Once(value) => Some(value),
            Self::Absent | Self::Several(_) => None,
        }
    }

    /// The bytes of the first, as Java's `getHeader` has it.
    pub(super) fn first(self) -> Option<&'a [u8]> {
        match self {
            Self::Once(value) | Self::Several(value) => Some(value),
            Self::Absent => None,
        }
    }

    const fn is_absent(self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Its bytes, if it stands there at all.
    fn at_most_once(self, code: Code) -> Result<Option<&'a [u8]>, Problem> {
        match self {
            Self::Several(_) => Err(code.into()),
            other => Ok(other.once()),
        }
    }
}

/// The headers of one request that an object handler may look at.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) ttl: Field<'a>,
    pub(super) behavior: Field<'a>,
    pub(super) content_type: Field<'a>,
    pub(super) range: Field<'a>,
    pub(super) if_range: Field<'a>,
    idempotency_key: Field<'a>,
    any_copy: bool,
    content_encoding: Field<'a>,
    content_range: Field<'a>,
    host: Field<'a>,
    has_conditions: bool,
    if_match: Vec<&'a [u8]>,
    if_none_match: Vec<&'a [u8]>,
    if_modified_since: Field<'a>,
    if_unmodified_since: Field<'a>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            fields.add(name.as_str().as_bytes(), value.as_bytes());
        }
        fields
    }

    /// Takes note of one header line, its name in lower case.
    pub(super) fn add(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b"host" => self.host.add(value),
            b"x-ttl" => self.ttl.add(value),
            b"x-pp-datastore-behavior" => self.behavior.add(value),
            b"content-type" => self.content_type.add(value),
            b"idempotency-key" => self.idempotency_key.add(value),
            b"cache-control" => self.any_copy |= allows_stale(value),
            b"content-encoding" => self.content_encoding.add(value),
            b"content-range" => self.content_range.add(value),
            b"range" => self.range.add(value),
            b"if-range" => self.if_range.add(value),
            _ => self.add_condition(name, value),
        }
    }

    fn add_condition(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b"if-match" => self.if_match.push(value),
            b"if-none-match" => self.if_none_match.push(value),
            b"if-modified-since" => self.if_modified_since.add(value),
            b"if-unmodified-since" => self.if_unmodified_since.add(value),
            _ => return,
        }
        self.has_conditions = true;
    }

    /// Whether there is exactly one `Host` (RFC 9112 section 3.2).
    pub(super) fn has_one_host(&self) -> bool {
        self.host.once().is_some()
    }

    /// `X-TTL`
    pub(super) fn ttl(&self) -> Result<Option<Ttl>, Problem> {
        let text = self.ttl.at_most_once(Code::BadTtl)?;
        text.map(parse_ttl).transpose().map_err(Problem::from)
    }

    /// `X-PP-Datastore-Behavior`
    fn forwarding(&self) -> Result<Forwarding, Problem> {
        let text = self.behavior.at_most_once(Code::BadBehavior)?;
        Ok(text.map(parse_forwarding).transpose()?.unwrap_or_default())
    }

    /// How a read wants to be handled: `X-PP-Datastore-Behavior`, `Cache-Control`.
    pub(super) fn read_delivery(&self) -> Result<Delivery, Problem> {
        Ok(Delivery { forwarding: self.forwarding()?, any_copy: self.any_copy, id: None })
    }

    /// How a write does: `X-PP-Datastore-Behavior`, `Idempotency-Key`.
    pub(super) fn write_delivery(&self) -> Result<Delivery, Problem> {
        let forwarding = self.forwarding()?;
        let name = self.idempotency_key.at_most_once(Code::BadIdempotencyKey)?;
        Ok(Delivery { forwarding, any_copy: false, id: name.map(parse_idempotency_key).transpose()? })
    }

    /// `Content-Type`, if there is one.
    pub(super) fn content_type(&self) -> Result<Option<ContentType>, Problem> {
        let text = self.content_type.at_most_once(Code::BadContentType)?;
        text.map(ContentType::parse).transpose().map_err(|_| Code::BadContentType.into())
    }

    /// That the body is a whole value as it will be read back.
    pub(super) fn check_body_is_plain(&self) -> Result<(), Problem> {
        let encoding = self.content_encoding.at_most_once(Code::UnsupportedContentEncoding)?;
        if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
            return Err(Code::UnsupportedContentEncoding.into());
        }
        if self.content_range.is_absent() { Ok(()) } else { Err(Code::PartialPut.into()) }
    }

    /// The conditions of a write.
    pub(super) fn write_conditions(&self) -> Result<Conditions, Problem> {
        if !self.has_conditions {
            return Ok(Conditions::default());
        }
        Ok(Conditions {
            if_match: tags(&self.if_match, Comparison::Strong)?,
            if_none_match: tags(&self.if_none_match, Comparison::Weak)?,
            if_modified_since: None,
            if_unmodified_since: date(self.if_unmodified_since),
        })
    }

    /// The conditions of a read; only there does `If-Modified-Since` mean anything.
    pub(super) fn read_conditions(&self) -> Result<Conditions, Problem> {
        if !self.has_conditions {
            return Ok(Conditions::default());
        }
        let conditions = self.write_conditions()?;
        Ok(Conditions { if_modified_since: date(self.if_modified_since), ..conditions })
    }
}

/// A time to live as a header spells it.
pub(super) fn parse_ttl(text: &[u8]) -> Result<Ttl, Code> {
    let text = std::str::from_utf8(text).map_err(|_| Code::BadTtl)?;
    text.trim().parse().map_err(|_| Code::BadTtl)
}

/// A behaviour as a header spells it.
pub(super) fn parse_forwarding(text: &[u8]) -> Result<Forwarding, Code> {
    match text.trim_ascii() {
        text if text.eq_ignore_ascii_case(b"ALLOW_FORWARDING") => Ok(Forwarding::Allowed),
        text if text.eq_ignore_ascii_case(b"DISALLOW_FORWARDING") => Ok(Forwarding::Disallowed),
        _ => Err(Code::BadBehavior),
    }
}

/// The longest `Idempotency-Key`, in bytes.
const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// What a client calls its operation; of a long name its digest is kept.
fn parse_idempotency_key(name: &[u8]) -> Result<OperationId, Code> {
    let is_visible = name.iter().all(u8::is_ascii_graphic);
    let fits = (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&name.len());
    if is_visible && fits { Ok(OperationId::of(name)) } else { Err(Code::BadIdempotencyKey) }
}

/// Whether a line of `Cache-Control` has `max-stale` (RFC 9111 section 5.2.1.2), for any time but none. How stale a copy
/// is nobody knows, so another number means as much as no number.
fn allows_stale(line: &[u8]) -> bool {
    line.split(|byte| *byte == b',').any(|directive| {
        let (name, seconds) = match directive.iter().position(|byte| *byte == b'=') {
            Some(at) => (&directive[..at], Some(directive[at + 1..].trim_ascii())),
            None => (directive, None),
        };
        let nothing = |seconds: &[u8]| seconds.iter().all(|digit| *digit == b'0');
        name.trim_ascii().eq_ignore_ascii_case(b"max-stale") && !seconds.is_some_and(nothing)
    })
}

/// A date of HTTP, from 1970 on.
pub(super) fn parse_date(text: &str) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(text).ok()?;
    let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Some(Timestamp::default() + since_epoch)
}

/// RFC 9110 section 13.1.3: what is not one valid date is ignored.
fn date(field: Field<'_>) -> Option<Timestamp> {
    field.once().and_then(|text| std::str::from_utf8(text).ok()).and_then(parse_date)
}

/// How entity tags are compared (RFC 9110 section 8.8.3.2): strongly in `If-Match`, weakly in `If-None-Match`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// The tags of all lines of one header; none: it does not stand there.
fn tags(lines: &[&[u8]], comparison: Comparison) -> Result<Option<Tags>, Problem> {
    match lines {
        [] => return Ok(None),
        [line] if line.trim_ascii() == b"*" => return Ok(Some(Tags::Any)),
        _ => {}
    }
    let mut versions = Vec::new();
    let mut count = 0;
    for line in lines {
        let mut rest = line.trim_ascii();
        while let Some(tag) = next_tag(&mut rest)? {
            count += 1;
            if !tag.is_weak || comparison == Comparison::Weak {
                versions.extend(Version::from_entity_tag(tag.quoted));
            }
        }
    }
    if count == 0 { Err(Code::BadCondition.into()) } else { Ok(Some(Tags::Of(versions))) }
}

struct Tag<'a> {
    is_weak: bool,
    quoted: &'a [u8],
}

/// Takes one entity tag and the comma behind it from the list; empty elements are passed over.
fn next_tag<'a>(rest: &mut &'a [u8]) -> Result<Option<Tag<'a>>, Problem> {
    let mut text = rest.trim_ascii_start();
    while let Some(after) = text.strip_prefix(b",") {
        text = after.trim_ascii_start();
    }
    if text.is_empty() {
        return Ok(None);
    }
    let (is_weak, text) = text.strip_prefix(b"W/").map_or((false, text), |text| (true, text));
    let closing = text.iter().skip(1).position(|byte| *byte == b'"');
    let (Some(b'"'), Some(closing)) = (text.first(), closing) else {
        return Err(Code::BadCondition.into());
    };
    let (quoted, after) = text.split_at(closing + 2);
    let after = after.trim_ascii_start();
    let is_tag = quoted.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    if !is_tag || !(after.is_empty() || after.starts_with(b",")) {
        return Err(Code::BadCondition.into());
    }
    *rest = after;
    Ok(Some(Tag { is_weak, quoted }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"0123456789abcdef01234567\"";

    fn version() -> Version {
        Version::from_entity_tag(TAG.as_bytes()).unwrap()
    }

    fn parsed(comparison: Comparison, lines: &[&str]) -> Option<Tags> {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        tags(&lines, comparison).ok().map(|tags| tags.expect("there are lines"))
    }

    #[test]
    fn lists_of_tags_are_read_over_all_their_lines() {
        let list = format!("\"foreign\" , {TAG},,");
        assert_eq!(parsed(Comparison::Strong, &[&list]), Some(Tags::Of(vec![version()])));
        assert_eq!(parsed(Comparison::Strong, &["\"a,b\"", TAG]), Some(Tags::Of(vec![version()])));
        assert_eq!(parsed(Comparison::Strong, &[" * "]), Some(Tags::Any));
    }

    #[test]
    fn a_weak_tag_counts_only_where_tags_are_compared_weakly() {
        let weak = format!("W/{TAG}");
        assert_eq!(parsed(Comparison::Weak, &[&weak]), Some(Tags::Of(vec![version()])));
        assert_eq!(parsed(Comparison::Strong, &[&weak]), Some(Tags::Of(vec![])));
    }

    #[test]
    fn what_is_not_a_list_of_tags_is_refused() {
        let bad =
            ["", "abc", "\"open", "\"a\" \"b\"", "*, \"a\"", "\"a\", *", "w/\"a\"", "\"a b\"", ",", "\""];
        for line in bad {
            assert_eq!(parsed(Comparison::Strong, &[line]), None, "{line:?}");
        }
        assert_eq!(parsed(Comparison::Strong, &["*", "\"a\""]), None);
    }

    #[test]
    fn a_stale_answer_is_allowed_by_its_directive_alone() {
        for line in ["max-stale", "MAX-STALE", "no-transform, max-stale ", "max-stale=60", "max-stale = 1,a"]
        {
            assert!(allows_stale(line.as_bytes()), "{line:?}");
        }
        for line in ["", "no-cache", "max-age=5", "max-stale=0", "max-stale=", "x-max-stale", "max-stales"] {
            assert!(!allows_stale(line.as_bytes()), "{line:?}");
        }
    }

    #[test]
    fn behaviour_is_read_in_any_case_and_nothing_else_is() {
        assert_eq!(parse_forwarding(b" diSallOw_forwaRding"), Ok(Forwarding::Disallowed));
        assert_eq!(parse_forwarding(b"allow_forwarding"), Ok(Forwarding::Allowed));
        assert_eq!(parse_forwarding(b"FAIL"), Err(Code::BadBehavior));
        assert_eq!(parse_forwarding(b""), Err(Code::BadBehavior));
    }
}
