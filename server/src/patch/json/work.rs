//! How much work one patch may cause.
//!
//! A patch of a few bytes can ask for copying, comparing or shifting a large value thousands of times. Everything
//! that costs more than the operation's own text is charged here, one unit for about a byte read.

use super::super::PatchError;

/// Units that are left.
#[derive(Debug)]
pub(in super::super) struct Work(usize);

/// A patch asked for more work than a request may cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct TooMuchWork;

impl Work {
    /// Units per byte of input.
    const PER_BYTE: usize = 64;
    /// Bytes that every patch may count as input: small values may be worked on freely.
    const FREE_BYTES: usize = 1 << 20;

    /// What a patch with this much input, stored value and document together, may cause.
    pub(in super::super) const fn for_input(bytes: usize) -> Self {
        Self(bytes.saturating_add(Self::FREE_BYTES).saturating_mul(Self::PER_BYTE))
    }

    pub(in super::super) const fn charge(&mut self, units: usize) -> Result<(), TooMuchWork> {
        match self.0.checked_sub(units) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(TooMuchWork),
        }
    }
}

impl From<TooMuchWork> for PatchError {
    fn from(_: TooMuchWork) -> Self {
        Self::Conflict(
            "on a value of this size the patch takes more work than one request may cause; send it in parts"
                .to_owned(),
        )
    }
}
