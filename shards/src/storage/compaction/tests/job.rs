//! Merges of real tables over the simulated disk, held against what they should give.

use std::{collections::BTreeMap, path::Path, pin::pin, rc::Rc, task::Poll};

use bytes::Bytes;

use crate::storage::{
    Meta, StorageError, Value,
    background::Desk,
    compaction::{Done, Job, JobError, input::Inputs, shape::KeyRange},
    disk::{
        Disk,
        sim::{Dice, Fault, SimDisk},
    },
    entry::{BlobRef, Change, CollectionId, push_table_key},
    header::Binding,
    manifest::BlobBytes,
    merge::{Merge, Source, Target},
    table::{self, Builder, BuilderOptions, TableMeta},
    tests::machine::{finish, poll, with_seeds},
};

pub(super) const DIR: &str = "/data";
pub(super) const BINDING: Binding = Binding { directory_id: 7, shard: 2, number: 0 };

type Row = (Vec<u8>, u64, Change);

pub(super) fn key(number: u64) -> Vec<u8> {
    let mut key = Vec::new();
    push_table_key(CollectionId::new(1).unwrap(), format!("key {number:04}").as_bytes(), &mut key);
    key
}

pub(super) fn build(disk: &SimDisk, number: u64, rows: &[Row]) -> TableMeta {
    finish(async {
        let (path, binding) = (table::path(DIR.as_ref(), number), Binding { number, ..BINDING });
        let options = BuilderOptions { block_bytes: 512, ..BuilderOptions::default() };
        let disk: Rc<dyn Disk> = Rc::new(disk.clone());
        let mut builder = Builder::begin(disk, path, binding, options).await.unwrap();
        for (key, sequence, change) in rows {
            builder.add(key, *sequence, change.borrowed()).await.unwrap();
        }
        builder.finish().await.unwrap()
    })
}

fn read(disk: &SimDisk, metas: &[TableMeta]) -> Vec<Row> {
    finish(async {
        let disk: Rc<dyn Disk> = Rc::new(disk.clone());
        let inputs: Box<dyn Source> = Box::new(Inputs::new(disk, DIR.into(), BINDING, metas));
        let mut merge = Merge::new(vec![inputs]);
        merge.seek(Target::First).await.unwrap();
        let mut rows = Vec::new();
        while let Some((key, sequence)) = merge.place() {
            rows.push((key.to_vec(), sequence, merge.shared().unwrap()));
            merge.advance().await.unwrap();
        }
        rows
    })
}

/// Runs of tables on a disk, and everything in them.
struct Scene {
    disk: SimDisk,
    job: Job,
    rows: Vec<Row>,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let (disk, mut dice) = (SimDisk::new(seed), Dice::new(seed ^ 0x10b));
        let (mut rows, mut inputs, mut number) = (Vec::new(), Vec::new(), 0);
        let runs = 1 + dice.below(4);
        for run in 0..runs {
            let mut metas = Vec::new();
            let mut keys: Vec<u64> = (0..120).filter(|_| dice.one_in(2)).collect();
            while !keys.is_empty() {
                let rest = keys.split_off(keys.len().min(1 + dice.below(60) as usize));
                let of_table = keys.iter().flat_map(|key| versions(&mut dice, *key, runs - run));
                let of_table: Vec<Row> = of_table.collect();
                keys = rest;
                number += 1;
                metas.push(build(&disk, number, &of_table));
                rows.extend(of_table);
            }
            inputs.push(metas);
        }
        let mut borders: Vec<u64> = (0..dice.below(4) * 2).map(|_| dice.below(130)).collect();
        borders.sort_unstable();
        borders.dedup();
        let range =
            |pair: &[u64]| KeyRange { smallest: key(pair[0]).into(), largest: key(pair[1]).into() };
        let job = Job {
            dir: DIR.into(),
            directory_id: BINDING.directory_id,
            shard: BINDING.shard,
            inputs,
            older: borders.chunks_exact(2).map(range).collect(),
            table_bytes: [1, 16_000, 1 << 30][dice.below(3) as usize],
            numbers: 1000..[1001, 1003, 2000][dice.below(3) as usize],
            options: BuilderOptions { block_bytes: 512, ..BuilderOptions::default() },
        };
        Self { disk, job, rows }
    }

    fn run(&self) -> Result<Done, JobError> {
        finish(self.job.clone().run(&self.desk()))
    }

    fn desk(&self) -> Desk {
        Desk::alone(Rc::new(self.disk.clone()))
    }

    /// What should be in the outputs, and the garbage.
    fn expected(&self) -> (Vec<Row>, Vec<BlobBytes>) {
        let mut newest: BTreeMap<&[u8], &Row> = BTreeMap::new();
        let mut garbage: BTreeMap<u64, u64> = BTreeMap::new();
        let mut left_out = |row: &Row| {
            if let Change::Blob(_, blob) = &row.2 {
                *garbage.entry(blob.file).or_insert(0) += u64::from(blob.bytes);
            }
        };
        for row in &self.rows {
            match newest.insert(&row.0, row) {
                Some(before) if before.1 > row.1 => {
                    left_out(newest.insert(&row.0, before).unwrap())
                }
                Some(before) => left_out(before),
                None => {}
            }
        }
        let hides = |key: &[u8]| {
            self.job.older.iter().any(|range| range.smallest <= key && key <= range.largest)
        };
        let kept = newest.into_values().filter(|row| row.2 != Change::Tombstone || hides(&row.0));
        let garbage = garbage.into_iter().map(|(file, bytes)| BlobBytes { file, bytes });
        (kept.cloned().collect(), garbage.collect())
    }

    fn is_as_before(&self) -> bool {
        let inputs = self.job.inputs.iter().flatten().count();
        self.disk.files().len() == inputs
    }
}

