//! A log that is written, cut at the front, torn and damaged, without anything around it.

mod fuzz;

use std::{collections::BTreeMap, path::PathBuf, rc::Rc};

use super::{AppendError, Coverage, Found, Log, LogOptions, Replay, numbers, read, record_bytes};
use crate::storage::{
    StorageError,
    disk::{
        Disk,
        sim::{Crash, Dice, Fault, SimDisk},
    },
    tests::machine::{finish, with_seeds},
    wal::FORMAT,
};

const DIR: &str = "/log";

fn options(disk: &SimDisk) -> LogOptions {
    LogOptions {
        format: &FORMAT,
        disk: Rc::new(disk.clone()),
        dir: PathBuf::from(DIR),
        directory_id: 7,
        shard: 3,
        segment_bytes: 8192,
    }
}

/// All that was handed over, and what to say about records that nothing vouches for.
#[derive(Default)]
struct Heard {
    records: BTreeMap<u64, Vec<u8>>,
    asked: Vec<Vec<u8>>,
    missing: Option<Vec<u8>>,
    progress: Vec<(u64, u64, u64)>,
}

impl Replay for Heard {
    fn apply(&mut self, sequence: u64, payload: &[u8]) -> Result<(), String> {
        assert!(self.records.insert(sequence, payload.to_vec()).is_none());
        Ok(())
    }

    fn note_progress(&mut self, bytes: u64, of: u64, records: u64) {
        self.progress.push((bytes, of, records));
    }

    async fn is_whole(&mut self, payload: &[u8]) -> Result<bool, StorageError> {
        self.asked.push(payload.to_vec());
        Ok(self.missing.as_deref() != Some(payload))
    }
}

fn read_from(disk: &SimDisk, from: u64, heard: &mut Heard) -> Result<Found, StorageError> {
    let options = options(disk);
    let numbers = finish(numbers(&options))?;
    finish(read(&options, &numbers, from, Coverage::Whole, heard))
}

/// Of a log that ended before `end`: a log that goes on, and what was read.
fn open_ended(
    disk: &SimDisk,
    from: u64,
    end: u64,
) -> Result<(Log, BTreeMap<u64, Vec<u8>>), StorageError> {
    let (options, mut heard) = (options(disk), Heard::default());
    let numbers = finish(numbers(&options))?;
    let found = finish(read(&options, &numbers, from, Coverage::Before(end), &mut heard))?;
    Ok((finish(found.resume(options))?, heard.records))
}

fn open(disk: &SimDisk, from: u64) -> Result<(Log, BTreeMap<u64, Vec<u8>>), StorageError> {
    let mut heard = Heard::default();
    let found = read_from(disk, from, &mut heard)?;
    Ok((finish(found.resume(options(disk)))?, heard.records))
}

fn append(log: &mut Log, payloads: &[Vec<u8>]) -> Result<(), AppendError> {
    let bytes: usize = payloads.iter().map(|payload| record_bytes(payload.len())).sum();
    finish(log.append(bytes as u64, |records| {
        for payload in payloads {
            records.push(payload.len(), |out| out.copy_from_slice(payload));
        }
    }))
}

fn append_vouched(log: &mut Log, payload: &[u8]) {
    let bytes = record_bytes(payload.len()) as u64;
    let fill = |records: &mut super::Records<'_>| {
        records.push(payload.len(), |out| out.copy_from_slice(payload));
    };
    finish(log.append_vouched(bytes, fill)).unwrap();
}

/// Several lives of one log. Somewhere else, in tables, lies what was written before `from`.
struct Story {
    disk: SimDisk,
    dice: Dice,
    /// Every record that may be in the log, by sequence.
    written: BTreeMap<u64, Vec<u8>>,
    /// The first sequence that is not durable, and the first that the kernel does not have.
    durable: u64,
    given: u64,
    from: u64,
    count: u64,
}

