//! Where settings come from: a file, the environment, the command line. Each is a figment provider, so that
//! figment's tags tell of every value which layer gave it.
//!
//! Nothing here knows what a value may be; keys of text layers are checked, because they have no structure.

use std::fmt;
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::error::{ConfigError, Mistake};
use crate::file;
use crate::settings::{LISTENER, SETTINGS};

/// Variables that begin with `RINGHOLD_` and are no settings: the file to load, the program to test and
/// whether every test has to run, and for commands the nodes to talk to, whom to believe and what to show them.
pub const IGNORED_VARIABLES: [&str; 14] = [
    "RINGHOLD_CONFIG",
    "RINGHOLD_BIN",
    "RINGHOLD_CI",
    "RINGHOLD_NODES",
    "RINGHOLD_CACERT",
    "RINGHOLD_CERT",
    "RINGHOLD_KEY",
    "RINGHOLD_KEYSTORE",
    "RINGHOLD_KEYSTORE_PASSWORD_FILE",
    "RINGHOLD_KEYSTORE_PASSWORD",
    "RINGHOLD_KEY_ALIAS",
    "RINGHOLD_SECRET_FILE",
    "RINGHOLD_TOKEN_FILE",
    "RINGHOLD_TOKEN",
];

/// The largest configuration file, in bytes.
const MAX_FILE_BYTES: usize = 1 << 20;
const PREFIX: &str = "RINGHOLD_";

/// Name of the layer that `RINGHOLD_*` variables make.
pub(crate) const ENVIRONMENT: &str = "environment";
/// Name of the layer that `--set` options make.
pub(crate) const COMMAND_LINE: &str = "--set";

/// Where a configuration comes from; a later field wins over an earlier one.
#[derive(Clone)]
pub struct Sources<'a, E> {
    /// A TOML or YAML file, by its extension.
    pub file: Option<&'a Path>,
    /// The process' variables; those that do not begin with `RINGHOLD_` are not looked at.
    pub environment: E,
    /// `section.key=value`, as given to `--set`.
    pub overrides: &'a [String],
}

/// Shows the file alone: variables hold secrets.
impl<E> fmt::Debug for Sources<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Settings from one place.
pub(crate) struct Layer {
    name: String,
    settings: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.settings.clone())]))
    }
}

/// YAML by serde-saphyr, for figment.
struct Yaml;

impl Format for Yaml {
    type Error = serde_saphyr::Error;
    const NAME: &'static str = "YAML";

    fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Self::Error> {
        serde_saphyr::from_str(text)
    }
}

impl Layer {
    /// The settings of a file.
    pub(crate) fn of_file(path: &Path) -> Result<Self, ConfigError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let settings = match extension {
            "toml" => {
                let text = read(path)?;
                parse::<Toml>(path, &text, |error| error.span().map(|span| place_of(&text, span.start)))?
            }
            "yaml" | "yml" => {
                let of = |location: serde_saphyr::Location| (location.line(), location.column());
                parse::<Yaml>(path, &read(path)?, |error| error.location().map(of))?
            }
            _ => return Err(ConfigError::UnknownFormat { path: path.into() }),
        };
        Ok(Self { name: path.display().to_string(), settings })
    }

    /// The settings among the process' variables; `__` stands between section and key.
    pub(crate) fn of_environment(
        variables: impl IntoIterator<Item = (String, String)>,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let mut layer = Self { name: ENVIRONMENT.into(), settings: Dict::new() };
        let mut ours: Vec<_> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX) && !IGNORED_VARIABLES.contains(&name.as_str()))
            .collect();
        // The environment has no order; messages should.
        ours.sort_unstable();
        for (name, value) in ours {
            let key = key_of(&name);
            if !layer.set(&key, value) {
                mistakes.push(Mistake::Unknown {
                    place: ENVIRONMENT.into(),
                    hint: nearest_variable(&key),
                    key: name,
                });
            }
        }
        layer
    }

    /// The settings of `section.key=value` texts; of two for one key the later wins.
    pub(crate) fn of_overrides(overrides: &[String], mistakes: &mut Vec<Mistake>) -> Self {
        let mut layer = Self { name: COMMAND_LINE.into(), settings: Dict::new() };
        for (index, text) in overrides.iter().enumerate() {
            let Some((key, value)) = text.split_once('=') else {
                mistakes.push(Mistake::BadOverride { number: index + 1 });
                continue;
            };
            if !layer.set(key.trim(), value.trim().into()) {
                mistakes.push(Mistake::unknown_text(COMMAND_LINE, key.trim()));
            }
        }
        layer
    }

    /// Sets a key that exists; says whether it does.
    fn set(&mut self, key: &str, value: String) -> bool {
        if key == LISTENER {
            self.settings.insert(key.into(), value.into());
            return true;
        }
        let Some((section, name)) = key.split_once('.') else { return false };
        if !SETTINGS.iter().any(|setting| setting.key == key) {
            return false;
        }
        let section = self.settings.entry(section.into()).or_insert_with(|| Value::from(Dict::new()));
        if let Value::Dict(_, settings) = section {
            settings.insert(name.into(), value.into());
        }
        true
    }
}

fn key_of(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).replace("__", ".").to_ascii_lowercase()
}

/// The variable that sets `key`.
pub(crate) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

fn nearest_variable(key: &str) -> String {
    format!("the nearest is {}", variable_of(crate::error::nearest_text_key(key)))
}

fn read(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
    let bytes = file::read(path, MAX_FILE_BYTES).map_err(unreadable)?;
    let bytes =
        bytes.ok_or_else(|| ConfigError::TooLarge { path: path.into(), limit: MAX_FILE_BYTES as u64 })?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.into())),
        Err(error) => Err(unreadable(std::io::Error::new(std::io::ErrorKind::InvalidData, error))),
    }
}

/// Parses the text. Of an error only its place is kept: the line there may hold a secret.
fn parse<F: Format>(
    path: &Path,
    text: &str,
    place: impl Fn(&F::Error) -> Option<(u64, u64)>,
) -> Result<Dict, ConfigError> {
    let parsed = F::from_str::<Option<Dict>>(text).map_err(|error| {
        let place = place(&error);
        ConfigError::Syntax { path: path.into(), format: F::NAME, place: place.into() }
    })?;
    Ok(parsed.unwrap_or_default())
}

/// Line and column of a byte, counted from 1, in characters.
fn place_of(text: &str, byte: usize) -> (u64, u64) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    (line as u64 + 1, column as u64 + 1)
}
