//! Where the data lies: what kind of file system, whether it takes direct I/O, how much room it has.

use std::path::{Path, PathBuf};

use amaters_shards::settings::Engine;
use rustix::{
    fs::{CWD, Mode, OFlags, StatVfs, openat, statfs, statvfs},
    io::Errno,
};

use super::{Finding, Verdict};
use crate::config::Config;

/// Kinds of file systems that are known by name: number of `statfs(2)`, name, and what is to be said.
const KINDS: [(u64, &str, Option<&str>); 9] = [
    (0xEF53, "ext4", None),
    (0x5846_5342, "xfs", None),
    (0x9123_683E, "btrfs", None),
    (0x2FC1_2FC1, "zfs", None),
    (0xF2F5_2010, "f2fs", None),
    (0x0102_1994, "tmpfs", Some("nothing on it survives a restart of the machine")),
    (0x794C_7630, "overlayfs", Some("a container's own layer: give the data a volume")),
    (0x6969, "nfs", Some("locks and syncs are those of another machine: use a local disk")),
    (0x6573_5546, "fuse", Some("syncs are those of a program: use a local disk")),
];
/// Free share below which it is time to act.
const FREE_PERCENT_MIN: u64 = 10;
/// Files that are made before anything else is done about it.
const FREE_FILES_MIN: u64 = 1000;
const MIB: u64 = 1024 * 1024;

/// Looks at the data directory, and at the log's folder where that is elsewhere.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let Engine::Lsm(wal) = &config.engine else {
        return vec![Finding::new(Verdict::Ok, "disk", "the memory engine keeps no files")];
    };
    // A log of four segments in each shard forces a flush; a memtable is written beside the one
    // that fills.
    let log_bytes = 4 * wal.segment_bytes;
    let table_bytes = 2 * config.memtable_bytes_max;
    if wal.dir.starts_with(&config.data_dir) {
        return look(&config.data_dir, log_bytes + table_bytes);
    }
    let mut findings = look(&config.data_dir, table_bytes);
    findings.extend(look(&wal.dir, log_bytes));
    findings
}

fn look(dir: &Path, needed_bytes: u64) -> Vec<Finding> {
    // One that a start would make: it will lie where its nearest folder is.
    let place = dir.ancestors().find(|place| place.is_dir()).unwrap_or(Path::new("/")).to_owned();
    vec![kind(&place), direct(&place), room(&place, needed_bytes)]
}

fn kind(place: &PathBuf) -> Finding {
    let number = match statfs(place) {
        Ok(found) => found.f_type as u64 & u64::from(u32::MAX),
        Err(error) => {
            return Finding::new(Verdict::Fail, "filesystem", told(place, &error.to_string()));
        }
    };
    match KINDS.iter().find(|(known, ..)| *known == number) {
        Some((_, name, None)) => Finding::new(Verdict::Ok, "filesystem", told(place, name)),
        Some((_, name, Some(advice))) => {
            Finding::new(Verdict::Warn, "filesystem", told(place, &format!("{name}: {advice}")))
        }
        None => {
            let text = format!("a kind (0x{number:x}) that nobody has tried: ext4 and xfs are");
            Finding::new(Verdict::Warn, "filesystem", told(place, &text))
        }
    }
}

/// Opens a file without a name for direct writing.
fn direct(place: &PathBuf) -> Finding {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::DIRECT | OFlags::CLOEXEC;
    let (verdict, text) = match openat(CWD, place, flags, Mode::RUSR | Mode::WUSR) {
        Ok(_) => (Verdict::Ok, "takes direct I/O (O_DIRECT)".to_owned()),
        Err(Errno::INVAL) => (
            Verdict::Warn,
            "takes no direct I/O (O_DIRECT): reads and writes go through the page cache; ext4 and \
             xfs take it"
                .to_owned(),
        ),
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => {
            (Verdict::Warn, "makes no files without a name, so direct I/O was not tried".to_owned())
        }
        Err(error @ (Errno::ACCESS | Errno::PERM | Errno::ROFS)) => {
            (Verdict::Fail, format!("cannot be written to: {error}"))
        }
        Err(error) => (Verdict::Fail, format!("no file can be made: {error}")),
    };
    Finding::new(verdict, "direct I/O", told(place, &text))
}

fn room(place: &PathBuf, needed_bytes: u64) -> Finding {
    match statvfs(place) {
        Ok(found) => {
            let (verdict, text) = judge_room(&found, needed_bytes);
            Finding::new(verdict, "room", told(place, &text))
        }
        Err(error) => Finding::new(Verdict::Fail, "room", told(place, &error.to_string())),
    }
}

fn judge_room(found: &StatVfs, needed_bytes: u64) -> (Verdict, String) {
    let (free_bytes, all_bytes) = (
        found.f_bavail.saturating_mul(found.f_frsize),
        found.f_blocks.saturating_mul(found.f_frsize),
    );
    let percent = free_bytes.saturating_mul(100) / all_bytes.max(1);
    let (free, needed) = (free_bytes / MIB, needed_bytes.div_ceil(MIB));
    // Some file systems count no files.
    if found.f_files > 0 && found.f_favail < FREE_FILES_MIN {
        let text = format!("room for {} files (inodes): remove some", found.f_favail);
        return (Verdict::Warn, text);
    }
    if free_bytes < needed_bytes {
        let text = format!(
            "{free} MiB free, but logs and memtables alone may take {needed} MiB: make room, or \
             lower storage.wal.segment_size_mb and storage.memtable_size_mb"
        );
        return (Verdict::Fail, text);
    }
    let text = format!("{free} MiB free, {percent} %");
    if percent < FREE_PERCENT_MIN {
        return (Verdict::Warn, format!("{text}: compaction needs room; make some"));
    }
    (Verdict::Ok, text)
}

fn told(place: &Path, text: &str) -> String {
    format!("{}: {text}", place.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_judged_by_need_share_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let found = |free: u64, files: u64| StatVfs {
            f_frsize: 4096,
            f_blocks: 100_000,
            f_bavail: free,
            f_files: 1_000_000,
            f_favail: files,
            ..statvfs(folder.path()).unwrap()
        };
        let verdict = |found: &StatVfs| judge_room(found, 4096 * 5000).0;
        assert_eq!(verdict(&found(50_000, 5000)), Verdict::Ok);
        assert_eq!(verdict(&found(9_000, 5000)), Verdict::Warn);
        assert_eq!(verdict(&found(4_999, 5000)), Verdict::Fail);
        assert_eq!(verdict(&found(50_000, 3)), Verdict::Warn);
        assert_eq!(verdict(&StatVfs { f_files: 0, ..found(50_000, 0) }), Verdict::Ok);
    }

    #[test]
    fn looking_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let findings = look(&folder.path().join("not/yet"), 0);
        assert_eq!(findings.len(), 3);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
