//! The TLS handshake of one connection, within the time for a request head.
//!
//! A handshake that fails leaves one line in the log that says which side to look at, and nothing else: there is no
//! falling back to plain HTTP. Who speaks that on a TLS port is told so, in plain text.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::gathered::Gathered;
use super::guard::Guard;
use super::origin::Origin;
use crate::security::tls::{Tls, explain};

/// The first byte of a TLS connection: a handshake record (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 45\r\n\
    Connection: close\r\n\r\n\
    This port speaks TLS only: use https:// here\n";

/// The connection as TLS has it, and what the handshake has proved; none: it failed, and the log has been told.
pub(super) async fn accept(
    stream: TcpStream,
    tls: &Tls,
    origin: Origin,
    guard: &Guard,
    patience: Duration,
) -> Option<(TlsStream<TcpStream>, Origin)> {
    match timeout(patience, handshake(stream, tls, origin.clone(), guard)).await {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(error)) => {
            guard.note_handshake(&origin, &reason(&error));
            None
        }
        Err(_) => {
            guard.note_handshake(&origin, &format!("its handshake did not end within {patience:?}"));
            None
        }
    }
}

async fn handshake(
    stream: TcpStream,
    tls: &Tls,
    origin: Origin,
    guard: &Guard,
) -> io::Result<Option<(TlsStream<TcpStream>, Origin)>> {
    let mut first = [0];
    match (stream.peek(&mut first).await?, first) {
        // Load balancers look this way whether the port is open.
        (0, _) => return Ok(None),
        (_, [byte]) if byte.is_ascii_uppercase() => {
            guard.note_handshake(&origin, "the other side speaks plain HTTP on a TLS port");
            answer_plainly(stream).await?;
            return Ok(None);
        }
        (_, [byte]) if byte != HANDSHAKE => {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the other side does not speak TLS"));
        }
        _ => {}
    }
    let current = tls.current();
    let stream = TlsAcceptor::from(current.server.clone()).accept(stream).await?;
    let origin = origin.secured(stream.get_ref().1, &current, &guard.policy().members);
    Ok(Some((stream, origin)))
}

/// In such a way that it arrives, though the request was not read.
async fn answer_plainly(stream: TcpStream) -> io::Result<()> {
    let stream = Gathered::new(stream);
    stream.handle().write_all(PLAIN_HTTP).await?;
    stream.finish().await;
    Ok(())
}

fn reason(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => explain(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the other side ended the connection within the handshake".into()
        }
        None => error.to_string(),
    }
}
