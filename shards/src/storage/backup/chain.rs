//! A backup with all that it rests on, and the rows of all of it together.
//!
//! ```text
//! newest ─► parent ─► … ─► full          folders side by side, found by the ids in their meta.bin
//!    └─────────┴────────────┴─► rows: of each key what the newest says; what it says is gone is left out
//! ```

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
    io::{ErrorKind, Read as _},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use super::{
    BackupError, Folder,
    chunk::Kept,
    copy::PARTIAL,
    digest::Digests,
    folder::Kind,
    manifest::{DataFile, Manifest},
    meta::{self, BackupId, BackupMeta, Meta2, MetaFault},
    stream::{Entry, Stream},
    version_1,
};

pub(super) const META: &str = "meta.bin";
pub(super) const MANIFEST: &str = "manifest.bin";
/// Longer ones are not read. It is enough for half a million data files.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Backups in a chain.
pub(super) const LINKS_MAX: usize = 1000;

/// One backup.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) folder: Folder,
    pub(super) manifest: Manifest,
}

/// A backup with all that it rests on.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The newest first.
    links: Vec<Arc<Link>>,
}

/// What is read from a folder, entry by entry.
pub enum Reader {
    /// Of the public AmateRS server.
    Version1(Box<version_1::Rows>),
    /// Of this server.
    Version2(Box<Rows>),
}

impl Reader {
    /// Opens the backup in `folder`, whose chain lies in `parent`. The keys of version 1 go to `collection`.
    ///
    /// # Errors
    /// It is none, a part of its chain is not there, or something is damaged.
    pub fn open(folder: &Folder, parent: &Folder, collection: &str) -> Result<Self, BackupError> {
        match read_meta(folder)? {
            BackupMeta::Version1 { keys, .. } => {
                Ok(Self::Version1(Box::new(version_1::Rows::open(folder, keys, collection)?)))
            }
            BackupMeta::Version2(_) => {
                Ok(Self::Version2(Box::new(Chain::open(folder.clone(), parent)?.rows())))
            }
        }
    }

    /// The next value, with its data. Places ascend, but for version 1, where they may begin anew now and then. After the last
    /// one everything has been checked.
    ///
    /// # Errors
    /// Something is damaged.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, BackupError> {
        match self {
            Self::Version1(rows) => rows.next_entry(),
            Self::Version2(rows) => rows.next_entry(),
        }
    }

    /// The collections that occur.
    #[must_use]
    pub fn collections(&self) -> BTreeSet<String> {
        match self {
            Self::Version1(rows) => BTreeSet::from([rows.collection().to_owned()]),
            Self::Version2(rows) => rows.collections.clone(),
        }
    }

    /// Its schema version.
    #[must_use]
    pub fn schema_version(&self) -> u32 {
        match self {
            Self::Version1(_) => 1,
            Self::Version2(_) => 2,
        }
    }

    /// Folders that are read.
    #[must_use]
    pub fn links(&self) -> u32 {
        match self {
            Self::Version1(_) => 1,
            Self::Version2(rows) => rows.links,
        }
    }

    /// Bytes of what is read.
    #[must_use]
    pub fn bytes_total(&self) -> u64 {
        match self {
            Self::Version1(rows) => rows.bytes_total(),
            Self::Version2(rows) => rows.bytes_total,
        }
    }
}

/// What `meta.bin` says.
pub(super) fn read_meta(folder: &Folder) -> Result<BackupMeta, BackupError> {
    let path = || folder.shown().join(META);
    let missing =
        |what: &str| BackupError::NoBackup { path: folder.shown().to_owned(), what: what.into() };
    // One that was cut short just before its last step has all its files.
    if folder.shown().to_string_lossy().ends_with(PARTIAL) {
        return Err(missing("it was not finished"));
    }
    let file = folder.file(META).map_err(|error| match error {
        BackupError::Io { error, .. } if error.kind() == ErrorKind::NotFound => {
            missing("meta.bin is missing")
        }
        error => error,
    })?;
    let mut bytes = Vec::new();
    let read = file.take(meta::BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| BackupError::io("read", path(), error))?;
    if bytes.len() as u64 > meta::BYTES_MAX {
        return Err(BackupError::damaged(
            path(),
            meta::BYTES_MAX,
            "it is longer than any meta.bin",
        ));
    }
    BackupMeta::decode(&bytes).map_err(|fault| match fault {
        MetaFault::Damaged(what) => BackupError::damaged(path(), 0, what),
        MetaFault::Version(version) => BackupError::Version { path: path(), version },
    })
}