impl Story {
    fn tell(seed: u64) {
        let (disk, dice) = (SimDisk::new(seed), Dice::new(seed ^ 0xc07));
        let written = BTreeMap::new();
        let mut story = Self { disk, dice, written, durable: 1, given: 1, from: 1, count: 0 };
        for _ in 0..8 {
            match story.dice.below(6) {
                0..=3 => story.disk.crash_after(story.dice.below(80)),
                4 => story.disk.fail_after(story.dice.below(80), Fault::NoSpace),
                _ => {}
            }
            match open(&story.disk, story.from) {
                Ok((log, found)) => {
                    story.check(found, log.sequence());
                    story.live(log);
                }
                Err(error) => {
                    let planned = matches!(error, StorageError::NoSpace { .. });
                    assert!(story.disk.is_crashed() || planned, "{error}");
                }
            }
            let crash = if story.dice.one_in(2) { Crash::Process } else { Crash::Power };
            if crash == Crash::Power {
                story.given = story.durable;
            }
            story.disk.reboot(crash);
        }
        let (log, found) = open(&story.disk, story.from).unwrap();
        story.check(found, log.sequence());
    }

    fn check(&mut self, found: BTreeMap<u64, Vec<u8>>, next: u64) {
        assert!(next >= self.given && next >= self.from, "{next} of {}, {}", self.given, self.from);
        self.written.split_off(&next);
        assert_eq!(found, self.written.split_off(&self.from));
        self.written = found;
        (self.durable, self.given) = (next, next);
    }

    fn live(&mut self, mut log: Log) {
        for _ in 0..self.dice.below(60) {
            let sound = match self.dice.below(8) {
                0..=4 => self.append(&mut log),
                5 => self.sync(&mut log),
                6 => self.flush(&mut log),
                _ => finish(log.drop_before(self.from)).is_ok(),
            };
            if !sound {
                return;
            }
        }
        if self.dice.one_in(4) && finish(log.seal()).is_ok() {
            (self.durable, self.given) = (log.sequence(), log.sequence());
        }
    }

    fn append(&mut self, log: &mut Log) -> bool {
        let payloads: Vec<_> = (0..=self.dice.below(3)).map(|_| self.payload()).collect();
        let first = log.sequence();
        for (sequence, payload) in (first..).zip(&payloads) {
            self.written.insert(sequence, payload.clone());
        }
        match append(log, &payloads) {
            Ok(()) => {
                self.given = log.sequence();
                true
            }
            Err(AppendError::NoSpace(_)) => {
                assert_eq!(log.sequence(), first);
                self.written.split_off(&first);
                true
            }
            Err(AppendError::Fatal(_)) => false,
        }
    }

    fn sync(&mut self, log: &mut Log) -> bool {
        let synced = finish(log.sync()).is_ok();
        if synced {
            self.durable = log.sequence();
        }
        synced
    }

    /// Tables get all up to some record, even if the log is not durable so far.
    fn flush(&mut self, log: &mut Log) -> bool {
        self.from += self.dice.below(log.sequence() - self.from + 1);
        finish(log.drop_before(self.from)).is_ok()
    }

    fn payload(&mut self) -> Vec<u8> {
        self.count += 1;
        let length = match self.dice.below(40) {
            0 => 300_000,
            1..=8 => 5000,
            9..=15 => 600,
            _ => 20,
        };
        let mut payload = self.count.to_le_bytes().repeat(length / 8 + 1);
        payload.truncate(length);
        payload
    }
}

#[test]
fn a_log_that_is_cut_at_the_front_survives_crashes() {
    with_seeds(400, Story::tell);
}

/// Four segments of one record each, durable, and one more record.
fn written(seed: u64) -> (SimDisk, Log) {
    let disk = SimDisk::new(seed);
    let (mut log, _) = open(&disk, 1).unwrap();
    for number in 1..=4u8 {
        append(&mut log, &[vec![number; 3000]]).unwrap();
    }
    append(&mut log, &[vec![5; 100]]).unwrap();
    finish(log.sync()).unwrap();
    assert_eq!((log.segments(), log.sequence()), (4, 6));
    (disk, log)
}

#[test]
fn a_crash_at_any_call_of_a_cut_leaves_all_that_is_needed() {
    for (call, seed) in (0..8).flat_map(|call| (0..8).map(move |seed| (call, seed))) {
        for from in 1..=6 {
            let (disk, mut log) = written(seed);
            disk.crash_after(call);
            let cut = finish(log.drop_before(from));
            assert_eq!(cut.is_err(), disk.is_crashed());
            disk.reboot(Crash::Power);
            let (log, found) = open(&disk, from).unwrap();
            assert_eq!(found.into_keys().collect::<Vec<_>>(), (from..6).collect::<Vec<_>>());
            assert_eq!(log.sequence(), 6);
            assert_eq!(disk.files().len() as u64, 4 - (from - 1).min(3), "leftovers are gone");

            let (disk, mut log) = written(seed);
            finish(log.drop_before(from)).unwrap();
            disk.crash_after(call);
            let _ = open(&disk, from);
            disk.reboot(Crash::Power);
            let (_, found) = open(&disk, from).unwrap();
            assert_eq!(found.len() as u64, 6 - from);
        }
    }
}

