//! TLS towards `https://` nodes: whom a client believes, and who it says it is.
//!
//! PEM files and texts become a configuration here; anything else comes ready, as a [`rustls::ClientConfig`].
//! Invariant: a configuration made here believes nobody that was not named, and checks every node's certificate, its
//! dates and its host name. No setting turns that off.

mod explain;
mod pem;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

pub(crate) use explain::{Cut, explain, is_cut, is_end};
use pem::Source;

const HTTP_1_1: &[u8] = b"http/1.1";

/// How a client connects to `https://` nodes.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use ringhold_client::{Client, TlsConfig};
///
/// let tls = TlsConfig::builder()
///     .trust_pem_file("authority.pem")
///     .identity_pem_files("client.pem", "client-key.pem")
///     .build()?;
/// let ring = Client::builder().nodes(["10.0.0.1:9999"]).tls(tls).build()?;
/// # Ok(())
/// # }
/// ```
///
/// A [`rustls::ClientConfig`] becomes one as it is: for keystores, keys in hardware, or certificates that are trusted
/// byte for byte. Unless it says otherwise, HTTP/1.1 is spoken.
#[derive(Clone)]
pub struct TlsConfig(ClientConfig);

/// Makes a [`TlsConfig`] of PEM files and texts.
#[derive(Clone, Debug, Default)]
pub struct TlsConfigBuilder {
    trusted: Vec<Source>,
    identity: Option<(Source, Source)>,
}

/// Why there is no [`TlsConfig`]. It holds nothing of a private key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// More than a PEM file has.
    #[error("{0} has more than {max} bytes; that is no PEM file", max = pem::MAX_BYTES)]
    TooLong(String),
    /// Not PEM.
    #[error("{what} is not PEM: {reason}")]
    Malformed {
        /// Which file or text.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// PEM without a certificate.
    #[error("{0} holds no certificate; it needs a section -----BEGIN CERTIFICATE-----")]
    NoCertificate(String),
    /// PEM without a key that can be read.
    #[error(
        "{0} holds no private key that can be read; it needs a section -----BEGIN PRIVATE KEY-----, without a password"
    )]
    NoKey(String),
    /// A certificate that cannot be believed.
    #[error("a certificate of {what} cannot be trusted: {reason}")]
    Untrustworthy {
        /// Which file or text.
        what: String,
        /// What the TLS library said.
        reason: String,
    },
    /// No certificate to trust was given.
    #[error("there is nobody to trust; give the certificate of the ring's authority")]
    NobodyToTrust,
    /// Key and certificate make no identity.
    #[error("the client's certificate and private key cannot be used: {0}")]
    BadIdentity(String),
    /// The TLS library refused.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl TlsConfig {
    /// A configuration to be made of PEM files and texts.
    #[must_use]
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder::default()
    }

    /// A configuration that believes nobody: for clients without an `https://` node.
    pub(crate) fn believing_nobody() -> Result<Self, TlsConfigError> {
        Ok(Self(versions()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth()))
    }

    /// The same in the TLS library's words.
    pub(crate) fn into_rustls(self) -> ClientConfig {
        self.0
    }
}

impl From<ClientConfig> for TlsConfig {
    fn from(mut config: ClientConfig) -> Self {
        if config.alpn_protocols.is_empty() {
            config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        }
        Self(config)
    }
}

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsConfig(***)")
    }
}

impl TlsConfigBuilder {
    /// Believes what the authorities in this PEM file sign; may be called several times.
    #[must_use]
    pub fn trust_pem_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.trusted.push(Source::File(path.into()));
        self
    }

    /// The same for PEM text.
    #[must_use]
    pub fn trust_pem(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.trusted.push(Source::Text("the PEM text to trust", text.into()));
        self
    }

    /// Shows this certificate (and its issuers behind it) to nodes that ask for one, and proves it with this key.
    #[must_use]
    pub fn identity_pem_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Some((Source::File(certificate.into()), Source::File(key.into())));
        self
    }

    /// The same for PEM texts.
    #[must_use]
    pub fn identity_pem(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        let certificate = Source::Text("the PEM text of the certificate", certificate.into());
        self.identity = Some((certificate, Source::Text("the PEM text of the private key", key.into())));
        self
    }

    /// Reads everything. It is not read again: a new certificate needs a new client.
    ///
    /// # Errors
    /// [`TlsConfigError`] naming the file, when one cannot be read or used, or nothing is to be trusted.
    pub fn build(self) -> Result<TlsConfig, TlsConfigError> {
        let mut roots = RootCertStore::empty();
        for source in &self.trusted {
            for certificate in source.certificates()? {
                let untrustworthy = |reason: rustls::Error| TlsConfigError::Untrustworthy {
                    what: source.name(),
                    reason: reason.to_string(),
                };
                roots.add(certificate).map_err(untrustworthy)?;
            }
        }
        if roots.is_empty() {
            return Err(TlsConfigError::NobodyToTrust);
        }
        let builder = versions()?.with_root_certificates(roots);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificate.certificates()?, key.private_key()?)
                .map_err(|reason| TlsConfigError::BadIdentity(unfit(&reason)))?,
        };
        Ok(TlsConfig::from(config))
    }
}

type Versions = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn versions() -> Result<Versions, TlsConfigError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|reason| TlsConfigError::Setup(reason.to_string()))
}

fn unfit(reason: &rustls::Error) -> String {
    match reason {
        rustls::Error::InconsistentKeys(_) => {
            "the key does not belong to the certificate; give the one that was made with it".into()
        }
        other => other.to_string(),
    }
}
