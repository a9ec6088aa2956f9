//! A large value being put together from its pieces, in one buffer of exactly its size.
//!
//! Invariant: at most [`WINDOW_BYTES`] are granted and not yet received, so a large value never fills the pipe in
//! front of a small frame.

use bytes::Bytes;

use super::frame::{Violation, WINDOW_BYTES};

/// A value of which some pieces are still to come.
#[derive(Debug)]
pub(super) struct Assembly {
    buffer: Vec<u8>,
    length: usize,
    granted: usize,
}

/// What a piece brought about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing to do.
    Waiting,
    /// The sender may send this many bytes more.
    Grant(u32),
    /// It was the last piece.
    Complete,
}

impl Assembly {
    /// A value of `length` bytes; whoever makes one has checked that so many may be held.
    pub(super) fn new(length: usize) -> Self {
        Self { buffer: Vec::with_capacity(length), length, granted: length.min(WINDOW_BYTES) }
    }

    /// How large the value will be.
    pub(super) const fn length(&self) -> usize {
        self.length
    }

    /// Adds the next piece.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<Progress, Violation> {
        if piece.is_empty() {
            return Err(Violation::Malformed("BODY"));
        }
        if piece.len() > self.granted - self.buffer.len() {
            return Err(Violation::OverLimit("BODY beyond what was granted"));
        }
        self.buffer.extend_from_slice(piece);
        if self.buffer.len() == self.length {
            return Ok(Progress::Complete);
        }
        let outstanding = self.granted - self.buffer.len();
        let grant = (WINDOW_BYTES - outstanding).min(self.length - self.granted);
        if grant == 0 || outstanding > WINDOW_BYTES / 2 {
            return Ok(Progress::Waiting);
        }
        self.granted += grant;
        Ok(Progress::Grant(u32::try_from(grant).unwrap_or(u32::MAX)))
    }

    /// The whole value; copies nothing.
    pub(super) fn into_bytes(self) -> Bytes {
        self.buffer.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::frame::CHUNK_BYTES;

    #[test]
    fn grants_cover_the_value_and_never_exceed_the_window() {
        let length = 2 << 20;
        let mut assembly = Assembly::new(length);
        let (mut credit, mut sent) = (WINDOW_BYTES, 0);
        while sent < length {
            let piece = CHUNK_BYTES.min(credit).min(length - sent);
            assert!(piece > 0, "the sender starves at {sent} bytes");
            let progress = assembly.add(&vec![1; piece]).unwrap();
            (credit, sent) = (credit - piece, sent + piece);
            if let Progress::Grant(more) = progress {
                credit += more as usize;
                assert!(credit <= WINDOW_BYTES);
            }
            assert_eq!(progress == Progress::Complete, sent == length);
        }
        assert_eq!(assembly.into_bytes().len(), length);
    }

    #[test]
    fn a_piece_beyond_the_grant_is_a_violation() {
        let mut assembly = Assembly::new(WINDOW_BYTES * 2);
        let over = vec![0; WINDOW_BYTES + 1];
        assert_eq!(assembly.add(&over), Err(Violation::OverLimit("BODY beyond what was granted")));
        assert_eq!(assembly.add(&[]), Err(Violation::Malformed("BODY")));
    }
}
