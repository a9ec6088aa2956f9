//! How a member is reached: over TCP, or over TLS with this node's own certificate.
//!
//! Both kinds of asking, the framed stream and plain HTTP, go through the same [`Connect`]. Invariant: a connector
//! that speaks TLS never falls back to anything else.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use ringhold_ring::MemberAddress;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::channel::Channel;
use crate::security::tls::{self, Tls};

/// A byte stream to or from a member.
pub trait MemberStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> MemberStream for S {}

/// A way to a member, open.
pub struct Connected {
    /// Where bytes go.
    pub stream: Box<dyn MemberStream>,
    /// Through what.
    pub channel: Channel,
}

impl Connected {
    /// A stream that nothing protects.
    #[must_use]
    pub fn plain(stream: impl MemberStream + 'static) -> Self {
        Self { stream: Box::new(stream), channel: Channel::Plain }
    }
}

/// A connection being made.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Connected>> + Send + 'a>>;

/// How a member is reached.
pub trait Connect: Send + Sync + 'static {
    /// Opens a byte stream to `member`. The caller limits the time it may take.
    fn connect<'a>(&'a self, member: &'a MemberAddress) -> Connecting<'a>;
}

/// Plain TCP, without delay; names are resolved each time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Connect for Tcp {
    fn connect<'a>(&'a self, member: &'a MemberAddress) -> Connecting<'a> {
        Box::pin(async move { Ok(Connected::plain(tcp(member).await?)) })
    }
}

/// TLS over TCP: the member must show a certificate that is trusted and, as far as names are checked, bears the host
/// of its address. Each connection uses the certificates of its moment; open ones live on when they are replaced.
#[derive(Clone, Debug)]
pub struct TlsConnect {
    tls: Arc<Tls>,
}

impl TlsConnect {
    /// Connects with the client side of `tls`.
    #[must_use]
    pub const fn new(tls: Arc<Tls>) -> Self {
        Self { tls }
    }
}

impl Connect for TlsConnect {
    fn connect<'a>(&'a self, member: &'a MemberAddress) -> Connecting<'a> {
        Box::pin(async move {
            let name = tls::server_name(member).ok_or_else(|| {
                io::Error::other(format!("\"{}\" is no name that a certificate can bear", member.host()))
            })?;
            let stream = self.tls.connector().connect(name, tcp(member).await?).await?;
            let channel = Channel::of_tls(stream.get_ref().1)?;
            Ok(Connected { stream: Box::new(stream), channel })
        })
    }
}

async fn tcp(member: &MemberAddress) -> io::Result<TcpStream> {
    let stream = match member.ip() {
        Some(ip) => TcpStream::connect((ip, member.port())).await?,
        None => TcpStream::connect((member.host(), member.port())).await?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What TLS has to do with an error, in words. A member that refuses this node's certificate says so only when the
/// connection is first used, so errors of what runs over TLS have it inside.
pub(super) fn tls_reason(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref() {
            return Some(tls::explain(error));
        }
        // What an I/O error holds is not its source.
        let inside = error.downcast_ref().and_then(io::Error::get_ref);
        next = inside.map(|inside| inside as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

/// What an error says, with TLS in words.
pub(super) fn reason(error: &(dyn Error + 'static)) -> String {
    tls_reason(error).map_or_else(|| error.to_string(), |reason| format!("TLS failed: {reason}"))
}
