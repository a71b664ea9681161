//! Small files that are read whole: configuration, keys, certificates, roles and policies.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// What a file holds, and who may read it.
pub(crate) struct WholeFile {
    /// Its content, which may be secret.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Its permissions.
    pub(crate) mode: u32,
}

/// Reads a regular file. Nothing that could make the reader wait for ever, such as a pipe.
///
/// # Errors
/// It cannot be read, is no regular file, or has more than `bytes_max` bytes.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<WholeFile> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    // All at once: a buffer that grows leaves copies of secrets behind.
    let expected = metadata.len().min(bytes_max) as usize + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected));
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("it has more than {bytes_max} bytes")));
    }
    Ok(WholeFile { bytes, mode: metadata.mode() })
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use rustix::fs::{CWD, FileType, Mode};

    use super::*;

    #[test]
    fn files_within_the_bound_are_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "four").unwrap();
        assert_eq!(**read(&path, 4).unwrap().bytes, *b"four");
        let refused = |path: &Path, max| read(path, max).err().unwrap().to_string();
        assert_eq!(refused(&path, 3), "it has more than 3 bytes");
        assert_eq!(refused(folder.path(), 3), "it is not a regular file");
        assert!(refused(&folder.path().join("none"), 3).contains("No such file"));
    }

    #[test]
    fn a_pipe_that_nobody_writes_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let read = thread::spawn(move || read(&path, 3).err().unwrap().to_string());
        assert_eq!(read.join().unwrap(), "it is not a regular file");
    }
}
