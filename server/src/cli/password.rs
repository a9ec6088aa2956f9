//! Passwords, secrets and tokens for commands: from a file, a variable, or a line of stdin.
//!
//! Never from an argument, which every user of the machine can read, and never asked for: commands run in scripts.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::Failure;
use crate::security::secret::{MAX_SECRET_BYTES, Secret, SecretSource};

/// What `file` holds (`-`: the next line of stdin); without a file what `variable` says, if anything.
pub fn read(
    file: Option<&Path>,
    variable: impl FnOnce() -> Option<String>,
) -> Result<Option<Secret>, Failure> {
    let source = match file {
        Some(path) if path == Path::new("-") => SecretSource::Inline(line_of_stdin()?),
        Some(path) => SecretSource::File(path.to_owned()),
        None => return Ok(variable().map(Secret::from)),
    };
    source.read().map(Some).map_err(|error| Failure::general(error.to_string()))
}

/// The lines behind it stay for whoever reads stdin next.
fn line_of_stdin() -> Result<Secret, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::usage(
            "a secret that is typed can be read on the screen; pipe it into this command, or name a file",
        ));
    }
    let mut line = Zeroizing::new(String::with_capacity(MAX_SECRET_BYTES + 2));
    let read = stdin.lock().take(MAX_SECRET_BYTES as u64 + 2).read_line(&mut line);
    read.map_err(|error| Failure::general(format!("cannot read a secret from stdin: {error}")))?;
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err(Failure::general("stdin has no line with a secret in it")),
        text if text.len() > MAX_SECRET_BYTES => Err(Failure::general(format!(
            "the line of stdin has more than {MAX_SECRET_BYTES} bytes; no secret has"
        ))),
        text => Ok(Secret::from(text)),
    }
}
