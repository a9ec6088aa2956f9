//! Keystores: private keys with their certificates, and certificates to trust, in one file.
//!
//! JKS, PKCS#12 and PEM are told apart by their content. Private keys stay locked until one is chosen, so that a
//! store can be listed without the password of every key.
//!
//! Invariant: no error and no `Debug` output holds a password or a key.

mod jks;
mod pem;
mod pkcs12;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringhold_ring::Timestamp;
use rustls::pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::certificate::{Certificate, CertificateError};
use super::file::{self, FileError};
use super::identity::{Identity, IdentityError, Trust, TrustError, public_key_of};
use super::secret::Secret;

pub use write::{WriteError, to_pem, to_pkcs12};

/// The largest keystore, in bytes.
pub const MAX_KEYSTORE_BYTES: usize = 4 << 20;
/// The most entries of a keystore.
pub const MAX_ENTRIES: usize = 1024;
/// The longest certificate chain.
pub const MAX_CHAIN: usize = 16;

/// How a keystore is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Java's own, until Java 8.
    Jks,
    /// Java's since 9, and everyone's.
    Pkcs12,
    /// Text.
    Pem,
}

/// What a keystore holds.
#[derive(Clone, Debug)]
pub struct Keystore {
    format: Format,
    keys: Vec<KeyEntry>,
    trusted: Vec<TrustedEntry>,
}

/// A private key and its certificates.
#[derive(Clone, Debug)]
pub struct KeyEntry {
    /// Its name in the store.
    pub alias: String,
    /// The certificate of the key, then its issuers.
    pub chain: Vec<Certificate>,
    key: LockedKey,
}

/// A certificate to trust.
#[derive(Clone, Debug)]
pub struct TrustedEntry {
    /// Its name in the store.
    pub alias: String,
    /// The certificate.
    pub certificate: Certificate,
}

/// A private key that is overwritten when dropped.
pub type OpenKey = Zeroizing<PrivateKeyDer<'static>>;

/// A private key as it lies in its store.
#[derive(Clone)]
enum LockedKey {
    Open(Arc<OpenKey>),
    Jks(Vec<u8>),
    EncryptedPkcs8(Vec<u8>),
}

impl std::fmt::Debug for LockedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What opens a store and its keys.
#[derive(Clone, Debug, Default)]
pub struct Passwords {
    /// Of the store.
    pub store: Option<Secret>,
    /// Of the private key; without it, that of the store.
    pub key: Option<Secret>,
}

impl Passwords {
    /// One password for both.
    #[must_use]
    pub fn one(password: &str) -> Self {
        Self { store: Some(password.into()), key: None }
    }

    fn for_store(&self) -> &str {
        self.store.as_ref().map_or("", Secret::expose)
    }

    fn for_key(&self) -> &str {
        self.key.as_ref().or(self.store.as_ref()).map_or("", Secret::expose)
    }
}

/// Why a keystore does not serve.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// Neither JKS, PKCS#12 nor PEM.
    #[error("it is no keystore: it is {found}; a keystore is JKS, PKCS#12 or PEM")]
    UnknownFormat {
        /// What it looks like.
        found: &'static str,
    },
    /// A kind of store that is known and not read.
    #[error(
        "it is a JCEKS keystore, which is not read here; convert it: keytool -importkeystore -srcstoretype JCEKS \
             -srckeystore OLD -deststoretype PKCS12 -destkeystore NEW"
    )]
    Jceks,
    /// The format is right and the content broken.
    #[error("the {format} keystore is damaged: {reason}")]
    Damaged {
        /// Which format.
        format: Format,
        /// What is wrong.
        reason: String,
    },
    /// An algorithm that is not known here.
    #[error(
        "the {format} keystore uses something that is not supported: {reason}; write it again with a current \
             keytool or openssl"
    )]
    Unsupported {
        /// Which format.
        format: Format,
        /// What it uses.
        reason: String,
    },
    /// More than there may be of something.
    #[error("it holds more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The password does not open the store.
    #[error("the keystore password is wrong (or the file was altered)")]
    WrongStorePassword,
    /// A password is needed and none was given.
    #[error("the keystore has a password and none is configured")]
    NoStorePassword,
    /// The password does not open the key.
    #[error(
        "the password of the private key \"{0}\" is wrong; it may differ from the keystore's: set the key password"
    )]
    WrongKeyPassword(String),
    /// Only trusted certificates.
    #[error("it holds no private key, only trusted certificates: it can be a truststore, not a keystore")]
    NoPrivateKey,
    /// Several keys, none chosen.
    #[error("it holds several private keys; choose one by its alias: {}", aliases.join(", "))]
    SeveralKeys {
        /// Their aliases.
        aliases: Vec<String>,
    },
    /// The chosen key is not there.
    #[error("it holds no private key with the alias \"{wanted}\"; it has: {}", aliases.join(", "))]
    NoSuchAlias {
        /// What was asked for.
        wanted: String,
        /// What there is.
        aliases: Vec<String>,
    },
    /// A certificate in it cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Key and certificates make no identity.
    #[error("private key \"{alias}\": {reason}")]
    Identity {
        /// Which key.
        alias: String,
        /// Why not.
        reason: IdentityError,
    },
    /// Its certificates are nobody to trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// A keystore's file and why it does not serve.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreFileError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is in it does not serve.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: Box<KeystoreError>,
    },
}

