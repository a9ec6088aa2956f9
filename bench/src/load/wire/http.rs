//! HTTP/1.1 with announced lengths: Ringhold's objects, webdis, and etcd's JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Framing, HEAD_END, Parts, Seen};
use crate::error::Error;
use crate::load::{Dialect, Missing, Operation};

/// Bytes that say which version and status: `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

/// The request for `key` whose body is `body`; `headers` end with a line break.
pub fn request(dialect: Dialect, operation: Operation, key: &str, body: &[u8], headers: &str) -> Vec<u8> {
    let put = operation == Operation::Put;
    let (line, body) = match dialect {
        Dialect::Etcd => {
            let (path, body) = etcd(operation, key, body);
            return joined(&format!("POST {path}"), headers, Some(body.as_bytes()));
        }
        Dialect::Webdis if put => (format!("PUT /SET/{key}"), Some(body)),
        Dialect::Webdis => (format!("GET /GET/{key}.txt"), None),
        _ if put => (format!("PUT /objects/{key}"), Some(body)),
        _ => (format!("GET /objects/{key}"), None),
    };
    joined(&line, headers, body)
}

fn joined(line: &str, headers: &str, body: Option<&[u8]>) -> Vec<u8> {
    let length = body.map(|body| format!("Content-Length: {}\r\n", body.len())).unwrap_or_default();
    let head = format!("{line} HTTP/1.1\r\nHost: bench\r\n{headers}{length}\r\n");
    [head.as_bytes(), body.unwrap_or_default()].concat()
}

/// The gateway that etcd has for those who do not speak gRPC.
fn etcd(operation: Operation, key: &str, value: &[u8]) -> (&'static str, String) {
    let key = STANDARD.encode(key);
    match operation {
        Operation::Get => ("/v3/kv/range", format!("{{\"key\":\"{key}\"}}")),
        Operation::Put => {
            ("/v3/kv/put", format!("{{\"key\":\"{key}\",\"value\":\"{}\"}}", STANDARD.encode(value)))
        }
    }
}

impl Framing {
    /// The parts of the answer, once its head is whole.
    pub(super) fn read_http(&mut self, bytes: &[u8]) -> Result<Option<Parts>, Error> {
        if let Some(seen) = &self.seen
            && seen.is_like(bytes)
        {
            return Ok(Some(seen.parts));
        }
        let Some(end) = bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END) else {
            return super::within_bounds(bytes);
        };
        let head = &bytes[..end + HEAD_END.len()];
        let is_miss = head.starts_with(b"HTTP/1.1 404") && self.missing == Missing::Counts;
        if is_miss {
            self.misses += 1;
        } else if !head.starts_with(b"HTTP/1.1 2") {
            return Err(super::wrong(head));
        }
        let length = length_of(head).ok_or_else(|| super::wrong(head))?;
        let rest: usize = std::str::from_utf8(&head[length.clone()])
            .ok()
            .map_or(Some(0), parse_length)
            .ok_or_else(|| super::wrong(head))?;
        let is_wrong = |value| value != rest && self.dialect != Dialect::Etcd && !is_miss;
        if self.value_bytes.is_some_and(is_wrong) {
            return Err(super::wrong(head));
        }
        let parts = Parts { head: head.len(), rest, value: rest };
        // Each miss has to be counted, so none is taken for like the last.
        self.seen = (!is_miss).then(|| Seen { head: head.to_vec(), length, parts });
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
