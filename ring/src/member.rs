//! Members: their addresses, their order, and the ring they form.
//!
//! The order uses no DNS: IP addresses numerically before names, then port. So every node that is given the
//! same members, in any order, puts them in the same one.

use std::net::IpAddr;

use crate::{Digest, Placement, PreferenceList};

/// The most members a ring may have.
pub const MAX_MEMBERS: usize = 1024;

/// Where a member is reached: `host:port`, the host an IP address (IPv6 in brackets) or a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberAddress {
    host: Host,
    port: u16,
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
        "\"{0}\" is neither an IP address nor a host name (letters, digits, '-', '.', at most 253 bytes); \
         an IPv6 address stands in brackets"
    )]
    BadHost(String),
}

impl MemberAddress {
    /// The host without brackets: an IP address or a name.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.host {
            Host::Ip(ip) => ip.to_string(),
            Host::Name(name) => name.to_string(),
        }
    }

    /// The host when it is an IP address.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Ip(ip) => Some(*ip),
            Host::Name(_) => None,
        }
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl std::str::FromStr for MemberAddress {
    type Err = MemberAddressError;

    fn from_str(text: &str) -> Result<Self, MemberAddressError> {
        let (host, port) = text.rsplit_once(':').ok_or_else(|| MemberAddressError::NoPort(text.into()))?;
        if host.contains(':') && !host.starts_with('[') {
            return Err(MemberAddressError::BadHost(text.into()));
        }
        let port = match port.parse() {
            Ok(port) if port != 0 && port_is_plain(text) => port,
            _ => return Err(MemberAddressError::BadPort(text.into())),
        };
        let host = Host::parse(host).ok_or_else(|| MemberAddressError::BadHost(text.into()))?;
        Ok(Self { host, port })
    }
}

/// `u16::from_str` takes `+1` and `007`; an address has one spelling.
fn port_is_plain(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(_, port)| port.starts_with(|first: char| matches!(first, '1'..='9')))
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let ip: std::net::Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Ip(IpAddr::V6(ip).to_canonical()));
        }
        if let Ok(ip) = text.parse::<std::net::Ipv4Addr>() {
            return Some(Self::Ip(ip.into()));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let numeric =
            text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        (text.len() <= 253 && !numeric && text.split('.').all(label))
            .then(|| Self::Name(text.to_ascii_lowercase().into()))
    }
}

impl From<std::net::SocketAddr> for MemberAddress {
    fn from(address: std::net::SocketAddr) -> Self {
        Self { host: Host::Ip(address.ip().to_canonical()), port: address.port() }
    }
}

impl std::fmt::Display for MemberAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(ip) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl serde::Serialize for MemberAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for MemberAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A member's place in the sorted member list of one [`Ring`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberIndex(u16);

impl MemberIndex {
    pub(crate) fn new(index: usize) -> Self {
        debug_assert!(index < MAX_MEMBERS);
        Self(index as u16)
    }

    /// The index as a number, from 0.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// What two nodes must agree on to send keys to the same places: a hash of members, placement and replicas.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RingId(u64);

impl RingId {
    /// The id as a number, as it travels between members.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// An id that another member sent.
    #[must_use]
    pub const fn from_u64(id: u64) -> Self {
        Self(id)
    }
}

impl std::fmt::Display for RingId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::fmt::Debug for RingId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RingId({self})")
    }
}

/// The configured members in their order, and how keys are placed on them. It never changes; a new
/// configuration makes a new ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    members: Vec<MemberAddress>,
    seeds: Vec<u64>,
    placement: Placement,
    replicas: usize,
    id: RingId,
}

/// Why members do not form a ring.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// No member at all.
    #[error("a ring has at least one member")]
    NoMembers,
    /// More than [`MAX_MEMBERS`].
    #[error("a ring has at most {MAX_MEMBERS} members, not {0}")]
    TooManyMembers(usize),
    /// The same address twice.
    #[error("member {0} is listed twice; list each member once")]
    Duplicate(MemberAddress),
    /// `replicas` is zero or more than there are members.
    #[error("replicas is {replicas}; with {members} members it is 1 to {members}")]
    BadReplicas {
        /// What was asked for.
        replicas: usize,
        /// How many members there are.
        members: usize,
    },
}

impl Ring {
    /// A ring of these members, in any order; each key has `replicas` home members.
    ///
    /// # Errors
    /// [`RingError`] for an empty or over-long list, a duplicate, or more replicas than members.
    pub fn new(
        members: impl IntoIterator<Item = MemberAddress>,
        placement: Placement,
        replicas: usize,
    ) -> Result<Self, RingError> {
        let mut members: Vec<_> = members.into_iter().collect();
        members.sort_unstable();
        if members.is_empty() {
            return Err(RingError::NoMembers);
        }
        if members.len() > MAX_MEMBERS {
            return Err(RingError::TooManyMembers(members.len()));
        }
        if let Some([twice, _]) = members.array_windows().find(|[one, other]| one == other) {
            return Err(RingError::Duplicate(twice.clone()));
        }
        if !(1..=members.len()).contains(&replicas) {
            return Err(RingError::BadReplicas { replicas, members: members.len() });
        }
        let seeds = members.iter().map(|member| first_word(&member.to_string())).collect();
        let names: Vec<_> = members.iter().map(ToString::to_string).collect();
        let id = RingId(first_word(&format!("{}|{placement}|{replicas}", names.join(","))));
        Ok(Self { members, seeds, placement, replicas, id })
    }

    /// How many members there are: 1 to [`MAX_MEMBERS`].
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a ring is never empty")]
    pub const fn len(&self) -> usize {
        self.members.len()
    }

    /// Every member, in order.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (MemberIndex, &MemberAddress)> {
        self.members.iter().enumerate().map(|(index, member)| (MemberIndex::new(index), member))
    }

    /// The address of a member of this ring.
    ///
    /// # Panics
    /// When the index comes from another, longer ring.
    #[must_use]
    pub fn address(&self, index: MemberIndex) -> &MemberAddress {
        &self.members[index.as_usize()]
    }

    /// Where a member stands, if it is one.
    #[must_use]
    pub fn index_of(&self, address: &MemberAddress) -> Option<MemberIndex> {
        self.members.binary_search(address).ok().map(MemberIndex::new)
    }

    /// How keys are placed.
    #[must_use]
    pub const fn placement(&self) -> Placement {
        self.placement
    }

    /// How many home members a key has.
    #[must_use]
    pub const fn replicas(&self) -> usize {
        self.replicas
    }

    /// What must be equal on every member.
    #[must_use]
    pub const fn id(&self) -> RingId {
        self.id
    }

    /// All members in `digest`'s order of preference; the first [`Ring::replicas`] are its home members.
    #[must_use]
    pub fn preference_list(&self, digest: Digest) -> PreferenceList<'_> {
        PreferenceList::new(self, digest)
    }

    pub(crate) fn seeds(&self) -> &[u64] {
        &self.seeds
    }
}

fn first_word(text: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(text.as_bytes()).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
