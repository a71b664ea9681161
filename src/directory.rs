//! The data directory: one process owns it, and its superblock fixes what can never change.
//!
//! ```text
//! <data_dir>/                 0700
//!   LOCK                      flock of the server that runs, with its process id
//!   SUPERBLOCK                shards, hash seed, identity: docs/reference/superblock.md
//!   wal/                      the logs (storage.wal.dir), one folder for each shard
//!   control.sock              how commands ask the server that runs: docs/reference/commands.md
//!   amaters-server.pid        where the default pid file cannot be written
//! ```
//!
//! Order of a first start: lock < log folder < superblock (preparing) < reactors < superblock
//! (serving). So a serving superblock without logs means that the logs are elsewhere or lost, and
//! logs without a superblock mean that the superblock is.

pub(crate) mod lock;
mod moving;
pub(crate) mod superblock;

pub(crate) use moving::copies;

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use amaters_shards::{
    settings::Engine,
    storage::{BackupError, Pending},
};
use thiserror::Error;

use crate::unix_time;

use self::{
    lock::{Lock, LockError},
    superblock::{Damage, Stage, Superblock},
};

const SUPERBLOCK: &str = "SUPERBLOCK";

/// Why a data directory cannot be used.
#[derive(Debug, Error)]
pub(crate) enum DirectoryError {
    /// A file or folder cannot be made, read or written.
    #[error("data directory {}: cannot {what} {}: {error}", dir.display(), path.display())]
    Io {
        /// The data directory.
        dir: PathBuf,
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What came of it.
        error: io::Error,
    },
    /// Another server owns it, or the lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The superblock cannot be believed.
    #[error(
        "data directory {}: SUPERBLOCK {damage}. Nothing was changed; restore the file from a \
         backup of this very directory", dir.display()
    )]
    Superblock {
        /// The data directory.
        dir: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// Nothing has ever been stored there.
    #[error("data directory {}: no server has ever served from it", dir.display())]
    None {
        /// The data directory.
        dir: PathBuf,
    },
    /// Logs whose shard count and seed nobody knows.
    #[error(
        "data directory {}: {} holds logs, but there is no SUPERBLOCK that says how they are \
         spread over shards. Nothing was changed; restore SUPERBLOCK from a backup of this very \
         directory, or name an empty one", dir.display(), logs.display()
    )]
    NoSuperblock {
        /// The data directory.
        dir: PathBuf,
        /// The folder that is not empty.
        logs: PathBuf,
    },
    /// A reshard cannot be finished: there is no folder of copies.
    #[error(
        "data directory {}: a reshard was cut short, and {} is not there. Was storage.wal.dir changed, \
         or is a disk not mounted? Nothing was changed", dir.display(), missing.display()
    )]
    NoCopy {
        /// The data directory.
        dir: PathBuf,
        /// The folder.
        missing: PathBuf,
    },
    /// A directory that has served, without its logs.
    #[error(
        "data directory {}: it has served before, but its logs are not in {}. Was storage.wal.dir \
         changed, or is a disk not mounted?", dir.display(), logs.display()
    )]
    NoLogs {
        /// The data directory.
        dir: PathBuf,
        /// Where they should be.
        logs: PathBuf,
    },
}

/// A data directory that this process owns until it ends.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    superblock: Superblock,
    kept: bool,
    _lock: Lock,
}

impl Directory {
    /// Makes the directory if it is missing, locks it, and reads or writes its superblock.
    /// A new one gets `shards` shards.
    pub(crate) fn open(path: &Path, engine: &Engine, shards: u32) -> Result<Self, DirectoryError> {
        make_folder(path, path)?;
        let lock = Lock::acquire(path)?;
        let fresh = Superblock::new(shards, unix_time::seconds(SystemTime::now()));
        let kept = matches!(engine, Engine::Lsm(_));
        let superblock = match engine {
            Engine::Memory => fresh,
            Engine::Lsm(wal) => match read_superblock(path)? {
                Some(found) => {
                    let found = moving::finish(path, &wal.dir, found)?;
                    check_logs(path, &wal.dir, found, fresh)?
                }
                None => begin(path, &wal.dir, fresh)?,
            },
        };
        Ok(Self { path: path.to_owned(), superblock, kept, _lock: lock })
    }

    /// Locks a directory that is there, and reads its superblock; makes nothing but `LOCK`.
    pub(crate) fn existing(path: &Path, logs: &Path) -> Result<Self, DirectoryError> {
        let none = || DirectoryError::None { dir: path.to_owned() };
        if !path.join(SUPERBLOCK).exists() && is_empty(path, logs)? {
            return Err(none());
        }
        let lock = Lock::acquire(path)?;
        let superblock = read_superblock(path)?.ok_or_else(|| DirectoryError::NoSuperblock {
            dir: path.to_owned(),
            logs: logs.to_owned(),
        })?;
        if superblock.stage == Stage::Preparing {
            return Err(none());
        }
        Ok(Self { path: path.to_owned(), superblock, kept: true, _lock: lock })
    }

