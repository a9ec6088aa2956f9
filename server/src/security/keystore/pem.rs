//! PEM files: private keys and certificates as text sections; anything between sections is comment.
//!
//! A file with a key is an identity, and its other certificates are that key's issuers; a file without one is a
//! truststore.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::pbes2::Kdf;
use rustls::pki_types::{CertificateDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use zeroize::Zeroizing;

use super::{
    Certificate, Format, KeyEntry, Keystore, KeystoreError, LockedKey, MAX_ENTRIES, OpenKey, TrustedEntry,
    certificate_of, chain_from, unique,
};

const BEGIN: &str = "-----BEGIN ";
/// More than any tool writes; a file must not occupy a processor for minutes.
const MAX_ITERATIONS: u32 = 10_000_000;
/// 128 bytes for each: 256 MiB.
const MAX_SCRYPT_BLOCKS: u64 = 2 << 20;

pub fn is_pem(bytes: &[u8]) -> bool {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let is_text = start.iter().take(512).all(|byte| !matches!(byte, 0..=8 | 14..=31));
    is_text && start.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes())
}

pub fn read(bytes: &[u8]) -> Result<Keystore, KeystoreError> {
    let mut certificates = Vec::new();
    let mut locked = Vec::new();
    let mut keys: Vec<OpenKey> = Vec::new();
    for section in sections(bytes)? {
        let body = section.body;
        match section.label {
            "CERTIFICATE" | "X509 CERTIFICATE" => {
                certificates.push(Certificate::parse(CertificateDer::from(body.as_slice()))?);
            }
            "PRIVATE KEY" => keys.push(Zeroizing::new(PrivatePkcs8KeyDer::from(body.to_vec()).into())),
            "RSA PRIVATE KEY" => keys.push(Zeroizing::new(PrivatePkcs1KeyDer::from(body.to_vec()).into())),
            "EC PRIVATE KEY" => keys.push(Zeroizing::new(PrivateSec1KeyDer::from(body.to_vec()).into())),
            "ENCRYPTED PRIVATE KEY" => locked.push(body.to_vec()),
            _ => {} // parameters, requests, public keys
        }
        if certificates.len() + keys.len() + locked.len() > MAX_ENTRIES {
            return Err(KeystoreError::TooMany { what: "entries", limit: MAX_ENTRIES });
        }
    }
    let entries = key_entries(keys, locked, &certificates)?;
    let trusted = if entries.is_empty() { certificates } else { Vec::new() };
    let trusted = trusted
        .into_iter()
        .map(|certificate| TrustedEntry { alias: certificate.short_name().to_owned(), certificate });
    Ok(Keystore { format: Format::Pem, trusted: trusted.collect(), keys: entries })
}

fn key_entries(
    open: Vec<OpenKey>,
    locked: Vec<Vec<u8>>,
    certificates: &[Certificate],
) -> Result<Vec<KeyEntry>, KeystoreError> {
    if locked.len() > 1 || (!locked.is_empty() && !open.is_empty()) {
        return Err(unsupported(
            "an encrypted private key beside another private key; give each a file of its own",
        ));
    }
    // Which certificate belongs to a key that is still locked, or to none, is not known: by custom the first.
    let first = || certificates.first();
    let open = open.into_iter().map(|key| {
        let leaf = certificate_of(&key, certificates).or_else(first);
        (leaf, LockedKey::Open(Arc::new(key)))
    });
    let locked = locked.into_iter().map(|key| (first(), LockedKey::EncryptedPkcs8(key)));
    let mut entries: Vec<KeyEntry> = Vec::new();
    for (leaf, key) in open.chain(locked) {
        let chain = leaf.map(|leaf| chain_from(leaf, certificates)).unwrap_or_default();
        let alias = unique(leaf.map_or("key", Certificate::short_name), &entries);
        entries.push(KeyEntry { alias, chain, key });
    }
    Ok(entries)
}

/// Opens an encrypted PKCS#8 key.
pub fn unlock(locked: &[u8], password: &str, alias: &str) -> Result<OpenKey, KeystoreError> {
    let info = EncryptedPrivateKeyInfoRef::try_from(locked)
        .map_err(|error| damaged(&format!("its encrypted private key: {error}")))?;
    let Some(parameters) = info.encryption_algorithm.pbes2() else {
        return Err(unsupported(
            "a private key encrypted by an old scheme; openssl pkcs8 -topk8 writes a current one",
        ));
    };
    let is_affordable = match &parameters.kdf {
        Kdf::Pbkdf2(kdf) => kdf.iteration_count <= MAX_ITERATIONS,
        // RFC 7914, section 2; `decrypt` panics at a cost of 0.
        Kdf::Scrypt(kdf) if !kdf.cost_parameter.is_power_of_two() => {
            return Err(damaged(&format!(
                "its encrypted private key: a cost of scrypt of {}, which is not a power of two",
                kdf.cost_parameter
            )));
        }
        Kdf::Scrypt(kdf) => {
            let blocks = kdf.cost_parameter.saturating_mul(kdf.block_size.into());
            blocks.saturating_mul(kdf.parallelization.into()) <= MAX_SCRYPT_BLOCKS
        }
        _ => false,
    };
    if !is_affordable {
        return Err(unsupported("a private key whose encryption asks for more work than is allowed"));
    }
    let key = info.decrypt(password).map_err(|_| KeystoreError::WrongKeyPassword(alias.to_owned()))?;
    Ok(Zeroizing::new(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into()))
}

struct Section<'a> {
    label: &'a str,
    body: Zeroizing<Vec<u8>>,
}

fn sections(bytes: &[u8]) -> Result<Vec<Section<'_>>, KeystoreError> {
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is not text throughout"))?;
    let mut lines = text.lines().map(str::trim);
    let mut sections = Vec::new();
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix("-----")) else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut body = Zeroizing::new(String::with_capacity(text.len()));
        loop {
            match lines.next() {
                None => return Err(damaged(&format!("the section {} has no end", label.escape_debug()))),
                Some(line) if line == end => break,
                Some(line) if line.starts_with("Proc-Type:") => {
                    return Err(unsupported(
                        "a private key encrypted in openssl's old way; openssl pkcs8 -topk8 writes a current one",
                    ));
                }
                Some(line) => body.push_str(line),
            }
        }
        let body = STANDARD.decode(body.as_bytes()).map(Zeroizing::new);
        let body =
            body.map_err(|_| damaged(&format!("the section {} is not base64", label.escape_debug())))?;
        sections.push(Section { label, body });
        if sections.len() > MAX_ENTRIES {
            return Err(KeystoreError::TooMany { what: "sections", limit: MAX_ENTRIES });
        }
    }
    Ok(sections)
}

fn damaged(reason: &str) -> KeystoreError {
    KeystoreError::Damaged { format: Format::Pem, reason: reason.into() }
}

fn unsupported(reason: &str) -> KeystoreError {
    KeystoreError::Unsupported { format: Format::Pem, reason: reason.into() }
}
