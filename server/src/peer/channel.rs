//! What a stream runs over, as far as proofs of the shared secret and frame MACs have to know.

use std::fmt;
use std::io;

use rustls::ConnectionCommon;

use crate::security::stream::CHANNEL_LABEL;

/// How many bytes are exported from a TLS connection.
const EXPORTED_BYTES: usize = 32;

/// What a stream runs over. It is the same for both ends, unless something in between ends TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Nothing that protects it.
    Plain,
    /// One TLS connection and no other.
    Tls(Exported),
}

/// What both ends of a TLS connection, and nobody else, know of it (RFC 5705): what is exported under
/// [`CHANNEL_LABEL`] without context.
#[derive(Clone, PartialEq, Eq)]
pub struct Exported([u8; EXPORTED_BYTES]);

impl Channel {
    /// The channel of a TLS connection whose handshake is over, on either side of it.
    ///
    /// # Errors
    /// When the handshake is not over.
    pub fn of_tls<Side>(connection: &ConnectionCommon<Side>) -> io::Result<Self> {
        let exported = connection.export_keying_material([0; EXPORTED_BYTES], CHANNEL_LABEL, None);
        exported.map(|bytes| Self::Tls(Exported(bytes))).map_err(io::Error::other)
    }

    #[cfg(test)]
    pub(super) const fn of_test(byte: u8) -> Self {
        Self::Tls(Exported([byte; EXPORTED_BYTES]))
    }

    /// What a proof is bound to.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain => &[],
            Self::Tls(Exported(bytes)) => bytes,
        }
    }
}

impl fmt::Debug for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
