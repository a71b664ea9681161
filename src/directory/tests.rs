//! A data directory from its first start to its loss.

use amaters_shards::settings::{Durability, SyncMode, WalSettings};

use super::*;

fn lsm(logs: &Path) -> Engine {
    let durability = Durability::Logged(SyncMode::None);
    Engine::Lsm(WalSettings { dir: logs.to_owned(), segment_bytes: 1, durability })
}

#[test]
fn a_later_start_finds_what_the_first_one_chose() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a/b");
    let engine = lsm(&dir.join("wal"));
    let first = Directory::open(&dir, &engine, 3).unwrap().superblock().clone();
    assert_eq!((first.shards, first.stage), (3, Stage::Preparing));
    let mode = fs::metadata(&dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    fs::create_dir(dir.join("wal/0")).unwrap();
    let mut second = Directory::open(&dir, &engine, 8).unwrap();
    assert_eq!(*second.superblock(), first);
    assert!(!second.is_open_to_others());
    second.has_served().unwrap();
    drop(second);
    let third = Directory::open(&dir, &engine, 8).unwrap();
    assert_eq!(*third.superblock(), Superblock { stage: Stage::Serving, ..first });
}

#[test]
fn one_process_owns_a_directory_and_the_refusal_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let _owner = Directory::open(folder.path(), &Engine::Memory, 1).unwrap();
    let refusal = Directory::open(folder.path(), &Engine::Memory, 1).unwrap_err().to_string();
    let (pid, path) = (std::process::id(), folder.path().display());
    assert_eq!(
        refusal,
        format!("Server is already running: process {pid} owns the data directory {path}")
    );
}

#[test]
fn the_memory_engine_leaves_nothing_but_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let mut directory = Directory::open(folder.path(), &Engine::Memory, 1).unwrap();
    directory.has_served().unwrap();
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["LOCK"]);
}

#[test]
fn logs_without_a_superblock_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("wal/0")).unwrap();
    let error = Directory::open(folder.path(), &lsm(&folder.path().join("wal")), 1).unwrap_err();
    assert!(error.to_string().contains("there is no SUPERBLOCK"), "{error}");
    assert!(!folder.path().join("SUPERBLOCK").exists());
}

#[test]
fn a_directory_that_has_served_does_not_start_without_its_logs() {
    let folder = tempfile::tempdir().unwrap();
    let engine = lsm(&folder.path().join("wal"));
    Directory::open(folder.path(), &engine, 1).unwrap().has_served().unwrap();
    for logs in ["wal", "elsewhere"] {
        let engine = lsm(&folder.path().join(logs));
        let error = Directory::open(folder.path(), &engine, 1).unwrap_err();
        assert!(error.to_string().contains("Was storage.wal.dir changed"), "{error}");
    }
}

#[test]
fn a_damaged_superblock_stops_the_start_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let engine = lsm(&folder.path().join("wal"));
    drop(Directory::open(folder.path(), &engine, 1).unwrap());
    let path = folder.path().join("SUPERBLOCK");
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = Directory::open(folder.path(), &engine, 1).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_crash_between_writing_and_renaming_is_a_first_start_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("wal")).unwrap();
    fs::write(folder.path().join("SUPERBLOCK.new"), b"half").unwrap();
    let directory = Directory::open(folder.path(), &lsm(&folder.path().join("wal")), 2).unwrap();
    assert_eq!(directory.superblock().shards, 2);
}

#[test]
fn a_first_start_that_made_no_logs_chooses_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = lsm(&folder.path().join("wal"));
    drop(Directory::open(folder.path(), &engine, 2).unwrap());
    let directory = Directory::open(folder.path(), &engine, 3).unwrap();
    assert_eq!(directory.superblock().shards, 3);
}

#[test]
fn a_path_that_is_a_file_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, b"").unwrap();
    let error = Directory::open(&path, &Engine::Memory, 1).unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

/// A directory of two shards that are to become three, after so many steps of the move.
fn moving(steps: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("d");
    let wal = dir.join("wal");
    let mut directory = Directory::open(&dir, &lsm(&wal), 2).unwrap();
    directory.has_served().unwrap();
    let make = |root: &Path, shard: usize, text: &str| {
        let shard = root.join(format!("shard-{shard:04}"));
        fs::create_dir_all(&shard).unwrap();
        fs::write(shard.join("file"), text).unwrap();
    };
    let mut left = steps;
    for root in [&dir, &wal] {
        fs::create_dir_all(root.join("reshard")).unwrap();
        for shard in 0..3 {
            let is_moved = left > 0;
            left = left.saturating_sub(1);
            make(&if is_moved { root.clone() } else { root.join("reshard") }, shard, "new");
            if !is_moved && shard < 2 {
                make(root, shard, "old");
            }
        }
        // Beyond the new ones, from a reshard to fewer.
        make(root, 3, "old");
    }
    write_superblock(&dir, &directory.superblock().resharded(3)).unwrap();
    folder
}

#[test]
fn a_reshard_that_was_cut_short_anywhere_is_finished_by_a_start() {
    for steps in 0..=6 {
        let folder = moving(steps);
        let dir = folder.path().join("d");
        let wal = dir.join("wal");
        if steps % 2 == 0 && steps < 3 {
            // Removing the old folder had begun.
            fs::remove_file(dir.join(format!("shard-{steps:04}/file"))).unwrap_or_default();
        }
        let directory = Directory::open(&dir, &lsm(&wal), 8).unwrap();
        let Superblock { shards, stage, .. } = *directory.superblock();
        assert_eq!((shards, stage), (3, Stage::Serving), "{steps}");
        for root in [&dir, &wal] {
            for shard in 0..3 {
                let text = fs::read_to_string(root.join(format!("shard-{shard:04}/file")));
                assert_eq!(text.unwrap(), "new", "{steps}");
            }
            assert!(!root.join("shard-0003").exists() && !root.join("reshard").exists());
        }
    }
}

#[test]
fn a_reshard_whose_copies_are_elsewhere_stops_the_start_and_removes_nothing() {
    let folder = moving(0);
    let dir = folder.path().join("d");
    let other = lsm(&folder.path().join("other"));
    let error = Directory::open(&dir, &other, 2).unwrap_err();
    assert!(matches!(error, DirectoryError::NoCopy { .. }), "{error}");
    assert!(dir.join("shard-0000/file").exists() && dir.join("reshard/shard-0000/file").exists());
    Directory::open(&dir, &lsm(&dir.join("wal")), 2).unwrap();
}

#[test]
fn copies_that_were_not_finished_go_at_the_next_start() {
    let folder = moving(0);
    let (dir, wal) = (folder.path().join("d"), folder.path().join("d/wal"));
    let serving = Superblock { stage: Stage::Serving, ..Superblock::new(2, 0) };
    write_superblock(&dir, &serving).unwrap();
    Directory::open(&dir, &lsm(&wal), 2).unwrap();
    assert!(!dir.join("reshard").exists() && !wal.join("reshard").exists());
    assert_eq!(fs::read_to_string(dir.join("shard-0001/file")).unwrap(), "old");
}
