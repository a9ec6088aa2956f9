//! The TLS of a node: one server and one client configuration, made from the same identity and trust.
//!
//! There is no way to trust everyone and no fallback to anything weaker. Both configurations are replaced as a
//! whole, so new handshakes use the new material at once, no session from before is resumed, and a certificate that
//! is no longer trusted stays out. Open connections live on.

mod explain;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ringhold_ring::{MemberAddress, Timestamp};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig, ServerConfig, SupportedProtocolVersion};

use super::certificate::Certificate;
use super::identity::{Identity, Trust};
use crate::clock::Clock;

pub use explain::{explain, explain_io};
pub use ringhold_config::ClientAuth;
pub use verify::NameCheck;

const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const HTTP_2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";
/// How long one ticket key lives, and so how long a session can be resumed without showing certificates again.
pub const MAX_SESSION_AGE: Duration = Duration::from_secs(3600);

/// Who a node is and whom it believes; loaded as a whole, replaced as a whole.
#[derive(Clone, Debug)]
pub struct Material {
    /// Its key and certificates.
    pub identity: Identity,
    /// Whom it believes.
    pub trust: Trust,
}

impl Material {
    /// Whether `certificate` is the one that all nodes share, or takes turns with it in a rotation: that one is trusted
    /// byte for byte, self-signed as this node's own is, and for the same subject. A self-signed certificate that is
    /// trusted under another subject is a client's.
    fn shares(&self, certificate: &Certificate) -> bool {
        let own = self.identity.leaf();
        let takes_turns = || {
            let is_pinned = self.trust.exact(certificate.der()).is_some();
            is_pinned && own.is_self_issued() && own.has_names_of(certificate)
        };
        certificate.der() == own.der() || takes_turns()
    }
}

/// What the settings say beside the material.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether clients show a certificate.
    pub client_auth: ClientAuth,
    /// Whether the host name in a server's certificate is compared.
    pub names: NameCheck,
}

/// Why no configuration could be made of the material.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The library refused.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
    /// The library refused to verify clients this way.
    #[error("TLS cannot be set up: {0}")]
    ClientVerifier(#[from] rustls::server::VerifierBuilderError),
}

/// The TLS of a node. Ask it anew for every connection.
#[derive(Debug)]
pub struct Tls {
    current: ArcSwap<Current>,
    options: Options,
    clock: Clock,
}

/// One generation of it.
#[derive(Debug)]
pub struct Current {
    /// For accepting.
    pub server: Arc<ServerConfig>,
    /// For connecting to members.
    pub client: Arc<ClientConfig>,
    /// What both are made of.
    pub material: Material,
    built: Timestamp,
}

impl Tls {
    /// Makes both configurations.
    ///
    /// # Errors
    /// [`TlsError`] when the material does not serve.
    pub fn new(material: Material, options: Options, clock: Clock) -> Result<Self, TlsError> {
        let current = Current::new(material, options, &clock)?;
        Ok(Self { current: ArcSwap::from_pointee(current), options, clock })
    }

    /// Replaces identity and trust for every connection to come. On an error nothing changes.
    ///
    /// # Errors
    /// [`TlsError`] when the material does not serve.
    pub fn replace(&self, material: Material) -> Result<(), TlsError> {
        self.current.store(Arc::new(Current::new(material, self.options, &self.clock)?));
        Ok(())
    }

    /// Makes new ticket keys from time to time: a session that is resumed shows no certificate, so it must not
    /// outlive by much the certificate that opened it. Call it every minute or so.
    ///
    /// # Errors
    /// [`TlsError`] when the system gives no random numbers.
    pub fn renew_sessions(&self) -> Result<(), TlsError> {
        let current = self.current.load();
        if self.clock.wall().since(current.built) >= MAX_SESSION_AGE {
            self.replace(current.material.clone())?;
        }
        Ok(())
    }

    /// The generation of this moment.
    #[must_use]
    pub fn current(&self) -> Arc<Current> {
        self.current.load_full()
    }

    /// Accepts one connection.
    #[must_use]
    pub fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        Arc::clone(&self.current.load().server).into()
    }

    /// Opens one connection to a member.
    #[must_use]
    pub fn connector(&self) -> tokio_rustls::TlsConnector {
        Arc::clone(&self.current.load().client).into()
    }
}

