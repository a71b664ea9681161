//! A backup that is being written: its folder under another name, and the steps that make a backup of it.
//!
//! ```text
//! NAME.partial ─► data files ─► manifest.bin ─► meta.bin ─► folder synced ─► NAME ─► folder above synced
//! ```

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};

use sha2::{Digest as _, Sha256};

use super::{
    BackupError, Copied, Folder, Roots,
    chain::{Chain, LINKS_MAX, Link, MANIFEST, META, siblings},
    copy::PARTIAL,
    manifest::Manifest,
    meta::{BackupId, Meta2},
};
use crate::utc::unix_millis;

/// Of which data directory a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its identity.
    pub directory_id: u64,
    /// Of the hash that spreads keys over its shards.
    pub seed: u64,
    /// Its shards.
    pub shards: u32,
}

/// A backup that is not finished. Dropping it leaves a folder that nobody takes for one.
#[derive(Debug)]
pub struct Draft {
    above: Folder,
    name: String,
    /// Where the data files go.
    pub folder: Folder,
    /// Its name.
    pub id: BackupId,
    /// What it rests on.
    pub parent: Option<Chain>,
    source: Source,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: u64,
}

impl Draft {
    /// Begins a backup in a folder that is not there yet. An incremental rests on `parent`, or on the newest that fits and lies
    /// beside it; where there is none, it will be a full one.
    ///
    /// # Errors
    /// The folder is refused, or the parent does not fit.
    pub fn begin(
        roots: &Roots,
        path: &str,
        (incremental, parent): (bool, Option<&str>),
        source: Source,
    ) -> Result<Self, BackupError> {
        let (above, name) = roots.vacant(path)?;
        let parent = match (incremental, parent) {
            (false, None) => None,
            (false, Some(_)) => {
                return Err(BackupError::Refused("a full backup has no parent".into()));
            }
            (true, Some(named)) => Some(named_parent(roots, named, &above, source)?),
            (true, None) => newest_parent(&above, source)?,
        };
        let partial = format!("{name}{PARTIAL}");
        above.remove(&partial)?;
        let folder = above.make(&partial)?;
        let created_at_ms = unix_millis();
        let id = BackupId::random()?;
        Ok(Self { above, name, folder, id, parent, source, created_at_ms })
    }

    /// The folder that it will lie in.
    #[must_use]
    pub fn above(&self) -> &Folder {
        &self.above
    }

    /// The folder that it will have, for people.
    #[must_use]
    pub fn shown(&self) -> std::path::PathBuf {
        self.above.shown().join(&self.name)
    }

    /// Makes a backup of what the shards have copied. It is whole and durable when this returns.
    ///
    /// # Errors
    /// The disk refuses something; there is no backup then.
    pub fn finish(&self, copied: Vec<Copied>) -> Result<(Manifest, u64), BackupError> {
        let mut all = Copied::default();
        for mut copied in copied {
            all.files.append(&mut copied.files);
            all.collections.append(&mut copied.collections);
            all.keys += copied.keys;
            all.deletions += copied.deletions;
            all.bytes += copied.bytes;
        }
        all.files.sort_by_key(|file| (file.shard, file.number));
        let Source { directory_id, seed, shards } = self.source;
        let manifest = Manifest {
            directory_id,
            seed,
            shards,
            created_at_ms: self.created_at_ms,
            id: self.id,
            parent: self.parent.as_ref().map(|parent| parent.manifest().id),
            keys: all.keys,
            deletions: all.deletions,
            bytes: all.bytes,
            collections: all.collections.into_iter().collect(),
            files: all.files,
        };
        let bytes = manifest.encode();
        let meta = Meta2 {
            keys: manifest.keys,
            bytes: manifest.bytes,
            id: manifest.id,
            parent: manifest.parent,
            manifest_bytes: bytes.len() as u64,
            manifest_hash: Sha256::digest(&bytes).into(),
        };
        let meta = meta.encode();
        self.write(MANIFEST, &bytes)?;
        self.write(META, &meta)?;
        self.folder.sync()?;
        self.above.rename(&format!("{}{PARTIAL}", self.name), &self.name)?;
        self.above.sync()?;
        let size = manifest.data_bytes() + (bytes.len() + meta.len()) as u64;
        Ok((manifest, size))
    }

    /// Removes what has been written.
    pub fn abandon(self) {
        // What stays is no backup, and goes with the next one of the same name.
        if let Err(error) = self.above.remove(&format!("{}{PARTIAL}", self.name)) {
            tracing::warn!("what is left of a backup was not removed: {error}");
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let written = || -> std::io::Result<()> {
            let mut options = std::fs::OpenOptions::new();
            let path = self.folder.path().join(name);
            let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        written().map_err(|error| BackupError::io("write", self.folder.shown().join(name), error))
    }
}

/// Whether something of `source` can rest on it, word by word.
fn fits(manifest: &Manifest, source: Source) -> Result<(), &'static str> {
    let Source { directory_id, seed, shards } = source;
    if (manifest.directory_id, manifest.seed, manifest.shards) != (directory_id, seed, shards) {
        return Err(
            "is of another data directory, or of another number of shards; make a full backup",
        );
    }
    Ok(())
}

fn named_parent(
    roots: &Roots,
    named: &str,
    above: &Folder,
    source: Source,
) -> Result<Chain, BackupError> {
    let (folder, beside) = roots.existing(named)?;
    if beside.shown() != above.shown() {
        let (parent, above) = (folder.shown().display(), above.shown().display());
        return Err(BackupError::Refused(format!(
            "{parent} does not lie in {above}: a chain lies in one folder"
        )));
    }
    let chain = Chain::open(folder, &beside)?;
    let refuse = |why: &str| {
        let shown = chain.links()[0].folder.shown().display();
        BackupError::Refused(format!("{shown} {why}"))
    };
    fits(chain.manifest(), source).map_err(refuse)?;
    if chain.length() >= LINKS_MAX {
        return Err(refuse("has a chain that is long enough; make a full backup"));
    }
    Ok(chain)
}

/// The newest backup in a folder that fits and is whole.
fn newest_parent(above: &Folder, source: Source) -> Result<Option<Chain>, BackupError> {
    let mut newest: Option<(u64, String)> = None;
    for (name, _) in siblings(above)? {
        let Ok(link) = above.folder(&name).and_then(Link::open) else { continue };
        let at = link.manifest.created_at_ms;
        if fits(&link.manifest, source).is_ok()
            && newest.as_ref().is_none_or(|(last, _)| at > *last)
        {
            newest = Some((at, name));
        }
    }
    let Some((_, name)) = newest else { return Ok(None) };
    match Chain::open(above.folder(&name)?, above) {
        Ok(chain) if chain.length() < LINKS_MAX => Ok(Some(chain)),
        Ok(_) => Ok(None),
        Err(error) => {
            tracing::warn!(
                "the newest backup cannot be built upon, so this one will be full: {error}"
            );
            Ok(None)
        }
    }
}
