//! Reading a file whole, up to a limit, so that no wrong path fills the memory.

use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// More bytes than anything of its kind has.
    #[error("{} has more than {limit} bytes; that is not a file of this kind", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The most bytes it may have.
        limit: usize,
    },
}

/// The content of `path`, at most `limit` bytes of it; overwritten in memory when dropped.
///
/// # Errors
/// [`FileError`] when the system refuses or the file is longer.
pub fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let unreadable = |reason| FileError::Unreadable { path: path.to_owned(), reason };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // The whole size at once: a buffer that grows leaves copies behind that nobody overwrites.
    let length = file.metadata().map_or(0, |meta| usize::try_from(meta.len()).unwrap_or(limit));
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.min(limit) + 1));
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_refused_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap().as_slice(), b"12345");
        assert!(matches!(read(&path, 4), Err(FileError::TooLarge { limit: 4, .. })));
    }

    #[test]
    fn an_endless_file_ends_at_the_limit() {
        assert!(matches!(read(Path::new("/dev/zero"), 100), Err(FileError::TooLarge { .. })));
    }
}
