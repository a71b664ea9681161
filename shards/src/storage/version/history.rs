//! Versions that somebody still holds, and files that nobody can read any more.
//!
//! ```text
//!  install ─► current ─► past, as long as a reader holds it
//!                │
//!                └─ files it has no more ─► doomed ─(in no version that is held)─► trash, for the owner to remove
//! ```
//!
//! Always true: a file in the trash is in no version that is held, and in none that will be: numbers are never used twice.

use std::{
    collections::HashSet,
    rc::{Rc, Weak},
};

use super::Version;

/// A file of the data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::storage) enum DataFile {
    Table(u64),
    Blob(u64),
}

/// The current version and those before it that are in use.
pub(in crate::storage) struct History {
    current: Rc<Version>,
    past: Vec<Weak<Version>>,
    /// Files of past versions that the current one does not have.
    doomed: Vec<DataFile>,
}

impl History {
    pub(in crate::storage) fn new(version: Version) -> Self {
        Self { current: Rc::new(version), past: Vec::new(), doomed: Vec::new() }
    }

    pub(in crate::storage) fn current(&self) -> &Rc<Version> {
        &self.current
    }

    /// Makes `next` the current version; the edit that leads to it is durable.
    pub(in crate::storage) fn install(&mut self, next: Version) {
        let kept: HashSet<DataFile> = next.files().collect();
        self.doomed.extend(self.current.files().filter(|file| !kept.contains(file)));
        let before = std::mem::replace(&mut self.current, Rc::new(next));
        self.past.push(Rc::downgrade(&before));
    }

    /// Files that nobody reads any more: they are to be removed. Each is given once.
    pub(in crate::storage) fn trash(&mut self) -> Vec<DataFile> {
        self.past.retain(|version| version.strong_count() > 0);
        if self.doomed.is_empty() {
            return Vec::new();
        }
        let past: Vec<_> = self.past.iter().filter_map(Weak::upgrade).collect();
        let held: HashSet<DataFile> = past.iter().flat_map(|version| version.files()).collect();
        let (doomed, trash) = self.doomed.drain(..).partition(|file| held.contains(file));
        self.doomed = doomed;
        trash
    }

    /// Files that wait for a reader.
    pub(in crate::storage) fn doomed(&self) -> &[DataFile] {
        &self.doomed
    }
}

impl Version {
    /// All files that it names.
    pub(in crate::storage) fn files(&self) -> impl Iterator<Item = DataFile> {
        let tables = self.tables().map(|table| DataFile::Table(table.meta.number));
        tables.chain(self.blobs().keys().map(|file| DataFile::Blob(*file)))
    }
}