impl Keystore {
    /// Reads the keystore at `path`.
    ///
    /// # Errors
    /// [`KeystoreFileError`] naming the file.
    pub fn open(path: &Path, passwords: &Passwords) -> Result<Self, KeystoreFileError> {
        let bytes = file::read(path, MAX_KEYSTORE_BYTES)?;
        Self::read(&bytes, passwords)
            .map_err(|reason| KeystoreFileError::Content { path: path.to_owned(), reason: Box::new(reason) })
    }

    /// Reads a keystore of any known format.
    ///
    /// # Errors
    /// [`KeystoreError`]; a wrong store password is told from a damaged file as far as the format allows.
    pub fn read(bytes: &[u8], passwords: &Passwords) -> Result<Self, KeystoreError> {
        match Format::of(bytes)? {
            Format::Jks => jks::read(bytes, passwords),
            Format::Pkcs12 => pkcs12::read(bytes, passwords),
            Format::Pem => pem::read(bytes),
        }
    }

    /// How it was written.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Its private keys.
    #[must_use]
    pub fn keys(&self) -> &[KeyEntry] {
        &self.keys
    }

    /// Its trusted certificates.
    #[must_use]
    pub fn trusted(&self) -> &[TrustedEntry] {
        &self.trusted
    }

    /// The identity under `alias` (case does not matter, as in Java), or the only one.
    ///
    /// # Errors
    /// [`KeystoreError`] when there is none or more than one, it does not open, or it is not valid at `now`.
    pub fn identity(
        &self,
        alias: Option<&str>,
        passwords: &Passwords,
        now: Timestamp,
    ) -> Result<Identity, KeystoreError> {
        Ok(self.identity_and_key(alias, passwords, now)?.0)
    }

    /// The same, and the bare key: for an authority that signs with it.
    ///
    /// # Errors
    /// As [`Keystore::identity`].
    pub fn identity_and_key(
        &self,
        alias: Option<&str>,
        passwords: &Passwords,
        now: Timestamp,
    ) -> Result<(Identity, OpenKey), KeystoreError> {
        let entry = self.choose(alias)?;
        let key = entry.unlock(passwords)?;
        let identity = Identity::new(&key, entry.chain.clone(), now)
            .map_err(|reason| KeystoreError::Identity { alias: entry.alias.clone(), reason })?;
        Ok((identity, key))
    }

    /// Whom its holder believes: the trusted certificates and, if they are authorities, what they sign; and the very
    /// certificates of its own keys, so that nodes that share one keystore trust each other. Not the issuers in the
    /// chains of those keys: a chain may end at a public authority, which signs for everyone. And nothing that a
    /// trusted node's certificate signs: its key must not make further nodes.
    ///
    /// # Errors
    /// [`TrustError`] when there is nothing to trust.
    pub fn trust(&self) -> Result<Trust, KeystoreError> {
        let leaves = self.keys.iter().filter_map(|entry| entry.chain.first());
        let trusted = self.trusted.iter().map(|entry| &entry.certificate);
        let (authorities, nodes): (Vec<_>, Vec<_>) = trusted.cloned().partition(Certificate::is_authority);
        let pinned: Vec<_> = leaves.cloned().chain(nodes).collect();
        Ok(Trust::new(&pinned, &authorities)?)
    }

