//! A restore that has been decided and not yet carried out by every shard: the file `RESTORE` in the data directory. Whoever
//! opens a shard carries it out before anything else; when all have, the file is removed.
//!
//! ```text
//! magic "AMATRST\0" ┼ version u32 ┼ directory id u64 ┼ n u32 ┼ n × (shard u32 ┼ length u32 ┼ edit) ┼ CRC32 of all before
//! ```

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::{BackupError, restore::at_once};
use crate::storage::{
    StorageError,
    disk::{BLOCK_BYTES, Disk, DiskError, Opening, blocking::StdDisk},
};

const NAME: &str = "RESTORE";
const BESIDE: &str = "RESTORE.new";
const MAGIC: [u8; 8] = *b"AMATRST\0";
const VERSION: u32 = 1;

/// What each shard is to do, as bytes of a manifest's edit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    directory_id: u64,
    edits: BTreeMap<u32, Arc<[u8]>>,
}

impl Pending {
    /// Of the shards of a data directory.
    #[must_use]
    pub fn new(directory_id: u64, edits: BTreeMap<u32, Arc<[u8]>>) -> Self {
        Self { directory_id, edits }
    }

    /// What a shard is to do.
    #[must_use]
    pub fn of(&self, shard: u32) -> Option<Arc<[u8]>> {
        self.edits.get(&shard).cloned()
    }

    /// Writes it, durably: from here on it is decided.
    ///
    /// # Errors
    /// The disk refuses it; nothing has been decided.
    pub fn write(&self, dir: &Path) -> Result<(), BackupError> {
        at_once(self.write_to(&StdDisk, dir))
    }

    /// What is to be done in a data directory; none if nothing is.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn read(dir: &Path, directory_id: u64) -> Result<Option<Self>, BackupError> {
        at_once(Self::read_from(&StdDisk, dir, directory_id))
    }

    /// Removes it: all shards have done it.
    ///
    /// # Errors
    /// The disk refuses it.
    pub fn remove(dir: &Path) -> Result<(), BackupError> {
        at_once(Self::remove_from(&StdDisk, dir))
    }

    pub(in crate::storage) async fn write_to(
        &self,
        disk: &dyn Disk,
        dir: &Path,
    ) -> Result<(), BackupError> {
        let (beside, path) = (dir.join(BESIDE), dir.join(NAME));
        let bytes = self.encode();
        let written = async {
            let file = disk.open(&beside, Opening::Fresh).await?;
            let mut buffer = file.buffer(bytes.len().next_multiple_of(BLOCK_BYTES));
            let (content, padding) = buffer.split_at_mut(bytes.len());
            content.copy_from_slice(&bytes);
            padding.fill(0);
            file.write_at(0, buffer).await?;
            file.truncate(bytes.len() as u64).await?;
            file.sync().await?;
            file.close().await?;
            disk.rename(&beside, &path).await?;
            disk.sync_dir(dir).await
        };
        Ok(written.await.map_err(|error| StorageError::io("cannot write", &path, error))?)
    }

    pub(in crate::storage) async fn read_from(
        disk: &dyn Disk,
        dir: &Path,
        directory_id: u64,
    ) -> Result<Option<Self>, BackupError> {
        let path = dir.join(NAME);
        let read = async {
            if !disk.list(dir).await?.iter().any(|name| name == NAME) {
                return Ok(None);
            }
            let file = disk.open(&path, Opening::Existing).await?;
            let bytes = file.size().await?;
            let read = file.read_at(0, usize::try_from(bytes).unwrap_or(usize::MAX)).await?;
            file.close().await?;
            Ok(Some(read))
        };
        let read: Result<_, DiskError> = read.await;
        let read = read.map_err(|error| StorageError::io("cannot read", &path, error))?;
        let Some(bytes) = read else { return Ok(None) };
        let read = Self::decode(&bytes).filter(|read| read.directory_id == directory_id);
        let damaged = || {
            BackupError::damaged(
                path.clone(),
                0,
                "a restore was decided in this data directory, and what it is cannot be read",
            )
        };
        read.map(Some).ok_or_else(damaged)
    }

    pub(in crate::storage) async fn remove_from(
        disk: &dyn Disk,
        dir: &Path,
    ) -> Result<(), BackupError> {
        let path = dir.join(NAME);
        let removed = async {
            if disk.list(dir).await?.iter().any(|name| name == NAME) {
                disk.remove(&path).await?;
            }
            disk.sync_dir(dir).await
        };
        Ok(removed.await.map_err(|error| StorageError::io("cannot remove", &path, error))?)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.directory_id.to_le_bytes());
        out.extend_from_slice(&(self.edits.len() as u32).to_le_bytes());
        for (shard, edit) in &self.edits {
            out.extend_from_slice(&shard.to_le_bytes());
            out.extend_from_slice(&(edit.len() as u32).to_le_bytes());
            out.extend_from_slice(edit);
        }
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk()?;
        (crc32fast::hash(body) == u32::from_le_bytes(*checksum)).then_some(())?;
        let (magic, rest) = body.split_first_chunk()?;
        let (version, rest) = rest.split_first_chunk()?;
        (*magic == MAGIC && u32::from_le_bytes(*version) == VERSION).then_some(())?;
        let (directory_id, rest) = rest.split_first_chunk()?;
        let (count, mut rest) = rest.split_first_chunk()?;
        let mut edits = BTreeMap::new();
        for _ in 0..u32::from_le_bytes(*count) {
            let (shard, behind) = rest.split_first_chunk()?;
            let (length, behind) = behind.split_first_chunk()?;
            let (edit, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            edits.insert(u32::from_le_bytes(*shard), Arc::from(edit));
            rest = behind;
        }
        let directory_id = u64::from_le_bytes(*directory_id);
        rest.is_empty().then_some(Self { directory_id, edits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_comes_back_whole_or_is_damaged() {
        let edits = BTreeMap::from([(0, Arc::from([1, 2, 3])), (7, Arc::from([]))]);
        let pending = Pending::new(9, edits);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Pending::read(dir.path(), 9).unwrap(), None);
        pending.write(dir.path()).unwrap();
        assert_eq!(Pending::read(dir.path(), 9).unwrap(), Some(pending.clone()));
        assert!(Pending::read(dir.path(), 8).is_err(), "of another directory");
        let bytes = pending.encode();
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert_eq!(Pending::decode(&wrong), None);
            assert_eq!(Pending::decode(&bytes[..at]), None);
        }
        Pending::remove(dir.path()).unwrap();
        Pending::remove(dir.path()).unwrap();
        assert_eq!(Pending::read(dir.path(), 9).unwrap(), None);
    }
}
