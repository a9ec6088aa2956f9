//! Which addresses are meant: all, or those in some range.

use std::net::IpAddr;

pub use ringhold_config::{AddressError, AddressRange, MAX_RANGES};

/// Which addresses are meant: all, or those in some range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressList {
    /// `access.allow_all`
    All,
    /// `access.allow`
    Ranges(Vec<AddressRange>),
}

impl AddressList {
    /// A list of ranges; an empty one means nobody.
    ///
    /// # Errors
    /// [`AddressError`] naming the entry.
    pub fn parse<T: AsRef<str>>(entries: &[T]) -> Result<Self, AddressError> {
        if entries.len() > MAX_RANGES {
            return Err(AddressError::TooMany(entries.len()));
        }
        let ranges = entries.iter().map(|entry| entry.as_ref().trim().parse()).collect::<Result<_, _>>()?;
        Ok(Self::Ranges(ranges))
    }

    /// Whether an address is meant.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::All => true,
            Self::Ranges(ranges) => ranges.iter().any(|range| range.contains(address)),
        }
    }
}
