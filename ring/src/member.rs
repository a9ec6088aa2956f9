//! A member's address, and the order of addresses that the ring is built on.
//!
//! The order uses no DNS: IPv4 numerically, then IPv6 numerically, then names, then port. So every node that is
//! given the same members, in any order, puts them in the same one. (Repose orders what DNS answers, takes
//! addresses for signed numbers and does not look at ports: rings that mix 10.x with 192.168.x, or have two
//! members on one host, are ordered otherwise there.)
//!
//! Invariant: an address that was parsed has one spelling; `address.to_string().parse()` gives it back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Where a member is reached: `host:port`, the host an IP address (IPv6 in brackets) or a name. Copies are cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberAddress(Arc<Parts>);

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    host: Host,
    port: u16,
    /// Both, as they are written.
    text: Box<str>,
}

/// The derived order is the rule of the ring: IPv4 before IPv6 before names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Host {
    Ip(IpAddr),
    Name(Box<str>),
}

/// Why a text is not a member's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberAddressError {
    /// No `:port` at the end.
    #[error("\"{0}\" has no port; a member is host:port, for example 10.0.0.1:9999 or [::1]:9999")]
    NoPort(String),
    /// The port is not a number from 1 to 65535.
    #[error("\"{0}\" has no usable port; a port is a number from 1 to 65535")]
    BadPort(String),
    /// Neither an IP address nor a host name.
    #[error(
        "\"{0}\" names neither an IP address nor a host (letters, digits, '-', '_', '.', at most 253 bytes); an \
         IPv6 address stands in brackets"
    )]
    BadHost(String),
    /// An address at which no single machine is reached: unspecified, multicast or broadcast.
    #[error(
        "\"{0}\" is not the address of one machine; give the address at which the others reach this member"
    )]
    NotOneMachine(String),
}

impl MemberAddress {
    fn new(host: Host, port: u16) -> Self {
        let text = match &host {
            Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
            Host::Ip(ip) => format!("{ip}:{port}"),
            Host::Name(name) => format!("{name}:{port}"),
        };
        Self(Arc::new(Parts { host, port, text: text.into() }))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The host without brackets: an IP address or a name.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.0.host {
            Host::Ip(ip) => ip.to_string(),
            Host::Name(name) => name.to_string(),
        }
    }

    /// The host when it is an IP address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match &self.0.host {
            Host::Ip(ip) => Some(*ip),
            Host::Name(_) => None,
        }
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port
    }
}

impl std::str::FromStr for MemberAddress {
    type Err = MemberAddressError;

    fn from_str(text: &str) -> Result<Self, MemberAddressError> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => return Err(MemberAddressError::NoPort(text.into())),
        };
        let host = Host::parse(host).ok_or_else(|| MemberAddressError::BadHost(text.into()))?;
        let port = parse_port(port).ok_or_else(|| MemberAddressError::BadPort(text.into()))?;
        match &host {
            Host::Ip(ip) if !is_one_machine(*ip) => Err(MemberAddressError::NotOneMachine(text.into())),
            _ => Ok(Self::new(host, port)),
        }
    }
}

/// `u16::from_str` takes `+1` and `007`; an address has one spelling.
fn parse_port(text: &str) -> Option<u16> {
    text.starts_with(|first| matches!(first, '1'..='9')).then(|| text.parse().ok())?
}

fn is_one_machine(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::V4(Ipv4Addr::BROADCAST)
}

impl Host {
    /// An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is the IPv4 address, a name is lower case.
    fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let ip: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Ip(IpAddr::V6(ip).to_canonical()));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Some(Self::Ip(ip.into()));
        }
        is_name(text).then(|| Self::Name(text.to_ascii_lowercase().into()))
    }
}

/// A host name by RFC 1123 section 2.1, with `_` allowed because container networks use it. A last label that is a
/// number makes it a misspelt IPv4 address: `10.1`, `10.0.0.256` and `0x7f000001` are no names.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.len() <= 253 && !is_number && text.split('.').all(label)
}

impl From<SocketAddr> for MemberAddress {
    /// The member at this address; an IPv6 address's flow label and scope are not part of it.
    ///
    /// For sockets that are bound or connected. What a person wrote is parsed instead: here a port 0 or an
    /// unspecified address, which no other member could reach, is not refused.
    fn from(address: SocketAddr) -> Self {
        Self::new(Host::Ip(address.ip().to_canonical()), address.port())
    }
}

impl std::fmt::Display for MemberAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for MemberAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for MemberAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for MemberAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
