//! Which manifest counts at a start, and which version it leads to.
//!
//! ```text
//!  newest ─► has it a first record? ─ no ─► its making was cut short: the one before it
//!              │ yes
//!              ▼
//!            edits ─► version ─► ends with a mark: go on in it     torn tail, no mark, older format: take its place
//! ```

use super::{Edit, Manifest, writer};
use crate::storage::{
    StorageError,
    log::{self, Coverage, Found, LogOptions, Replay},
    version::Version,
};

/// A manifest that is ready for edits.
pub(in crate::storage) struct Opened {
    pub(in crate::storage) manifest: Manifest,
    pub(in crate::storage) version: Version,
}

/// Reads the manifest and makes it ready. A new shard gets one.
pub(in crate::storage) async fn open(options: LogOptions) -> Result<Opened, StorageError> {
    let Read { version, found, unfinished, others } = read_all(&options).await?;
    writer::remove(&options, &unfinished).await?;
    let manifest = match found {
        Some((number, found)) if found.is_clean() && found.is_vouched() && found.is_current() => {
            // This removes the older ones too.
            let log = found.resume(options.clone()).await?;
            Manifest::new(options, log, number, version.snapshot().encode().len())
        }
        found => {
            // Before the next is begun: of two that were cut short, the first would be taken for one that is damaged.
            let cut_short = found.and_then(|(_, found)| found.unfinished());
            writer::remove(&options, cut_short.as_slice()).await?;
            let others: Vec<u64> =
                others.into_iter().filter(|number| Some(*number) != cut_short).collect();
            let mut version = version;
            let number = version.file_number();
            version.skip_file_numbers(number);
            let manifest = Manifest::create(&options, number, &version).await?;
            writer::remove(&options, &others).await?;
            return Ok(Opened { manifest, version });
        }
    };
    Ok(Opened { manifest, version })
}

/// Reads the version that counts; changes nothing on the disk.
pub(in crate::storage) async fn read(options: &LogOptions) -> Result<Version, StorageError> {
    Ok(read_all(options).await?.version)
}

struct Read {
    version: Version,
    /// The manifest that counts, and its number.
    found: Option<(u64, Found)>,
    /// Newer ones, whose making was cut short.
    unfinished: Vec<u64>,
    /// All that are there when a new one takes the place of the one that counts.
    others: Vec<u64>,
}

async fn read_all(options: &LogOptions) -> Result<Read, StorageError> {
    let mut numbers = log::numbers(options).await?;
    let names = options.disk.list(&options.dir).await;
    let names = names.map_err(|error| StorageError::io("cannot list", &options.dir, error))?;
    let used = names.iter().filter_map(|name| file_number(name)).max().unwrap_or(0);

    let mut unfinished = Vec::new();
    while let Some(&newest) = numbers.last() {
        let mut edits = Edits(Version::default());
        let found = log::read(options, &numbers, 1, Coverage::Whole, &mut edits).await?;
        if found.records > 0 {
            let mut version = edits.0;
            version.skip_file_numbers(used);
            let number = found.last_number().unwrap_or(newest);
            return Ok(Read { version, found: Some((number, found)), unfinished, others: numbers });
        }
        unfinished.push(newest);
        numbers.pop();
    }
    if let Some(orphan) = names.iter().find(|name| is_data_file(name)) {
        let what = format!("the manifest is missing, though there is {orphan}");
        let (file, advice) = (options.dir.clone(), options.format.advice);
        return Err(StorageError::Corrupt { file, offset: 0, what, advice });
    }
    let mut version = Version::default();
    version.skip_file_numbers(used);
    Ok(Read { version, found: None, unfinished, others: Vec::new() })
}

/// Applies edits one after the other.
struct Edits(Version);

impl Replay for Edits {
    fn apply(&mut self, _sequence: u64, payload: &[u8]) -> Result<(), String> {
        let edit = Edit::decode(payload).ok_or("a record with a sound checksum makes no sense")?;
        self.0 = self.0.apply(&edit).map_err(|misfit| format!("an edit does not fit: {misfit}"))?;
        Ok(())
    }
}

/// The number in the name of a file that took it from the shard's counter.
fn file_number(name: &str) -> Option<u64> {
    let (digits, ending) = name.split_once('.')?;
    let is_ours = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_ours && matches!(ending, "sst" | "blob" | "manifest")).then(|| digits.parse().ok())?
}

fn is_data_file(name: &str) -> bool {
    file_number(name).is_some() && !name.ends_with(super::FORMAT.ending)
}
