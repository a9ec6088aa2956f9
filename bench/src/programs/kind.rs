//! What can stand in a row of a table.

use crate::load::Dialect;

/// What is started for one row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One node, and how clients reach it.
    Ringhold(Link),
    /// One node with another allocator.
    RingholdMimalloc,
    /// Several nodes; clients reach them plainly, as an application does on its own machine.
    Ring(Members),
    /// nginx in front of a node, and how it reaches it.
    NginxForwarder(Link),
    /// HAProxy in front of a node, and how it reaches it.
    HaproxyForwarder(Link),
    /// nginx that answers a constant of 100 bytes, and how clients reach it.
    Nginx(Link),
    /// The same over HTTP/2.
    NginxHttp2,
    /// hyper and a map.
    Bare,
    /// A constant answer without parsing.
    Trivial,
    /// Redis.
    Redis,
    /// Redis behind HTTP.
    Webdis,
    /// memcached, and how it is spoken to.
    Memcached(Dialect),
    /// etcd through its gateway for JSON.
    Etcd,
}

/// How two programs are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// As it is.
    Plain,
    /// TLS with certificates on both sides.
    Mtls,
}

/// A ring of several nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Members {
    /// How many.
    pub count: usize,
    /// Who is asked.
    pub asked: Asked,
    /// How they reach each other.
    pub between: Link,
    /// `cluster.replicas`
    pub replicas: usize,
}

/// Which member of a ring clients talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The one that owns the keys.
    Owner,
    /// One that does not.
    Other,
}

impl Kind {
    /// The program that must be here, and the Debian package that brings it.
    pub const fn needs(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Nginx(_) | Self::NginxHttp2 | Self::NginxForwarder(_) => Some(("nginx", "nginx-light")),
            Self::HaproxyForwarder(_) => Some(("haproxy", "haproxy")),
            Self::Redis => Some(("redis-server", "redis-server")),
            Self::Webdis => Some(("webdis", "webdis")),
            Self::Memcached(_) => Some(("memcached", "memcached")),
            Self::Etcd => Some(("etcd", "etcd-server")),
            Self::RingholdMimalloc => Some((MIMALLOC, "libmimalloc2.0")),
            Self::Ringhold(_) | Self::Ring(_) | Self::Bare | Self::Trivial => None,
        }
    }

    /// Whether every server of it works for every answer.
    pub const fn is_busy_all_over(self) -> bool {
        !matches!(self, Self::Ring(Members { asked: Asked::Owner, .. }))
    }

    /// Whether its answers are known to go wrong under load now and then.
    pub const fn is_unreliable(self) -> bool {
        matches!(self, Self::Webdis)
    }
}

/// Debian's file of the allocator.
pub const MIMALLOC: &str = "/usr/lib/x86_64-linux-gnu/libmimalloc.so.2";
