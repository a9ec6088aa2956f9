//! One request as the fail-over sees it: what to send, and how to read the answer.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use ringhold_ring::Key;

use crate::payload::Payload;
use crate::{Error, Problem};

/// A request that any node can carry out.
#[derive(Debug)]
pub(crate) struct Call {
    pub method: Method,
    /// The path behind the node's base URL, percent-encoded.
    pub path: String,
    pub headers: HeaderMap,
    pub payload: Payload,
    pub take: Take,
}

/// How much of a successful answer is read before it counts as an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// All of it.
    Whole,
    /// Its head; the body is handed out as it comes.
    Head,
}

/// An answer, its body in memory or still to come.
#[derive(Debug)]
pub(crate) struct Answer {
    pub node: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Body,
}

#[derive(Debug)]
pub(crate) enum Body {
    Whole(Bytes),
    Coming(reqwest::Response),
}

impl Call {
    /// A read of `path`.
    pub(crate) fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            headers: HeaderMap::new(),
            payload: Payload::Empty,
            take: Take::Whole,
        }
    }

    /// Whether it changes nothing.
    pub(crate) fn is_read(&self) -> bool {
        self.method.is_safe()
    }

    /// An operation on the object under `key`.
    pub(crate) fn object(method: Method, key: &str) -> Result<Self, Error> {
        Ok(Self { method, ..Self::get(object_path("/objects/", key)?) })
    }
}

impl Answer {
    /// The body, when it was read whole.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.body {
            Body::Whole(bytes) => bytes,
            Body::Coming(_) => Bytes::new(),
        }
    }

    /// The error that this answer means to someone who expected another one.
    pub(crate) fn into_error(self) -> Error {
        let (node, status) = (self.node.clone(), self.status);
        Error::refused(&node, Problem::read(status, &self.into_bytes()))
    }
}

/// The path of `key` behind `prefix`. URL parsers resolve `.` and `..` between slashes, escaped or not, so the slashes
/// of a key that has such parts are escaped: then there is nothing between slashes to resolve.
pub(crate) fn object_path(prefix: &str, key: &str) -> Result<String, Error> {
    let key = Key::new(key)?;
    let is_dots = |part: &str| matches!(part, "." | "..");
    if is_dots(key.as_str()) {
        return Err(Error::UnsendableKey(key.to_string()));
    }
    let path = key.to_path();
    let dots = key.as_str().split('/').any(is_dots);
    Ok(if dots { format!("{prefix}{}", path.replace('/', "%2F")) } else { format!("{prefix}{path}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeUrl;

    #[test]
    fn every_key_survives_the_way_through_a_url() {
        let node: NodeUrl = "127.0.0.1:9999".parse().unwrap();
        let keys = [
            "object-key",
            "a/b//c/",
            "/a",
            "a b",
            "a?b#c",
            "100%",
            "%2e",
            "..%2f",
            "../a",
            "a/..",
            "a/./b/../c",
            "...",
            ". .",
            "schlüssel/ключ/🔑",
            "a\\b",
            "a;b=c&d+e",
            "a|b^c`d{e}[f]\"<>",
            "http://x/y",
        ];
        for text in keys {
            let url = node.join(&object_path("/objects/", text).unwrap()).unwrap();
            let rest = url.path().strip_prefix("/objects/").unwrap();
            assert_eq!(Key::from_path(rest).unwrap().as_str(), text, "{url}");
            assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
        }
    }

    #[test]
    fn keys_that_no_url_can_carry_are_refused_before_anything_is_sent() {
        for key in [".", ".."] {
            assert!(matches!(object_path("/objects/", key), Err(Error::UnsendableKey(_))), "{key}");
        }
        assert!(matches!(object_path("/objects/", ""), Err(Error::BadKey(_))));
    }
}
