//! Where the MACs of a protected stream stand: behind each frame, made when it leaves and checked before it is
//! looked into.
//!
//! A frame gets room for its tag when it is put, and the tag itself when it leaves, because until then it may still
//! be withdrawn. Streams without MACs pay for none of this.

use super::frame::{self, Frame, Violation};
use crate::security::stream::{FrameOpener, FrameSealer, TAG_BYTES, Tag};

/// Takes frames off a read buffer.
#[derive(Debug)]
pub(super) struct FrameReader(Option<FrameOpener>);

impl FrameReader {
    /// With an opener, every frame must bear its tag.
    pub(super) const fn new(opener: Option<FrameOpener>) -> Self {
        Self(opener)
    }

    /// The first frame of `buffer` and how many bytes it takes; none while it is incomplete. Once it was given out, the
    /// next call is about the frame behind it.
    pub(super) fn first<'a>(&mut self, buffer: &'a [u8]) -> Result<Option<(Frame<'a>, usize)>, Violation> {
        let first = frame::first(buffer)?;
        let (Some(opener), Some((frame, length))) = (&mut self.0, first) else { return Ok(first) };
        let Some((bytes, rest)) = buffer.split_at_checked(length) else { return Ok(None) };
        let Some(tag) = rest.first_chunk::<TAG_BYTES>() else { return Ok(None) };
        opener.open(&[bytes], tag)?;
        Ok(Some((frame, length + TAG_BYTES)))
    }
}

/// Makes the tags of what leaves.
#[derive(Debug)]
pub(super) struct FrameWriter(Option<FrameSealer>);

impl FrameWriter {
    /// With a sealer, every frame gets a tag.
    pub(super) const fn new(sealer: Option<FrameSealer>) -> Self {
        Self(sealer)
    }

    /// The room that each frame needs behind it.
    pub(super) const fn tag_bytes(&self) -> usize {
        if self.0.is_some() { TAG_BYTES } else { 0 }
    }

    /// Fills in the tags of frames that lie one behind the other, each with its room behind it.
    pub(super) fn seal_all(&mut self, frames: &mut [u8]) {
        let Some(sealer) = &mut self.0 else { return };
        let mut rest = frames;
        loop {
            let length = frame::length(rest);
            let Some((frame, behind)) = rest.split_at_mut_checked(length) else { return };
            let Some((tag, behind)) = behind.split_first_chunk_mut::<TAG_BYTES>() else { return };
            *tag = sealer.seal(&[&*frame]);
            rest = behind;
        }
    }

    /// The tag of a frame whose header and payload lie apart; nothing on a stream without MACs.
    pub(super) fn seal(&mut self, header: &[u8], payload: &[u8]) -> Option<Tag> {
        self.0.as_mut().map(|sealer| sealer.seal(&[header, payload]))
    }
}
