//! Reads a backup and gives each row to the shard that owns it: to look whether all is well, to stage it beside what a shard
//! has, or to make shards where there are none.

use std::{collections::BTreeSet, path::PathBuf, rc::Rc, sync::Arc};

use futures_util::FutureExt as _;

use super::{
    BackupError, Control, Reader,
    ahead::read_ahead,
    stage::{Place, Stage, Staged},
    stream::Entry,
};
use crate::{
    partition::{Partition, folder},
    storage::{
        StorageError,
        disk::{Disk, blocking::StdDisk},
        entry::CollectionId,
        log::Coverage,
        manifest::{self, Addition, BlobBytes, Edit},
        version::Version,
    },
};

/// What has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Values.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

/// Shards that are made where there are none.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// Holds the folders of the logs.
    pub log_dir: PathBuf,
    /// Holds the folders of tables and blob files.
    pub data_dir: PathBuf,
    /// Identity of the data directory.
    pub directory_id: u64,
    /// How keys are spread.
    pub partition: Partition,
    /// Values of this length or more lie in blob files.
    pub blob_bytes_min: usize,
    /// Bytes of a table.
    pub table_bytes: u64,
    /// Where the tables are put.
    pub level: usize,
}

/// Reads everything, and keeps nothing.
///
/// # Errors
/// Something is damaged, or somebody asked for the end.
pub fn read_through(reader: &mut Reader, control: &Control) -> Result<Restored, BackupError> {
    let mut restored = Restored::default();
    control.expect_bytes(reader.bytes_total());
    while let Some(entry) = reader.next_entry()? {
        note(&mut restored, entry.key.len() + entry.data.len(), control)?;
    }
    Ok(restored)
}

fn note(restored: &mut Restored, bytes: usize, control: &Control) -> Result<(), BackupError> {
    restored.keys += 1;
    restored.bytes += bytes as u64;
    control.note(1, bytes as u64);
    control.spend_here(bytes as u64);
    control.check()
}

/// Stages all rows, each for its shard, on a disk whose calls block; `places` are those of the shards in their order. A
/// failure leaves nothing.
///
/// # Errors
/// Something is damaged, a disk is full or fails, or somebody asked for the end.
pub fn stage_all(
    places: Vec<Place>,
    partition: &Partition,
    reader: &mut Reader,
    control: &Control,
) -> Result<(Vec<Staged>, Restored), BackupError> {
    let disk: Rc<dyn Disk> = Rc::new(StdDisk);
    control.expect_bytes(reader.bytes_total());
    read_ahead(
        || reader.next_entry(),
        |ahead| {
            let mut next = || ahead.next_entry();
            at_once(stage_on(disk, places, partition, &mut next, control))
        },
    )
}

/// Where rows come from; none at the end.
pub(in crate::storage) type Next<'a> = &'a mut dyn FnMut() -> Result<Option<Entry>, BackupError>;

pub(in crate::storage) async fn stage_on(
    disk: Rc<dyn Disk>,
    places: Vec<Place>,
    partition: &Partition,
    next: Next<'_>,
    control: &Control,
) -> Result<(Vec<Staged>, Restored), BackupError> {
    let stage = |place| Stage::new(Rc::clone(&disk), place);
    let mut stages: Vec<Stage> = places.iter().cloned().map(stage).collect();
    let mut restored = Restored::default();
    let filled = async {
        while let Some(entry) = next()? {
            let shard = partition.shard(&entry.collection, &entry.key);
            stages[shard as usize].add(&entry).await?;
            note(&mut restored, entry.key.len() + entry.data.len(), control)?;
        }
        Ok(())
    };
    let mut failure = filled.await.err();
    let mut staged: Vec<Staged> = Vec::new();
    for stage in stages {
        if failure.is_some() {
            stage.abandon().await;
            continue;
        }
        match stage.finish().await {
            Ok(done) => staged.push(done),
            Err(error) => failure = Some(error),
        }
    }
    let Some(error) = failure else { return Ok((staged, restored)) };
    for (staged, place) in staged.iter().zip(&places) {
        staged.remove(&*disk, &place.dir).await;
    }
    Err(error)
}

/// A disk that blocks is always ready.
pub(super) fn at_once<T>(
    work: impl Future<Output = Result<T, BackupError>>,
) -> Result<T, BackupError> {
    let never = || BackupError::Refused("a disk that blocks was not ready".into());
    work.now_or_never().ok_or_else(never)?
}