impl Link {
    pub(super) fn open(folder: Folder) -> Result<Self, BackupError> {
        match read_meta(&folder)? {
            BackupMeta::Version2(meta) => Self::with_meta(folder, &meta),
            BackupMeta::Version1 { .. } => Err(BackupError::Refused(format!(
                "{} has schema version 1; nothing can rest on it",
                folder.shown().display()
            ))),
        }
    }

    fn with_meta(folder: Folder, meta: &Meta2) -> Result<Self, BackupError> {
        let path = folder.shown().join(MANIFEST);
        let damaged = |what: &str| BackupError::damaged(path.clone(), 0, what);
        let file = folder.file(MANIFEST).map_err(|error| match error {
            BackupError::Io { error, .. } if error.kind() == ErrorKind::NotFound => {
                damaged("the file is missing")
            }
            error => error,
        })?;
        let failed = |error| BackupError::io("read", path.clone(), error);
        let length = file.metadata().map_err(failed)?.len();
        if length != meta.manifest_bytes || length > MANIFEST_BYTES_MAX {
            return Err(damaged("it has another length than meta.bin says"));
        }
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes).map_err(failed)?;
        if <[u8; 32]>::from(Sha256::digest(&bytes)) != meta.manifest_hash {
            return Err(damaged("its hash is not the one in meta.bin"));
        }
        let manifest = Manifest::decode(&bytes).ok_or_else(|| damaged("it makes no sense"))?;
        let same = manifest.id == meta.id
            && manifest.parent == meta.parent
            && (manifest.keys, manifest.bytes) == (meta.keys, meta.bytes);
        if !same {
            return Err(damaged("it is of another backup than meta.bin"));
        }
        Ok(Self { folder, manifest })
    }

    fn files_of(&self, shard: u32) -> Vec<DataFile> {
        self.manifest.files.iter().filter(|file| file.shard == shard).cloned().collect()
    }

    /// Walks over one shard; data are read if there is somebody to hash them.
    pub(super) fn stream(&self, shard: u32, digests: Option<Digests>) -> Stream {
        Stream::new(self.folder.clone(), self.manifest.id, self.files_of(shard), digests)
    }
}

/// The finished backups of this server in a folder, with their names. What is damaged is left out.
pub(super) fn siblings(parent: &Folder) -> Result<Vec<(String, Meta2)>, BackupError> {
    let mut found = Vec::new();
    for name in parent.names()? {
        if name.ends_with(PARTIAL) || parent.kind(&name)? != Some(Kind::Folder) {
            continue;
        }
        let meta = parent.folder(&name).and_then(|folder| read_meta(&folder));
        if let Ok(BackupMeta::Version2(meta)) = meta {
            found.push((name, meta));
        }
    }
    Ok(found)
}

impl Chain {
    /// The backup in `folder`, and all that it rests on, which lies in `parent`.
    ///
    /// # Errors
    /// It is none, a part of its chain is not there, or something is damaged.
    pub fn open(folder: Folder, parent: &Folder) -> Result<Self, BackupError> {
        let mut links = vec![Arc::new(Link::open(folder)?)];
        let mut beside: Option<HashMap<BackupId, String>> = None;
        while let Some(last) = links.last()
            && let Some(wanted) = last.manifest.parent
        {
            let beside = match &mut beside {
                Some(beside) => beside,
                none => none.insert(
                    siblings(parent)?.into_iter().map(|(name, meta)| (meta.id, name)).collect(),
                ),
            };
            // Each is taken once: a circle ends as well.
            let name = beside.remove(&wanted).filter(|_| links.len() < LINKS_MAX);
            let name = name.ok_or_else(|| BackupError::NoParent {
                path: last.folder.shown().to_owned(),
                parent: wanted.to_string(),
            })?;
            links.push(Arc::new(Link::open(parent.folder(&name)?)?));
        }
        Ok(Self { links })
    }

