//! What comes in: keys, files and pipes. Small inputs are read whole, so that the client may send them again when a node
//! fails; larger ones stream, read by a thread of their own, because a pipe can stand still for as long as it likes.

use std::fs::File;
use std::io::{IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::stream;
use ringhold_client::Value;
use ringhold_ring::{Key, KeyError};
use tokio::sync::mpsc;

use super::Failure;

/// Inputs up to this many bytes are held in memory.
const WHOLE_BYTES: usize = 1 << 20;
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks read ahead of the network.
const CHUNKS_AHEAD: usize = 4;

/// A key from the command line.
pub fn key(text: &str) -> Result<Key<'static>, KeyError> {
    Key::new(text.to_owned())
}

/// Where a value or a document comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Stdin,
    File(PathBuf),
}

impl Input {
    /// `-` is stdin, all else a file.
    pub fn of(path: &Path) -> Self {
        if path == Path::new("-") { Self::Stdin } else { Self::File(path.into()) }
    }

    /// The input as a value of any size.
    pub fn into_value(self) -> Result<Value, Failure> {
        let name = self.name();
        let (mut reader, length) = self.open()?;
        let start = read_up_to(&mut reader, WHOLE_BYTES + 1).map_err(|error| unreadable(&name, &error))?;
        if start.len() <= WHOLE_BYTES {
            return Ok(start.into());
        }
        Ok(stream_of(start, reader, length))
    }

    /// The input as a whole, at most `limit` bytes.
    pub fn into_bytes(self, limit: usize) -> Result<Bytes, Failure> {
        let name = self.name();
        let (mut reader, _) = self.open()?;
        let bytes = read_up_to(&mut reader, limit + 1).map_err(|error| unreadable(&name, &error))?;
        if bytes.len() > limit {
            return Err(Failure::general(format!("{name} is too large; a patch has at most {limit} bytes")));
        }
        Ok(bytes)
    }

    fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".into(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// A reader, and how much it will yield when that is known.
    fn open(&self) -> Result<(Box<dyn Read + Send>, Option<u64>), Failure> {
        match self {
            Self::Stdin => {
                if std::io::stdin().is_terminal() {
                    let hint = "ringhold: reading from the terminal; end with Ctrl-D on a line of its own";
                    let _ = writeln!(std::io::stderr(), "{hint}");
                }
                Ok((Box::new(std::io::stdin()), None))
            }
            Self::File(path) => {
                let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
                let (metadata, file) = opened.map_err(|error| unreadable(&self.name(), &error))?;
                Ok((Box::new(file), metadata.is_file().then_some(metadata.len())))
            }
        }
    }
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Failure::general(format!("cannot read {name}: {error}"))
}

fn read_up_to(reader: &mut impl Read, limit: usize) -> std::io::Result<Bytes> {
    let mut bytes = Vec::new();
    reader.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

fn stream_of(start: Bytes, mut reader: Box<dyn Read + Send>, length: Option<u64>) -> Value {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    // Detached: a read from a pipe cannot be interrupted, and must not keep the program from ending.
    std::thread::spawn(move || {
        let mut next = Ok(start);
        loop {
            let chunk = match next {
                // The end; the channel closes with the thread.
                Ok(chunk) if chunk.is_empty() => return,
                chunk => chunk,
            };
            let is_last = chunk.is_err();
            // A closed channel means that nobody wants the rest.
            if sender.blocking_send(chunk).is_err() || is_last {
                return;
            }
            next = read_up_to(&mut reader, CHUNK_BYTES);
        }
    });
    let chunks = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    Value::stream(chunks, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_is_stdin_and_all_else_a_file() {
        assert_eq!(Input::of(Path::new("-")), Input::Stdin);
        assert_eq!(Input::of(Path::new("./-")), Input::File("./-".into()));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let failure = Input::File("/nonexistent/file".into()).into_value().unwrap_err();
        assert!(format!("{failure:?}").contains("/nonexistent/file"));
    }

    #[test]
    fn a_document_over_the_limit_is_refused() {
        let path = std::env::current_exe().unwrap();
        assert!(Input::File(path.clone()).into_bytes(10).is_err());
        let length = std::fs::metadata(&path).unwrap().len() as usize;
        assert_eq!(Input::File(path).into_bytes(length).unwrap().len(), length);
    }
}
