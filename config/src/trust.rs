//! The kinds of values that say whom to trust: files, secrets, addresses, the tokens of clients.
//!
//! Invariant: what is written of a secret or of a token's digest is `***`, and `***` is not read as one.

use std::path::PathBuf;

use figment::value::{Dict, Value};

use crate::addresses::{AddressRange, MAX_RANGES};
use crate::error::shortened;
use crate::given::Given;
use crate::kind::{Choice, Kind, Name, quoted};
use crate::protection::{ClientAuth, ClientToken, ForwardedHeader, Scope};
use crate::secret::{MAX_SECRET_BYTES, Secret, SecretSource};
use crate::settings::Slot;

/// What is printed in place of a secret.
pub(crate) const MASK: &str = "***";
/// The most secrets that are accepted besides the shared one.
pub(crate) const MAX_ACCEPTED: usize = 4;
const MAX_TOKENS: usize = 256;
const MAX_PATH_BYTES: usize = 4096;
const DIGEST_DIGITS: usize = 64;

pub(crate) const CLIENT_AUTH: Choice<ClientAuth> = Choice { all: &ClientAuth::ALL, name: ClientAuth::name };

pub(crate) const FORWARDED_HEADER: Choice<Option<ForwardedHeader>> = Choice {
    all: &[None, Some(ForwardedHeader::XForwardedFor), Some(ForwardedHeader::Forwarded)],
    name: |header| match header {
        Some(header) => header.name(),
        None => "none",
    },
};

const SCOPE: Choice<Scope> = Choice { all: &Scope::ALL, name: Scope::name };

/// A file. A relative path in a configuration file counts from that file's folder.
pub(crate) struct FilePath;

impl Kind<PathBuf> for FilePath {
    fn read(&self, given: Given<'_>) -> Result<PathBuf, String> {
        let sane = |text: &&str| (1..=MAX_PATH_BYTES).contains(&text.len()) && !text.contains('\0');
        let path = given.text().filter(sane).ok_or_else(|| "it is the path of a file".to_owned())?;
        Ok(given.folder.map_or_else(|| path.into(), |folder| folder.join(path)))
    }

    fn write(&self, value: &PathBuf) -> String {
        quoted(&value.to_string_lossy())
    }

    fn describe(&self) -> String {
        "path of a file".into()
    }
}

/// The name of a private key in a keystore.
pub(crate) struct Alias;

impl Alias {
    const MAX_BYTES: usize = 256;
}

impl Kind<String> for Alias {
    fn read(&self, given: Given<'_>) -> Result<String, String> {
        let sane =
            |text: &&str| (1..=Self::MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        let alias = given.text().filter(sane).map(Into::into);
        alias.ok_or_else(|| format!("it is an alias of 1 to {} bytes, in quotes", Self::MAX_BYTES))
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }

    fn describe(&self) -> String {
        format!("alias, at most {} bytes", Self::MAX_BYTES)
    }
}

/// A secret where it stands.
struct Text;

impl Kind<Secret> for Text {
    fn read(&self, given: Given<'_>) -> Result<Secret, String> {
        match given.text() {
            Some(MASK) => Err("that is what is printed in place of a secret: write the secret itself".into()),
            Some(text) if (1..=MAX_SECRET_BYTES).contains(&text.len()) => Ok(text.into()),
            _ => Err(format!("a secret is text in quotes, of 1 to {MAX_SECRET_BYTES} bytes")),
        }
    }

    fn write(&self, _: &Secret) -> String {
        quoted(MASK)
    }

    fn describe(&self) -> String {
        "secret".into()
    }
}

/// A place for a secret that may stand in the configuration itself.
pub(crate) struct Inline<S: 'static>(pub(crate) fn(&mut S) -> &mut Option<SecretSource>);

impl<S> Slot<S> for Inline<S> {
    fn read(&self, into: &mut S, given: Given<'_>) -> Result<(), String> {
        *self.0(into) = Some(SecretSource::Inline(Text.read(given)?));
        Ok(())
    }

    fn write(&self, from: &mut S) -> Option<String> {
        match self.0(from) {
            Some(SecretSource::Inline(secret)) => Some(Text.write(secret)),
            Some(SecretSource::File(_)) | None => None,
        }
    }

    fn describe(&self) -> String {
        Text.describe()
    }
}

/// The same place, for the name of a file that holds the secret.
pub(crate) struct InFile<S: 'static>(pub(crate) fn(&mut S) -> &mut Option<SecretSource>);

impl<S> Slot<S> for InFile<S> {
    fn read(&self, into: &mut S, given: Given<'_>) -> Result<(), String> {
        *self.0(into) = Some(SecretSource::File(FilePath.read(given)?));
        Ok(())
    }

    fn write(&self, from: &mut S) -> Option<String> {
        match self.0(from) {
            Some(SecretSource::File(path)) => Some(FilePath.write(path)),
            Some(SecretSource::Inline(_)) | None => None,
        }
    }

    fn describe(&self) -> String {
        FilePath.describe()
    }
}

/// A place for several secrets that stand in the configuration; those in files stay where they are.
pub(crate) struct InlineList<S: 'static>(pub(crate) fn(&mut S) -> &mut Vec<SecretSource>);

impl<S> Slot<S> for InlineList<S> {
    fn read(&self, into: &mut S, given: Given<'_>) -> Result<(), String> {
        let secrets = list(given, "secrets", MAX_ACCEPTED, |given| Text.read(given))?;
        self.0(into).extend(secrets.into_iter().map(SecretSource::Inline));
        Ok(())
    }

