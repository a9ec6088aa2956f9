//! How a client is made: which nodes, how they are reached, what is shown to them, and its limits.

use std::fmt::Display;
use std::time::Duration;

use crate::bearer::BearerToken;
use crate::failover::Failover;
use crate::node::{Nodes, Scheme};
use crate::transport::{Transport, TransportOptions};
use crate::{Client, NodeUrl, NodeUrlError, TlsConfig, TlsConfigError};

/// The most nodes a client knows; a ring has no more members.
const MAX_NODES: usize = 1024;

/// Makes a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    nodes: Vec<String>,
    timeout: Duration,
    connect_timeout: Duration,
    rest: Duration,
    max_object_bytes: usize,
    tls: Option<TlsConfig>,
    // An unusable token is told when the client is built.
    bearer: Option<Option<BearerToken>>,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A node is not given as one.
    #[error(transparent)]
    BadNode(#[from] NodeUrlError),
    /// No node at all.
    #[error("a client needs at least one node; the sidecar of this machine is usually 127.0.0.1:9999")]
    NoNodes,
    /// More than a ring may have.
    #[error("a client knows at most {MAX_NODES} nodes, not {0}")]
    TooManyNodes(usize),
    /// A timeout of nothing.
    #[error("the timeout is zero; give at least a millisecond")]
    ZeroTimeout,
    /// A node over TLS, and nothing said of whom to trust.
    #[error(
        "{0} is to be reached over TLS, and nothing is said of whom to trust; give a TLS configuration (--cacert, \
         --keystore or --secret-file on the command line)"
    )]
    HttpsWithoutTls(NodeUrl),
    /// A node without TLS beside a TLS configuration.
    #[error(
        "{0} would be reached without TLS although TLS is configured; write https://, or leave the TLS configuration \
         away"
    )]
    HttpWithTls(NodeUrl),
    /// Not a token.
    #[error(
        "the bearer token is none: 1 to 1024 letters, digits and - . _ ~ + / = (RFC 6750), nothing before or behind it"
    )]
    BadToken,
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsConfigError),
    /// The HTTP library failed to start.
    #[error("the HTTP client could not be made: {0}")]
    Http(String),
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(1),
            rest: Duration::from_secs(2),
            max_object_bytes: 64 << 20,
            tls: None,
            bearer: None,
        }
    }
}

impl ClientBuilder {
    /// Adds nodes, each a base URL or `host:port`. The first one is asked as long as it works, so it should be the
    /// nearest: the sidecar of this machine. The others are asked, in this order, when it fails.
    #[must_use]
    pub fn nodes(mut self, nodes: impl IntoIterator<Item = impl Display>) -> Self {
        self.nodes.extend(nodes.into_iter().map(|node| node.to_string()));
        self
    }

    /// How long an operation may take over all attempts; 10 s unless said otherwise. A streamed value may take longer
    /// as a whole: then it is how long the node may keep the stream waiting.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long one attempt to connect may take; 1 s unless said otherwise, never more than the timeout.
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a node that failed is asked last; 2 s unless said otherwise.
    #[must_use]
    pub const fn rest(mut self, rest: Duration) -> Self {
        self.rest = rest;
        self
    }

    /// The longest value that is read into memory, in bytes; 64 MiB unless said otherwise. Streams have no limit.
    #[must_use]
    pub const fn max_object_bytes(mut self, bytes: usize) -> Self {
        self.max_object_bytes = bytes;
        self
    }

    /// Reaches every node over TLS: `host:port` then means `https://host:port`, and an `http://` node is an error, so
    /// that no fail-over ever leaves TLS.
    #[must_use]
    pub fn tls(mut self, tls: impl Into<TlsConfig>) -> Self {
        self.tls = Some(tls.into());
        self
    }

    /// Shows every node this bearer token. Without TLS whoever listens can read and use it.
    #[must_use]
    pub fn bearer_token(mut self, token: impl AsRef<str>) -> Self {
        self.bearer = Some(BearerToken::new(token.as_ref()));
        self
    }

    /// The client. Nothing is connected yet.
    ///
    /// # Errors
    /// [`BuildError`] for a bad node, no node, a timeout of zero, a node that does not fit the TLS configuration, or a
    /// text that is no bearer token.
    pub fn build(self) -> Result<Client, BuildError> {
        let unsaid = if self.tls.is_some() { Scheme::Https } else { Scheme::Http };
        let nodes = self.nodes.iter().map(|node| NodeUrl::parse(node, unsaid));
        let nodes: Vec<NodeUrl> = nodes.collect::<Result<_, _>>()?;
        match nodes.len() {
            0 => return Err(BuildError::NoNodes),
            1..=MAX_NODES => {}
            count => return Err(BuildError::TooManyNodes(count)),
        }
        if self.timeout.is_zero() {
            return Err(BuildError::ZeroTimeout);
        }
        let connect_timeout = self.connect_timeout.min(self.timeout);
        if let Some(node) = nodes.iter().find(|node| node.scheme() != unsaid) {
            return Err(match unsaid {
                Scheme::Http => BuildError::HttpsWithoutTls(node.clone()),
                Scheme::Https => BuildError::HttpWithTls(node.clone()),
            });
        }
        let bearer = self.bearer.map(|token| token.ok_or(BuildError::BadToken)).transpose()?;
        let tls = self.tls.map_or_else(TlsConfig::believing_nobody, Ok)?;
        let max_object_bytes = self.max_object_bytes;
        let options = TransportOptions { connect_timeout, max_object_bytes, tls, bearer };
        let transport = Transport::new(options).map_err(|error| BuildError::Http(error.to_string()))?;
        let nodes = Nodes::new(nodes, self.rest);
        Ok(Client::over(Failover { nodes, transport, timeout: self.timeout }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(builder: ClientBuilder) -> BuildError {
        builder.build().unwrap_err()
    }

    #[test]
    fn a_client_needs_sane_settings() {
        assert!(matches!(error(Client::builder()), BuildError::NoNodes));
        assert!(matches!(error(Client::builder().nodes(["a:1", "b"])), BuildError::BadNode(_)));
        assert!(matches!(
            error(Client::builder().nodes(["a:1"]).timeout(Duration::ZERO)),
            BuildError::ZeroTimeout
        ));
        let many = (0..=MAX_NODES).map(|index| format!("n{index}:1"));
        assert!(matches!(error(Client::builder().nodes(many)), BuildError::TooManyNodes(1025)));
    }

    #[test]
    fn tls_is_for_every_node_or_for_none() {
        let tls = || TlsConfig::believing_nobody().unwrap();
        assert!(matches!(
            error(Client::builder().nodes(["a:1", "https://b:2"])),
            BuildError::HttpsWithoutTls(node) if node.as_str() == "https://b:2"
        ));
        assert!(matches!(
            error(Client::builder().nodes(["a:1", "http://b:2"]).tls(tls())),
            BuildError::HttpWithTls(node) if node.as_str() == "http://b:2"
        ));
        let client = Client::builder().nodes(["a:1"]).tls(tls()).build().unwrap();
        assert!(format!("{client:?}").contains("https://a:1"), "a bare address is reached over TLS");
    }

    #[test]
    fn a_token_is_checked_and_never_shown() {
        let builder = || Client::builder().nodes(["a:1"]);
        for token in ["", " x", "hunter2\r\nx-evil: 1", "hünter2", &"x".repeat(1025)] {
            let error = error(builder().bearer_token(token));
            assert!(matches!(error, BuildError::BadToken) && !error.to_string().contains("nter2"), "{error}");
        }
        let builder = builder().bearer_token("hunter2+/=");
        let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
        assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
    }
}
