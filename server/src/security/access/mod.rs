//! Who may ask at all: by address, then by credentials. It stands ahead of everything else, before path and method
//! are looked at for any other purpose.
//!
//! Members always pass: by address, or because TLS or a member token has proved them (`is_member`).

mod addresses;
mod bearer;
mod forwarded;
mod method;

use std::collections::HashSet;
use std::net::IpAddr;

use http::{HeaderMap, Method, StatusCode};

pub use addresses::{AddressError, AddressList, AddressRange, MAX_RANGES};
pub use bearer::{BearerError, BearerTokens, MAX_TOKENS, Scope, TokenDigest};
pub use forwarded::{ForwardedError, ForwardedHeader, TrustedProxies};
pub use method::{CredentialError, Grant, Method as AuthenticationMethod};

/// The whole check of one node. It never changes; a reload makes a new one.
#[derive(Debug)]
pub struct Access {
    /// Who may come.
    pub addresses: AddressList,
    /// The addresses of the ring's members (canonical: no IPv4 in IPv6): always in.
    pub members: HashSet<IpAddr>,
    /// Whose word counts about where a request comes from.
    pub proxies: TrustedProxies,
    /// How clients prove who they are, in the order of asking; empty: they need not.
    pub methods: Vec<Box<dyn AuthenticationMethod>>,
}

/// A request that may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Where it comes from, as far as trusted proxies tell.
    pub client: IpAddr,
    /// Who it was recognised as; none when no credentials are needed.
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
    /// Its credentials are missing, unknown, or not good for this method.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
}

impl Refusal {
    /// 401 when other credentials would help, 403 when not.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Address(_) | Self::Forwarded(_) => StatusCode::FORBIDDEN,
            Self::Credentials(error) => error.status(),
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
        let grant = method::authenticate(&self.methods, headers, method)?;
        Ok(Admitted { client, grant })
    }

    /// Whether [`Access::admit`] lets in every request from `peer`, whatever its headers and method are.
    #[must_use]
    pub fn admits_unseen(&self, peer: IpAddr, is_member: bool) -> bool {
        let peer = peer.to_canonical();
        let is_allowed = || self.addresses.contains(peer) || self.members.contains(&peer);
        is_member || self.methods.is_empty() && !self.proxies.trusts(peer) && is_allowed()
    }

    /// Whether an address is a member's: on a plain ring without a secret the only proof of a member there is.
    #[must_use]
    pub fn is_member_address(&self, peer: IpAddr) -> bool {
        self.members.contains(&peer.to_canonical())
    }
}

#[cfg(test)]
mod tests;