/// Makes shards that hold what the backup holds, durable, for the next start. Their folders must not be there yet.
///
/// # Errors
/// Something is damaged, the disk is full or fails; the folders are of no use then.
pub fn make_shards(
    to: &Fresh,
    reader: &mut Reader,
    control: &Control,
) -> Result<Restored, BackupError> {
    let disk: Rc<dyn Disk> = Rc::new(StdDisk);
    let places = at_once(make_places(&*disk, to, &reader.collections()))?;
    control.expect_bytes(reader.bytes_total());
    read_ahead(
        || reader.next_entry(),
        |ahead| {
            let mut next = || ahead.next_entry();
            at_once(async {
                let staged =
                    stage_on(Rc::clone(&disk), places.clone(), &to.partition, &mut next, control);
                let (staged, restored) = staged.await?;
                for (staged, place) in staged.iter().zip(&places) {
                    begin(Rc::clone(&disk), place, staged, to.level).await?;
                }
                Ok(restored)
            })
        },
    )
}

/// The folders of new shards, and what those need who fill them.
async fn make_places(
    disk: &dyn Disk,
    to: &Fresh,
    names: &BTreeSet<String>,
) -> Result<Vec<Place>, BackupError> {
    let collections = numbered(names)?;
    let mut places = Vec::new();
    for shard in 0..to.partition.shards() {
        let (dir, log_dir) = (to.data_dir.join(folder(shard)), to.log_dir.join(folder(shard)));
        for dir in [&dir, &log_dir] {
            let made = disk.create_dir_all(dir).await;
            made.map_err(|error| StorageError::io("cannot make", dir, error))?;
        }
        places.push(Place {
            dir,
            directory_id: to.directory_id,
            shard,
            numbers: 1..u64::MAX / 2,
            sequence: 1,
            collections: collections.clone(),
            blob_bytes_min: to.blob_bytes_min,
            table_bytes: to.table_bytes,
        });
    }
    Ok(places)
}

/// Numbers in the order of the names.
fn numbered(
    names: &BTreeSet<String>,
) -> Result<std::collections::BTreeMap<Arc<str>, CollectionId>, BackupError> {
    let numbered = (1..).zip(names).map(|(number, name)| {
        let id = CollectionId::new(number);
        let full =
            || BackupError::Refused("the backup has more collections than a shard can".into());
        Ok((Arc::from(&**name), id.ok_or_else(full)?))
    });
    numbered.collect()
}

/// Writes the manifest of a new shard.
async fn begin(
    disk: Rc<dyn Disk>,
    place: &Place,
    staged: &Staged,
    level: usize,
) -> Result<(), BackupError> {
    let used =
        staged.runs.iter().flatten().map(|meta| meta.number).chain(staged.blobs.iter().copied());
    let mut number = used.max().unwrap_or(0) + 1;
    let mut edit = staged.edit(level, &mut number);
    edit.collections =
        place.collections.iter().map(|(name, id)| (*id, Rc::from(&**name))).collect();
    edit.collections.sort_by_key(|(id, _)| *id);
    edit.file_number = Some(number);
    // No record was logged so far, and none is needed.
    edit.coverage = Some(Coverage::Before(staged.sequence + 1));
    let version = Version::default().apply(&edit).map_err(|misfit| {
        BackupError::Refused(format!("what was staged does not fit: {misfit}"))
    })?;
    let options = manifest::options(disk, place.dir.clone(), place.directory_id, place.shard);
    Ok(manifest::begin(options, version).await?)
}

impl Staged {
    /// The step that puts it over what a shard has: the oldest run at `level` where there is but one, otherwise all above. Runs
    /// take their numbers from `number`.
    pub(super) fn edit(&self, level: usize, number: &mut u64) -> Edit {
        let runs: Vec<_> = self.runs.iter().filter(|run| !run.is_empty()).collect();
        let level = if runs.len() == 1 { level } else { 0 };
        let mut edit = Edit { flushed_sequence: Some(self.sequence), ..Edit::default() };
        for tables in runs {
            let run = *number;
            *number += 1;
            edit.tables_added.extend(tables.iter().map(|meta| Addition {
                level: level as u8,
                run,
                meta: meta.clone(),
            }));
        }
        edit.blobs = self.blobs.iter().map(|file| BlobBytes { file: *file, bytes: 0 }).collect();
        edit
    }
}
