//! Reads every byte of a backup and of all that it rests on, and names what is damaged.

use super::{
    BackupError, Folder,
    chain::{Chain, read_meta},
    chunk::Kept,
    control::Control,
    digest::Digests,
    meta::BackupMeta,
    version_1,
};

/// Damages that are kept word by word.
const DAMAGES_MAX: usize = 1000;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Entries that were read.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Files that were read.
    pub files: u64,
    /// Backups: one, or a chain.
    pub links: u32,
    /// What is wrong, the first thousand.
    pub damages: Vec<String>,
    /// How much is wrong.
    pub damages_total: u64,
}

impl Verified {
    /// Something is wrong.
    pub fn note(&mut self, error: &BackupError) {
        self.note_line(error.to_string());
    }

    /// The same in words.
    pub fn note_line(&mut self, line: String) {
        self.damages_total += 1;
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(line);
        }
    }
}

/// Reads the backup in `folder`, and its chain in `parent`.
///
/// # Errors
/// Somebody asked for the end, or a folder cannot be read. What is damaged is no error but found.
pub fn verify(
    folder: &Folder,
    parent: &Folder,
    control: &Control,
) -> Result<Verified, BackupError> {
    let mut found = Verified { links: 1, ..Verified::default() };
    let chain = match read_meta(folder) {
        Ok(BackupMeta::Version1 { keys, .. }) => {
            found.files = 2;
            let read = version_1::Rows::open(folder, keys, "default");
            let read = read.and_then(|mut rows| {
                while let Some(entry) = rows.next_entry()? {
                    count(&mut found, entry.key.len() + entry.data.len(), control)?;
                }
                Ok(())
            });
            return noted(found, read);
        }
        Ok(BackupMeta::Version2(_)) => Chain::open(folder.clone(), parent),
        Err(error) => Err(error),
    };
    let chain = match chain {
        Ok(chain) => chain,
        Err(error) => return noted(found, Err(error)),
    };
    found.links = chain.length() as u32;
    let bytes = chain.links().iter().map(|link| link.manifest.data_bytes());
    control.expect_bytes(bytes.fold(0, u64::saturating_add));
    let digests = Digests::default();
    for link in chain.links() {
        let mut shards: Vec<u32> = link.manifest.files.iter().map(|file| file.shard).collect();
        shards.dedup();
        let (mut keys, mut deletions, mut bytes) = (0, 0, 0);
        let damages = found.damages_total;
        for shard in shards {
            let mut stream = link.stream(shard, Some(digests.clone()));
            let read = loop {
                match stream.next_entry() {
                    Ok(Some(entry)) => {
                        let length = entry.key.len() + entry.data.len();
                        match entry.kept {
                            Kept::Value(_) => keys += 1,
                            Kept::Deleted => deletions += 1,
                        }
                        bytes += length as u64;
                        if let Err(error) = count(&mut found, length, control) {
                            break Err(error);
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            found = noted(found, read)?;
        }
        found.files += 2 + link.manifest.files.len() as u64;
        let manifest = &link.manifest;
        let told = (manifest.keys, manifest.deletions, manifest.bytes);
        if found.damages_total == damages && told != (keys, deletions, bytes) {
            let path = link.folder.shown().join(super::chain::MANIFEST);
            found.note(&BackupError::damaged(path, 0, "its counts are not those of its files"));
        }
    }
    Ok(found)
}

fn count(found: &mut Verified, bytes: usize, control: &Control) -> Result<(), BackupError> {
    found.keys += 1;
    found.bytes += bytes as u64;
    control.note(1, bytes as u64);
    control.check()
}

/// What is damaged is found; what hinders the look is an error.
fn noted(mut found: Verified, read: Result<(), BackupError>) -> Result<Verified, BackupError> {
    match read {
        Ok(()) => Ok(found),
        Err(BackupError::Cancelled) => Err(BackupError::Cancelled),
        Err(error) => {
            found.note(&error);
            Ok(found)
        }
    }
}