impl Current {
    fn new(material: Material, options: Options, clock: &Clock) -> Result<Self, TlsError> {
        let server = server_config(&material, options.client_auth, clock)?;
        let client = client_config(Some(&material.identity), &material.trust, options.names, clock)?;
        Ok(Self { server: Arc::new(server), client: Arc::new(client), built: clock.wall(), material })
    }
}

/// The configuration of a listener.
///
/// # Errors
/// [`TlsError`] when the material does not serve.
pub fn server_config(
    material: &Material,
    client_auth: ClientAuth,
    clock: &Clock,
) -> Result<ServerConfig, TlsError> {
    let provider = provider();
    let verifier = verify::clients(&material.trust, client_auth, &provider)?;
    let resolver = SingleCertAndKey::from(material.identity.certified_key());
    let builder = ServerConfig::builder_with_details(provider, Arc::new(WallTime(clock.clone())));
    let mut config = builder
        .with_protocol_versions(VERSIONS)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()];
    // The client's order puts AES-256 first for most, at a third more for each byte.
    config.ignore_client_order = true;
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

/// The configuration of whoever connects: a member, or a program with or without a certificate of its own.
///
/// # Errors
/// [`TlsError`] when the material does not serve.
pub fn client_config(
    identity: Option<&Identity>,
    trust: &Trust,
    names: NameCheck,
    clock: &Clock,
) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let verifier = verify::servers(trust, names, &provider);
    let builder = ClientConfig::builder_with_details(provider, Arc::new(WallTime(clock.clone())));
    let builder =
        builder.with_protocol_versions(VERSIONS)?.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some(identity) => {
            let resolver = SingleCertAndKey::from(identity.certified_key());
            builder.with_client_cert_resolver(Arc::new(resolver))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    // Without it two TLS 1.2 connections can be made to share the secret that proofs between members are bound to
    // (RFC 7627).
    config.require_ems = true;
    Ok(config)
}

/// The name that a member's certificate must bear: the host of its address.
#[must_use]
pub fn server_name(member: &MemberAddress) -> Option<ServerName<'static>> {
    match member.ip() {
        Some(ip) => Some(ServerName::from(ip)),
        None => ServerName::try_from(member.host()).ok(),
    }
}

/// What the other side of a connection showed, and the handshake accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// No certificate.
    Anonymous,
    /// The certificate that all nodes share: this node's own, or the one that a rotation puts in its place.
    SharesIdentity(Certificate),
    /// Another certificate.
    Certified(Certificate),
}

impl Peer {
    /// Who it is, from the certificates of a handshake that was accepted with `material`.
    #[must_use]
    pub fn of(certificates: Option<&[CertificateDer<'_>]>, material: &Material) -> Self {
        let leaf = certificates.and_then(<[_]>::first);
        match leaf.and_then(|leaf| Certificate::parse(leaf.clone()).ok()) {
            None => Self::Anonymous,
            Some(certificate) if material.shares(&certificate) => Self::SharesIdentity(certificate),
            Some(certificate) => Self::Certified(certificate),
        }
    }

    /// Whether it proves to be `member`: it shares this node's identity, or its certificate is for that host. A
    /// certificate that is merely trusted belongs to a client, not to a member.
    #[must_use]
    pub fn is_member(&self, member: &MemberAddress) -> bool {
        match self {
            Self::Anonymous => false,
            Self::SharesIdentity(_) => true,
            Self::Certified(certificate) => {
                server_name(member).is_some_and(|name| verify::is_for(certificate, &name))
            }
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    // Of equal age, what costs least first; the sort is stable, so TLS 1.3 stays ahead of 1.2.
    provider.cipher_suites.sort_by_key(|suite| (suite.tls13().is_none(), !is_aes_128(suite.suite())));
    Arc::new(provider)
}

/// Whether a suite encrypts with AES-128: secure until further notice, and a quarter faster than AES-256.
const fn is_aes_128(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

/// The library asks the node's clock, so that tests can turn it.
#[derive(Debug)]
struct WallTime(Clock);

impl TimeProvider for WallTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.wall().as_millis())))
    }
}

#[cfg(test)]
mod tests;
