//! Opening a stream to a member: a connection, then an HTTP/1.1 upgrade on the member's ordinary listener.
//!
//! Whoever does not answer the upgrade with 101 may be a member that speaks plain HTTP only. Invariant: on a ring with
//! a shared secret and without TLS it is none: answers in plain HTTP prove nothing there, and anybody in between can
//! give them.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, HOST, UPGRADE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use ringhold_ring::MemberAddress;

use super::Identity;
use super::channel::Channel;
use super::connect::{Connect, Connected, MemberStream, reason, tls_reason};
use super::connection::{Connection, READ_BYTES};
use super::handshake::HandshakeError;
use crate::security::shared_secret::NoRandomness;

/// Where a member's listener takes streams.
pub const PATH: &str = "/internal/peer";

/// The name of the protocol in `Upgrade`.
pub const PROTOCOL: &str = "ringhold-peer/1";

/// Whether a request asks for a member stream; its answer is then 101 with the same `Upgrade`.
#[must_use]
pub fn wants_stream(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let lists = |name, word: &str| {
        headers.get_all(name).iter().any(|value| {
            value.to_str().is_ok_and(|list| list.split(',').any(|one| one.trim().eq_ignore_ascii_case(word)))
        })
    };
    method == Method::GET && path == PATH && lists(CONNECTION, "upgrade") && lists(UPGRADE, PROTOCOL)
}

/// What a member turned out to speak.
pub(super) enum Dialled {
    /// The framed stream.
    Stream(Arc<Connection>),
    /// HTTP, but not the upgrade.
    PlainHttp,
}

/// Why there is nobody to speak to; nothing was sent that anybody could execute.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("cannot connect: {}", reason(.0))]
    Connect(#[from] io::Error),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("not a member of this ring: it does not speak HTTP ({0})")]
    NotHttp(hyper::Error),
    #[error("it refuses access with status {}: {}; its log says more", .0, why_refused(.0))]
    Access(StatusCode),
    #[error(
        "it answers the upgrade to {PROTOCOL} with status {0}, and without TLS no answer in plain HTTP proves that it \
         knows auth.shared_secret: let upgrades pass whatever is in between, or turn on TLS"
    )]
    Unproved(StatusCode),
    #[error("the handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    #[error("no member token can be made: {0}")]
    Token(#[from] NoRandomness),
}

fn why_refused(status: &StatusCode) -> &'static str {
    match *status {
        StatusCode::UNAUTHORIZED => {
            "it has another auth.shared_secret or a clock far from ours, or it does not count this node among its \
             members"
        }
        _ => "it must count this node among its members",
    }
}

const ENDED: &str =
    "it ended the connection after the handshake; if it does not trust our certificate, its log says so";

impl DialError {
    /// Whether somebody is there, and one of both sides does not want the other: worth a line of its own.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Connect(error) => tls_reason(error).is_some(),
            Self::Tls(_) | Self::Access(_) | Self::Unproved(_) => true,
            Self::Handshake(error) => error.is_refusal(),
            Self::NotHttp(_) | Self::Token(_) => false,
        }
    }

    fn in_http(error: hyper::Error, channel: &Channel) -> Self {
        match tls_reason(&error) {
            Some(reason) => Self::Tls(reason),
            // In TLS 1.3 a member looks at our certificate when we have begun to speak, and its alert may be lost.
            None if *channel != Channel::Plain && !error.is_parse() => Self::Tls(ENDED.into()),
            None => Self::NotHttp(error),
        }
    }
}

/// Connects, asks for the upgrade and shakes hands.
pub(super) async fn dial(
    connector: &dyn Connect,
    member: &MemberAddress,
    identity: Arc<Identity>,
) -> Result<Dialled, DialError> {
    let Connected { stream, channel } = connector.connect(member).await?;
    let not_http = |error| DialError::in_http(error, &channel);
    let (mut sender, http) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(not_http)?;
    let http = tokio::spawn(http.with_upgrades());
    // The task of a connection that is not upgraded must not outlive a caller that gives up.
    let _http = AbortOnDrop(http.abort_handle());
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = http::Uri::from_static(PATH);
    let headers = request.headers_mut();
    if let Ok(host) = member.to_string().try_into() {
        headers.insert(HOST, host);
    }
    headers.insert(CONNECTION, http::HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, http::HeaderValue::from_static(PROTOCOL));
    let secrets = identity.secrets();
    if let Some(secrets) = &secrets {
        secrets.sign(&mut request, &[], member, identity.clock().wall())?;
    }
    let response = sender.send_request(request).await.map_err(not_http)?;
    match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => {}
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(DialError::Access(status)),
        status if secrets.is_some() && channel == Channel::Plain => return Err(DialError::Unproved(status)),
        _ => return Ok(Dialled::PlainHttp),
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(not_http)?;
    let Ok(parts) = upgraded.downcast::<TokioIo<Box<dyn MemberStream>>>() else {
        return Err(io::Error::other("the upgraded stream is not the one that was opened").into());
    };
    let mut buffer = BytesMut::with_capacity(READ_BYTES.max(parts.read_buf.len()));
    buffer.extend_from_slice(&parts.read_buf);
    let stream = parts.io.into_inner();
    Ok(Dialled::Stream(Connection::start(stream, buffer, identity, member, &channel).await?))
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
