//! Automatic TLS: from the shared secret every node derives the same private authority, and has it sign a
//! short-lived certificate for a key of its own.
//!
//! The authority's key is specified byte by byte in `proto-docs/automatic-tls.md`, with test vectors that the tests
//! here check: nodes of any version must derive the same one. The certificates themselves may differ.
//!
//! Invariant: an authority's private key leaves memory never; a leaf's only inside its [`Identity`].

mod renewal;

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use ringhold_ring::{MemberAddress, Timestamp};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::certificate::{Certificate, CertificateError};
use super::identity::{Identity, IdentityError, Trust, TrustError};
use super::shared_secret::{NoRandomness, Root, SharedSecrets, random};
use super::tls::{Material, TlsError};

pub use renewal::AutomaticTls;

/// How long a node's certificate is valid.
pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How far back its validity reaches, so that a clock that is behind accepts it.
pub const BACKDATE: Duration = Duration::from_secs(5 * 60);
/// The most names of one node.
pub const MAX_NAMES: usize = 64;

const AUTHORITY_LABEL: &[u8] = b"automatic tls authority p-256";
const AUTHORITY_NAME: &str = "Ringhold automatic authority";
/// The order of the group of P-256 (SEC 2, section 2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// A PKCS#8 key of P-256 up to the 32 bytes of the key itself, which end it.
const PKCS8_HEAD: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04,
    0x20,
];

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AutomaticError {
    /// No name to put into it.
    #[error("automatic TLS needs an address of this node; set node.address")]
    NoName,
    /// More than [`MAX_NAMES`].
    #[error("this node has {0} names and addresses; a certificate takes {MAX_NAMES}")]
    TooManyNames(usize),
    /// Not a DNS name.
    #[error("\"{0}\" cannot stand in a certificate: it is no DNS name")]
    BadName(String),
    /// No random numbers.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The library refused to sign.
    #[error("a certificate could not be made: {0}")]
    Signing(#[from] rcgen::Error),
    /// What was made cannot be read back.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Key and certificate do not fit.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The authority is of no use.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The TLS library refused what was made.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The authority that one secret stands for.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

impl Authority {
    /// The authority of a secret; `now` only dates its certificate.
    ///
    /// # Errors
    /// [`AutomaticError::Signing`] when the library refuses the key.
    pub fn derive(root: &Root, now: Timestamp) -> Result<Self, AutomaticError> {
        let scalar = authority_scalar(root);
        let mut pkcs8 = Zeroizing::new(PKCS8_HEAD.to_vec());
        pkcs8.extend_from_slice(scalar.as_slice());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(
            &PrivatePkcs8KeyDer::from(pkcs8.as_slice()),
            &PKCS_ECDSA_P256_SHA256,
        )?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&authority_name(key.public_key_raw()));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_before = offset(now, Duration::ZERO, BACKDATE);
        params.not_after = offset(now, LIFETIME * 365, Duration::ZERO);
        let certificate = Certificate::parse(params.self_signed(&key)?.der().clone())?;
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Its certificate: for trusting it, not for sending; its bytes differ from node to node.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs a certificate for a new key, valid for [`LIFETIME`] from `now`.
    ///
    /// # Errors
    /// [`AutomaticError`].
    pub fn issue(&self, names: &NodeNames, now: Timestamp) -> Result<Identity, AutomaticError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&names.common_name);
        params.subject_alt_names = names.alternatives.clone();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial_number()?);
        params.not_before = offset(now, Duration::ZERO, BACKDATE);
        params.not_after = offset(now, LIFETIME, Duration::ZERO);
        let certificate = Certificate::parse(params.signed_by(&key, &self.issuer)?.der().clone())?;
        let pkcs8 = Zeroizing::new(key.serialize_der());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8.as_slice()));
        Ok(Identity::new(&key, vec![certificate], now)?)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).field("key", &"***").finish()
    }
}

/// What a node's certificate is for: the address that members know, and any further names it is reached by.
#[derive(Clone, Debug)]
pub struct NodeNames {
    common_name: String,
    alternatives: Vec<SanType>,
}

impl NodeNames {
    /// The hosts of `addresses`, each once; the first also names the node.
    ///
    /// # Errors
    /// [`AutomaticError`] when there are none, too many, or one is no DNS name.
    pub fn new(addresses: &[MemberAddress]) -> Result<Self, AutomaticError> {
        let first = addresses.first().ok_or(AutomaticError::NoName)?;
        let mut alternatives: Vec<SanType> = Vec::new();
        for address in addresses {
            let alternative = match address.ip() {
                Some(ip) => SanType::IpAddress(ip),
                None => {
                    let name = address.host();
                    let dns = name.as_str().try_into().map_err(|_| AutomaticError::BadName(name.clone()))?;
                    SanType::DnsName(dns)
                }
            };
            if !alternatives.contains(&alternative) {
                alternatives.push(alternative);
            }
        }
        if alternatives.len() > MAX_NAMES {
            return Err(AutomaticError::TooManyNames(alternatives.len()));
        }
        Ok(Self { common_name: first.to_string(), alternatives })
    }

    /// The IP addresses among them.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.alternatives.iter().filter_map(|alternative| match alternative {
            SanType::IpAddress(ip) => Some(*ip),
            _ => None,
        })
    }
}

/// An identity from the secret that signs, and trust in whatever any accepted secret signs.
///
/// # Errors
/// [`AutomaticError`].
pub fn material(
    secrets: &SharedSecrets,
    names: &NodeNames,
    now: Timestamp,
) -> Result<Material, AutomaticError> {
    let derive = |root| Authority::derive(root, now);
    let authorities = secrets.accepted().iter().map(derive).collect::<Result<Vec<_>, _>>()?;
    // The first is the one that signs; there is always one.
    let identity = authorities[0].issue(names, now)?;
    let certificates: Vec<_> = authorities.into_iter().map(|authority| authority.certificate).collect();
    Ok(Material { identity, trust: Trust::authorities_only(&certificates)? })
}

/// The first of HKDF(label, 0), HKDF(label, 1), ... that is a private key of P-256. All but one in 2^32 are.
fn authority_scalar(root: &Root) -> Zeroizing<[u8; 32]> {
    let candidates = (0..=u8::MAX).map(|counter| root.key(&[AUTHORITY_LABEL, &[counter]]));
    let is_key = |key: &[u8; 32]| *key < ORDER && key.iter().any(|byte| *byte != 0);
    // 256 misses in a row have probability 2^-8192; the library then refuses the last.
    candidates.into_iter().find(|candidate| is_key(candidate)).unwrap_or_default()
}

/// The name carries the key's digest: after a rotation two authorities must not bear one name.
fn authority_name(public_key: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, public_key);
    let hex: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{AUTHORITY_NAME} {hex}")
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Sixteen random bytes, positive.
fn serial_number() -> Result<SerialNumber, NoRandomness> {
    let mut bytes = random::<16>()?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn offset<T: From<SystemTime>>(now: Timestamp, later: Duration, earlier: Duration) -> T {
    let moment = (now + later).as_millis().saturating_sub(earlier.as_millis() as u64);
    T::from(SystemTime::UNIX_EPOCH + Duration::from_millis(moment))
}

#[cfg(test)]
mod tests;
