//! A password or shared secret: read from a value or a file, overwritten when dropped.
//!
//! A secret in an environment variable is a value: the variable is a layer like the others.
//!
//! Invariant: nothing but [`Secret::expose`] shows it. `Debug` prints `***`; there is no `Display`, no `Serialize`
//! and no `PartialEq` (comparing would leak by time).

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::file;

/// The largest secret, in bytes.
pub const MAX_SECRET_BYTES: usize = 4096;

/// A text that no log, error or `Debug` output shows.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself. Call it only where the bytes are used.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Where a secret comes from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// Written in the configuration itself.
    Inline(Secret),
    /// The content of a file, without the line break at its end.
    File(PathBuf),
}

/// Tells two configurations apart; nothing that a stranger sent is a source.
impl PartialEq for SecretSource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Inline(one), Self::Inline(other)) => one.expose() == other.expose(),
            (Self::File(one), Self::File(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for SecretSource {}

/// Why a secret could not be read. None of the variants holds it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret file {}: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The file is empty.
    #[error("{0} is empty; it holds the secret and nothing else")]
    Empty(String),
    /// Longer than [`MAX_SECRET_BYTES`].
    #[error("{0} holds more than {MAX_SECRET_BYTES} bytes; a secret is one short line")]
    TooLong(String),
    /// Not UTF-8.
    #[error("{0} is not UTF-8 text")]
    NotText(String),
}

impl SecretSource {
    /// Reads the secret.
    ///
    /// # Errors
    /// [`SecretError`] when it cannot be read, is empty, over-long or not text.
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Inline(secret) => checked(secret.clone(), || "the secret in the configuration".into()),
            Self::File(path) => from_file(path),
        }
    }

    /// The file to watch for changes, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Inline(_) => None,
        }
    }
}

fn from_file(path: &Path) -> Result<Secret, SecretError> {
    let name = || format!("the secret file {}", path.display());
    let unreadable = |reason| SecretError::Unreadable { path: path.to_owned(), reason };
    let bytes = file::read(path, MAX_SECRET_BYTES + 2).map_err(unreadable)?;
    let bytes = bytes.ok_or_else(|| SecretError::TooLong(name()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::NotText(name()))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    checked(Secret::from(line.strip_suffix('\r').unwrap_or(line)), name)
}

fn checked(secret: Secret, name: impl Fn() -> String) -> Result<Secret, SecretError> {
    match secret.expose().len() {
        0 => Err(SecretError::Empty(name())),
        1..=MAX_SECRET_BYTES => Ok(secret),
        _ => Err(SecretError::TooLong(name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, SecretSource) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, content).unwrap();
        (folder, SecretSource::File(path))
    }

    #[test]
    fn debug_output_hides_the_secret_wherever_it_came_from() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(format!("{:?}", SecretSource::Inline(secret)), "Inline(***)");
    }

    #[test]
    fn a_file_holds_the_secret_and_perhaps_one_line_break() {
        for content in ["hunter2", "hunter2\n", "hunter2\r\n"] {
            let (_folder, source) = file(content.as_bytes());
            assert_eq!(source.read().unwrap().expose(), "hunter2");
        }
        let (_folder, source) = file(b"two\n\n");
        assert_eq!(source.read().unwrap().expose(), "two\n", "only one line break is not part of it");
    }

    #[test]
    fn a_useless_file_is_named_and_not_shown() {
        let cases: [(&[u8], &str); 3] = [
            (b"\n", "is empty"),
            (b"hunter2\xff", "is not UTF-8"),
            (&[b'x'; MAX_SECRET_BYTES + 1], "more than 4096 bytes"),
        ];
        for (content, expected) in cases {
            let (_folder, source) = file(content);
            let error = source.read().unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("/secret"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let missing = SecretSource::File("/nonexistent/secret".into()).read().unwrap_err().to_string();
        assert!(missing.contains("/nonexistent/secret"), "{missing}");
    }

    #[test]
    fn sources_are_equal_when_they_say_the_same() {
        let inline = |text: &str| SecretSource::Inline(text.into());
        assert_eq!(inline("hunter2"), inline("hunter2"));
        assert_ne!(inline("hunter2"), inline("hunter3"));
        assert_ne!(inline("hunter2"), SecretSource::File("hunter2".into()));
    }
}