    /// What the newest says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.links[0].manifest
    }

    /// How many backups there are.
    #[must_use]
    pub fn length(&self) -> usize {
        self.links.len()
    }

    pub(super) fn links(&self) -> &[Arc<Link>] {
        &self.links
    }

    /// The rows of one shard, without data, of chains that come from one data directory.
    pub(super) fn rows_of(&self, shard: u32) -> Rows {
        let streams = self.links.iter().enumerate();
        let streams = streams.map(|(age, link)| (age, link.stream(shard, None)));
        Rows::new(streams.collect(), self)
    }

    /// The rows of all shards, with their data.
    #[must_use]
    pub fn rows(&self) -> Rows {
        let (mut streams, digests) = (Vec::new(), Digests::default());
        let stream = |link: &Link, shard| link.stream(shard, Some(digests.clone()));
        for (age, link) in self.links.iter().enumerate() {
            let shards: BTreeSet<u32> = link.manifest.files.iter().map(|file| file.shard).collect();
            streams.extend(shards.into_iter().map(|shard| (age, stream(link, shard))));
        }
        Rows::new(streams, self)
    }
}

/// Where an entry stands in the order of all: by collection and key, of one key the newest first.
type Place = (Arc<str>, Box<[u8]>, usize, usize);

/// Rows of many streams, in order.
pub struct Rows {
    streams: Vec<(usize, Stream)>,
    /// The next entry of each stream that has one.
    next: Vec<Option<Entry>>,
    order: BinaryHeap<Reverse<Place>>,
    begun: bool,
    collections: BTreeSet<String>,
    links: u32,
    bytes_total: u64,
}

impl Rows {
    fn new(streams: Vec<(usize, Stream)>, chain: &Chain) -> Self {
        let manifests = || chain.links.iter().map(|link| &link.manifest);
        Self {
            next: streams.iter().map(|_| None).collect(),
            streams,
            order: BinaryHeap::new(),
            begun: false,
            collections: manifests()
                .flat_map(|manifest| manifest.collections.iter().cloned())
                .collect(),
            links: chain.links.len() as u32,
            bytes_total: manifests().map(Manifest::data_bytes).fold(0, u64::saturating_add),
        }
    }

    /// The next value; none at the end.
    ///
    /// # Errors
    /// Something is damaged.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, BackupError> {
        if !std::mem::replace(&mut self.begun, true) {
            for index in 0..self.streams.len() {
                self.advance(index)?;
            }
        }
        while let Some(newest) = self.pop()? {
            // What older backups say of the same key.
            while let Some(Reverse((collection, key, ..))) = self.order.peek()
                && (collection, key) == (&newest.collection, &newest.key)
            {
                self.pop()?;
            }
            if matches!(newest.kept, Kept::Value(_)) {
                return Ok(Some(newest));
            }
        }
        Ok(None)
    }

    fn pop(&mut self) -> Result<Option<Entry>, BackupError> {
        let Some(Reverse((.., index))) = self.order.pop() else { return Ok(None) };
        let entry = self.next[index].take();
        self.advance(index)?;
        Ok(entry)
    }

    fn advance(&mut self, index: usize) -> Result<(), BackupError> {
        let (age, stream) = &mut self.streams[index];
        if let Some(entry) = stream.next_entry()? {
            let place = (Arc::clone(&entry.collection), entry.key.clone(), *age, index);
            self.order.push(Reverse(place));
            self.next[index] = Some(entry);
        }
        Ok(())
    }
}
