//! Requests as bytes, and where an answer ends: HTTP/1.1, RESP and memcached's text, each by its own rule.

use super::{Dialect, Operation, Plan};
use crate::error::Error;

/// The request for `key`, whole.
pub fn request(plan: &Plan, key: &str) -> Vec<u8> {
    let body = vec![b'v'; if plan.operation == Operation::Put { plan.value_bytes } else { 0 }];
    let length = body.len();
    let ttl = plan.ttl_seconds.map(|seconds| format!("X-TTL: {seconds}\r\n")).unwrap_or_default();
    let head = match (plan.dialect, plan.operation) {
        (Dialect::Objects, Operation::Get) => format!("GET /objects/{key} HTTP/1.1\r\nHost: bench\r\n\r\n"),
        (Dialect::Objects, Operation::Put) => {
            format!("PUT /objects/{key} HTTP/1.1\r\nHost: bench\r\n{ttl}Content-Length: {length}\r\n\r\n")
        }
        (Dialect::Webdis, Operation::Get) => format!("GET /GET/{key}.txt HTTP/1.1\r\nHost: bench\r\n\r\n"),
        (Dialect::Webdis, Operation::Put) => {
            format!("PUT /SET/{key} HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n")
        }
        (Dialect::Redis, Operation::Get) => format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()),
        (Dialect::Redis, Operation::Put) => {
            format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${length}\r\n", key.len())
        }
        (Dialect::Memcached, Operation::Get) => format!("get {key}\r\n"),
        (Dialect::Memcached, Operation::Put) => format!("set {key} 0 0 {length}\r\n"),
    };
    let needs_end = length > 0 && matches!(plan.dialect, Dialect::Redis | Dialect::Memcached);
    [head.as_bytes(), &body, if needs_end { b"\r\n" } else { b"" }].concat()
}

/// The two parts of an answer: what tells the length, and the length of what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub head: usize,
    pub rest: usize,
}

/// Finds the parts of one server's answers.
#[derive(Debug)]
pub struct Framing {
    dialect: Dialect,
    /// The value that answers must carry, when they carry one.
    value_bytes: Option<usize>,
    /// The head of the last answer that was read in full, with where in it the length stands.
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    head: Vec<u8>,
    length: std::ops::Range<usize>,
    parts: Parts,
}

/// Bytes that say which version and status: `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;
const HEAD_END: &[u8] = b"\r\n\r\n";
const MAX_HEAD_BYTES: usize = 16 << 10;

impl Framing {
    pub fn of(plan: &Plan) -> Self {
        let value_bytes = (plan.operation == Operation::Get).then_some(plan.value_bytes);
        Self { dialect: plan.dialect, value_bytes, seen: None }
    }

    /// The parts of the answer that `bytes` begin with, once its head is there.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<Parts>, Error> {
        match self.dialect {
            Dialect::Objects | Dialect::Webdis => self.read_http(bytes),
            Dialect::Redis => self.read_line(bytes, "+OK", |line, bytes| *line == format!("${bytes}"), 2),
            Dialect::Memcached => {
                let is_value =
                    |line: &str, bytes| line.starts_with("VALUE ") && line.ends_with(&format!(" 0 {bytes}"));
                self.read_line(bytes, "STORED", is_value, "\r\nEND\r\n".len())
            }
        }
    }

    fn read_line(
        &self,
        bytes: &[u8],
        stored: &str,
        is_value: impl Fn(&str, usize) -> bool,
        behind_value: usize,
    ) -> Result<Option<Parts>, Error> {
        let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
            return within_bounds(bytes);
        };
        let line = String::from_utf8_lossy(&bytes[..end]);
        let rest = match self.value_bytes {
            None if line == stored => 0,
            Some(value) if is_value(&line, value) => value + behind_value,
            _ => return Err(wrong(&bytes[..end])),
        };
        Ok(Some(Parts { head: end + 2, rest }))
    }

    fn read_http(&mut self, bytes: &[u8]) -> Result<Option<Parts>, Error> {
        if let Some(seen) = &self.seen
            && seen.is_like(bytes)
        {
            return Ok(Some(seen.parts));
        }
        let Some(end) = bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END) else {
            return within_bounds(bytes);
        };
        let head = &bytes[..end + HEAD_END.len()];
        if !head.starts_with(b"HTTP/1.1 2") {
            return Err(wrong(head));
        }
        let length = length_of(head).ok_or_else(|| wrong(head))?;
        let rest: usize = std::str::from_utf8(&head[length.clone()])
            .ok()
            .map_or(Some(0), parse_length)
            .ok_or_else(|| wrong(head))?;
        if self.value_bytes.is_some_and(|value| value != rest) {
            return Err(wrong(head));
        }
        let parts = Parts { head: head.len(), rest };
        self.seen = Some(Seen { head: head.to_vec(), length, parts });
        Ok(Some(parts))
    }
}

fn parse_length(text: &str) -> Option<usize> {
    if text.is_empty() { Some(0) } else { text.trim().parse().ok() }
}

impl Seen {
    /// Whether `bytes` begin with a head of the same status and length, which ends at the same place.
    fn is_like(&self, bytes: &[u8]) -> bool {
        let Some(head) = bytes.get(..self.head.len()) else { return false };
        let length = &self.length;
        head[..STATUS_BYTES] == self.head[..STATUS_BYTES]
            && head.ends_with(HEAD_END)
            && head[length.clone()] == self.head[length.clone()]
            && head[..length.start].ends_with(&self.head[..length.start][length.start.saturating_sub(4)..])
    }
}

/// Where the length stands in `head`; an empty place for a status without a body; nothing when it cannot be told.
fn length_of(head: &[u8]) -> Option<std::ops::Range<usize>> {
    const NAME: &[u8] = b"\r\ncontent-length:";
    let found = head.windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME));
    match found {
        Some(at) => {
            let start = at + NAME.len();
            let bytes = head[start..].iter().position(|byte| *byte == b'\r')?;
            Some(start..start + bytes)
        }
        None => head.starts_with(b"HTTP/1.1 204").then_some(STATUS_BYTES..STATUS_BYTES),
    }
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
        Framing { dialect, value_bytes, seen: None }
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
}