/// One to three changes of a key, the newest first, all of one age.
fn versions(dice: &mut Dice, number: u64, age: u64) -> Vec<Row> {
    let count = 1 + dice.below(6) / 4;
    let sequences = (0..count).map(|index| age * 1000 + number * 3 + count - index);
    let rows = sequences.map(|sequence| {
        let meta = Meta { size: sequence, ..Meta::default() };
        let change = match dice.below(4) {
            0 => Change::Tombstone,
            1 => {
                let file = 1 + dice.below(3);
                Change::Blob(
                    meta,
                    BlobRef { file, offset: 4096, bytes: 5000 + sequence as u32, hash: 1 },
                )
            }
            _ => {
                let length = if dice.one_in(20) { 9000 } else { dice.below(200) as usize };
                Change::Inline(Value { data: Bytes::from(vec![sequence as u8; length]), meta })
            }
        };
        (key(number), sequence, change)
    });
    rows.collect()
}

#[test]
fn a_merge_keeps_the_newest_and_leaves_out_the_rest() {
    with_seeds(150, |seed| {
        let scene = Scene::new(seed);
        let (rows, garbage) = scene.expected();
        let done = scene.run().unwrap();
        assert_eq!(read(&scene.disk, &done.outputs), rows);
        assert_eq!(done.garbage, garbage);
        assert_eq!(done.entries_read, scene.rows.len() as u64);
        assert_eq!(done.entries_written, rows.len() as u64);
        let metas = &done.outputs;
        assert!(metas.windows(2).all(|pair| pair[0].largest < pair[1].smallest));
        assert!(metas.iter().all(|meta| scene.job.numbers.contains(&meta.number)));
        assert_eq!(metas.iter().map(|meta| meta.entries).sum::<u64>(), done.entries_written);
        assert_eq!(metas.iter().map(|meta| meta.bytes).sum::<u64>(), done.bytes_written);
        let most = (scene.job.numbers.end - scene.job.numbers.start).min(rows.len() as u64);
        match scene.job.table_bytes {
            1 => {
                assert_eq!(metas.len() as u64, most, "a table for each entry, as far as numbers go")
            }
            16_000 => {
                assert!(most <= 3 || metas.iter().rev().skip(1).all(|meta| meta.bytes > 12_000))
            }
            _ => assert!(metas.len() <= 1),
        }
        // What was read refers to what is written and to garbage, and to nothing else.
        let referred = |metas: &[TableMeta]| -> u64 {
            metas.iter().flat_map(|meta| &meta.blobs).map(|blob| blob.bytes).sum()
        };
        let before: u64 = scene.job.inputs.iter().map(|metas| referred(metas)).sum();
        let left_out: u64 = garbage.iter().map(|blob| blob.bytes).sum();
        assert_eq!(referred(metas) + left_out, before);
    });
}

#[test]
fn what_was_merged_is_durable_when_it_is_said_to_be() {
    with_seeds(40, |seed| {
        let scene = Scene::new(seed);
        finish(scene.disk.sync_dir(Path::new(DIR))).unwrap();
        let done = scene.run().unwrap();
        scene.disk.reboot(crate::storage::disk::sim::Crash::Power);
        assert_eq!(read(&scene.disk, &done.outputs), scene.expected().0);
    });
}

#[test]
fn a_failure_at_any_call_leaves_no_file_behind() {
    for seed in 0..6 {
        let mut failures = 0;
        for call in 0.. {
            let scene = Scene::new(seed);
            scene.disk.fail_after(call, [Fault::Io, Fault::NoSpace][call as usize % 2]);
            match scene.run() {
                Ok(_) => break,
                Err(JobError::Storage(StorageError::Io { .. } | StorageError::NoSpace { .. })) => {
                    failures += 1;
                    assert!(
                        scene.is_as_before(),
                        "seed {seed}, call {call}: {:?}",
                        scene.disk.files()
                    );
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(failures > 5, "{failures}");
    }
}

#[test]
fn a_merge_that_nobody_waits_for_ends_without_a_trace() {
    let mut given_up = 0;
    for seed in 0..20 {
        let scene = Scene::new(seed);
        let desk = scene.desk();
        let mut run = pin!(scene.job.clone().run(&desk));
        let ended = (0..100_000).find_map(|turn| {
            if turn == seed * 3 {
                desk.give_up();
            }
            match poll(run.as_mut()) {
                Poll::Ready(ended) => Some(ended),
                Poll::Pending => None,
            }
        });
        if let Err(error) = ended.unwrap() {
            assert!(matches!(error, JobError::GivenUp(_)), "{error}");
            assert!(scene.is_as_before());
            given_up += 1;
        }
    }
    assert!(given_up > 10);
}

#[test]
fn a_damaged_input_is_named_and_nothing_is_written() {
    let scene = Scene::new(1);
    let path = table::path(DIR.as_ref(), scene.job.inputs[0][0].number);
    scene.disk.rot(&path, 4100, 1);
    let Err(JobError::Storage(StorageError::Corrupt { file, .. })) = scene.run() else {
        panic!("it was merged")
    };
    assert_eq!(file, path);
    assert!(scene.is_as_before());
}

#[test]
fn nothing_left_means_no_table() {
    let disk = SimDisk::new(1);
    let rows = vec![(key(1), 5, Change::Tombstone), (key(2), 6, Change::Tombstone)];
    let job =
        Job { inputs: vec![vec![build(&disk, 1, &rows)]], older: Vec::new(), ..Scene::new(1).job };
    let desk = Desk::alone(Rc::new(disk.clone()));
    let done = finish(job.run(&desk)).unwrap();
    assert_eq!((done.outputs.len(), done.entries_read, done.entries_written), (0, 2, 0));
    assert_eq!(disk.files().len(), 1);
}
