//! Where a connection comes from, and what its TLS handshake has proved about the other side.
//!
//! It is settled before the first request and never changes: a certificate that is no longer trusted, or a member
//! that has left the ring, meets the new rules with its next connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ringhold_ring::MemberAddress;
use rustls::ServerConnection;
use tokio::sync::OwnedSemaphorePermit;

use super::service::Admission;
use crate::peer::Channel;
use crate::security::tls::{Current, Peer};

/// A connection's place among `limits.max_connections`; it is free again when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Place(#[expect(dead_code, reason = "it is held, not used")] Arc<OwnedSemaphorePermit>);

impl From<OwnedSemaphorePermit> for Place {
    fn from(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(permit))
    }
}

/// The other side of one connection.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    address: SocketAddr,
    ip: IpAddr,
    is_member: bool,
    channel: Channel,
    admission: Admission,
    place: Place,
}

impl Origin {
    /// A plain connection: nothing but an address.
    pub(super) fn plain(address: SocketAddr, admission: Admission, place: Place) -> Self {
        let (ip, channel) = (address.ip().to_canonical(), Channel::Plain);
        Self { address, ip, is_member: false, channel, admission, place }
    }

    /// The same address after a handshake with the material of `current`; its certificate may be a member's.
    ///
    /// # Errors
    /// When the connection has no channel: it would pass for a plain one.
    pub(super) fn secured(
        self,
        tls: &ServerConnection,
        current: &Current,
        members: &[MemberAddress],
    ) -> io::Result<Self> {
        let peer = Peer::of(tls.peer_certificates(), &current.material);
        let is_member = members.iter().any(|member| peer.is_member(member));
        Ok(Self { is_member, channel: Channel::of_tls(tls)?, ..self })
    }

    /// Address and port of the other end of the connection.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address alone; IPv4 is never told as IPv6.
    pub(super) const fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Whether a certificate has proved a member of the ring.
    pub(super) const fn is_member(&self) -> bool {
        self.is_member
    }

    /// Whose requests are served on it.
    pub(super) const fn admission(&self) -> Admission {
        self.admission
    }

    /// The place that the connection takes, for whoever carries it on.
    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }

    /// What the connection runs over; a member's proof is bound to it.
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }
}
