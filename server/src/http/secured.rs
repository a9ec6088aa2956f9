//! The TLS handshake of one connection, within the time for a request head.
//!
//! A handshake that fails leaves one line in the log that says which side to look at, and nothing else: there is no
//! falling back to plain HTTP. The other side is told why by TLS's own alert, and whoever speaks plain HTTP on a TLS
//! port in plain text. Either arrives: the connection is not reset while the other side is still sending.

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

/// What TLS encrypts before it sends: with less than a whole answer, the rest of it would be a write of its own. So a
/// value of 64 KiB goes out with its head at once, and larger ones in fewer pieces.
const ENCRYPTED_BYTES: usize = 80 << 10;

const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 45\r\n\
    Connection: close\r\n\r\n\
    This port speaks TLS only: use https:// here\n";

/// A connection that comes to no request.
struct Refused {
    stream: TcpStream,
    /// For the log, if it is worth a line.
    why: Option<String>,
    /// What the other side is told beside TLS's alert.
    answer: &'static [u8],
}

/// The connection as TLS has it, and what the handshake has proved; none: it failed, and the log has been told.
pub(super) async fn accept(
    stream: TcpStream,
    tls: &Tls,
    origin: Origin,
    guard: &Guard,
    patience: Duration,
) -> Option<(TlsStream<TcpStream>, Origin)> {
    match timeout(patience, handshake(stream, tls, origin.clone(), guard)).await {
        Ok(Ok(accepted)) => Some(accepted),
        Ok(Err(Refused { stream, why, answer })) => {
            if let Some(why) = why {
                guard.note_handshake(&origin, &why);
            }
            // In TLS 1.3 a client may take the handshake for done, and be sending a request.
            let stream = Gathered::new(stream);
            if stream.handle().write_all(answer).await.is_ok() {
                stream.finish().await;
            }
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
) -> Result<(TlsStream<TcpStream>, Origin), Refused> {
    let refused = |stream, why: &str| Refused { stream, why: Some(why.to_owned()), answer: b"" };
    let mut first = [0];
    match (stream.peek(&mut first).await, first) {
        // Load balancers look this way whether the port is open.
        (Ok(0), _) => return Err(Refused { stream, why: None, answer: b"" }),
        (Ok(_), [HANDSHAKE]) => {}
        (Ok(_), [byte]) if byte.is_ascii_uppercase() => {
            let why = "the other side speaks plain HTTP on a TLS port";
            return Err(Refused { answer: PLAIN_HTTP, ..refused(stream, why) });
        }
        (Ok(_), _) => return Err(refused(stream, "the other side does not speak TLS")),
        (Err(error), _) => return Err(refused(stream, &reason(&error))),
    }
    let current = tls.current();
    let accepting = TlsAcceptor::from(current.server.clone()).accept(stream).into_fallible();
    let mut stream = accepting.await.map_err(|(error, stream)| refused(stream, &reason(&error)))?;
    stream.get_mut().1.set_buffer_limit(Some(ENCRYPTED_BYTES));
    match origin.secured(stream.get_ref().1, &current, &guard.policy().members) {
        Ok(origin) => Ok((stream, origin)),
        Err(error) => Err(refused(stream.into_inner().0, &reason(&error))),
    }
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