    fn write(&self, from: &mut S) -> Option<String> {
        let inline = |source: &SecretSource| match source {
            SecretSource::Inline(secret) => Some(Text.write(secret)),
            SecretSource::File(_) => None,
        };
        Some(written(self.0(from).iter().filter_map(inline)))
    }

    fn describe(&self) -> String {
        format!("list of at most {MAX_ACCEPTED} secrets")
    }
}

/// The same place, for the names of files.
pub(crate) struct InFiles<S: 'static>(pub(crate) fn(&mut S) -> &mut Vec<SecretSource>);

impl<S> Slot<S> for InFiles<S> {
    fn read(&self, into: &mut S, given: Given<'_>) -> Result<(), String> {
        let paths = list(given, "paths", MAX_ACCEPTED, |given| FilePath.read(given))?;
        self.0(into).extend(paths.into_iter().map(SecretSource::File));
        Ok(())
    }

    fn write(&self, from: &mut S) -> Option<String> {
        Some(written(
            self.0(from).iter().filter_map(SecretSource::path).map(|path| FilePath.write(&path.into())),
        ))
    }

    fn describe(&self) -> String {
        format!("list of at most {MAX_ACCEPTED} paths")
    }
}

/// Addresses and ranges of addresses.
pub(crate) struct Ranges;

impl Kind<Vec<AddressRange>> for Ranges {
    fn read(&self, given: Given<'_>) -> Result<Vec<AddressRange>, String> {
        list(given, "addresses and ranges like 10.0.0.1, 10.0.0.0/8 or fd00::/8", MAX_RANGES, |given| {
            let text = given.text().ok_or("each of them is text in quotes, like \"10.0.0.0/8\"")?;
            text.parse::<AddressRange>().map_err(|error| error.to_string())
        })
    }

    fn write(&self, value: &Vec<AddressRange>) -> String {
        written(value.iter().map(|range| quoted(&range.to_string())))
    }

    fn describe(&self) -> String {
        format!("list of at most {MAX_RANGES} addresses and ranges")
    }
}

/// The bearer tokens of clients. They are tables, so they have no form in text layers.
pub(crate) struct Tokens;

impl Kind<Vec<ClientToken>> for Tokens {
    fn read(&self, given: Given<'_>) -> Result<Vec<ClientToken>, String> {
        let elements = match given.value {
            Value::Array(_, elements) if elements.len() <= MAX_TOKENS => elements,
            _ => {
                return Err(format!(
                    "it is a list of at most {MAX_TOKENS} tables, each [[auth.tokens]] with name, sha256 and scope; it \
                     stands in a configuration file"
                ));
            }
        };
        let mut tokens: Vec<ClientToken> = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            let token = token(element).map_err(|right| format!("number {} is wrong: {right}", index + 1))?;
            if tokens.iter().any(|earlier| earlier.name == token.name) {
                return Err(format!("two are named \"{}\": give each a name of its own", token.name));
            }
            tokens.push(token);
        }
        Ok(tokens)
    }

    fn write(&self, value: &Vec<ClientToken>) -> String {
        written(value.iter().map(|token| {
            let (name, mask, scope) = (quoted(&token.name), quoted(MASK), SCOPE.write(&token.scope));
            format!("{{ name = {name}, sha256 = {mask}, scope = {scope} }}")
        }))
    }

    fn describe(&self) -> String {
        format!(
            "list of at most {MAX_TOKENS} tables with `name`, `sha256` (64 hexadecimal digits) and `scope` ({})",
            SCOPE.describe()
        )
    }
}

fn token(element: &Value) -> Result<ClientToken, String> {
    const PARTS: [&str; 3] = ["name", "sha256", "scope"];
    let Value::Dict(_, parts) = element else {
        return Err("it is a table with name, sha256 and scope".into());
    };
    if let Some(other) = parts.keys().find(|part| !PARTS.contains(&part.as_str())) {
        return Err(format!("{} is not one of name, sha256 and scope", shortened(other)));
    }
    Ok(ClientToken {
        name: part(parts, "name", &Name)?,
        sha256: part(parts, "sha256", &Digest)?,
        scope: part(parts, "scope", &SCOPE)?,
    })
}

fn part<T>(parts: &Dict, name: &str, kind: &dyn Kind<T>) -> Result<T, String> {
    let value = parts.get(name).ok_or_else(|| format!("it has no {name}"))?;
    let given = Given { value, is_text: false, folder: None };
    kind.read(given).map_err(|right| format!("of its {name}, {right}"))
}

/// The SHA-256 of a token.
struct Digest;

impl Kind<String> for Digest {
    fn read(&self, given: Given<'_>) -> Result<String, String> {
        let is_digest =
            |text: &&str| text.len() == DIGEST_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        given.text().filter(is_digest).map(str::to_ascii_lowercase).ok_or_else(|| {
            format!("it is {DIGEST_DIGITS} hexadecimal digits, as `printf %s TOKEN | sha256sum` prints them")
        })
    }

    fn write(&self, _: &String) -> String {
        quoted(MASK)
    }

    fn describe(&self) -> String {
        format!("{DIGEST_DIGITS} hexadecimal digits")
    }
}

/// At most `limit` values, each read by `one`.
fn list<T>(
    given: Given<'_>,
    what: &str,
    limit: usize,
    one: impl Fn(Given<'_>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let elements = given.list().filter(|elements| elements.len() <= limit);
    let elements = elements.ok_or_else(|| format!("it is a list of at most {limit} {what}"))?;
    elements.iter().map(|value| one(Given { value, ..given })).collect()
}

fn written(elements: impl Iterator<Item = String>) -> String {
    format!("[{}]", elements.collect::<Vec<_>>().join(", "))
}
