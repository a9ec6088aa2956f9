//! One connection of the load: what is still to be sent, and how far the next answer has come.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::time::Instant;

use super::stream::Stream;
use super::wire::Framing;
use crate::error::{Error, doing};

/// The most requests that share one system call.
const MAX_SLICES: usize = 64;

/// A connection to the server under load.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// Requests to send, by their number, and how much of the first is gone.
    outgoing: VecDeque<usize>,
    sent: usize,
    /// When each unanswered request counts as sent.
    begun: VecDeque<Instant>,
    /// The beginning of a head that is not whole.
    head: Vec<u8>,
    /// What is missing of the answer whose head is read.
    rest: Option<usize>,
}

impl Connection {
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            outgoing: VecDeque::new(),
            sent: 0,
            begun: VecDeque::new(),
            head: Vec::new(),
            rest: None,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.begun.is_empty()
    }

    /// Puts a request in line; `begun` is what its latency counts from.
    pub fn push(&mut self, request: usize, begun: Instant) {
        self.outgoing.push_back(request);
        self.begun.push_back(begun);
    }

    /// Sends what is in line, as far as the connection takes it.
    pub fn send(&mut self, requests: &[Vec<u8>]) -> Result<(), Error> {
        while !self.outgoing.is_empty() {
            match self.write_some(requests) {
                Ok(count) => self.advance(count, requests),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(doing("sending a request")(error)),
            }
        }
        // What encryption holds back.
        match self.stream.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(doing("sending a request")(error)),
            _ => Ok(()),
        }
    }

    fn write_some(&mut self, requests: &[Vec<u8>]) -> io::Result<usize> {
        if let &mut [only] = self.outgoing.make_contiguous() {
            return self.stream.write(&requests[only][self.sent..]);
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut skip = self.sent;
        for (slice, request) in slices.iter_mut().zip(&self.outgoing) {
            *slice = IoSlice::new(&requests[*request][skip..]);
            skip = 0;
        }
        self.stream.write_vectored(&slices[..self.outgoing.len().min(MAX_SLICES)])
    }

    fn advance(&mut self, mut count: usize, requests: &[Vec<u8>]) {
        while let Some(first) = self.outgoing.front() {
            let left = requests[*first].len() - self.sent;
            if count < left {
                self.sent += count;
                return;
            }
            count -= left;
            self.sent = 0;
            self.outgoing.pop_front();
        }
    }

    /// Reads what has arrived, and says of each answer that is complete when its request began.
    pub fn receive(
        &mut self,
        framing: &mut Framing,
        buffer: &mut [u8],
        mut answered: impl FnMut(Instant),
    ) -> Result<(), Error> {
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => {
                    return Err(doing("reading an answer")(io::Error::from(io::ErrorKind::UnexpectedEof)));
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(doing("reading an answer")(error)),
            };
            self.take(&buffer[..read], framing, &mut answered)?;
            if self.stream.is_emptied_by(read, buffer.len()) {
                return Ok(());
            }
        }
    }

    fn take(
        &mut self,
        mut bytes: &[u8],
        framing: &mut Framing,
        answered: &mut impl FnMut(Instant),
    ) -> Result<(), Error> {
        loop {
            if let Some(left) = self.rest {
                let taken = left.min(bytes.len());
                bytes = &bytes[taken..];
                if taken < left {
                    self.rest = Some(left - taken);
                    return Ok(());
                }
                self.rest = None;
                answered(self.begun.pop_front().ok_or_else(unasked)?);
            }
            if bytes.is_empty() {
                return Ok(());
            }
            let before = self.head.len();
            let parts = if before == 0 {
                framing.read(bytes)?
            } else {
                self.head.extend_from_slice(bytes);
                framing.read(&self.head)?
            };
            let Some(parts) = parts else {
                if before == 0 {
                    self.head.extend_from_slice(bytes);
                }
                return Ok(());
            };
            bytes = &bytes[parts.head - before..];
            self.head.clear();
            self.rest = Some(parts.rest);
        }
    }
}

fn unasked() -> Error {
    Error::Answer {
        from: "the server under load".into(),
        what: "it answered more than it was asked; one answer for each request would be right".into(),
    }
}
