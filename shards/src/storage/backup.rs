//! Backups: folders of files that hold what all shards had at one instant. `docs/reference/backups.md` draws every byte.
//!
//! ```text
//! cut     what a shard had at the instant: files that stay, frozen layers            on its reactor, two short steps
//! copy    cut ─► rows in order, less what the parent has ─► data files               on the background thread
//! rows    blobs                                                                      what the copy reads
//! chunk   manifest  meta   version_1                                                 pure: bytes in, bytes out
//! folder  the only way to names on the disk                                          beneath a root, through no link
//! digest                                                                             hashes of files, worked out beside
//! stream  chain            rows of a backup, of one with all that it rests on
//! verify                   everything is read, and what is damaged is named
//! ahead   what is read while other rows are staged
//! stage   rows ─► tables and blob files that nobody names yet
//! pending a decision that the next start carries out                                 if the process does not live to
//! ```
//!
//! Always true: a folder with its final name is whole and durable; rows of a shard ascend by collection and key; nothing
//! read is believed before its checksum, and no length before it is held against the bytes at hand.

mod ahead;
mod blobs;
mod chain;
mod chunk;
mod control;
mod copy;
mod cut;
mod data;
mod digest;
mod error;
mod folder;
#[cfg(test)]
mod fuzz;
mod inspect;
mod keep;
mod manifest;
mod meta;
mod pending;
mod restore;
mod rows;
mod stage;
mod stream;
mod switch;
#[cfg(test)]
mod tests;
mod verify;
mod version_1;
mod write;

pub use chain::{Chain, Reader};
pub use control::Control;
pub use copy::Copied;
pub use error::BackupError;
pub use folder::{Folder, Roots};
pub use keep::{Keep, SCHEDULED, newest_scheduled, prune, sweep};
pub use manifest::{DataFile, Manifest};
pub use meta::{BackupId, BackupMeta};
pub use pending::Pending;
pub use restore::{Fresh, Restored, make_shards, read_through, stage_all};
pub use stage::{Place, Staged};
pub use switch::{Ready, Switch};
pub use verify::{Verified, verify};
pub use write::{Draft, Source};

pub(super) use copy::CopyJob;
pub(super) use cut::{cut, flush};
pub(super) use inspect::Inspection;
pub(super) use switch::{place, switch};
#[cfg(test)]
pub(super) use {
    chunk::{Kept, KeptValue},
    restore::stage_on,
    stream::Entry,
};
