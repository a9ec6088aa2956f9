//! The nodes a client knows: their URLs, and the order in which they are asked.
//!
//! The order is sticky: the first configured node, as long as it works, because that is the sidecar beside the
//! program, and one hop over loopback is the shortest way into the ring. Spreading requests over all nodes would
//! only lengthen it: whichever node is asked forwards to the key's owner anyway. A node that failed rests; it is
//! then asked last, not never, so that a client whose every node failed once still tries.

use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;

/// The base URL of a node: `http://host:port` or `https://host:port`, with a path in front of `/objects` if a proxy
/// needs one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeUrl(Box<str>);

/// Whether a node is reached over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// Why a text is not a node's URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeUrlError {
    /// Not a URL and not `host:port`.
    #[error(
        "\"{0}\" is not a node; write http://host:port, https://host:port or host:port, for example 127.0.0.1:9999"
    )]
    Malformed(String),
    /// A scheme that this client does not speak.
    #[error("\"{0}\" is neither an http:// nor an https:// URL; this client speaks no other protocol")]
    UnknownScheme(String),
    /// A query, a fragment or a user name.
    #[error(
        "\"{0}\" holds more than a node's address; write http://host:port or https://host:port, nothing behind it"
    )]
    TooMuch(String),
}

impl NodeUrl {
    /// The URL without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of `path`, which begins with a slash, on this node.
    pub(crate) fn join(&self, path: &str) -> Option<Url> {
        Url::parse(&format!("{}{path}", self.0)).ok()
    }
}

impl NodeUrl {
    /// The node that `text` names; `unsaid` is how `host:port` is reached.
    pub(crate) fn parse(text: &str, unsaid: Scheme) -> Result<Self, NodeUrlError> {
        let malformed = || NodeUrlError::Malformed(text.into());
        let (scheme, rest) = match text.split_once("://") {
            Some(("http" | "HTTP", rest)) => (Scheme::Http, rest),
            Some(("https" | "HTTPS", rest)) => (Scheme::Https, rest),
            Some(_) => return Err(NodeUrlError::UnknownScheme(text.into())),
            None => {
                let (host, port) = text.rsplit_once(':').ok_or_else(malformed)?;
                let is_port = port.parse::<u16>().is_ok_and(|port| port != 0);
                if host.is_empty() || !is_port {
                    return Err(malformed());
                }
                (unsaid, text)
            }
        };
        let url = Url::parse(&format!("{}{rest}", scheme.prefix())).map_err(|_| malformed())?;
        let bare = url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(NodeUrlError::TooMuch(text.into()));
        }
        Ok(Self(url.as_str().trim_end_matches('/').into()))
    }

    pub(crate) fn scheme(&self) -> Scheme {
        if self.0.starts_with(Scheme::Https.prefix()) { Scheme::Https } else { Scheme::Http }
    }
}

impl Scheme {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }
}

/// `host:port` is reached by plain HTTP here; a [`ClientBuilder`](crate::ClientBuilder) with TLS reads it otherwise.
impl FromStr for NodeUrl {
    type Err = NodeUrlError;

    fn from_str(text: &str) -> Result<Self, NodeUrlError> {
        Self::parse(text, Scheme::Http)
    }
}

impl std::fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The configured nodes, and which of them rest.
#[derive(Debug)]
pub(crate) struct Nodes {
    urls: Vec<NodeUrl>,
    rests_until: Mutex<Vec<Option<Instant>>>,
    rest: Duration,
}

impl Nodes {
    /// These nodes, none of them resting; a failure rests a node for `rest`.
    pub(crate) fn new(urls: Vec<NodeUrl>, rest: Duration) -> Self {
        let rests_until = Mutex::new(vec![None; urls.len()]);
        Self { urls, rests_until, rest }
    }

    /// The node that is asked first when all is well.
    pub(crate) fn first(&self) -> &NodeUrl {
        &self.urls[0]
    }

    /// Every node once: those that work in configured order, then those that rest, the longest rested first.
    pub(crate) fn order(&self, now: Instant) -> Vec<(usize, &NodeUrl)> {
        let rests = self.lock();
        let mut order: Vec<_> = self.urls.iter().enumerate().collect();
        // Stable, and `None` comes before any time.
        order.sort_by_key(|(index, _)| rests[*index].filter(|until| now < *until));
        order
    }

    /// The node answered.
    pub(crate) fn worked(&self, index: usize) {
        self.lock()[index] = None;
    }

    /// The node did not answer, or cannot serve now.
    pub(crate) fn failed(&self, index: usize, now: Instant) {
        self.lock()[index] = Some(now + self.rest);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<Instant>>> {
        self.rests_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: u16) -> Nodes {
        let urls = (1..=count).map(|port| format!("n:{port}").parse().unwrap()).collect();
        Nodes::new(urls, Duration::from_secs(5))
    }

    fn order(nodes: &Nodes, now: Instant) -> Vec<usize> {
        nodes.order(now).into_iter().map(|(index, _)| index).collect()
    }

    #[test]
    fn an_address_and_a_url_name_the_same_node() {
        for text in
            ["127.0.0.1:9999", "http://127.0.0.1:9999", "http://127.0.0.1:9999/", "HTTP://127.0.0.1:9999"]
        {
            assert_eq!(text.parse::<NodeUrl>().unwrap().as_str(), "http://127.0.0.1:9999", "{text}");
        }
        assert_eq!("[::1]:9999".parse::<NodeUrl>().unwrap().as_str(), "http://[::1]:9999");
        assert_eq!("HTTPS://a:1/".parse::<NodeUrl>().unwrap().as_str(), "https://a:1");
        assert_eq!(NodeUrl::parse("a:1", Scheme::Https).unwrap().as_str(), "https://a:1");
        assert_eq!("http://ring.local/a/".parse::<NodeUrl>().unwrap().as_str(), "http://ring.local/a");
    }

    #[test]
    fn what_is_no_node_is_refused_with_what_would_be_right() {
        for text in ["", "localhost", ":9999", "localhost:0", "localhost:port", "a b:1"] {
            let error = text.parse::<NodeUrl>().unwrap_err();
            assert!(error.to_string().contains("http://host:port"), "{text}: {error}");
        }
        assert!(matches!("ftp://a:1".parse::<NodeUrl>(), Err(NodeUrlError::UnknownScheme(_))));
        for text in ["http://a:1?b", "http://a:1#b", "http://u:p@a:1"] {
            assert!(matches!(text.parse::<NodeUrl>(), Err(NodeUrlError::TooMuch(_))), "{text}");
        }
    }

    #[test]
    fn the_first_node_comes_first_until_it_fails_and_again_after_its_rest() {
        let (nodes, now) = (nodes(3), Instant::now());
        assert_eq!(order(&nodes, now), [0, 1, 2]);
        nodes.failed(0, now);
        assert_eq!(order(&nodes, now), [1, 2, 0]);
        assert_eq!(order(&nodes, now + Duration::from_millis(4_999)), [1, 2, 0]);
        assert_eq!(order(&nodes, now + Duration::from_secs(5)), [0, 1, 2]);
    }

    #[test]
    fn when_all_have_failed_the_longest_rested_is_asked_first() {
        let (nodes, now) = (nodes(3), Instant::now());
        for (index, after) in [(1, 0), (2, 10), (0, 20)] {
            nodes.failed(index, now + Duration::from_millis(after));
        }
        assert_eq!(order(&nodes, now + Duration::from_millis(30)), [1, 2, 0]);
        nodes.worked(0);
        assert_eq!(order(&nodes, now + Duration::from_millis(30)), [0, 1, 2]);
    }
}