#[test]
fn the_last_segment_stays_whatever_is_flushed() {
    let (disk, mut log) = written(1);
    finish(log.drop_before(u64::MAX)).unwrap();
    assert_eq!((log.segments(), disk.files().len()), (1, 1));
    drop(log);
    let (log, found) = open(&disk, 6).unwrap();
    assert!(found.is_empty());
    assert_eq!(log.sequence(), 6);
}

#[test]
fn leftovers_may_be_missing_or_damaged_and_what_is_needed_may_not() {
    for victim in 1..=4u64 {
        let path = super::segment::path(&FORMAT, DIR.as_ref(), victim);
        for from in 1..=6 {
            // Segment n begins with record n, the last one holds record 5 too.
            let is_leftover = victim < from.min(4);
            let (disk, _) = written(1);
            disk.rot(&path, 100, 1);
            let damaged = open(&disk, from).map(|(_, found)| found.len() as u64);
            let (disk, _) = written(1);
            finish(disk.remove(&path)).unwrap();
            let missing = open(&disk, from).map(|(_, found)| found.len() as u64);
            for result in [damaged, missing.clone()] {
                match result {
                    Ok(found) if is_leftover => assert_eq!(found, 6 - from),
                    Err(StorageError::Corrupt { .. }) if !is_leftover => {}
                    // That a last segment is gone with all it held cannot be told.
                    Ok(_) if victim == 4 && missing.is_ok() => {}
                    other => panic!("segment {victim} from {from}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn a_log_of_another_shard_is_refused_even_where_it_is_not_needed() {
    let (disk, _) = written(1);
    let other = LogOptions { shard: 4, dir: PathBuf::from("/other"), ..options(&disk) };
    drop(finish(Log::begin(other, 1, 1)).unwrap());
    let (from, to) = ("/other/00000000000000000001.log", "/log/00000000000000000001.log");
    finish(disk.rename(from.as_ref(), to.as_ref())).unwrap();
    assert!(matches!(open(&disk, 6), Err(StorageError::Foreign { .. })));
    assert_eq!(disk.files().len(), 4);
}

#[test]
fn a_log_that_is_gone_is_told_from_one_that_was_never_begun() {
    let disk = SimDisk::new(1);
    assert!(matches!(open(&disk, 2), Err(StorageError::Corrupt { .. })));
    // What an operator does who accepts the loss.
    let path = super::segment::path(&FORMAT, DIR.as_ref(), 9);
    drop(finish(disk.open(&path, crate::storage::disk::Opening::Fresh)).unwrap());
    let (log, _) = open(&disk, 5).unwrap();
    assert_eq!((log.sequence(), log.segments()), (5, 1));
}

#[test]
fn a_clean_tail_is_gone_on_with_and_a_torn_one_is_left_behind() {
    let disk = SimDisk::new(1);
    for life in 1..=5u64 {
        let (mut log, found) = open(&disk, 1).unwrap();
        assert_eq!((found.len() as u64, log.segments()), (life - 1, 1));
        append(&mut log, &[vec![life as u8; 10]]).unwrap();
        if life % 2 == 0 {
            finish(log.seal()).unwrap();
        }
    }
    let (log, _) = open(&disk, 1).unwrap();
    let tail = log.bytes();
    assert!(read_from(&disk, 1, &mut Heard::default()).unwrap().is_clean());
    disk.rot(&super::segment::path(&FORMAT, DIR.as_ref(), 1), tail + 40, 1);
    assert!(!read_from(&disk, 1, &mut Heard::default()).unwrap().is_clean());
    let (log, found) = open(&disk, 1).unwrap();
    assert_eq!((found.len(), log.segments()), (5, 2));
    let sequence = log.sequence();
    let (log, found) = open(&disk, 1).unwrap();
    assert_eq!((found.len(), log.segments(), log.sequence()), (5, 2, sequence));
}

#[test]
fn the_log_jumps_over_records_that_only_tables_hold() {
    let (disk, mut log) = written(1);
    append(&mut log, &[b"lost".to_vec()]).unwrap();
    append(&mut log, &[b"lost too".to_vec()]).unwrap();
    drop(log);
    let path = super::segment::path(&FORMAT, DIR.as_ref(), 4);
    finish(async {
        let file = disk.open(&path, crate::storage::disk::Opening::Existing).await?;
        file.truncate(4096).await?;
        file.sync().await
    })
    .unwrap();
    let (mut log, found) = open(&disk, 9).unwrap();
    assert!(found.is_empty());
    assert_eq!((log.sequence(), log.segments()), (9, 1));
    append(&mut log, &[b"new".to_vec()]).unwrap();
    let (log, found) = open(&disk, 9).unwrap();
    assert_eq!(
        (found.into_iter().collect::<Vec<_>>(), log.sequence()),
        (vec![(9, b"new".to_vec())], 10)
    );
    assert!(open(&disk, 8).is_err(), "record 8 is nowhere");
}

#[test]
fn the_log_ends_before_a_record_whose_other_half_is_missing() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk, 1).unwrap();
    append(&mut log, &[b"one".to_vec()]).unwrap();
    finish(log.sync()).unwrap();
    append(&mut log, &[b"two".to_vec(), b"three".to_vec()]).unwrap();
    append(&mut log, &[b"four".to_vec()]).unwrap();
    drop(log);
    let mut heard = Heard { missing: Some(b"three".to_vec()), ..Heard::default() };
    let found = read_from(&disk, 1, &mut heard).unwrap();
    assert_eq!(heard.asked, [b"two".to_vec(), b"three".to_vec()], "the first one is vouched for");
    assert_eq!((found.records, found.truncated_bytes > 0), (2, true));
    let mut log = finish(found.resume(options(&disk))).unwrap();
    append(&mut log, &[b"instead".to_vec()]).unwrap();
    let (_, found) = open(&disk, 1).unwrap();
    assert_eq!(found.into_values().collect::<Vec<_>>(), [&b"one"[..], b"two", b"instead"]);
}

#[test]
fn damage_to_anything_vouched_for_is_found() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk, 1).unwrap();
    append_vouched(&mut log, b"payload");
    append_vouched(&mut log, b"another payload");
    let end = log.bytes();
    drop(log);
    let path = super::segment::path(&FORMAT, DIR.as_ref(), 1);
    let mark = end - record_bytes(0) as u64;
    let mut harmless = 0;
    for offset in 0..end + 64 {
        disk.rot(&path, offset, 0x20);
        let mut heard = Heard::default();
        match read_from(&disk, 1, &mut heard) {
            Ok(_) => {
                assert_eq!(heard.records.len(), 2, "byte {offset}");
                // The last mark, what is behind it, and the zeros that fill up the payloads to a multiple of 8.
                assert!(offset >= mark || offset > 4096, "byte {offset}");
                harmless += u64::from(offset < mark);
            }
            Err(StorageError::Corrupt { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        disk.rot(&path, offset, 0x20);
    }
    assert_eq!(harmless, 1 + 4 + 1 + 4, "padding of two payloads and of their tables' ends");
}

/// The header of a segment that could not be begun said where the one before it ends; smaller groups went on behind that
/// place and were lost.
#[test]
fn what_is_written_after_a_segment_could_not_be_begun_is_found_again() {
    for call in 0..10 {
        let disk = SimDisk::new(call);
        let (mut log, _) = open(&disk, 1).unwrap();
        let mut taken = 0;
        append(&mut log, &[vec![1; 3000]]).unwrap();
        disk.fail_after(call, Fault::NoSpace);
        for length in [6000, 20, 20] {
            match append(&mut log, &[vec![2; length]]) {
                Ok(()) => taken += 1,
                Err(AppendError::NoSpace(_)) => {}
                Err(AppendError::Fatal(_)) => break,
            }
        }
        disk.reboot(Crash::Process);
        let (_, found) = open(&disk, 1).unwrap();
        assert!(found.len() > taken, "call {call}: {} of {}", found.len(), taken + 1);
    }
}

#[test]
fn a_log_that_has_ended_reaches_its_end_or_is_not_needed_at_all() {
    let last = super::segment::path(&FORMAT, DIR.as_ref(), 4);
    for from in 1..=8 {
        // Records 1 to 5 were logged.
        let (disk, log) = written(1);
        drop(log);
        let (log, found) = open_ended(&disk, from, 6).unwrap();
        assert_eq!(found.into_keys().collect::<Vec<_>>(), (from..6).collect::<Vec<_>>());
        assert_eq!(log.sequence(), from.max(6));
        let fresh = u64::from(from >= 6);
        assert_eq!(disk.files().len() as u64, 4 - (from - 1).min(3 + fresh) + fresh);

        let torn = written(1).0;
        torn.rot(&last, 4096 + 3100, 1);
        let damaged = written(1).0;
        damaged.rot(&last, 100, 1);
        let empty = SimDisk::new(1);
        for disk in [torn, damaged, empty] {
            match open_ended(&disk, from, 6).map(|(log, _)| log.sequence()) {
                Ok(sequence) => assert_eq!((from >= 6, sequence), (true, from)),
                Err(error) => {
                    assert!(matches!(error, StorageError::Corrupt { .. }), "{error}");
                    assert!(from < 6, "{error}");
                }
            }
        }
    }
}

#[test]
fn an_operator_can_accept_that_the_end_of_a_log_is_lost() {
    let (disk, _) = written(1);
    let path = |number| super::segment::path(&FORMAT, DIR.as_ref(), number);
    finish(disk.remove(&path(4))).unwrap();
    assert!(matches!(open_ended(&disk, 2, 6), Err(StorageError::Corrupt { .. })));
    // As the advice says: this file is emptied.
    drop(finish(disk.open(&path(3), crate::storage::disk::Opening::Fresh)).unwrap());
    let (log, found) = open_ended(&disk, 2, 6).unwrap();
    assert_eq!((found.into_keys().collect::<Vec<_>>(), log.sequence()), (vec![2], 3));
}

#[test]
fn a_retired_log_is_durable_and_goes_to_the_last_segment() {
    let (disk, mut log) = written(1);
    append(&mut log, &[b"not synced".to_vec()]).unwrap();
    drop(log);
    let found = read_from(&disk, 3, &mut Heard::default()).unwrap();
    let mut retired = finish(found.retire(options(&disk))).unwrap();
    assert_eq!((retired.end(), retired.segments(), disk.files().len()), (7, 4, 4));
    disk.reboot(Crash::Power);
    let (log, found) = open_ended(&disk.copy(), 3, 7).unwrap();
    assert_eq!((found.len(), log.sequence()), (4, 7));

    assert!(retired.can_drop_before(4) && !retired.can_drop_before(1));
    for (sequence, left) in [(3, 2), (6, 1), (7, 0)] {
        finish(retired.drop_before(sequence)).unwrap();
        assert_eq!((retired.segments(), disk.files().len()), (left, left as usize), "{sequence}");
    }
    assert!(!retired.can_drop_before(u64::MAX));
    assert_eq!(retired.bytes(), 0);
}

#[test]
fn a_crash_at_any_call_while_a_log_is_retired_leaves_all_of_it() {
    for (call, seed) in (0..12).flat_map(|call| (0..6).map(move |seed| (call, seed))) {
        let (disk, mut log) = written(seed);
        append(&mut log, &[vec![6; 100]]).unwrap();
        drop(log);
        disk.reboot(Crash::Process);
        disk.crash_after(call);
        let retired = read_from(&disk, 2, &mut Heard::default())
            .and_then(|found| finish(found.retire(options(&disk))));
        let is_retired = retired.is_ok();
        disk.reboot(Crash::Power);
        let (_, found) = open(&disk, 2).unwrap();
        assert!(found.len() == 5 || !is_retired && found.len() == 4, "call {call}");
    }
}

#[test]
fn the_progress_of_reading_ascends_to_all_that_is_there() {
    let (disk, _) = written(1);
    let sizes: Vec<u64> = disk.files().iter().map(|(_, bytes)| *bytes).collect();
    for from in 1..=6 {
        let mut heard = Heard::default();
        read_from(&disk, from, &mut heard).unwrap();
        let needed: u64 = sizes[(from as usize - 1).min(3)..].iter().sum();
        assert!(heard.progress.iter().all(|(bytes, of, _)| bytes <= of && *of == needed));
        assert!(
            heard.progress.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].2 <= pair[1].2)
        );
        assert_eq!(heard.progress.last().unwrap().2, 6 - from);
        // The last segment is looked through once before it is read; behind its records there is room.
        let (bytes, of, _) = *heard.progress.last().unwrap();
        assert!(of - bytes <= sizes[3] / 2, "{bytes} of {of}");
    }
}
