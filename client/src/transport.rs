//! One request to one node over HTTP, and what its failure means: was the request sent or not?
//!
//! The only file that knows the HTTP library's requests and errors; a transport that knows the ring goes here.
//! Invariant: "not sent" is said only when no byte of the request can have reached a node.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};

use crate::bearer::BearerToken;
use crate::call::{Answer, Body, Call, Take};
use crate::tls::{Cut, explain, is_cut, is_end};
use crate::{Error, NodeUrl, Problem, TlsConfig};

/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(5);
/// Connections kept for the next requests, for each node; more are opened as needed, and closed after use.
const MAX_IDLE_CONNECTIONS: usize = 256;

/// Connections to the nodes.
#[derive(Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    max_object_bytes: usize,
}

/// What a transport is made of.
#[derive(Debug)]
pub(crate) struct TransportOptions {
    pub connect_timeout: Duration,
    pub max_object_bytes: usize,
    pub tls: TlsConfig,
    pub bearer: Option<BearerToken>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The node was not reached.
    NotSent(String),
    /// The request was sent, or a part of it; the answer is missing or broke off.
    Lost(String),
    /// Another node would make no difference.
    Final(Error),
}

impl Transport {
    pub(crate) fn new(options: TransportOptions) -> Result<Self, reqwest::Error> {
        let TransportOptions { connect_timeout, max_object_bytes, tls, bearer } = options;
        let always: HeaderMap =
            bearer.into_iter().map(|token| (AUTHORIZATION, token.into_header())).collect();
        let http = reqwest::Client::builder()
            // A sidecar on loopback is not reached through the proxy of the environment.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // Whether something may run twice is decided in one place, the fail-over.
            .retry(reqwest::retry::never())
            .connect_timeout(connect_timeout)
            // Shorter than a node keeps an idle connection: a PATCH that meets its closing has an unknown outcome.
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .tcp_nodelay(true)
            .tls_backend_preconfigured(tls.into_rustls())
            .default_headers(always)
            .user_agent(concat!("ringhold-client/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, max_object_bytes })
    }

    /// Sends `call` to `node` and reads as much of the answer as the call wants.
    pub(crate) async fn send(&self, node: &NodeUrl, call: &Call) -> Result<Answer, Failure> {
        let url = node
            .join(&call.path)
            .ok_or_else(|| Failure::Final(Error::BadArgument(format!("{node}{} is not a URL", call.path))))?;
        let mut request = reqwest::Request::new(call.method.clone(), url);
        *request.headers_mut() = call.headers.clone();
        *request.body_mut() = Some(call.payload.to_body());
        let mut response = self.http.execute(request).await.map_err(|error| failure(&error, call))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = if !status.is_success() {
            Body::Whole(read_refusal(response).await)
        } else if call.take == Take::Head {
            Body::Coming(response)
        } else {
            let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
            let announced = announced.filter(|_| call.method != http::Method::HEAD);
            Body::Whole(read_whole(response, announced, self.max_object_bytes).await?)
        };
        Ok(Answer { node: node.to_string(), status, headers, body })
    }
}

async fn read_whole(
    mut response: reqwest::Response,
    announced: Option<usize>,
    limit: usize,
) -> Result<Bytes, Failure> {
    let too_long = || Failure::Final(Error::AnswerTooLong { limit });
    if announced.is_some_and(|length| length > limit) {
        return Err(too_long());
    }
    let mut chunks = Joined::default();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::Lost(reason(&error)))? {
        if chunks.len() + chunk.len() > limit {
            return Err(too_long());
        }
        chunks.push(chunk, announced.unwrap_or_default());
    }
    Ok(chunks.into_bytes())
}

/// The body of a refusal is only explanation: what is there of it, up to a bound, is enough.
async fn read_refusal(mut response: reqwest::Response) -> Bytes {
    let mut chunks = Joined::default();
    while let Ok(Some(mut chunk)) = response.chunk().await {
        chunk.truncate(Problem::MAX_BYTES - chunks.len());
        chunks.push(chunk, 0);
        if chunks.len() == Problem::MAX_BYTES {
            break;
        }
    }
    chunks.into_bytes()
}

/// Chunks joined; a single chunk, the usual case, is not copied.
#[derive(Default)]
struct Joined {
    first: Bytes,
    all: BytesMut,
}

impl Joined {
    fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn push(&mut self, chunk: Bytes, expected: usize) {
        if self.len() == 0 {
            self.first = chunk;
            return;
        }
        if self.all.is_empty() {
            self.all.reserve(expected.max(self.first.len() + chunk.len()));
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&chunk);
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

fn failure(error: &reqwest::Error, call: &Call) -> Failure {
    if let Some(error) = call.payload.take_failure() {
        return Failure::Final(Error::Source(error));
    }
    if error.is_builder() {
        return Failure::Final(Error::BadArgument(reason(error)));
    }
    match explain(error) {
        Some(Cut { why, in_handshake: true }) => Failure::NotSent(why),
        _ if error.is_connect() => Failure::NotSent(reason(error)),
        _ => Failure::Lost(reason(error)),
    }
}

/// The innermost cause: what the operating system or the protocol says, without the layers in between.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    if let Some(cut) = explain(error) {
        return cut.why;
    }
    if error.is_connect() && is_end(error) {
        return "it closed the connection during the TLS handshake; is this a listener with TLS?".into();
    }
    let over_tls = error.url().is_some_and(|url| url.scheme() == "https");
    if over_tls && is_cut(error) {
        return "it cut the connection; if it refuses this client's certificate, its log says so".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
