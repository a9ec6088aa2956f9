//! Requests as bytes, and where an answer ends: each dialect by its own rule.

mod http;
mod memcached;
mod redis;

use super::{Dialect, Missing, Operation, Plan, Sizes};
use crate::error::Error;

/// The request for the key with this number, whole.
pub fn request(plan: &Plan, number: usize) -> Vec<u8> {
    let key = &plan.keys[number];
    let length = if plan.operation == Operation::Put { plan.sizes.of(number) } else { 0 };
    let body = vec![b'v'; length];
    let operation = plan.operation;
    let mut request = match plan.dialect {
        Dialect::Objects | Dialect::Webdis | Dialect::Etcd => {
            let ttl = plan.ttl_seconds.map(|seconds| format!("X-TTL: {seconds}\r\n")).unwrap_or_default();
            return http::request(plan.dialect, operation, key, &body, &ttl);
        }
        Dialect::MemcachedBinary => {
            return [memcached::binary(operation, key, length), body].concat();
        }
        Dialect::Redis => redis::head(operation, key, length),
        Dialect::Memcached => memcached::text(operation, key, length),
        Dialect::MemcachedMeta => memcached::meta(operation, key, length),
    }
    .into_bytes();
    if operation == Operation::Put {
        request.extend_from_slice(&body);
        request.extend_from_slice(b"\r\n");
    }
    request
}

/// The two parts of an answer: what tells the length, and the length of what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Bytes of the first part.
    pub head: usize,
    /// Bytes of the second.
    pub rest: usize,
    /// Bytes of the value in it.
    value: usize,
}

/// Finds the parts of one server's answers.
#[derive(Debug)]
pub struct Framing {
    dialect: Dialect,
    /// The value that answers must carry, when they carry one of a known size.
    value_bytes: Option<usize>,
    missing: Missing,
    /// Answers that said that there is no such object.
    pub misses: u64,
    /// The head of the last answer that was read in full, with where in it the length stands.
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    head: Vec<u8>,
    length: std::ops::Range<usize>,
    parts: Parts,
}

const HEAD_END: &[u8] = b"\r\n\r\n";
const MAX_HEAD_BYTES: usize = 16 << 10;

impl Framing {
    /// For the answers to a plan's requests.
    pub fn of(plan: &Plan) -> Self {
        let value_bytes = match plan.sizes {
            Sizes::Same(bytes) if plan.operation == Operation::Get => Some(bytes),
            _ => None,
        };
        Self { dialect: plan.dialect, value_bytes, missing: plan.missing, misses: 0, seen: None }
    }

    /// The parts of the answer that `bytes` begin with, once its head is there.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<Parts>, Error> {
        let parts = match self.dialect {
            Dialect::Objects | Dialect::Webdis | Dialect::Etcd => return self.read_http(bytes),
            Dialect::Redis => redis::parts(bytes),
            Dialect::Memcached => memcached::text_parts(bytes),
            Dialect::MemcachedMeta => memcached::meta_parts(bytes),
            Dialect::MemcachedBinary => memcached::binary_parts(bytes),
        };
        let Some(parts) = parts else { return within_bounds(bytes) };
        let is_right = |parts: &Parts| self.value_bytes.is_none_or(|value| value == parts.value);
        parts.filter(is_right).map(Some).ok_or_else(|| wrong(bytes))
    }
}

/// The first line of `bytes`, and how long it is with its end.
fn line(bytes: &[u8]) -> Option<(std::borrow::Cow<'_, str>, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((String::from_utf8_lossy(&bytes[..end]), end + 2))
}

fn within_bounds(bytes: &[u8]) -> Result<Option<Parts>, Error> {
    if bytes.len() > MAX_HEAD_BYTES { Err(wrong(bytes)) } else { Ok(None) }
}

