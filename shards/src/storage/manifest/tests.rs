//! The manifest over a disk that stops, lies and rots: what comes back is the last version that counted, or the one after.

use std::{path::PathBuf, rc::Rc};

use bytes::Bytes;

use super::{Addition, BlobBytes, Edit, FORMAT, Manifest, Opened, open, options, read};
use crate::storage::{
    StorageError,
    disk::{
        Disk, Opening,
        sim::{Crash, Dice, Fault, SimDisk},
    },
    entry::CollectionId,
    header,
    log::{AppendError, Coverage, LogOptions},
    table::TableMeta,
    tests::machine::{finish, with_seeds},
    version::Version,
};

const DIR: &str = "/data/shard-0000";

fn options_on(disk: &SimDisk) -> LogOptions {
    options(Rc::new(disk.clone()), DIR.into(), 7, 0)
}

fn reopen(disk: &SimDisk) -> Result<Opened, StorageError> {
    finish(open(options_on(disk)))
}

fn path(number: u64) -> PathBuf {
    PathBuf::from(format!("{DIR}/{number:020}.manifest"))
}

fn make_file(disk: &SimDisk, path: &str) {
    finish(async {
        disk.open(path.as_ref(), Opening::Fresh).await?;
        disk.sync_dir(DIR.as_ref()).await
    })
    .unwrap();
}

/// What a crash leaves of a manifest that was being made.
fn make_torn_file(disk: &SimDisk, path: &std::path::Path) {
    finish(async {
        let file = disk.open(path, Opening::Fresh).await?;
        let mut block = file.buffer(4096);
        block.fill(0);
        block[512..1024].fill(9);
        file.write_at(0, block).await?;
        file.sync().await?;
        disk.sync_dir(DIR.as_ref()).await
    })
    .unwrap();
}

/// All that a version says, but for file numbers that nobody uses.
fn said(version: &Version) -> Edit {
    Edit { file_number: None, ..version.snapshot() }
}

/// A table that overlaps no other; long keys fill a manifest quickly.
fn meta(number: u64, sequence: u64, key_bytes: usize) -> TableMeta {
    let key = |end: u8| {
        let mut key = number.to_be_bytes().to_vec();
        key.resize(key_bytes, end);
        Bytes::from(key)
    };
    TableMeta {
        number,
        bytes: 8192,
        entries: 5,
        tombstones: 0,
        blocks: 1,
        sequence_min: sequence,
        sequence_max: sequence,
        key_bytes: 50,
        data_bytes: 50,
        smallest: key(0),
        largest: key(1),
        blobs: Vec::new(),
    }
}

/// A shard that writes edits as an engine would.
struct Writer {
    manifest: Manifest,
    version: Version,
    file_number: u64,
}

impl Writer {
    fn new(Opened { manifest, version }: Opened) -> Self {
        Self { manifest, file_number: version.file_number(), version }
    }

    fn on(disk: &SimDisk) -> Self {
        Self::new(reopen(disk).unwrap())
    }

    fn take_number(&mut self) -> u64 {
        self.file_number += 1;
        self.file_number - 1
    }

    fn append(&mut self, edit: Edit) -> Result<(), AppendError> {
        let appended = self.manifest.append(&self.version, edit, &mut self.file_number);
        self.version = finish(appended)?;
        Ok(())
    }

    fn flush(&mut self, key_bytes: usize) -> Edit {
        let sequence = self.version.flushed_sequence() + 1;
        let number = self.take_number();
        let meta = meta(number, sequence, key_bytes);
        let tables_added = vec![Addition { level: 0, run: number, meta }];
        Edit { tables_added, flushed_sequence: Some(sequence), ..Edit::default() }
    }

    fn random_edit(&mut self, dice: &mut Dice) -> Edit {
        let key_bytes = if dice.one_in(4) { 50_000 } else { 12 };
        let mut edit = match dice.below(5) {
            0 | 1 => self.flush(key_bytes),
            2 => {
                let file = self.take_number();
                let blobs = vec![BlobBytes { file, bytes: 1000 }];
                let garbage = vec![BlobBytes { file, bytes: dice.below(1000) }];
                Edit { blobs, garbage, ..Edit::default() }
            }
            3 => {
                let coverage = if dice.one_in(2) {
                    Coverage::Whole
                } else {
                    Coverage::Before(1 + dice.below(50))
                };
                Edit { coverage: Some(coverage), ..Edit::default() }
            }
            _ => {
                let id = self.version.collections().next_id().unwrap();
                let name = Rc::from(format!("collection {}", id.number()));
                Edit { collections: vec![(id, name)], ..Edit::default() }
            }
        };
        let tables = self.version.tables().filter(|_| dice.one_in(2));
        edit.tables_removed = tables.map(|table| table.meta.number).collect();
        edit
    }
}

