//! The end of a reshard: new shards take the place of the old ones. Each step may be the last before a crash, and is done
//! again. `docs/reference/reshard.md` has the order.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use amaters_shards::partition::folder;

use super::{
    DirectoryError, failed,
    superblock::{Stage, Superblock},
    write_superblock,
};

/// Below the data directory and below the folder of the logs: where copies are made.
const COPIES: &str = "reshard";

/// Where the copies below `root` are.
pub(crate) fn copies(root: &Path) -> PathBuf {
    root.join(COPIES)
}

/// Finishes what a superblock of stage 2 has decided; of any other stage, removes copies that were not finished.
pub(super) fn finish(
    dir: &Path,
    logs: &Path,
    found: Superblock,
) -> Result<Superblock, DirectoryError> {
    let roots = [dir, logs];
    let mut found = found;
    if found.stage == Stage::Moving {
        // The folders of copies go last, so that a log folder that is elsewhere is not taken for one that is done.
        for root in roots {
            if !copies(root).is_dir() {
                return Err(DirectoryError::NoCopy { dir: dir.to_owned(), missing: copies(root) });
            }
        }
        for root in roots {
            move_in(root, found.shards).map_err(|error| failed(dir, "reshard", root, error))?;
        }
        found.stage = Stage::Serving;
        write_superblock(dir, &found)?;
    }
    for root in roots {
        let copies = copies(root);
        remove(&copies).map_err(|error| failed(dir, "remove", &copies, error))?;
    }
    Ok(found)
}

fn move_in(root: &Path, shards: u32) -> io::Result<()> {
    for shard in (0..shards).map(folder) {
        let (new, place) = (copies(root).join(&shard), root.join(&shard));
        if new.is_dir() {
            remove(&place)?;
            fs::rename(&new, &place)?;
        }
    }
    let kept: Vec<String> = (0..shards).map(folder).collect();
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if is_folder(&name) && !kept.iter().any(|kept| *kept == name) {
            remove(&root.join(&*name))?;
        }
    }
    // The moves are durable before the superblock says so.
    File::open(root)?.sync_all()
}

fn is_folder(name: &str) -> bool {
    let digits = name.strip_prefix("shard-");
    digits
        .is_some_and(|digits| digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What does not exist has been removed.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