    fn choose(&self, alias: Option<&str>) -> Result<&KeyEntry, KeystoreError> {
        let aliases = || self.keys.iter().map(|entry| entry.alias.clone()).collect();
        match (alias, self.keys.as_slice()) {
            (_, []) => Err(KeystoreError::NoPrivateKey),
            (None, [only]) => Ok(only),
            (None, _) => Err(KeystoreError::SeveralKeys { aliases: aliases() }),
            (Some(wanted), keys) => {
                // An exact match first: other tools than Java's can write two aliases that differ by case only.
                let lower = wanted.to_lowercase();
                let exact = keys.iter().find(|entry| entry.alias == wanted);
                exact
                    .or_else(|| keys.iter().find(|entry| entry.alias.to_lowercase() == lower))
                    .ok_or_else(|| KeystoreError::NoSuchAlias { wanted: wanted.into(), aliases: aliases() })
            }
        }
    }
}

impl KeyEntry {
    fn unlock(&self, passwords: &Passwords) -> Result<OpenKey, KeystoreError> {
        let wrong = || KeystoreError::WrongKeyPassword(self.alias.clone());
        match &self.key {
            LockedKey::Open(key) => Ok(Zeroizing::new(key.clone_key())),
            LockedKey::Jks(locked) => jks::unlock(locked, passwords.for_key()).ok_or_else(wrong),
            LockedKey::EncryptedPkcs8(locked) => pem::unlock(locked, passwords.for_key(), &self.alias),
        }
    }
}

impl Format {
    /// The format that `bytes` begin like.
    ///
    /// # Errors
    /// [`KeystoreError::UnknownFormat`] and [`KeystoreError::Jceks`], each naming what it is instead.
    pub fn of(bytes: &[u8]) -> Result<Self, KeystoreError> {
        let unknown = |found| Err(KeystoreError::UnknownFormat { found });
        match bytes {
            [] => unknown("empty"),
            [0xfe, 0xed, 0xfe, 0xed, ..] => Ok(Self::Jks),
            [0xce, 0xce, 0xce, 0xce, ..] => Err(KeystoreError::Jceks),
            _ if pem::is_pem(bytes) => Ok(Self::Pem),
            [0x30, ..] if pkcs12::is_pkcs12(bytes) => Ok(Self::Pkcs12),
            [0x30, ..] => {
                unknown("a single certificate or key in DER (write it as PEM: openssl x509 -inform DER)")
            }
            _ => unknown("something else"),
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Jks => "JKS",
            Self::Pkcs12 => "PKCS#12",
            Self::Pem => "PEM",
        })
    }
}

/// The chain from `leaf` through whichever of `others` issued it, by name; it ends at a self-issued certificate.
fn chain_from(leaf: &Certificate, others: &[Certificate]) -> Vec<Certificate> {
    let mut chain = vec![leaf.clone()];
    while let Some(last) = chain.last().filter(|last| !last.is_self_issued()).cloned() {
        let issuer = others.iter().find(|other| last.names_as_issuer(other) && !chain.contains(other));
        match issuer {
            Some(issuer) if chain.len() < MAX_CHAIN => chain.push(issuer.clone()),
            _ => break,
        }
    }
    chain
}

/// The certificate that was made for `key`.
fn certificate_of<'a>(key: &PrivateKeyDer<'_>, certificates: &'a [Certificate]) -> Option<&'a Certificate> {
    let public = public_key_of(key)?;
    certificates.iter().find(|certificate| certificate.public_key() == public)
}

/// `alias`, or with a number when the store already has it.
fn unique(alias: &str, taken: &[KeyEntry]) -> String {
    let is_taken = |name: &str| taken.iter().any(|entry| entry.alias == name);
    let numbered = (2..).map(|number| format!("{alias}-{number}"));
    std::iter::once(alias.to_owned()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
