//! Certificates and a private key out of PEM, up to a size.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsConfigError;

/// The largest PEM file or text.
pub const MAX_BYTES: usize = 4 << 20;

/// Where PEM comes from.
#[derive(Clone)]
pub enum Source {
    File(PathBuf),
    /// What it is, and the text itself.
    Text(&'static str, Vec<u8>),
}

impl Source {
    /// How an error names it.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(what, _) => (*what).into(),
        }
    }

    /// Every certificate in it; there is at least one.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
        let text = self.read()?;
        let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|error| self.malformed(&error))?;
        if certificates.is_empty() {
            return Err(TlsConfigError::NoCertificate(self.name()));
        }
        Ok(certificates)
    }

    /// The first private key in it.
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|error| match error {
            PemError::NoItemsFound => TlsConfigError::NoKey(self.name()),
            error => self.malformed(&error),
        })
    }

    fn read(&self) -> Result<Vec<u8>, TlsConfigError> {
        let bytes = match self {
            Self::Text(_, text) => text.clone(),
            Self::File(path) => {
                let unreadable = |reason| TlsConfigError::Unreadable { path: path.clone(), reason };
                let file = std::fs::File::open(path).map_err(unreadable)?;
                let mut bytes = Vec::new();
                file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
                bytes
            }
        };
        if bytes.len() > MAX_BYTES { Err(TlsConfigError::TooLong(self.name())) } else { Ok(bytes) }
    }

    /// The library's `Debug` shows lines of the text, and so perhaps of a key; only the kind of mistake is told.
    fn malformed(&self, error: &PemError) -> TlsConfigError {
        let reason = match error {
            PemError::MissingSectionEnd { .. } => "a section has no end",
            PemError::IllegalSectionStart { .. } => "a section begins wrongly",
            PemError::Base64Decode(_) => "a section is not base64",
            _ => "it cannot be read",
        };
        TlsConfigError::Malformed { what: self.name(), reason: reason.into() }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