    /// A restore into this directory that a running server decided, and that the next start carries out.
    pub(crate) fn pending(&self) -> Result<Option<Pending>, BackupError> {
        if !self.kept {
            return Ok(None);
        }
        Pending::read(&self.path, self.superblock.directory_id)
    }

    /// An error if there is one: other commands leave it alone.
    pub(crate) fn check_no_pending(&self) -> Result<(), BackupError> {
        match self.pending()? {
            None => Ok(()),
            Some(_) => Err(BackupError::Refused(
                "a restore into this data directory was decided and not carried out; a start of the server does that"
                    .into(),
            )),
        }
    }

    /// Forgets it: it has been carried out, or the shards that it was for are gone.
    pub(crate) fn forget_pending(&self) -> Result<(), BackupError> {
        Pending::remove(&self.path)
    }

    /// Whether a server has served from it.
    pub(crate) fn is_new(&self) -> bool {
        self.superblock.stage == Stage::Preparing
    }

    /// Whether a reshard was cut short when its outcome was decided.
    pub(crate) fn is_moving(&self) -> bool {
        self.superblock.stage == Stage::Moving
    }

    /// Tidies up after a reshard that was cut short.
    pub(crate) fn finish_move(&mut self, logs: &Path) -> Result<(), DirectoryError> {
        self.superblock = moving::finish(&self.path, logs, self.superblock.clone())?;
        Ok(())
    }

    /// Puts the shards below `reshard` in the place of the old ones.
    pub(crate) fn reshard(
        &mut self,
        logs: &Path,
        superblock: Superblock,
    ) -> Result<(), DirectoryError> {
        write_superblock(&self.path, &superblock)?;
        self.superblock = superblock;
        self.finish_move(logs)
    }

    /// What the superblock says.
    pub(crate) fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Others than the owner may look into the directory.
    pub(crate) fn is_open_to_others(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
    }

    /// Records that the reactors have made their logs: from now on they must be there.
    pub(crate) fn has_served(&mut self) -> Result<(), DirectoryError> {
        if self.kept && self.superblock.stage != Stage::Serving {
            self.superblock.stage = Stage::Serving;
            write_superblock(&self.path, &self.superblock)?;
        }
        Ok(())
    }
}

/// A first start: the log folder, then the superblock.
fn begin(dir: &Path, logs: &Path, fresh: Superblock) -> Result<Superblock, DirectoryError> {
    for folder in [logs, &dir.join("wal")] {
        if !is_empty(dir, folder)? {
            let (dir, logs) = (dir.to_owned(), folder.to_owned());
            return Err(DirectoryError::NoSuperblock { dir, logs });
        }
    }
    make_folder(dir, logs)?;
    write_superblock(dir, &fresh)?;
    Ok(fresh)
}

/// A later start. Nothing was stored if the first one did not come as far as its logs: then it is
/// the first start once more. A directory that has served has logs.
fn check_logs(
    dir: &Path,
    logs: &Path,
    found: Superblock,
    fresh: Superblock,
) -> Result<Superblock, DirectoryError> {
    match (found.stage, is_empty(dir, logs)?) {
        (Stage::Preparing, true) => begin(dir, logs, fresh),
        (Stage::Serving | Stage::Moving, true) => {
            Err(DirectoryError::NoLogs { dir: dir.to_owned(), logs: logs.to_owned() })
        }
        (_, false) => Ok(found),
    }
}

fn make_folder(dir: &Path, folder: &Path) -> Result<(), DirectoryError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| failed(dir, "make", folder, error))
}

/// A folder that does not exist is empty.
fn is_empty(dir: &Path, folder: &Path) -> Result<bool, DirectoryError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(failed(dir, "read", folder, error)),
    }
}

fn read_superblock(dir: &Path) -> Result<Option<Superblock>, DirectoryError> {
    let path = dir.join(SUPERBLOCK);
    match fs::read(&path) {
        Ok(bytes) => Superblock::decode(&bytes)
            .map(Some)
            .map_err(|damage| DirectoryError::Superblock { dir: dir.to_owned(), damage }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(dir, "read", &path, error)),
    }
}

/// Written beside and renamed, so that there is a whole one at every moment.
fn write_superblock(dir: &Path, superblock: &Superblock) -> Result<(), DirectoryError> {
    let (beside, path) = (dir.join("SUPERBLOCK.new"), dir.join(SUPERBLOCK));
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(&superblock.encode())?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(dir)?.sync_all()
    });
    written.map_err(|error| failed(dir, "write", &path, error))
}

fn failed(dir: &Path, what: &'static str, path: &Path, error: io::Error) -> DirectoryError {
    DirectoryError::Io { dir: dir.to_owned(), what, path: path.to_owned(), error }
}

#[cfg(test)]
mod tests;
