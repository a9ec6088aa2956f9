//! What the settings point at, read as a whole: keystore, truststore, passwords, shared secrets.
//!
//! Nothing here keeps what it read: a reload reads everything again, and only what is complete is handed on.

use std::path::PathBuf;

use ringhold_ring::Timestamp;

use super::keystore::{Keystore, KeystoreError, KeystoreFileError, Passwords};
use super::secret::{SecretError, SecretSource};
use super::shared_secret::{SharedSecrets, WeakSecret};
use super::tls::Material;

/// `[tls]`: where identity and trust come from.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// The keystore.
    pub keystore: PathBuf,
    /// What opens it.
    pub keystore_password: Option<SecretSource>,
    /// What opens the private key, when that is another password.
    pub key_password: Option<SecretSource>,
    /// Which private key, when there are several.
    pub key_alias: Option<String>,
    /// Whom to trust; without it, whom the keystore trusts.
    pub truststore: Option<PathBuf>,
    /// What opens the truststore; without it, what opens the keystore.
    pub truststore_password: Option<SecretSource>,
}

/// Why material could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// A password or secret.
    #[error("{setting}: {reason}")]
    Secret {
        /// Which setting.
        setting: &'static str,
        /// Why not.
        reason: SecretError,
    },
    /// The keystore.
    #[error("tls.keystore: {0}")]
    Keystore(KeystoreFileError),
    /// The truststore.
    #[error("tls.truststore: {0}")]
    Truststore(KeystoreFileError),
    /// A shared secret.
    #[error("auth.shared_secret: {0}")]
    Weak(#[from] WeakSecret),
}

impl TlsFiles {
    /// Reads everything; `now` is compared with the dates of the node's own certificates.
    ///
    /// # Errors
    /// [`MaterialError`] naming setting and file.
    pub fn load(&self, now: Timestamp) -> Result<Material, MaterialError> {
        let store_password = password("tls.keystore_password", self.keystore_password.as_ref())?;
        let key = password("tls.key_password", self.key_password.as_ref())?;
        let passwords = Passwords { store: store_password.clone(), key };
        let keystore = Keystore::open(&self.keystore, &passwords).map_err(MaterialError::Keystore)?;
        let at = |path: &PathBuf| {
            let path = path.clone();
            move |reason: KeystoreError| KeystoreFileError::Content { path, reason: Box::new(reason) }
        };
        let identity = keystore.identity(self.key_alias.as_deref(), &passwords, now);
        let identity = identity.map_err(at(&self.keystore)).map_err(MaterialError::Keystore)?;
        let trust = match &self.truststore {
            None => keystore.trust().map_err(at(&self.keystore)).map_err(MaterialError::Keystore)?,
            Some(path) => {
                let own = password("tls.truststore_password", self.truststore_password.as_ref())?;
                let passwords = Passwords { store: own.or(store_password), key: None };
                let store = Keystore::open(path, &passwords).map_err(MaterialError::Truststore)?;
                store.trust().map_err(at(path)).map_err(MaterialError::Truststore)?
            }
        };
        Ok(Material { identity, trust })
    }

    /// Every file that it reads.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let passwords = [&self.keystore_password, &self.key_password, &self.truststore_password];
        let passwords = passwords.into_iter().flatten().filter_map(|source| source.path().map(PathBuf::from));
        std::iter::once(self.keystore.clone()).chain(self.truststore.clone()).chain(passwords).collect()
    }
}

/// `[auth]`: the secret that signs, and those that are accepted besides.
#[derive(Clone, Debug)]
pub struct SecretSources {
    /// `auth.shared_secret`
    pub signing: SecretSource,
    /// `auth.accept_secrets`
    pub accepted: Vec<SecretSource>,
}

