//! What leaves a stream in one write: small frames, then a few pieces of large values.
//!
//! Nothing is copied to be written, and MACs are made here, when the order of frames is settled.

use std::io::IoSlice;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::frame::HEADER_BYTES;
use super::macs::FrameWriter;
use crate::security::stream::Tag;

/// Pieces of large values in one write: small frames wait for no more than these.
pub(super) const PIECES_PER_WRITE: usize = 4;

/// A write buffer that grew beyond this in a burst is given back.
const KEPT_CAPACITY: usize = 256 << 10;

/// What leaves together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) small: Vec<u8>,
    /// Bytes of small frames before `small`, since the stream began.
    pub(super) base: u64,
    pub(super) pieces: Vec<Piece>,
}

/// A part of a large value: one frame.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) header: [u8; HEADER_BYTES],
    pub(super) piece: Bytes,
    /// Made when it leaves, if the stream has MACs.
    pub(super) tag: Option<Tag>,
}

impl Batch {
    /// Empties it, and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.small.clear();
        self.small.shrink_to(KEPT_CAPACITY);
        self.pieces.clear();
    }

    /// Makes the MACs, in the order in which the frames leave.
    pub(super) fn seal(&mut self, frames: &mut FrameWriter) {
        frames.seal_all(&mut self.small);
        for Piece { header, piece, tag } in &mut self.pieces {
            *tag = frames.seal(header, piece);
        }
    }

    /// Hands all of it to `transport`; `written` follows how many bytes of small frames that has taken.
    pub(super) async fn write_to<W: AsyncWrite + Unpin>(
        &self,
        transport: &mut W,
        written: &AtomicU64,
    ) -> std::io::Result<()> {
        let mut slices = [IoSlice::new(&[]); 1 + 3 * PIECES_PER_WRITE];
        let parts = self.pieces.iter().flat_map(|Piece { header, piece, tag }| {
            [Some(&header[..]), Some(&piece[..]), tag.as_ref().map(|tag| &tag[..])].into_iter().flatten()
        });
        for (slice, part) in slices.iter_mut().zip(std::iter::once(&self.small[..]).chain(parts)) {
            *slice = IoSlice::new(part);
        }
        let mut left = &mut slices[..];
        let mut total = 0;
        // Skips the empty slices in front.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() && left.iter().any(|slice| !slice.is_empty()) {
            let count = transport.write_vectored(left).await?;
            if count == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            total += count;
            written.store(self.base + total.min(self.small.len()) as u64, Ordering::Release);
            IoSlice::advance_slices(&mut left, count);
        }
        transport.flush().await
    }
}
