//! Whom a handshake accepts: a certificate that is trusted as it is, or one that a trusted authority signed.
//!
//! A certificate that is trusted byte for byte needs no name and may call itself an authority: that is what shared
//! keystores hold (`CN=*`, self-signed). Its dates are checked all the same. Any other server certificate must be
//! for the host that was called. In every case the other side proves that it has the key.

use std::sync::Arc;
use std::time::Duration;

use ringhold_ring::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{CertificateError as Refusal, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::super::certificate::{Certificate, CertificateError};
use super::super::identity::Trust;
use super::ClientAuth;

/// More would make every handshake long; an empty hint means "any".
const MAX_HINTS: usize = 64;

/// Whether the host name in a server's certificate is compared with the host that was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameCheck {
    /// Unless the certificate is trusted byte for byte.
    #[default]
    Required,
    /// Never: any holder of a trusted certificate can pose as any member.
    Off,
}

pub fn servers(trust: &Trust, names: NameCheck, provider: &CryptoProvider) -> Arc<dyn ServerCertVerifier> {
    let algorithms = provider.signature_verification_algorithms;
    Arc::new(Servers { trust: trust.clone(), names, algorithms })
}

pub fn clients(
    trust: &Trust,
    client_auth: ClientAuth,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    if client_auth == ClientAuth::None {
        return Ok(Arc::new(NoClientAuth));
    }
    let chains = if trust.anchors().is_empty() {
        None
    } else {
        let anchors = Arc::clone(trust.anchors());
        Some(WebPkiClientVerifier::builder_with_provider(anchors, Arc::clone(provider)).build()?)
    };
    let mut hints: Vec<&[u8]> = trust.acceptable_issuers().collect();
    hints.sort_unstable();
    hints.dedup();
    if hints.len() > MAX_HINTS {
        hints.clear();
    }
    let hints = hints.into_iter().map(|name| DistinguishedName::from(name.to_vec())).collect();
    let algorithms = provider.signature_verification_algorithms;
    Ok(Arc::new(Clients { trust: trust.clone(), chains, hints, client_auth, algorithms }))
}

/// Whether a certificate is for this host.
pub fn is_for(certificate: &Certificate, name: &ServerName<'_>) -> bool {
    let parsed = ParsedCertificate::try_from(certificate.der());
    parsed.is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

/// Whether the certificate is trusted as it is; an error when it is, and its dates do not hold.
fn is_pinned(trust: &Trust, leaf: &CertificateDer<'_>, now: UnixTime) -> Result<bool, Error> {
    let Some(certificate) = trust.exact(leaf) else {
        return Ok(false);
    };
    let unix = |moment: Timestamp| UnixTime::since_unix_epoch(Duration::from_millis(moment.as_millis()));
    let refusal = match certificate.check_dates(Timestamp::from_millis(now.as_secs().saturating_mul(1000))) {
        Ok(()) => return Ok(true),
        Err(CertificateError::NotYetValid { .. }) => {
            Refusal::NotValidYetContext { time: now, not_before: unix(certificate.not_before()) }
        }
        Err(_) => Refusal::ExpiredContext { time: now, not_after: unix(certificate.not_after()) },
    };
    Err(refusal.into())
}

#[derive(Debug)]
struct Servers {
    trust: Trust,
    names: NameCheck,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !is_pinned(&self.trust, leaf, now)? {
            let parsed = ParsedCertificate::try_from(leaf)?;
            let (anchors, algorithms) = (self.trust.anchors(), self.algorithms.all);
            verify_server_cert_signed_by_trust_anchor(&parsed, anchors, intermediates, now, algorithms)?;
            if self.names == NameCheck::Required {
                verify_server_name(&parsed, name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[derive(Debug)]
struct Clients {
    trust: Trust,
    /// None when no authority is trusted: then only certificates that are trusted as they are come in.
    chains: Option<Arc<dyn ClientCertVerifier>>,
    hints: Vec<DistinguishedName>,
    client_auth: ClientAuth,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.client_auth == ClientAuth::Required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match &self.chains {
            _ if is_pinned(&self.trust, leaf, now)? => Ok(ClientCertVerified::assertion()),
            Some(chains) => chains.verify_client_cert(leaf, intermediates, now),
            None => Err(Refusal::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
