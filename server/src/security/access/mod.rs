//! Who may ask at all: by address, then by bearer token. It stands ahead of everything else, before path and method
//! are looked at for any other purpose.
//!
//! Members always pass: by address, or because TLS or a member token has proved them (`is_member`).

mod addresses;
mod bearer;
mod forwarded;

use std::collections::HashSet;
use std::net::IpAddr;

use http::{HeaderMap, Method, StatusCode};

pub use addresses::{AddressError, AddressList, AddressRange, MAX_RANGES};
pub use bearer::{BearerError, BearerTokens, Grant, MAX_TOKENS, Scope, TokenDigest};
pub use forwarded::{ForwardedError, ForwardedHeader, TrustedProxies};

/// The whole check of one node. It never changes; a reload makes a new one.
#[derive(Debug)]
pub struct Access {
    /// Who may come.
    pub addresses: AddressList,
    /// The addresses of the ring's members (canonical: no IPv4 in IPv6): always in.
    pub members: HashSet<IpAddr>,
    /// Whose word counts about where a request comes from.
    pub proxies: TrustedProxies,
    /// What clients show, if they must show anything.
    pub bearer: Option<BearerTokens>,
}

/// A request that may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Where it comes from, as far as trusted proxies tell.
    pub client: IpAddr,
    /// What its bearer token grants; none when none was needed.
    pub grant: Option<Grant>,
}

/// A request that may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its address is on no list.
    #[error("{0} is not on the access list (access.allow)")]
    Address(IpAddr),
    /// A trusted proxy says something unusable about where it comes from.
    #[error(transparent)]
    Forwarded(#[from] ForwardedError),
    /// Its bearer token is missing, unknown, or not good for this method.
    #[error(transparent)]
    Bearer(#[from] BearerError),
}

impl Refusal {
    /// 401 when other credentials would help, 403 when not.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Address(_) | Self::Forwarded(_) | Self::Bearer(BearerError::ReadOnly(_)) => {
                StatusCode::FORBIDDEN
            }
            Self::Bearer(_) => StatusCode::UNAUTHORIZED,
        }
    }
}

impl Access {
    /// Decides on a request from `peer`; `is_member` when the connection or a token has proved a member.
    ///
    /// # Errors
    /// [`Refusal`]: log it, and tell the client no more than its status.
    pub fn admit(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        method: &Method,
        is_member: bool,
    ) -> Result<Admitted, Refusal> {
        let peer = peer.to_canonical();
        if is_member {
            return Ok(Admitted { client: peer, grant: None });
        }
        let client = self.proxies.client_address(peer, headers)?;
        if !self.addresses.contains(client) && !self.members.contains(&client) {
            return Err(Refusal::Address(client));
        }
        let grant = match &self.bearer {
            None => None,
            Some(tokens) => Some(tokens.check(headers, method)?),
        };
        Ok(Admitted { client, grant })
    }

    /// Whether an address is a member's: on a plain ring without a secret the only proof of a member there is.
    #[must_use]
    pub fn is_member_address(&self, peer: IpAddr) -> bool {
        self.members.contains(&peer.to_canonical())
    }
}

#[cfg(test)]
mod tests;
