//! `ringhold get`: an object's bytes to stdout or to a file.
//!
//! Invariant: a file is either as it was or holds the whole value; it is written beside itself and then renamed.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use ringhold_client::{ByteRange, Client, GetOptions, ObjectStream};
use ringhold_ring::Key;

use super::{Exit, Failure, input, output};

/// Arguments of `ringhold get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// The object's key
    #[arg(value_parser = input::key)]
    key: Key<'static>,
    /// Write the value to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Read only these bytes: 0-99, 100- (to the end), or -100 (the last 100)
    #[arg(long, value_name = "FIRST-LAST", value_parser = range, allow_hyphen_values = true)]
    range: Option<ByteRange>,
    /// Any member that keeps the object may answer, though its copy may be older than the last write
    #[arg(long)]
    max_stale: bool,
}

/// Carries it out.
pub async fn run(ring: &Client, args: &GetArgs) -> Result<(), Failure> {
    let key = args.key.as_str();
    let options = GetOptions { range: args.range, max_stale: args.max_stale };
    let object = ring.get_stream_with(key, &options).await?;
    let mut object = object.ok_or_else(|| Failure::not_found(key))?;
    match args.output.as_deref() {
        None => to_stdout(&mut object).await,
        Some(path) if path == Path::new("-") => to_stdout(&mut object).await,
        Some(path) => tokio::select! {
            written = to_file(&mut object, path) => written,
            // Dropping the other branch removes the unfinished file.
            _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Interrupted, "interrupted; nothing was written")),
        },
    }
}

async fn to_stdout(object: &mut ObjectStream) -> Result<(), Failure> {
    while let Some(chunk) = object.chunk().await? {
        output::print(chunk)?;
    }
    Ok(())
}

async fn to_file(object: &mut ObjectStream, path: &Path) -> Result<(), Failure> {
    let unwritable =
        |error: std::io::Error| Failure::general(format!("cannot write {}: {error}", path.display()));
    let mut target = Target::open(path).map_err(unwritable)?;
    while let Some(chunk) = object.chunk().await? {
        target.file.write_all(&chunk).map_err(unwritable)?;
    }
    target.finish().map_err(unwritable)
}

/// A file that is being written.
struct Target {
    file: File,
    /// Its name while it is unfinished, and its name to be; none for a device or a pipe, which is written in place.
    names: Option<(PathBuf, PathBuf)>,
}

impl Target {
    fn open(path: &Path) -> std::io::Result<Self> {
        let existing = std::fs::metadata(path).ok();
        if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
            return Ok(Self { file: OpenOptions::new().write(true).open(path)?, names: None });
        }
        // What a link points to is replaced, not the link.
        let path = if existing.is_some() { path.canonicalize()? } else { path.into() };
        let name = path.file_name().ok_or(std::io::ErrorKind::IsADirectory)?;
        let unfinished =
            path.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
        let target = Self { file, names: Some((unfinished, path)) };
        if let Some(existing) = existing {
            target.file.set_permissions(existing.permissions())?;
        }
        Ok(target)
    }

    fn finish(mut self) -> std::io::Result<()> {
        if let Some((unfinished, path)) = &self.names {
            std::fs::rename(unfinished, path)?;
            self.names = None;
        }
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some((unfinished, _)) = &self.names {
            let _ = std::fs::remove_file(unfinished);
        }
    }
}

fn range(text: &str) -> Result<ByteRange, String> {
    let wrong = || "a range is FIRST-LAST, FIRST- or -COUNT, for example 0-99, 100- or -100".to_owned();
    let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse::<u64>().map_err(|_| wrong()),
        false => Err(wrong()),
    };
    match text.split_once('-').ok_or_else(wrong)? {
        ("", "") => Err(wrong()),
        ("", count) => match number(count)? {
            0 => Err("the last 0 bytes are nothing; ask for at least one".into()),
            count => Ok(ByteRange::Last(count)),
        },
        (first, "") => Ok(ByteRange::From(number(first)?)),
        (first, last) => match (number(first)?, number(last)?) {
            (first, last) if first <= last => Ok(ByteRange::Span { first, last }),
            (first, last) => Err(format!("the range begins at {first}, behind its end at {last}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_header_writes_them() {
        assert_eq!(range("0-99"), Ok(ByteRange::Span { first: 0, last: 99 }));
        assert_eq!(range("7-"), Ok(ByteRange::From(7)));
        assert_eq!(range("-7"), Ok(ByteRange::Last(7)));
        for text in ["", "-", "7", "a-b", "9-1", "-0", "1-2-3", "+1-2", "0-99999999999999999999"] {
            assert!(range(text).is_err(), "{text}");
        }
    }
}
