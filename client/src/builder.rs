//! How a client is made: which nodes, and its limits.

use std::fmt::Display;
use std::time::Duration;

use crate::failover::Failover;
use crate::node::Nodes;
use crate::transport::Transport;
use crate::{Client, NodeUrl, NodeUrlError};

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

    /// The client. Nothing is connected yet.
    ///
    /// # Errors
    /// [`BuildError`] for a bad node, no node, or a timeout of zero.
    pub fn build(self) -> Result<Client, BuildError> {
        let nodes: Vec<NodeUrl> = self.nodes.iter().map(|node| node.parse()).collect::<Result<_, _>>()?;
        match nodes.len() {
            0 => return Err(BuildError::NoNodes),
            1..=MAX_NODES => {}
            count => return Err(BuildError::TooManyNodes(count)),
        }
        if self.timeout.is_zero() {
            return Err(BuildError::ZeroTimeout);
        }
        let connect_timeout = self.connect_timeout.min(self.timeout);
        let transport = Transport::new(connect_timeout, self.max_object_bytes)
            .map_err(|error| BuildError::Http(error.to_string()))?;
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
}