fn wrong(head: &[u8]) -> Error {
    let shown = String::from_utf8_lossy(&head[..head.len().min(300)]).into_owned();
    Error::Answer {
        from: "the server under load".into(),
        what: format!("success with exactly the bytes of the value would be right, it began:\n{shown}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(dialect: Dialect, value_bytes: Option<usize>) -> Framing {
        Framing { dialect, value_bytes, missing: Missing::Fails, misses: 0, seen: None }
    }

    fn parts(dialect: Dialect, value_bytes: Option<usize>, answer: &str) -> Option<Option<(usize, usize)>> {
        let read = framing(dialect, value_bytes).read(answer.as_bytes());
        read.ok().map(|parts| parts.map(|parts| (parts.head, parts.rest)))
    }

    #[test]
    fn an_answer_ends_where_it_says() {
        let http = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(parts(Dialect::Objects, Some(3), http), Some(Some((http.len(), 3))));
        assert_eq!(parts(Dialect::Objects, None, "HTTP/1.1 204 No Content\r\n\r\n"), Some(Some((27, 0))));
        assert_eq!(parts(Dialect::Redis, Some(3), "$3\r\nab"), Some(Some((4, 5))));
        assert_eq!(parts(Dialect::Redis, None, "+OK\r\n"), Some(Some((5, 0))));
        assert_eq!(parts(Dialect::Memcached, Some(3), "VALUE k 0 3\r\n"), Some(Some((13, 10))));
        assert_eq!(parts(Dialect::Memcached, None, "STORED\r\n"), Some(Some((8, 0))));
        assert_eq!(parts(Dialect::MemcachedMeta, Some(3), "VA 3\r\n"), Some(Some((6, 5))));
        assert_eq!(parts(Dialect::MemcachedMeta, None, "HD\r\n"), Some(Some((4, 0))));
        let binary = "\u{1}\0\0\u{4}\0\0\0\0\0\0\u{7}\0\0\0\0\0\0\0\0\0\0\0\0";
        let binary = [b"\x81", binary.as_bytes()].concat();
        let read = framing(Dialect::MemcachedBinary, Some(3)).read(&binary).unwrap().unwrap();
        assert_eq!((read.head, read.rest), (24, 7));
    }

    #[test]
    fn half_a_head_is_waited_for() {
        assert_eq!(parts(Dialect::Objects, Some(3), "HTTP/1.1 200 OK\r\nContent-Le"), Some(None));
        assert_eq!(parts(Dialect::Redis, Some(3), "$3\r"), Some(None));
    }

    #[test]
    fn failures_and_values_of_another_length_are_refused() {
        for (dialect, answer) in [
            (Dialect::Objects, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\n"),
            (Dialect::Objects, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"),
            (Dialect::Objects, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (Dialect::Redis, "$-1\r\n"),
            (Dialect::Redis, "-ERR\r\n"),
            (Dialect::Memcached, "END\r\n"),
            (Dialect::Memcached, "VALUE k 0 4\r\n"),
            (Dialect::MemcachedMeta, "EN\r\n"),
        ] {
            assert_eq!(parts(dialect, Some(3), answer), None, "{answer}");
        }
    }

    #[test]
    fn answers_that_are_alike_are_told_from_those_that_are_not() {
        let mut framing = framing(Dialect::Webdis, None);
        let answer =
            |date, length| format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {length}\r\n\r\n");
        let rest = |framing: &mut Framing, answer: String| {
            framing.read(answer.as_bytes()).ok().flatten().map(|parts| parts.rest)
        };
        assert_eq!(rest(&mut framing, answer("1", "30")), Some(30));
        assert_eq!(rest(&mut framing, answer("2", "30")), Some(30));
        assert_eq!(rest(&mut framing, answer("2", "31")), Some(31));
        assert_eq!(rest(&mut framing, answer("22", "3")), Some(3));
        assert_eq!(rest(&mut framing, answer("1", "30").replace("200", "500")), None);
    }

    #[test]
    fn misses_are_counted_where_they_may_happen() {
        let mut framing = framing(Dialect::Objects, Some(3));
        framing.missing = Missing::Counts;
        let (miss, hit) = (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 90\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
        );
        let rests = [miss, miss, hit, miss].map(|head| framing.read(head.as_bytes()).unwrap().unwrap().rest);
        assert_eq!((rests, framing.misses), ([90, 90, 3, 90], 3));
    }
}
