//! The page for other implementations says what this one does.

use std::time::Duration;

use ringhold_ring::RingId;

use super::*;
use crate::peer::frame::{self, CHUNK_BYTES, INLINE_BYTES, Kind, WINDOW_BYTES};
use crate::peer::{PATH, message, reply};

const PAGE: &str = include_str!("../../../../proto-docs/member-stream.md");

/// The cells of every table row that begins with a number in hexadecimal.
fn rows() -> impl Iterator<Item = (u8, Vec<&'static str>)> {
    PAGE.lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix("| `0x")?.split('|').map(str::trim).collect();
        let (code, rest) = cells.split_first()?;
        Some((u8::from_str_radix(code.trim_end_matches('`'), 16).unwrap(), rest.to_vec()))
    })
}

#[test]
fn every_kind_of_frame_is_on_the_page_with_its_limit() {
    use Kind::{Answer, Body, Cancel, Close, Credit, GoAway, Hello, Probe, ProbeAnswer, Request, Void};
    let kinds = [
        (Void, "VOID"),
        (Hello, "HELLO"),
        (Close, "CLOSE"),
        (GoAway, "GOAWAY"),
        (Request, "REQUEST"),
        (Answer, "ANSWER"),
        (Cancel, "CANCEL"),
        (Body, "BODY"),
        (Credit, "CREDIT"),
        (Probe, "PROBE"),
        (ProbeAnswer, "PROBE_ANSWER"),
    ];
    for (kind, name) in kinds {
        let (code, cells) = rows().find(|(_, cells)| cells[0] == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(code, kind as u8, "{name}");
        assert_eq!(cells[3].parse(), Ok(kind.max_payload()), "{name}");
    }
}

#[test]
fn the_numbers_of_the_page_are_those_of_the_code() {
    let numbers = [INLINE_BYTES, CHUNK_BYTES, WINDOW_BYTES, message::MAX_TAGS, reply::MAX_TEXT_BYTES];
    for number in numbers {
        assert!(PAGE.contains(&number.to_string()), "{number}");
    }
    assert!(PAGE.contains(&format!("GET {PATH} HTTP/1.1")) && PAGE.contains(&format!("Upgrade: {PROTOCOL}")));
}

#[test]
fn the_example_request_is_what_is_sent() {
    let mut bytes = Vec::new();
    frame::put(&mut bytes, Kind::Request, 1, |payload| {
        let left = Duration::from_millis(1000);
        message::encode_request(payload, &key("k"), &get(), left, RingId::from_u64(7));
    });
    let sent: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let example = PAGE.lines().find(|line| line.ends_with("0001 6b")).unwrap();
    assert_eq!(example.replace(' ', ""), sent);
}
