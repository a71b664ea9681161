//! What can go wrong in the engine of a shard, said so that an operator can act.
//!
//! Translation to wire codes happens elsewhere, in one file.

use std::{path::PathBuf, sync::Arc};

use super::disk::DiskError;

/// Why the engine did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    /// The entries of this shard fill their memory. Deletes, and overwrites that do not grow, are still taken.
    #[error(
        "memory for entries is full: {used} of {max} bytes of this shard are \
         used; delete entries, or raise storage.memtable_size_mb and restart"
    )]
    Full {
        /// Bytes that the entries take, those not yet durable included.
        used: u64,
        /// Bytes that they may take.
        max: u64,
    },
    /// Writes come faster than the disk takes them. Try again a little later.
    #[error("{staged} of {max} bytes wait for the disk of this shard; retry later")]
    Busy {
        /// Bytes that wait to be logged.
        staged: u64,
        /// Bytes that may wait.
        max: u64,
    },
    /// A key, a collection name or a transaction is longer than the log can hold.
    #[error("{what} of {bytes} bytes; the longest is {max}")]
    TooLarge {
        /// What is too long.
        what: &'static str,
        /// Its length.
        bytes: u64,
        /// The longest that is taken.
        max: u64,
    },
    /// The disk is full. Nothing has changed; writes are taken again once there is room.
    #[error("no space left on the disk of {}: nothing was written; free some space", path.display())]
    NoSpace {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// A write or sync failed earlier: what the disk holds is unknown, so writes are refused. Reads go on. Look at the
    /// disk, then restart.
    #[error(
        "shard {shard} refuses writes since its log failed ({cause}); check the disk and restart"
    )]
    Poisoned {
        /// The shard.
        shard: u32,
        /// What failed first.
        cause: Arc<str>,
    },
    /// The disk refused a call.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried, as the beginning of a sentence: "cannot open".
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: DiskError,
    },
    /// A file holds something else than what was written to it. The server does not start on it.
    #[error("{} is damaged at byte {offset}: {what}. {advice}", file.display())]
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: String,
        /// What the operator can do.
        advice: &'static str,
    },
    /// A restore takes the place of what is there; it takes a moment.
    #[error("shard {shard} takes no writes while a restore is switched in; retry in a second")]
    Held {
        /// The shard.
        shard: u32,
    },
    /// A batch across shards holds what is to be written; it must be waited for.
    #[error("locked by a batch across shards")]
    Locked,
    /// A batch across shards ended before it had come to this.
    #[error("the batch has ended")]
    GivenUp,
    /// A shard that shares a batch with this one could not do what a flush needs.
    #[error("shard {shard} shares batches with this one and cannot vouch for them: {cause}")]
    Partner {
        /// The other shard.
        shard: u32,
        /// What it said.
        cause: String,
    },
    /// A file is sound, but does not belong here or is of a newer version.
    #[error("{} does not belong here: {what}. Nothing was changed; put back the right files", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// Work in the background ended without a result. It is tried again.
    #[error("background work failed: {cause}")]
    Background {
        /// What it said last.
        cause: String,
    },
    /// Only inside a transaction: what was asked for has to be read from the disk first. The step is run again then.
    #[error("the entry lies on the disk and has to be read first")]
    OnDisk,
    /// A snapshot sees entries that have been overwritten since, and there is no memory left to keep them.
    #[error(
        "shard {shard} keeps no more than {max} bytes that were overwritten while scans go on, and \
         this scan needs more; ask in parts, or raise storage.memtable_size_mb and restart"
    )]
    Outdated {
        /// The shard.
        shard: u32,
        /// Bytes that it keeps.
        max: u64,
    },
    /// The shard has been closed, because the server stops.
    #[error("shard {shard} is closed: the server is stopping")]
    Closed {
        /// The shard.
        shard: u32,
    },
}

impl From<std::io::Error> for StorageError {
    /// Of a background thread that cannot be started.
    fn from(error: std::io::Error) -> Self {
        Self::Background { cause: error.to_string() }
    }
}

impl StorageError {
    /// The disk's word on `path`; a full disk is an error of its own.
    pub(super) fn io(what: &'static str, path: &std::path::Path, source: DiskError) -> Self {
        match source {
            DiskError::NoSpace => Self::NoSpace { path: path.to_owned() },
            source => Self::Io { what, path: path.to_owned(), source },
        }
    }
}