/// Several lives; returns how many manifests were replaced.
fn story(seed: u64) -> u64 {
    let (disk, mut dice) = (SimDisk::new(seed), Dice::new(seed ^ 0xed17));
    // The last version that counted, and the one that may count.
    let (mut old, mut new) = (said(&Version::default()), None);
    let mut replaced = 0;
    for _ in 0..8 {
        match dice.below(8) {
            0..=4 => disk.crash_after(dice.below(60)),
            5 => disk.fail_after(dice.below(60), Fault::Io),
            6 => disk.fail_after(dice.below(60), Fault::NoSpace),
            _ => {}
        }
        match reopen(&disk) {
            Ok(opened) => {
                let found = said(&opened.version);
                assert!(
                    found == old || Some(&found) == new.as_ref(),
                    "{found:?}\n{old:?}\n{new:?}"
                );
                (old, new) = (found, None);
                let mut writer = Writer::new(opened);
                for _ in 0..dice.below(20) {
                    let edit = writer.random_edit(&mut dice);
                    new = Some(said(&writer.version.apply(&at_least(&edit, &writer)).unwrap()));
                    let before = disk.files();
                    match writer.append(edit) {
                        Ok(()) => {
                            assert_eq!(Some(&said(&writer.version)), new.as_ref());
                            (old, new) = (said(&writer.version), None);
                        }
                        Err(AppendError::NoSpace(_)) => new = None,
                        Err(AppendError::Fatal(_)) => {
                            let again = writer.append(Edit::default());
                            assert!(matches!(again, Err(AppendError::Fatal(_))));
                            break;
                        }
                    }
                    let after = disk.files();
                    replaced += u64::from(before.len() == 1 && before[0].0 != after[0].0);
                }
            }
            Err(error) => {
                let planned =
                    matches!(error, StorageError::Io { .. } | StorageError::NoSpace { .. });
                assert!(planned, "{error}");
            }
        }
        disk.reboot(if dice.one_in(2) { Crash::Process } else { Crash::Power });
    }
    let found = said(&reopen(&disk).unwrap().version);
    assert!(found == old || Some(found) == new);
    assert_eq!(disk.files().len(), 1, "one manifest is left");
    replaced
}

fn at_least(edit: &Edit, writer: &Writer) -> Edit {
    Edit { file_number: Some(writer.file_number), ..edit.clone() }
}

#[test]
fn the_manifest_survives_crashes() {
    let replaced = std::cell::Cell::new(0);
    with_seeds(300, |seed| replaced.set(replaced.get() + story(seed)));
    assert!(replaced.get() > 20 || std::env::var("AMATERS_SEED").is_ok(), "{replaced:?}");
}

/// Runs `act` with a stop at each of its calls on the disk, and again with both outcomes of what was not synced.
fn at_every_call(
    prepare: impl Fn(&SimDisk) -> Writer,
    act: impl Fn(&mut Writer) -> Result<(), AppendError>,
) -> u64 {
    for call in 0.. {
        let mut stopped = false;
        for seed in 0..12 {
            let disk = SimDisk::new(seed);
            let mut writer = prepare(&disk);
            let old = said(&writer.version);
            disk.crash_after(call);
            let acted = act(&mut writer);
            stopped |= disk.is_crashed();
            assert_eq!(acted.is_err(), disk.is_crashed(), "{acted:?}");
            let new = said(&writer.version);
            disk.reboot(if seed % 4 == 0 { Crash::Process } else { Crash::Power });
            let found = reopen(&disk).unwrap();
            let found_said = said(&found.version);
            match acted {
                Ok(()) => assert_eq!(found_said, new),
                // The version is that of before; what was being written is one table more.
                Err(_) => assert!(
                    found_said == old
                        || found.version.tables().count() == old.tables_added.len() + 1,
                    "call {call}"
                ),
            }
            assert_eq!(disk.files().len(), 1);
            let again = said(&reopen(&disk).unwrap().version);
            assert_eq!(again, found_said, "opening changes nothing");
        }
        if !stopped {
            return call;
        }
    }
    unreachable!("the loop ends when a run is not stopped")
}

#[test]
fn a_crash_at_any_call_of_an_edit_gives_the_old_version_or_the_new() {
    let prepare = |disk: &SimDisk| {
        let mut writer = Writer::on(disk);
        let edit = writer.flush(100);
        writer.append(edit).unwrap();
        writer
    };
    let act = |writer: &mut Writer| {
        let edit = writer.flush(100);
        writer.append(edit)
    };
    assert_eq!(at_every_call(prepare, act), 4, "two writes and two syncs");
}

