//! Answers as bytes, one behind the other, until they are sent.

use std::io;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use ringhold_ring::Timestamp;

use super::super::App;
use super::super::answer::{Body, DATE_BYTES, Dates, Head, Name, Text, http_date};
use super::super::objects::{self, Asked};
use super::super::problem::Problem;
use crate::object::Answer;

/// Answers that are not sent yet, in their order.
#[derive(Debug, Default)]
pub(super) struct Replies {
    bytes: Vec<u8>,
    sent: usize,
    /// Of the answer that was begun last.
    status: StatusCode,
    now: Date,
    dates: Dates,
}

impl Replies {
    /// The time for the answers that are added next.
    pub(super) fn date(&mut self, now: Timestamp) {
        self.now.set(now);
    }

    /// Adds an answer up to its body, which is given back.
    pub(super) fn add(
        &mut self,
        app: &App,
        asked: &Asked<'_>,
        result: Result<Answer, Problem>,
    ) -> io::Result<Bytes> {
        let body = match result {
            Ok(answer) => match objects::usual(app, asked, answer, self) {
                Ok(value) => value,
                Err(answer) => self.add_response(objects::response(app, asked, answer))?,
            },
            Err(problem) => self.add_response(problem.into_response())?,
        };
        app.traffic.answered(asked.method, self.status);
        let has_body = !matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if has_body {
            self.line("\r\ncontent-length: ", itoa::Buffer::new().format(body.len()).as_bytes());
        }
        self.line("\r\ndate: ", &self.now.text.clone());
        self.extend(b"\r\n\r\n");
        Ok(if has_body && asked.method != Method::HEAD { body } else { Bytes::new() })
    }

    fn add_response(&mut self, response: Response<Body>) -> io::Result<Bytes> {
        let (head, body) = response.into_parts();
        self.begin(head.status);
        for (name, value) in &head.headers {
            self.line("\r\n", name.as_str().as_bytes());
            self.line(": ", value.as_bytes());
        }
        body.into_whole()
            .ok_or_else(|| io::Error::other("an answer about an object has no body of one piece"))
    }

    fn line(&mut self, name: &str, value: &[u8]) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(value);
    }

    /// Adds a body.
    pub(super) fn extend(&mut self, body: &[u8]) {
        self.bytes.extend_from_slice(body);
    }

    /// What is to be sent.
    pub(super) fn unsent(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Takes note that the first `bytes` of it are sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent == self.bytes.len() {
            self.sent = 0;
            self.bytes.clear();
        }
    }

    /// Writes the next answers into this memory, in which there is nothing.
    pub(super) fn use_memory(&mut self, memory: Vec<u8>) {
        debug_assert!(self.bytes.is_empty() && memory.is_empty(), "nothing is lost, and nothing sent twice");
        self.bytes = memory;
    }

    /// Gives the memory away, once everything is sent.
    pub(super) fn take_memory(&mut self) -> Vec<u8> {
        debug_assert!(self.bytes.is_empty(), "nothing is lost");
        std::mem::take(&mut self.bytes)
    }
}

impl Head for Replies {
    fn begin(&mut self, status: StatusCode) {
        self.status = status;
        match status {
            StatusCode::OK => self.extend(b"HTTP/1.1 200 OK"),
            status => {
                self.line("HTTP/1.1 ", status.as_str().as_bytes());
                self.line(" ", status.canonical_reason().unwrap_or_default().as_bytes());
            }
        }
    }

    #[inline]
    fn put(&mut self, name: &Name, value: Text<'_>) {
        match value {
            Text::Static(text) => self.line(name.line, text.as_bytes()),
            Text::Short(bytes) => self.line(name.line, bytes),
            Text::Number(number) => self.line(name.line, itoa::Buffer::new().format(number).as_bytes()),
            Text::Date(at) => {
                self.bytes.extend_from_slice(name.line.as_bytes());
                self.bytes.extend_from_slice(self.dates.write(at));
            }
        }
    }
}

/// The value of `Date`, written anew once a second.
#[derive(Debug, Default)]
struct Date {
    second: u64,
    text: [u8; DATE_BYTES],
}

impl Date {
    fn set(&mut self, now: Timestamp) {
        let second = now.as_millis() / 1000;
        if second != self.second {
            *self = Self { second, text: http_date(now) };
        }
    }
}