impl SecretSources {
    /// Reads all of them.
    ///
    /// # Errors
    /// [`MaterialError`] when one cannot be read or is weak.
    pub fn load(&self) -> Result<SharedSecrets, MaterialError> {
        let read = |setting, source: &SecretSource| {
            source.read().map_err(|reason| MaterialError::Secret { setting, reason })
        };
        let signing = read("auth.shared_secret", &self.signing)?;
        let accepted = self.accepted.iter().map(|source| read("auth.accept_secrets", source));
        Ok(SharedSecrets::new(&signing, &accepted.collect::<Result<Vec<_>, _>>()?)?)
    }

    /// Every file that it reads.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let all = std::iter::once(&self.signing).chain(&self.accepted);
        all.filter_map(|source| source.path().map(PathBuf::from)).collect()
    }
}

fn password(
    setting: &'static str,
    source: Option<&SecretSource>,
) -> Result<Option<super::secret::Secret>, MaterialError> {
    let read = source.map(SecretSource::read).transpose();
    read.map_err(|reason| MaterialError::Secret { setting, reason })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Workshop, now};
    use super::*;

    fn shop() -> Workshop {
        let shop = Workshop::new();
        for name in ["one", "two"] {
            shop.run(&format!(
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.crt -days 30 -subj /CN={name}"
            ));
            shop.run(&format!(
                "openssl pkcs12 -export -inkey {name}.key -in {name}.crt -passout pass:pass-{name} -out {name}.p12"
            ));
        }
        shop
    }

    #[test]
    fn the_keystore_is_its_own_truststore_unless_there_is_one() {
        let shop = shop();
        shop.write("password", "pass-one\n");
        let alone = TlsFiles {
            keystore: shop.path("one.p12"),
            keystore_password: Some(SecretSource::File(shop.path("password"))),
            ..TlsFiles::default()
        };
        let material = alone.load(now()).unwrap();
        assert_eq!(material.trust.exact(material.identity.leaf().der()), Some(material.identity.leaf()));
        assert_eq!(alone.files(), [shop.path("one.p12"), shop.path("password")]);

        let both = TlsFiles { truststore: Some(shop.path("two.crt")), ..alone };
        let material = both.load(now()).unwrap();
        assert_eq!(material.trust.exact(material.identity.leaf().der()), None, "only the truststore counts");
        assert_eq!(both.files().len(), 3);
    }

    #[test]
    fn errors_name_the_setting_and_the_file() {
        let shop = shop();
        let inline = |text: &str| Some(SecretSource::Inline(text.into()));
        let good = TlsFiles {
            keystore: shop.path("one.p12"),
            keystore_password: inline("pass-one"),
            ..TlsFiles::default()
        };
        let cases = [
            (
                TlsFiles { keystore_password: inline("no"), ..good.clone() },
                "tls.keystore: ",
                "one.p12: the keystore password is wrong",
            ),
            (TlsFiles { keystore: shop.path("none"), ..good.clone() }, "tls.keystore: ", "/none"),
            (
                TlsFiles { truststore: Some(shop.path("two.p12")), ..good.clone() },
                "tls.truststore: ",
                "two.p12: the keystore password is wrong",
            ),
            (
                TlsFiles { key_alias: Some("x".into()), ..good.clone() },
                "tls.keystore: ",
                "no private key with the alias \"x\"",
            ),
            (
                TlsFiles { key_password: Some(SecretSource::File(shop.path("gone"))), ..good },
                "tls.key_password: ",
                "/gone",
            ),
        ];
        for (files, setting, expected) in cases {
            let error = files.load(now()).unwrap_err().to_string();
            assert!(error.starts_with(setting) && error.contains(expected), "{error}");
            assert!(!error.contains("pass-one"), "{error}");
        }
    }

    #[test]
    fn a_weak_secret_does_not_load() {
        let sources =
            SecretSources { signing: SecretSource::Inline("changeme".into()), accepted: Vec::new() };
        let error = sources.load().unwrap_err().to_string();
        assert!(
            error.contains("auth.shared_secret") && error.contains("ringhold secret generate"),
            "{error}"
        );
    }
}
