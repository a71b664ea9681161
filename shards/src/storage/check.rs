//! Looks at all files of a shard that is not in use, and names what is wrong. `docs/reference/check.md` says what counts.
//!
//! ```text
//! manifest ─► tables, every block ─┐
//!             log, every record ───┴─► newest entry of each key ─► its large value, by its hash
//!             folders ─► files that nobody names
//! ```
//!
//! Always true: nothing is changed.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    rc::Rc,
};

use futures_util::FutureExt as _;

use super::{
    StorageError,
    blob::{self, BlobFile},
    cache::Cache,
    disk::{Disk, blocking::StdDisk},
    entry::{BlobRef, Change, CollectionId, split_table_key},
    header::Binding,
    key::Key,
    layer::Visible,
    log::{self, LogOptions},
    manifest,
    memtable::{Frozen, Memtable},
    merge::Target,
    recovery::Records,
    table::{self, Table},
    version::Version,
    view::View,
    wal,
};

/// Whose files are looked at.
pub struct CheckOptions {
    /// The folder of the shard's log.
    pub log_dir: PathBuf,
    /// The folder of its other files.
    pub data_dir: PathBuf,
    /// Identity of the data directory.
    pub directory_id: u64,
    /// The shard.
    pub shard: u32,
}

/// Something that is not as it should be.
#[derive(Debug)]
pub enum Finding {
    /// Bytes are not what was written, or something is missing.
    Damaged(StorageError),
    /// A file that nobody names.
    LeftOver(PathBuf),
}

/// What a check has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Tables that could be opened.
    pub tables: u64,
    /// Entries in them, old ones and tombstones included.
    pub entries: u64,
    /// Blob files that could be opened.
    pub blob_files: u64,
    /// Large values that were read, and bytes of them.
    pub values: u64,
    /// Bytes of those values.
    pub value_bytes: u64,
    /// Records of the log that are in no table.
    pub records: u64,
    /// Bytes at the end of the log that a start drops: writes that were never promised to survive a crash.
    pub truncated_bytes: u64,
    /// Nothing says what entries refer to, because of damage.
    pub references_unknown: bool,
}

/// Looks at the files of a shard, with calls that block, and hands over what it finds.
///
/// # Panics
/// Never: a disk that blocks is always ready.
pub fn check(options: CheckOptions, report: &mut dyn FnMut(Finding)) -> Checked {
    let checked = check_on(Rc::new(StdDisk), options, report).now_or_never();
    checked.expect("a disk that blocks is always ready")
}

/// The same on any disk.
pub(super) async fn check_on(
    disk: Rc<dyn Disk>,
    options: CheckOptions,
    report: &mut dyn FnMut(Finding),
) -> Checked {
    let mut check = Check { disk, options, report, checked: Checked::default() };
    if let Err(error) = check.run().await {
        check.damaged(error);
        check.checked.references_unknown = true;
    }
    check.checked
}

struct Check<'a> {
    disk: Rc<dyn Disk>,
    options: CheckOptions,
    report: &'a mut dyn FnMut(Finding),
    checked: Checked,
}

