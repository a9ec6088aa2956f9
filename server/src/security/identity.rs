//! Who this node is (a private key and its certificates) and whom it believes.
//!
//! Invariant: the key of an [`Identity`] belongs to its first certificate, and was valid when it was built.

use std::collections::HashMap;
use std::sync::Arc;

use ringhold_ring::Timestamp;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SigningKey};

use super::certificate::{Certificate, CertificateError, Fingerprint};

/// A private key with its certificate chain: the leaf first, then its issuers.
#[derive(Clone)]
pub struct Identity {
    chain: Vec<Certificate>,
    key: Arc<dyn SigningKey>,
}

/// Why a key and certificates are not an identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No certificate came with the key.
    #[error("no certificate comes with the private key; put both into one store")]
    NoCertificate,
    /// A kind of key that TLS here does not know.
    #[error(
        "the private key cannot be used: it is neither RSA (2048 bits or more), EC (P-256, P-384, P-521) nor Ed25519"
    )]
    UnusableKey,
    /// Key and certificate are from different pairs.
    #[error(
        "the private key does not belong to the certificate of {0}; give the certificate that was made for this key"
    )]
    KeyMismatch(String),
    /// A certificate is not valid now.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Identity {
    /// Puts a key and its chain together; the leaf is the first of `chain`.
    ///
    /// # Errors
    /// [`IdentityError`] when the key is unusable or another's, or a certificate is not valid at `now`.
    pub fn new(
        key: &PrivateKeyDer<'_>,
        chain: Vec<Certificate>,
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        let leaf = chain.first().ok_or(IdentityError::NoCertificate)?;
        let key = any_supported_type(key).map_err(|_| IdentityError::UnusableKey)?;
        if key.public_key().is_none_or(|public| public.as_ref() != leaf.public_key()) {
            return Err(IdentityError::KeyMismatch(leaf.subject().to_owned()));
        }
        leaf.check_version()?;
        Self::needed(&chain).try_for_each(|certificate| certificate.check_dates(now))?;
        Ok(Self { chain, key })
    }

    /// The certificate of the key itself.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        // An identity without a leaf cannot be built.
        &self.chain[0]
    }

    /// The leaf and its issuers.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The first moment at which some certificate of the chain is no longer valid.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        Self::needed(&self.chain).map(Certificate::not_after).min().unwrap_or_default()
    }

    /// All but a self-issued end of the chain: the other side has its own copy of that, or does not trust it anyway.
    fn needed(chain: &[Certificate]) -> impl Iterator<Item = &Certificate> {
        let is_needed =
            |(place, certificate): &(usize, &Certificate)| *place == 0 || !certificate.is_self_issued();
        chain.iter().enumerate().filter(is_needed).map(|(_, certificate)| certificate)
    }

    /// The same in the TLS library's words.
    #[must_use]
    pub fn certified_key(&self) -> CertifiedKey {
        let chain = self.chain.iter().map(|certificate| certificate.der().clone()).collect();
        CertifiedKey::new(chain, Arc::clone(&self.key))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("chain", &self.chain).field("key", &"***").finish()
    }
}

/// The public key that belongs to `key`, as subject public key info, when the key is of a kind that is known here.
#[must_use]
pub fn public_key_of(key: &PrivateKeyDer<'_>) -> Option<Vec<u8>> {
    any_supported_type(key).ok()?.public_key().map(|public| public.as_ref().to_vec())
}

/// Whom this node believes: holders of certain certificates, and of certificates that certain authorities signed.
#[derive(Clone, Debug)]
pub struct Trust {
    exact: HashMap<Fingerprint, Certificate>,
    anchors: Arc<RootCertStore>,
    anchor_issuers: Vec<Vec<u8>>,
}

/// Why certificates are nobody to believe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Nothing in it.
    #[error("it holds no certificate to trust; without one every connection would be refused")]
    Empty,
    /// More than [`Trust::MAX_CERTIFICATES`].
    #[error("it holds {0} certificates to trust, more than {max}", max = Trust::MAX_CERTIFICATES)]
    TooMany(usize),
    /// The TLS library cannot use it as an authority.
    #[error("the certificate of {subject} cannot be trusted as an authority: {reason}")]
    Unusable {
        /// Whose.
        subject: String,
        /// What the TLS library said.
        reason: String,
    },
}

impl Trust {
    /// The most certificates to trust.
    pub const MAX_CERTIFICATES: usize = 1024;

    /// Trusts each of `pinned` as it is, and each of `authorities` as it is and for what it signs.
    ///
    /// # Errors
    /// [`TrustError`] when there are none, too many, or one cannot be used.
    pub fn new(pinned: &[Certificate], authorities: &[Certificate]) -> Result<Self, TrustError> {
        match pinned.len() + authorities.len() {
            0 => return Err(TrustError::Empty),
            count if count > Self::MAX_CERTIFICATES => return Err(TrustError::TooMany(count)),
            _ => {}
        }
        let all = pinned.iter().chain(authorities);
        let exact = all.map(|certificate| (certificate.fingerprint(), certificate.clone())).collect();
        Ok(Self { exact, ..Self::authorities_only(authorities)? })
    }

    /// Trusts only what `authorities` sign, not what bears their own certificates.
    ///
    /// # Errors
    /// [`TrustError::Unusable`] when one cannot be used.
    pub fn authorities_only(authorities: &[Certificate]) -> Result<Self, TrustError> {
        let mut anchors = RootCertStore::empty();
        for authority in authorities {
            anchors.add(authority.der().clone()).map_err(|error| TrustError::Unusable {
                subject: authority.subject().to_owned(),
                reason: error.to_string(),
            })?;
        }
        let anchor_issuers = authorities.iter().map(|authority| authority.issuer_bytes().to_vec()).collect();
        Ok(Self { exact: HashMap::new(), anchors: Arc::new(anchors), anchor_issuers })
    }

    /// The trusted certificate with exactly these bytes.
    #[must_use]
    pub fn exact(&self, der: &[u8]) -> Option<&Certificate> {
        self.exact.get(&Fingerprint::of(der))
    }

    /// The authorities.
    #[must_use]
    pub const fn anchors(&self) -> &Arc<RootCertStore> {
        &self.anchors
    }

    /// Issuers whose certificates may be accepted, as DER names, for a server to hint at.
    pub fn acceptable_issuers(&self) -> impl Iterator<Item = &[u8]> {
        let exact = self.exact.values().map(Certificate::issuer_bytes);
        self.anchor_issuers.iter().map(Vec::as_slice).chain(exact)
    }

    /// How many certificates there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.exact.len().max(self.anchors.len())
    }

    /// Whether nobody is believed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
