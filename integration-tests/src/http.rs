//! Ordinary HTTP requests to one member, and their answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder};
use rustls::{ClientConfig, RootCertStore};

/// Nothing that a living member answers takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client without proxies, redirects or retries, so that a test sees what the member did.
///
/// # Panics
/// Never: there is nothing to fail.
pub fn client() -> Client {
    plain().retry(reqwest::retry::never()).build().expect("there is nothing to fail")
}

/// The same, speaking HTTP/2 from the first byte.
pub(crate) fn http2_client() -> Client {
    plain().http2_prior_knowledge().build().expect("there is nothing to fail")
}

/// It speaks no TLS: whoever it asks with that, it believes nobody.
fn plain() -> ClientBuilder {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.expect("the provider knows TLS").with_root_certificates(RootCertStore::empty());
    let builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
    builder.tls_backend_preconfigured(tls.with_no_client_auth())
}

/// A request being put together.
#[must_use = "it is sent by `send`"]
pub struct Request(RequestBuilder);

impl Request {
    pub(crate) fn new(client: &Client, method: &str, url: &str) -> Self {
        let method = Method::from_bytes(method.as_bytes()).expect("a method is a token");
        Self(client.request(method, url))
    }

    /// With a header more.
    pub fn header(self, name: &str, value: impl ToString) -> Self {
        Self(self.0.header(name, value.to_string()))
    }

    /// With a body.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self(self.0.body(body.into()))
    }

    /// Gives up after `timeout`.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.timeout(timeout))
    }

    /// Sends it; the answer is whole.
    ///
    /// # Panics
    /// When there is no whole answer.
    pub async fn send(self) -> Answer {
        self.try_send().await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// Sends it to a member that may not be there.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.0.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await? })
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// A header, when it is there exactly once.
    ///
    /// # Panics
    /// When it is there twice or is no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().expect("headers are ASCII"));
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        value
    }

    /// The entity tag.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn etag(&self) -> &str {
        self.header("etag").unwrap_or_else(|| panic!("no ETag in {self:?}"))
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// That this is a problem (RFC 9457) of this status and code, complete and saying what would be right.
    ///
    /// # Panics
    /// When it is anything else.
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        for field in ["type", "title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "no {field} in {problem}");
        }
    }

    /// That the status is this one.
    ///
    /// # Panics
    /// When it is another.
    pub fn assert_status(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
    }
}