impl Check<'_> {
    async fn run(&mut self) -> Result<(), StorageError> {
        let CheckOptions { log_dir, data_dir, directory_id, shard } = &self.options;
        let (log_dir, data_dir) = (log_dir.clone(), data_dir.clone());
        let (directory_id, shard) = (*directory_id, *shard);
        // Reading a log makes its folder.
        let (in_data, in_log) = (self.names(&data_dir).await?, self.names(&log_dir).await?);
        let of_manifest =
            manifest::options(Rc::clone(&self.disk), data_dir.clone(), directory_id, shard);
        let version = manifest::read(&of_manifest).await?;
        self.left_over(&data_dir, &in_data, |name| {
            let table = |number| version.tables().any(|table| table.meta.number == number);
            match (table::number(name), blob::number(name)) {
                (Some(number), _) => table(number),
                (_, Some(number)) => version.blobs().contains_key(&number),
                _ => log::is_segment(manifest::format(), name),
            }
        });
        self.left_over(&log_dir, &in_log, |name| log::is_segment(&wal::FORMAT, name));

        let mut sound = self.tables(&version).await;
        let blobs = self.blob_files(&version).await;
        let view = View { version: Rc::new(version), blobs };
        let mut memtable = Memtable::default();
        memtable.set_has_tables(view.has_tables());
        for (number, name) in view.version.collections().iter() {
            memtable.set_number(name, number);
        }
        let (disk, format) = (Rc::clone(&self.disk), &wal::FORMAT);
        let of_log =
            LogOptions { format, disk, dir: log_dir, directory_id, shard, segment_bytes: u64::MAX };
        match self.log(&of_log, &view, &mut memtable).await {
            Ok((records, truncated_bytes)) => {
                self.checked.records = records;
                self.checked.truncated_bytes = truncated_bytes;
            }
            Err(error) => {
                self.damaged(error);
                sound = false;
            }
        }
        self.checked.references_unknown = !sound;
        if sound {
            memtable.freeze(0);
            if let Some(frozen) = memtable.oldest_frozen() {
                self.references(&view, frozen).await?;
            }
        }
        for file in view.blobs.values() {
            file.close().await;
        }
        for table in view.version.tables().filter_map(|table| table.opened()) {
            table.close().await;
        }
        Ok(())
    }

    async fn names(&self, dir: &Path) -> Result<Vec<String>, StorageError> {
        let names = self.disk.list(dir).await;
        names.map_err(|error| StorageError::io("cannot list", dir, error))
    }

    fn left_over(&mut self, dir: &Path, names: &[String], is_named: impl Fn(&str) -> bool) {
        for name in names.iter().filter(|name| !is_named(name)) {
            (self.report)(Finding::LeftOver(dir.join(name)));
        }
    }

    fn damaged(&mut self, error: StorageError) {
        (self.report)(Finding::Damaged(error));
    }

    fn binding(&self, number: u64) -> Binding {
        let CheckOptions { directory_id, shard, .. } = self.options;
        Binding { directory_id, shard, number }
    }

    /// Opens and reads all tables; says whether they are sound.
    async fn tables(&mut self, version: &Version) -> bool {
        let mut sound = true;
        for live in version.tables() {
            let (meta, dir) = (&live.meta, &self.options.data_dir);
            let (path, binding) = (table::path(dir, meta.number), self.binding(meta.number));
            match Table::open(&*self.disk, path, binding, Some(meta)).await {
                Ok(table) => {
                    self.checked.tables += 1;
                    self.checked.entries += meta.entries;
                    let report = &mut self.report;
                    let damaged = |error| {
                        sound = false;
                        report(Finding::Damaged(error));
                    };
                    table.check(damaged).await;
                    live.open(Rc::new(table));
                }
                Err(error) => {
                    sound = false;
                    self.damaged(error);
                }
            }
        }
        sound
    }

    async fn blob_files(&mut self, version: &Version) -> BTreeMap<u64, Rc<BlobFile>> {
        let mut files = BTreeMap::new();
        for &number in version.blobs().keys() {
            let (dir, binding) = (&self.options.data_dir, self.binding(number));
            match BlobFile::open(&*self.disk, dir, binding).await {
                Ok(file) => {
                    files.insert(number, Rc::new(file));
                }
                Err(error) => self.damaged(error),
            }
        }
        self.checked.blob_files = files.len() as u64;
        files
    }

    async fn log(
        &self,
        options: &LogOptions,
        view: &View,
        memtable: &mut Memtable,
    ) -> Result<(u64, u64), StorageError> {
        let numbers = log::numbers(options).await?;
        let (from, coverage) = (view.version.flushed_sequence() + 1, view.version.coverage());
        let mut records = Records::new(memtable, view, None);
        let found = log::read(options, &numbers, from, coverage, &mut records).await?;
        // What all parts refer to has to be there, whether they count or not.
        let Records { memtable, stash, .. } = records;
        stash.resolve(memtable, |_| true);
        Ok((found.records, found.truncated_bytes))
    }

    /// Reads the large value of every key that a client can see.
    async fn references(&mut self, view: &View, newer: &Frozen) -> Result<(), StorageError> {
        let in_log: HashMap<&str, &BTreeMap<Key, Visible>> =
            newer.collections().map(|(name, entries)| (&**name, entries)).collect();
        for entry in in_log.values().flat_map(|entries| entries.values()) {
            self.follow(view, &entry.change).await;
        }
        let names: HashMap<CollectionId, &BTreeMap<Key, Visible>> = view
            .version
            .collections()
            .iter()
            .filter_map(|(number, name)| Some((number, *in_log.get(&**name)?)))
            .collect();
        let mut merge = view.merge(&Rc::new(Cache::new(0)), &[], &[0xff; 5]);
        merge.seek(Target::First).await?;
        while let Some(newest) = merge.next_newest().await? {
            let hidden = split_table_key(newest.table_key).is_some_and(|(collection, key)| {
                names.get(&collection).is_some_and(|entries| entries.contains_key(key))
            });
            if !hidden {
                self.follow(view, &newest.entry.change).await;
            }
        }
        Ok(())
    }

    async fn follow(&mut self, view: &View, change: &Change) {
        let Change::Blob(_, blob) = change else { return };
        match read(view, *blob).await {
            Ok(bytes) => {
                self.checked.values += 1;
                self.checked.value_bytes += bytes;
            }
            // A file that cannot be opened has been named once.
            Err(None) => {}
            Err(Some(error)) => self.damaged(error),
        }
    }
}

async fn read(view: &View, blob: BlobRef) -> Result<u64, Option<StorageError>> {
    if view.version.blobs().contains_key(&blob.file) && !view.blobs.contains_key(&blob.file) {
        return Err(None);
    }
    let data = view.read(&Cache::new(0), blob).await;
    data.map(|data| data.len() as u64).map_err(Some)
}
