//! memcached's three protocols: the classic text, meta commands, and binary.

use super::{Parts, line};
use crate::load::Operation;

/// What a binary request begins with, and a binary answer.
const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;
const HEADER_BYTES: usize = 24;

/// The request of the classic text, without its value.
pub fn text(operation: Operation, key: &str, length: usize) -> String {
    match operation {
        Operation::Get => format!("get {key}\r\n"),
        Operation::Put => format!("set {key} 0 0 {length}\r\n"),
    }
}

/// The same as a meta command.
pub fn meta(operation: Operation, key: &str, length: usize) -> String {
    match operation {
        Operation::Get => format!("mg {key} v\r\n"),
        Operation::Put => format!("ms {key} {length}\r\n"),
    }
}

/// The same in binary: header, flags and expiry where a value follows, key.
pub fn binary(operation: Operation, key: &str, length: usize) -> Vec<u8> {
    let (code, extras): (u8, &[u8]) = match operation {
        Operation::Get => (0, &[]),
        Operation::Put => (1, &[0; 8]),
    };
    let mut request = vec![0; HEADER_BYTES];
    request[0] = REQUEST;
    request[1] = code;
    request[2..4].copy_from_slice(&(key.len() as u16).to_be_bytes());
    request[4] = extras.len() as u8;
    request[8..12].copy_from_slice(&((extras.len() + key.len() + length) as u32).to_be_bytes());
    request.extend_from_slice(extras);
    request.extend_from_slice(key.as_bytes());
    request
}

/// The parts of an answer in text; outside, nothing while its first line is not whole; inside, nothing for a wrong one.
pub fn text_parts(bytes: &[u8]) -> Option<Option<Parts>> {
    let (line, head) = line(bytes)?;
    let value = |line: &str| line.strip_prefix("VALUE ")?.rsplit_once(' ')?.1.parse::<usize>().ok();
    Some(if line == "STORED" {
        Some(Parts { head, rest: 0, value: 0 })
    } else {
        value(&line).map(|value| Parts { head, rest: value + "\r\nEND\r\n".len(), value })
    })
}

/// The same for meta commands.
pub fn meta_parts(bytes: &[u8]) -> Option<Option<Parts>> {
    let (line, head) = line(bytes)?;
    Some(if line.trim_end() == "HD" {
        Some(Parts { head, rest: 0, value: 0 })
    } else {
        let value = line.strip_prefix("VA ").and_then(|rest| rest.trim_end().parse::<usize>().ok());
        value.map(|value| Parts { head, rest: value + 2, value })
    })
}

/// The same in binary.
pub fn binary_parts(bytes: &[u8]) -> Option<Option<Parts>> {
    let header = bytes.get(..HEADER_BYTES)?;
    let (extras, body) = (header[4], [header[8], header[9], header[10], header[11]]);
    let rest = u32::from_be_bytes(body) as usize;
    let is_good = header[0] == RESPONSE && header[6..8] == [0, 0];
    let value = rest.checked_sub(usize::from(extras));
    Some(value.filter(|_| is_good).map(|value| Parts { head: HEADER_BYTES, rest, value }))
}
