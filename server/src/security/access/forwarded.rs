//! Where a request comes from when proxies stand between: their word counts only if they are trusted.
//!
//! The header is read from its right end, where the nearest proxy wrote: entries of trusted proxies are skipped, and
//! the first other address is the client. What stands left of it the client may have written itself. Only the one
//! header that is configured is read: a proxy that writes the other one passes this one on as the client sent it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
pub use ringhold_config::ForwardedHeader;

use super::{AddressError, AddressList};

/// The most proxies that a request passes.
const MAX_HOPS: usize = 32;

/// The proxies in front of this node: certain addresses, never all.
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    addresses: AddressList,
    header: ForwardedHeader,
}

/// A trusted proxy passed on what is no list of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trusted proxy {proxy} sent a {} header from which the client's address cannot be told", header.name())]
pub struct ForwardedError {
    /// Who sent it.
    pub proxy: IpAddr,
    /// Which header.
    pub header: ForwardedHeader,
}

impl TrustedProxies {
    /// Trusts the proxies at these addresses, which write `header`.
    ///
    /// # Errors
    /// [`AddressError`] naming the entry.
    pub fn new<T: AsRef<str>>(entries: &[T], header: ForwardedHeader) -> Result<Self, AddressError> {
        Ok(Self { addresses: AddressList::parse(entries)?, header })
    }

    /// Nobody: every request comes from where its connection comes from.
    #[must_use]
    pub const fn none() -> Self {
        Self { addresses: AddressList::Ranges(Vec::new()), header: ForwardedHeader::XForwardedFor }
    }

    /// Whether what `peer` says of its clients is believed.
    pub(super) fn trusts(&self, peer: IpAddr) -> bool {
        self.addresses.contains(peer)
    }

    /// The client of a request that came over a connection from `peer`.
    ///
    /// # Errors
    /// [`ForwardedError`]: guessing would let a forged entry in.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, ForwardedError> {
        let mut client = peer.to_canonical();
        if !self.addresses.contains(client) {
            return Ok(client);
        }
        let unclear = ForwardedError { proxy: client, header: self.header };
        let mut hops = 0;
        // Several header lines are one list (RFC 9110 section 5.3); the nearest proxy wrote last.
        for line in headers.get_all(self.header.name()).iter().rev() {
            let line = line.to_str().map_err(|_| unclear)?;
            let entries = elements(line).ok_or(unclear)?;
            for entry in entries.into_iter().rev().map(str::trim).filter(|entry| !entry.is_empty()) {
                hops += 1;
                if hops > MAX_HOPS {
                    return Err(unclear);
                }
                client = self.address(entry).ok_or(unclear)?.to_canonical();
                if !self.addresses.contains(client) {
                    return Ok(client);
                }
            }
        }
        Ok(client)
    }

    fn address(&self, entry: &str) -> Option<IpAddr> {
        match self.header {
            ForwardedHeader::XForwardedFor => node(entry),
            ForwardedHeader::Forwarded => {
                let mut pairs = entry.split(';').filter_map(|pair| pair.trim().split_once('='));
                let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
                node(value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value))
            }
        }
    }
}

/// The elements of a list, cut at commas outside quotes; none when a quote is left open: then what a client wrote
/// would swallow what the proxy wrote behind it.
fn elements(line: &str) -> Option<Vec<&str>> {
    let mut is_quoted = false;
    let cut = |character: char| {
        is_quoted ^= character == '"';
        character == ',' && !is_quoted
    };
    let elements = line.split(cut).collect();
    (!is_quoted).then_some(elements)
}

/// An address with or without brackets and port.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port)
}