/// So many edits that the next one replaces the manifest.
fn grown(disk: &SimDisk) -> Writer {
    let mut writer = Writer::on(disk);
    let first = writer.flush(12);
    writer.append(first).unwrap();
    while writer.manifest.bytes() < 280 * 1024 {
        let mut edit = writer.flush(60_000);
        edit.tables_removed = writer.version.tables().map(|table| table.meta.number).collect();
        writer.append(edit).unwrap();
    }
    writer
}

#[test]
fn a_crash_at_any_call_of_a_replacement_gives_the_old_version_or_the_new() {
    let act = |writer: &mut Writer| {
        let edit = writer.flush(12);
        let before = writer.manifest.bytes();
        let appended = writer.append(edit);
        assert!(appended.is_err() || writer.manifest.bytes() < before, "it was replaced");
        appended
    };
    assert!(at_every_call(grown, act) >= 10);
}

#[test]
fn a_crash_at_any_call_of_an_opening_changes_nothing() {
    // A torn tail, an older manifest and one that was only begun: everything that opening has to clean up.
    for call in 0..40 {
        for seed in 0..30 {
            let disk = SimDisk::new(seed);
            let mut writer = grown(&disk);
            let edit = writer.flush(12);
            disk.crash_after(7 + seed % 5);
            let _ = writer.append(edit);
            let old = said(&writer.version);
            disk.reboot(Crash::Power);
            if seed % 2 == 1 {
                make_torn_file(&disk, &path(900));
            }
            disk.crash_after(call);
            let _ = reopen(&disk);
            disk.reboot(Crash::Power);
            let found = reopen(&disk).unwrap().version;
            let new = found.tables().count() == old.tables_added.len() + 1;
            assert!(said(&found) == old || new, "call {call}, seed {seed}");
            assert_eq!(disk.files().len(), 1);
        }
    }
}

#[test]
fn one_flipped_byte_anywhere_is_found_or_harmless() {
    let disk = SimDisk::new(1);
    let mut writer = Writer::on(&disk);
    for _ in 0..3 {
        let edit = writer.flush(12);
        writer.append(edit).unwrap();
    }
    let id = CollectionId::new(1).unwrap();
    let edit = Edit { collections: vec![(id, Rc::from("c"))], ..Edit::default() };
    writer.append(edit).unwrap();
    let (expected, end) = (said(&writer.version), writer.manifest.bytes());
    drop(writer);
    let (mut found, mut harmless) = (0, 0);
    for offset in 0..end + 600 {
        for mask in [0x01, 0x80, 0xff] {
            disk.rot(&path(1), offset, mask);
            match finish(read(&options_on(&disk))) {
                Ok(version) => {
                    assert_eq!(said(&version), expected, "byte {offset} ^ {mask}");
                    harmless += 1;
                }
                Err(StorageError::Corrupt { file, .. }) => {
                    assert_eq!(file, path(1));
                    found += 1;
                }
                Err(error) => panic!("{error}"),
            }
            disk.rot(&path(1), offset, mask);
        }
    }
    // Harmless: padding, the last mark, and what lies behind it.
    assert!(found > 3 * (end - 32 - 5 * 8) && harmless >= 3 * (600 + 32), "{found} {harmless}");
}

