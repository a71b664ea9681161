use std::path::PathBuf;

use super::*;
use crate::storage::tests::machine::finish;

/// In the build folder, whose file system has direct I/O where that of /tmp may not.
fn folders() -> Vec<tempfile::TempDir> {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target");
    let here = tempfile::tempdir_in(target).or_else(|_| tempfile::tempdir()).unwrap();
    let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    vec![here, memory]
}

#[test]
fn bytes_come_back_from_any_place_and_length() {
    for dir in folders() {
        finish(async {
            let path = dir.path().join("file");
            let file = StdDisk.open(&path, Opening::Fresh).await.unwrap();
            let content: Vec<u8> = (0..3 * BLOCK_BYTES).map(|at| (at % 251) as u8).collect();
            let mut buffer = file.buffer(content.len());
            assert_eq!(buffer.as_ptr().align_offset(BLOCK_BYTES), 0);
            buffer.copy_from_slice(&content);
            file.write_at(BLOCK_BYTES as u64, buffer).await.unwrap();
            file.sync().await.unwrap();
            StdDisk.sync_dir(dir.path()).await.unwrap();
            file.close().await.unwrap();
            assert!(file.size().await.is_err(), "it is closed");

            let file = StdDisk.open(&path, Opening::Existing).await.unwrap();
            let end = 4 * BLOCK_BYTES;
            assert_eq!(file.size().await.unwrap(), end as u64);
            let whole = [vec![0; BLOCK_BYTES], content].concat();
            for start in [0, 1, 4095, 4096, 5000, end - 1, end, end + 1, end + 9000] {
                for length in [0, 1, 2, 4096, 5000, 100_000] {
                    let read = file.read_at(start as u64, length).await.unwrap();
                    let from = start.min(end);
                    assert_eq!(read, whole[from..(from + length).min(end)], "{start} {length}");
                }
            }
        });
    }
}

#[test]
fn room_is_made_and_files_are_cut() {
    for dir in folders() {
        finish(async {
            let path = dir.path().join("file");
            let file = StdDisk.open(&path, Opening::Fresh).await.unwrap();
            file.allocate(10_000).await.unwrap();
            assert_eq!(file.size().await.unwrap(), 10_000);
            assert_eq!(file.read_at(0, 20_000).await.unwrap(), vec![0; 10_000]);
            file.allocate(100).await.unwrap();
            assert_eq!(file.size().await.unwrap(), 10_000);
            file.truncate(5000).await.unwrap();
            assert_eq!(file.read_at(4000, 20_000).await.unwrap(), vec![0; 1000]);
            let other = StdDisk.open(&path, Opening::Fresh).await.unwrap();
            assert_eq!(other.size().await.unwrap(), 0);
        });
    }
}

#[test]
fn names_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    finish(async {
        let folder = dir.path().join("a/b/c");
        StdDisk.create_dir_all(&folder).await.unwrap();
        StdDisk.create_dir_all(&folder).await.unwrap();
        let (one, two) = (folder.join("one"), folder.join("two"));
        StdDisk.open(&one, Opening::Fresh).await.unwrap();
        StdDisk.rename(&one, &two).await.unwrap();
        assert_eq!(StdDisk.list(&folder).await.unwrap(), ["two"]);
        assert!(StdDisk.open(&one, Opening::Existing).await.is_err());
        StdDisk.remove(&two).await.unwrap();
        assert!(StdDisk.list(&folder).await.unwrap().is_empty());
        let missing = StdDisk.remove(&two).await.unwrap_err();
        assert!(matches!(missing, DiskError::Failed { errno: Some(libc::ENOENT), .. }));
    });
}

#[test]
fn a_full_disk_has_a_name_of_its_own() {
    let full = io::Error::from_raw_os_error(libc::ENOSPC);
    assert_eq!(DiskError::from(full), DiskError::NoSpace);
    assert_eq!(DiskError::from(io::Error::from(io::ErrorKind::WriteZero)), DiskError::NoSpace);
}
