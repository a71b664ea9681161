//! The writing end of the manifest. One owner, one call at a time.

use super::Edit;
use crate::storage::{
    StorageError,
    log::{self, AppendError, Log, LogOptions, record_bytes},
    version::Version,
};

/// A manifest is replaced when it is this much longer than so many snapshots.
const GROWTH_BYTES: u64 = 256 * 1024;
const GROWTH_SNAPSHOTS: u64 = 8;

/// The manifest of one shard, open at its end.
pub(in crate::storage) struct Manifest {
    options: LogOptions,
    log: Log,
    number: u64,
    /// Of the snapshot that it would begin with.
    snapshot_bytes: u64,
    /// What the disk holds is unknown; nothing is written any more.
    failure: Option<StorageError>,
}

impl Manifest {
    pub(super) fn new(options: LogOptions, log: Log, number: u64, snapshot_bytes: usize) -> Self {
        Self { options, log, number, snapshot_bytes: snapshot_bytes as u64, failure: None }
    }

    /// Makes the manifest `number`, which leads to `version`. It counts when this returns.
    pub(super) async fn create(
        options: &LogOptions,
        number: u64,
        version: &Version,
    ) -> Result<Self, StorageError> {
        let created = Self::begin(options, number, version).await;
        created.map_err(AppendError::into_inner)
    }

    async fn begin(
        options: &LogOptions,
        number: u64,
        version: &Version,
    ) -> Result<Self, AppendError> {
        let snapshot = version.snapshot().encode();
        let begun = Log::begin(options.clone(), number, 1).await;
        let mut log = begun.map_err(AppendError::from_reserve)?;
        if let Err(error) = append(&mut log, &snapshot).await {
            log.close().await;
            return Err(error);
        }
        Ok(Self::new(options.clone(), log, number, snapshot.len()))
    }

    /// Writes the step from `current` to the version that is returned. It counts when this returns, and not before. If
    /// there is no room, nothing has changed.
    ///
    /// `file_number` is the next one that has never been used. The edit must fit; one that does not is a bug, and stops
    /// everything.
    pub(in crate::storage) async fn append(
        &mut self,
        current: &Version,
        mut edit: Edit,
        file_number: &mut u64,
    ) -> Result<Version, AppendError> {
        if let Some(failure) = &self.failure {
            return Err(AppendError::Fatal(failure.clone()));
        }
        let appended = self.append_or_replace(current, &mut edit, file_number).await;
        if let Err(AppendError::Fatal(error)) = &appended {
            self.failure = Some(error.clone());
        }
        appended
    }

    async fn append_or_replace(
        &mut self,
        current: &Version,
        edit: &mut Edit,
        file_number: &mut u64,
    ) -> Result<Version, AppendError> {
        if self.log.bytes() > GROWTH_BYTES + GROWTH_SNAPSHOTS * self.snapshot_bytes {
            let number = *file_number;
            *file_number += 1;
            edit.file_number = Some(*file_number);
            let next = self.step(current, edit)?;
            if self.replace(number, &next).await? {
                return Ok(next);
            }
        }
        edit.file_number = Some(*file_number);
        let next = self.step(current, edit)?;
        append(&mut self.log, &edit.encode()).await?;
        Ok(next)
    }

    fn step(&self, current: &Version, edit: &Edit) -> Result<Version, AppendError> {
        current.apply(edit).map_err(|misfit| {
            let what = format!("an edit that was about to be written does not fit: {misfit}");
            let (file, offset) = (self.options.dir.clone(), self.log.bytes());
            let advice = "This is a bug of the server; nothing was changed. Restart it";
            AppendError::Fatal(StorageError::Corrupt { file, offset, what, advice })
        })
    }

    /// Puts a manifest that leads to `version` in the place of this one. False if there is no room for it.
    async fn replace(&mut self, number: u64, version: &Version) -> Result<bool, AppendError> {
        let next = match Self::begin(&self.options, number, version).await {
            Ok(next) => next,
            Err(AppendError::NoSpace(_)) => {
                // It must not come back: edits go on in this one.
                self.forget(number).await.map_err(AppendError::Fatal)?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let before = std::mem::replace(self, next);
        before.log.close().await;
        remove(&self.options, &[before.number]).await.map_err(AppendError::Fatal)?;
        Ok(true)
    }

    /// Removes a manifest that may have been begun.
    async fn forget(&self, number: u64) -> Result<(), StorageError> {
        let mut numbers = log::numbers(&self.options).await?;
        numbers.retain(|there| *there == number);
        remove(&self.options, &numbers).await
    }

    /// Bytes of the file.
    #[cfg(test)]
    pub(in crate::storage) fn bytes(&self) -> u64 {
        self.log.bytes()
    }

    /// Lets go of the file.
    pub(in crate::storage) async fn close(self) {
        self.log.close().await;
    }
}

/// Makes the manifest of a shard that is not open, whose files are those of `version`.
pub(in crate::storage) async fn begin(
    options: LogOptions,
    mut version: Version,
) -> Result<(), StorageError> {
    let number = version.file_number();
    version.skip_file_numbers(number);
    Manifest::create(&options, number, &version).await?.close().await;
    Ok(())
}

async fn append(log: &mut Log, payload: &[u8]) -> Result<(), AppendError> {
    let bytes = record_bytes(payload.len()) as u64;
    log.append_vouched(bytes, |records| {
        records.push(payload.len(), |out| out.copy_from_slice(payload));
    })
    .await
}

/// Removes manifests, durably.
pub(super) async fn remove(options: &LogOptions, numbers: &[u64]) -> Result<(), StorageError> {
    let LogOptions { disk, dir, .. } = options;
    for &number in numbers {
        let path = log::path(options, number);
        let removed = disk.remove(&path).await;
        removed.map_err(|error| StorageError::io("cannot remove", &path, error))?;
    }
    if numbers.is_empty() {
        return Ok(());
    }
    let synced = disk.sync_dir(dir).await;
    synced.map_err(|error| StorageError::io("cannot sync the folder", dir, error))
}