#[test]
fn one_flipped_byte_while_an_older_manifest_is_there_is_found_or_harmless() {
    let mut seen = 0;
    for call in 0..20 {
        let disk = SimDisk::new(3);
        let mut writer = grown(&disk);
        let mut edit = writer.flush(12);
        edit.tables_removed = writer.version.tables().map(|table| table.meta.number).collect();
        let old = said(&writer.version);
        disk.crash_after(call);
        let _ = writer.append(edit);
        disk.reboot(Crash::Process);
        let files = disk.files();
        if files.len() < 2 {
            continue;
        }
        seen += 1;
        let expected = said(&finish(read(&options_on(&disk))).unwrap());
        // Header block, snapshot and mark of the new one; of the old one, which nobody reads, some places.
        let newest = (0..8192).step_by(3).map(|offset| (1, offset));
        let places = newest.chain((0..8192).step_by(511).map(|offset| (0, offset)));
        for (file, offset) in places {
            disk.rot(&files[file].0, offset, 0x40);
            match finish(read(&options_on(&disk))) {
                Ok(version) => {
                    let found = said(&version);
                    assert!(found == expected || found == old, "call {call}, byte {offset}");
                }
                Err(error) => assert!(matches!(error, StorageError::Corrupt { .. }), "{error}"),
            }
            disk.rot(&files[file].0, offset, 0x40);
        }
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn a_full_disk_refuses_edits_and_takes_them_again() {
    let disk = SimDisk::new(1);
    let mut writer = grown(&disk);
    let used: u64 = disk.files().iter().map(|(_, length)| length).sum();
    let old = said(&writer.version);
    disk.limit(used);
    let mut refused = 0;
    for _ in 0..4 {
        let edit = writer.flush(60_000);
        match writer.append(edit) {
            Ok(()) => {}
            Err(AppendError::NoSpace(_)) => refused += 1,
            Err(AppendError::Fatal(error)) => panic!("{error}"),
        }
        assert_eq!(disk.files().len(), 1, "what was begun is gone");
    }
    assert_eq!((refused, said(&writer.version)), (4, old.clone()));
    // Small ones fit into the room that was made before, though not into a new manifest.
    let edit = writer.flush(12);
    writer.append(edit).unwrap();
    let new = said(&writer.version);
    drop(writer);
    disk.limit(u64::MAX);
    let mut writer = Writer::on(&disk);
    assert_eq!(said(&writer.version), new);
    let edit = writer.flush(60_000);
    writer.append(edit).unwrap();
}

#[test]
fn tables_without_a_manifest_are_not_taken_for_a_new_shard() {
    for name in ["00000000000000000007.sst", "00000000000000000007.blob"] {
        let disk = SimDisk::new(1);
        make_file(&disk, &format!("{DIR}/{name}"));
        make_file(&disk, path(9).to_str().unwrap());
        let Err(error) = reopen(&disk) else { panic!("it opened") };
        let StorageError::Corrupt { what, .. } = error else { panic!("{error}") };
        assert!(what.contains(name), "{what}");
        assert_eq!(disk.files().len(), 2, "nothing was changed");
    }
}

#[test]
fn file_numbers_begin_above_all_that_lie_in_the_folder() {
    let disk = SimDisk::new(1);
    let mut writer = Writer::on(&disk);
    let edit = writer.flush(12);
    writer.append(edit).unwrap();
    finish(writer.manifest.close());
    make_file(&disk, &format!("{DIR}/00000000000000000040.sst"));
    make_file(&disk, &format!("{DIR}/00000000000000000050.blob"));
    make_file(&disk, &format!("{DIR}/50.blob"));
    make_file(&disk, &format!("{DIR}/00000000000000000060.other"));
    assert_eq!(reopen(&disk).unwrap().version.file_number(), 51);
    make_file(&disk, path(70).to_str().unwrap());
    let version = reopen(&disk).unwrap().version;
    assert_eq!((version.file_number(), version.tables().count()), (71, 1));
    assert!(disk.files().iter().all(|(there, _)| *there != path(70)));
}

#[test]
fn a_manifest_of_another_shard_is_refused() {
    let disk = SimDisk::new(1);
    drop(Writer::on(&disk));
    let other = LogOptions { shard: 1, ..options_on(&disk) };
    assert!(matches!(finish(open(other)), Err(StorageError::Foreign { .. })));
    assert_eq!(FORMAT.ending, "manifest");
    reopen(&disk).unwrap();
}

#[test]
fn an_edit_that_does_not_fit_is_not_written_and_stops_everything() {
    let disk = SimDisk::new(1);
    let mut writer = Writer::on(&disk);
    let bytes = writer.manifest.bytes();
    let edit = Edit { tables_removed: vec![5], ..Edit::default() };
    let Err(AppendError::Fatal(error)) = writer.append(edit) else { panic!("it was written") };
    assert!(error.to_string().contains("table 5 is removed, but is not there"), "{error}");
    assert_eq!(writer.manifest.bytes(), bytes);
    assert!(writer.append(Edit::default()).is_err());
}

/// Makes the manifest one of an older format, which had the same items but the last.
fn make_older(disk: &SimDisk, path: &std::path::Path) {
    finish(async {
        let file = disk.open(path, Opening::Existing).await?;
        let written = file.read_at(0, 4096).await?;
        let mut block = file.buffer(4096);
        block.copy_from_slice(&written);
        block[8..12].copy_from_slice(&1u32.to_le_bytes());
        let checksum = crc32fast::hash(&block[..4092]);
        block[4092..].copy_from_slice(&checksum.to_le_bytes());
        file.write_at(0, block).await?;
        file.sync().await
    })
    .unwrap();
}

#[test]
fn a_manifest_of_an_older_format_is_read_and_replaced() {
    let disk = SimDisk::new(1);
    let mut writer = Writer::on(&disk);
    let edit = writer.flush(12);
    writer.append(edit).unwrap();
    let expected = said(&writer.version);
    drop(writer);
    make_older(&disk, &path(1));
    for call in 0..20 {
        let disk = disk.copy();
        disk.crash_after(call);
        let _ = reopen(&disk);
        disk.reboot(Crash::Power);
        assert_eq!(said(&reopen(&disk).unwrap().version), expected, "call {call}");
        assert_eq!(disk.files().len(), 1);
        let (newest, _) = &disk.files()[0];
        assert_ne!(*newest, path(1));
        let block =
            finish(async { disk.open(newest, Opening::Existing).await?.read_at(0, 4096).await });
        assert_eq!(header::version(&block.unwrap()), FORMAT.version);
    }
}
