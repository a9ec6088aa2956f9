//! Addresses and CIDR ranges. An IPv4 address that comes as IPv6 (`::ffff:10.0.0.1`) is the IPv4 address, on both sides.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::error::shortened;

/// The most ranges of a list.
pub const MAX_RANGES: usize = 4096;

/// An address, or a range like `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange(IpNet);

/// Why a text is not an address or a range, or a list is too long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither.
    #[error(
        "\"{0}\" is neither an address nor a range; write 10.0.0.1, 10.0.0.0/8, ::1 or fd00::/8 (names are not looked up)"
    )]
    Malformed(String),
    /// A range that does not begin where its length says.
    #[error("\"{given}\" has bits set beyond its length; the range is {meant}")]
    StrayBits {
        /// What was written.
        given: String,
        /// The range that it lies in.
        meant: IpNet,
    },
    /// More than [`MAX_RANGES`].
    #[error("{0} addresses and ranges are more than {MAX_RANGES}; join neighbours to larger ranges")]
    TooMany(usize),
}

impl std::str::FromStr for AddressRange {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(IpNet::from(address.to_canonical())));
        }
        let range: IpNet = text.parse().map_err(|_| AddressError::Malformed(shortened(text)))?;
        if range.trunc() != range {
            return Err(AddressError::StrayBits { given: text.into(), meant: range.trunc() });
        }
        Ok(Self(canonical(range)))
    }
}

/// `::ffff:10.0.0.0/104` means `10.0.0.0/8`.
fn canonical(range: IpNet) -> IpNet {
    match (range.network().to_canonical(), range.prefix_len().checked_sub(96)) {
        (IpAddr::V4(network), Some(length)) if matches!(range, IpNet::V6(_)) => {
            Ipv4Net::new(network, length).map_or(range, IpNet::V4)
        }
        _ => range,
    }
}

impl AddressRange {
    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// An address alone when it is one, else the range.
impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            write!(f, "{}", self.0.addr())
        } else {
            write!(f, "{}", self.0)
        }
    }
}
