//! What can go wrong with a backup, said so that an operator can act. Words that existing clients take for a lost
//! connection do not occur.

use std::{io, path::PathBuf, sync::Arc};

use crate::storage::StorageError;

/// Why a backup was not written, read or restored. Where it says nothing else, nothing has changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BackupError {
    /// A shard, or the disk under a file that is written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file or folder cannot be used.
    #[error("cannot {what} {}: {error}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        error: Arc<io::Error>,
    },
    /// Bytes are not what was written.
    #[error("{} is damaged at byte {offset}: {what}; use another backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A folder that holds no backup, or one that was not finished.
    #[error("{} is no finished backup: {what}", path.display())]
    NoBackup {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// Written by a program that knows more.
    #[error(
        "{} has schema version {version}; this server reads versions 1 and 2",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        version: u64,
    },
    /// An incremental without all that it rests on.
    #[error(
        "{} rests on backup {parent}, which is not beside it: put the folders of the whole chain into one folder",
        path.display()
    )]
    NoParent {
        /// The incremental.
        path: PathBuf,
        /// What is missing.
        parent: String,
    },
    /// What was asked for makes no sense, or is not allowed.
    #[error("{0}")]
    Refused(String),
    /// Somebody asked for the end.
    #[error("cancelled")]
    Cancelled,
}

impl BackupError {
    pub(super) fn io(what: &'static str, path: PathBuf, error: impl Into<io::Error>) -> Self {
        Self::Io { what, path, error: Arc::new(error.into()) }
    }

    pub(super) fn damaged(path: PathBuf, offset: u64, what: impl Into<String>) -> Self {
        Self::Damaged { path, offset, what: what.into() }
    }
}
