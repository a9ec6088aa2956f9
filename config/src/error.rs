//! What can be wrong with a configuration. Every message names the place, and says what would be right.

use std::fmt;
use std::path::PathBuf;

/// The most mistakes that are told apart in one report.
const MAX_TOLD: usize = 20;
/// How much of a wrong key is compared and repeated, in characters.
const MAX_COMPARED: usize = 100;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or may not be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than any configuration.
    #[error("the configuration file {} is larger than {limit} bytes; is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Its name does not say which format it has.
    #[error(
        "cannot tell the format of the configuration file {}: its name must end in .toml, .yaml or .yml",
        path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// It is not in the format that its name says.
    #[error("{}: not valid {format}{place}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// TOML or YAML.
        format: &'static str,
        /// Where in the file.
        place: SyntaxPlace,
    },
    /// Settings that do not exist, have wrong values, or contradict each other.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
}

/// All the mistakes found, in the order of the file; one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub(crate) Vec<Mistake>);

/// One mistake. Its text names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// A key that is no setting.
    #[error("{place}: {key} is not a setting; {hint}")]
    Unknown {
        /// The file, the environment variable or `--set`.
        place: String,
        /// The key as given.
        key: String,
        /// The nearest that exists.
        hint: String,
    },
    /// A setting with a value that it cannot have.
    #[error("{place}: {key} is {given}; {right}")]
    WrongValue {
        /// The file, the environment variable or `--set`.
        place: String,
        /// The setting.
        key: String,
        /// What was given.
        given: String,
        /// What would be right.
        right: String,
    },
    /// A `--set` that is not `section.key=value`. What it is instead may be a secret.
    #[error(
        "--set number {number} has no \"=\": write section.key=value, for example cluster.peer_timeout=2s"
    )]
    BadOverride {
        /// Which one, counted from 1.
        number: usize,
    },
}

/// Where a file stops being of its format, as far as the parser tells. Not what stands there: that may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxPlace(Option<(u64, u64)>);

impl From<Option<(u64, u64)>> for SyntaxPlace {
    fn from(line_and_column: Option<(u64, u64)>) -> Self {
        Self(line_and_column)
    }
}

impl fmt::Display for SyntaxPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, column)) => write!(f, ": look at line {line}, column {column}"),
            None => Ok(()),
        }
    }
}

impl Mistakes {
    /// Each of them.
    #[must_use]
    pub fn as_slice(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().take(MAX_TOLD).enumerate() {
            write!(f, "{}{mistake}", if index == 0 { "" } else { "\n" })?;
        }
        match self.0.len().saturating_sub(MAX_TOLD) {
            0 => Ok(()),
            more => write!(f, "\n... and {more} more"),
        }
    }
}

impl std::error::Error for Mistakes {}

impl Mistake {
    /// `key` of the file `place` is no setting.
    pub(crate) fn unknown(place: &str, key: &str) -> Self {
        let hint = format!("the nearest is {}", nearest_key(key));
        Self::Unknown { place: place.into(), key: shortened(key), hint }
    }

    /// `key`, given as text at `place`, is no setting.
    pub(crate) fn unknown_text(place: &str, key: &str) -> Self {
        let hint = format!("the nearest is {}", nearest_text_key(key));
        Self::Unknown { place: place.into(), key: shortened(key), hint }
    }
}

/// The key of a file that looks most like `key`.
fn nearest_key(key: &str) -> &'static str {
    nearest(key, crate::settings::keys()).unwrap_or_default()
}

/// The key of the environment or command line that looks most like `key`; listeners are one key there.
pub(crate) fn nearest_text_key(key: &str) -> &'static str {
    use crate::settings::LISTENER;
    if key.split('.').next() == Some(LISTENER) {
        return LISTENER;
    }
    let keys = crate::settings::SETTINGS.iter().map(|setting| setting.key);
    nearest(key, keys.chain([LISTENER])).unwrap_or_default()
}

/// The one of `all` that looks most like `text`. The right key in the wrong section is as near as can be.
pub(crate) fn nearest<'a>(text: &str, all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text: String = text.chars().take(MAX_COMPARED).collect();
    let last = |key: &str| key.rsplit_once('.').map(|(_, last)| last.to_owned());
    let similarity = |key: &str| {
        let whole = strsim::jaro_winkler(&text, key);
        if last(&text).is_some_and(|name| last(key) == Some(name)) { whole + 1.0 } else { whole }
    };
    all.max_by(|one, other| similarity(one).total_cmp(&similarity(other)))
}

/// A key as a message repeats it.
pub(crate) fn shortened(key: &str) -> String {
    let shown: String = key.chars().take(MAX_COMPARED).collect();
    let cut = if shown.len() < key.len() { "..." } else { "" };
    format!("{}{cut}", shown.escape_debug())
}
