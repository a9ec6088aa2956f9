//! RESP 2, as Redis speaks it.

use super::{Parts, line};
use crate::load::Operation;

/// The request without its value, and what stands behind the value.
pub fn head(operation: Operation, key: &str, length: usize) -> String {
    match operation {
        Operation::Get => format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()),
        Operation::Put => format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${length}\r\n", key.len()),
    }
}

/// The parts of an answer; outside, nothing while its first line is not whole; inside, nothing for a wrong one.
pub fn parts(bytes: &[u8]) -> Option<Option<Parts>> {
    let (line, head) = line(bytes)?;
    let rest = match line.strip_prefix('$') {
        // A value that is missing has the length -1, which is no length.
        Some(length) => length.parse::<usize>().ok().map(|length| (length, length + 2)),
        None => (line == "+OK").then_some((0, 0)),
    };
    Some(rest.map(|(value, rest)| Parts { head, rest, value }))
}
