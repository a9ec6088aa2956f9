//! Writing an identity as PKCS#12 or PEM, so that `keytool` and `openssl` read it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::{KeyStore, KeyStoreEntry, LocalKeyId, PrivateKey, PrivateKeyChain};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::pkcs5::pbes2;
use rustls::pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use super::super::certificate::Certificate;
use super::super::secret::Secret;

/// Rounds over the password, ten times what keytool does. More would delay every start and reload, and a keystore's
/// first protection is that nobody else can read the file.
const ITERATIONS: u32 = 100_000;
const LINE_BYTES: usize = 64;

/// Why a store could not be written. It can only be a fault of this program or of its random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the keystore could not be encoded: {0}")]
pub struct WriteError(String);

/// A PKCS#12 store: the key under `alias` with its chain, each of `trusted` under its own name, AES-256 throughout.
///
/// # Errors
/// [`WriteError`] when the key or a certificate cannot be encoded.
pub fn to_pkcs12(
    alias: &str,
    key: &PrivatePkcs8KeyDer<'_>,
    chain: &[Certificate],
    trusted: &[Certificate],
    password: &Secret,
) -> Result<Zeroizing<Vec<u8>>, WriteError> {
    let encode = |certificate: &Certificate| p12_keystore::Certificate::from_der(certificate.der());
    let failed = |error: p12_keystore::error::Error| WriteError(error.to_string());
    let private = PrivateKey::from_der(key.secret_pkcs8_der()).map_err(failed)?;
    let certificates = chain.iter().map(encode).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let label = LocalKeyId::from(alias);
    let mut store = KeyStore::new();
    store
        .add_entry(alias, KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(label, private, certificates)));
    for certificate in trusted {
        let entry = KeyStoreEntry::Certificate(encode(certificate).map_err(failed)?);
        store.add_entry(certificate.short_name(), entry);
    }
    let writer = store.writer(password.expose()).encryption_iterations(ITERATIONS).mac_iterations(ITERATIONS);
    writer.write().map(Zeroizing::new).map_err(failed)
}

/// The key, encrypted when there is a password, and then its chain, as PEM.
///
/// # Errors
/// [`WriteError`] when the key cannot be encoded.
pub fn to_pem(
    key: &PrivatePkcs8KeyDer<'_>,
    chain: &[Certificate],
    password: Option<&Secret>,
) -> Result<Zeroizing<String>, WriteError> {
    let mut text = Zeroizing::new(String::new());
    match password {
        Some(password) => section(&mut text, "ENCRYPTED PRIVATE KEY", &encrypted(key, password)?),
        None => section(&mut text, "PRIVATE KEY", key.secret_pkcs8_der()),
    }
    for certificate in chain {
        section(&mut text, "CERTIFICATE", certificate.der());
    }
    Ok(text)
}

fn encrypted(key: &PrivatePkcs8KeyDer<'_>, password: &Secret) -> Result<Vec<u8>, WriteError> {
    let failed = |error: &dyn std::fmt::Display| WriteError(error.to_string());
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    aws_lc_rs::rand::fill(&mut salt).map_err(|error| failed(&error))?;
    aws_lc_rs::rand::fill(&mut iv).map_err(|error| failed(&error))?;
    let parameters = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, iv);
    let parameters = parameters.map_err(|error| failed(&error))?;
    let info = PrivateKeyInfoRef::try_from(key.secret_pkcs8_der()).map_err(|error| failed(&error))?;
    let sealed = info.encrypt_with_params(parameters, password.expose()).map_err(|error| failed(&error))?;
    Ok(sealed.as_bytes().to_vec())
}

pub(super) fn section(text: &mut String, label: &str, body: &[u8]) {
    let encoded = Zeroizing::new(STANDARD.encode(body));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE_BYTES));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
}
