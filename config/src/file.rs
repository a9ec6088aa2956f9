//! Reading a file whole, up to a limit, so that no wrong path fills the memory.

use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

/// The content of `path`, or nothing when it has more than `limit` bytes; overwritten in memory when dropped.
pub(crate) fn read(path: &Path, limit: usize) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = std::fs::File::open(path)?;
    // The full size at once: a buffer that grows leaves copies behind. What has no size is a pipe or a device.
    let size = file.metadata()?.len();
    let expected = usize::try_from(size).ok().filter(|size| (1..limit).contains(size)).unwrap_or(limit);
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected.saturating_add(1)));
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() <= limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_not_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap().unwrap().as_slice(), b"12345");
        assert!(read(&path, 4).unwrap().is_none());
        assert!(read(Path::new("/dev/zero"), 100).unwrap().is_none());
    }
}
