//! PKCS#12 stores, through a crate that knows the format; here is only what its bags mean to us.
//!
//! A key's certificate is found by its public key, not by labels, which tools write or leave out as they like. The
//! crate bounds the work factors that a file may ask for.

use std::sync::Arc;

use p12_keystore::error::Error;
use p12_keystore::{CertificateBag, Pkcs12Archive};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::{
    Certificate, Format, KeyEntry, Keystore, KeystoreError, LockedKey, MAX_ENTRIES, Passwords, TrustedEntry,
    certificate_of, chain_from, unique,
};

/// Whether a DER file begins like a PFX: a sequence whose first element is the number 3.
pub fn is_pkcs12(bytes: &[u8]) -> bool {
    let content = match bytes {
        [0x30, 0x80, rest @ ..] | [0x30, 0..=0x7f, rest @ ..] => rest,
        [0x30, length @ 0x81..=0x84, rest @ ..] => rest.get(usize::from(length & 0x7f)..).unwrap_or_default(),
        _ => return false,
    };
    content.starts_with(&[0x02, 0x01, 0x03])
}

pub fn read(bytes: &[u8], passwords: &Passwords) -> Result<Keystore, KeystoreError> {
    if bytes.get(1) == Some(&0x80) {
        return Err(unsupported("BER with indefinite lengths"));
    }
    let archive = Pkcs12Archive::from_pkcs12(bytes, passwords.for_store()).map_err(|error| {
        match (explain(error), &passwords.store) {
            (KeystoreError::WrongStorePassword, None) => KeystoreError::NoStorePassword,
            (error, _) => error,
        }
    })?;
    if archive.keys.len() + archive.certs.len() > MAX_ENTRIES {
        return Err(KeystoreError::TooMany { what: "entries", limit: MAX_ENTRIES });
    }
    let certificates = archive.certs.iter().map(certificate).collect::<Result<Vec<_>, _>>()?;
    let mut keys: Vec<KeyEntry> = Vec::new();
    for bag in archive.keys {
        let key = Zeroizing::new(PrivateKeyDer::from(PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec())));
        let labelled = || labelled(&archive.certs, &certificates, bag.local_key_id.as_ref()?.as_ref());
        let leaf = certificate_of(&key, &certificates).or_else(labelled);
        let chain = leaf.map(|leaf| chain_from(leaf, &certificates)).unwrap_or_default();
        let name = bag.friendly_name.as_deref().or_else(|| Some(chain.first()?.short_name()));
        let alias = unique(name.unwrap_or("key"), &keys);
        keys.push(KeyEntry { alias, chain, key: LockedKey::Open(Arc::new(key)) });
    }
    // Java marks what it trusts. openssl does not; then a store without a key can only be meant as a truststore.
    let is_trusted = |bag: &CertificateBag| bag.trusted || keys.is_empty();
    let trusted = archive.certs.iter().zip(&certificates).filter(|(bag, _)| is_trusted(bag));
    let trusted = trusted.map(|(bag, certificate)| TrustedEntry {
        alias: bag.friendly_name.clone().unwrap_or_else(|| certificate.short_name().to_owned()),
        certificate: certificate.clone(),
    });
    Ok(Keystore { format: Format::Pkcs12, trusted: trusted.collect(), keys })
}

/// The certificate that bears the key's label, for a key of a kind that has no known public key: the mistake is
/// then reported as an unusable key, not as a missing certificate.
fn labelled<'a>(
    bags: &[CertificateBag],
    certificates: &'a [Certificate],
    label: &[u8],
) -> Option<&'a Certificate> {
    let has_label = |bag: &CertificateBag| bag.local_key_id.as_deref() == Some(label);
    bags.iter().zip(certificates).find(|(bag, _)| has_label(bag)).map(|(_, certificate)| certificate)
}

fn certificate(bag: &CertificateBag) -> Result<Certificate, KeystoreError> {
    Ok(Certificate::parse(CertificateDer::from(bag.cert.as_der()))?)
}

fn explain(error: Error) -> KeystoreError {
    match error {
        Error::MacError(_) => KeystoreError::WrongStorePassword,
        // Without a MAC, or behind one that holds, padding that does not fit.
        Error::UnpadError | Error::Pkcs5Error(_) => KeystoreError::WrongStorePassword,
        Error::UnsupportedContentType | Error::UnsupportedCertificateType => unsupported(&error.to_string()),
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm => {
            unsupported(&error.to_string())
        }
        other => KeystoreError::Damaged { format: Format::Pkcs12, reason: other.to_string() },
    }
}

fn unsupported(reason: &str) -> KeystoreError {
    KeystoreError::Unsupported { format: Format::Pkcs12, reason: reason.into() }
}
