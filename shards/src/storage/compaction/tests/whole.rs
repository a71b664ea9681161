//! Everything together, but for the engine: flushes, plans, jobs on a background, versions, and reads through real tables.

use std::{collections::BTreeMap, rc::Rc};

use bytes::Bytes;

use super::job::{BINDING, DIR, build, key};
use crate::storage::{
    Meta, Value,
    background::{self, Inline, Urgency},
    cache::Cache,
    compaction::{Grade, Job, Policy, Pressure, Shape, Strategy, pick},
    disk::{
        Disk,
        sim::{Dice, SimDisk},
    },
    entry::{BlobRef, Change, CollectionId, Probe},
    header::Binding,
    manifest::{Addition, BlobBytes, Edit},
    table::{self, BuilderOptions, Lookup, Table, TableMeta},
    tests::machine::{finish, with_seeds},
    version::Version,
};

struct Shard {
    disk: SimDisk,
    background: Inline,
    dice: Dice,
    version: Version,
    policy: Policy,
    number: u64,
    sequence: u64,
    truth: BTreeMap<u64, Change>,
    /// Data written to each of three blob files.
    blobs: [u64; 3],
}

impl Shard {
    fn new(seed: u64) -> Self {
        let (disk, mut dice) = (SimDisk::new(seed), Dice::new(seed ^ 0xa11));
        let policy = any_policy(&mut dice);
        let background = Inline(Rc::new(disk.clone()));
        let (version, truth) = (Version::default(), BTreeMap::new());
        // The first three file numbers are blob files.
        Self {
            disk,
            background,
            dice,
            version,
            policy,
            number: 4,
            sequence: 0,
            truth,
            blobs: [0; 3],
        }
    }

    fn flush(&mut self) {
        let mut rows = BTreeMap::new();
        for _ in 0..40 {
            let number = self.dice.below(300);
            self.sequence += 1;
            if rows.contains_key(&number) {
                // What a memtable overwrites is garbage at once; here it is never written.
                continue;
            }
            let change = self.change();
            self.truth.insert(number, change.clone());
            rows.insert(number, (key(number), self.sequence, change));
        }
        let number = self.take_number();
        let meta = build(&self.disk, number, &rows.into_values().collect::<Vec<_>>());
        let blobs = (1..).zip(self.blobs).map(|(file, bytes)| BlobBytes { file, bytes });
        self.apply(Edit {
            tables_added: vec![Addition { level: 0, run: number, meta }],
            blobs: blobs.collect(),
            flushed_sequence: Some(self.sequence),
            ..Edit::default()
        });
    }

    fn change(&mut self) -> Change {
        let meta = Meta { size: self.sequence, ..Meta::default() };
        match self.dice.below(4) {
            0 => Change::Tombstone,
            1 => {
                let (file, bytes) = (1 + self.dice.below(3), 5000 + self.sequence as u32);
                self.blobs[file as usize - 1] += u64::from(bytes);
                Change::Blob(meta, BlobRef { file, offset: 4096, bytes, hash: self.sequence })
            }
            _ => Change::Inline(Value { data: Bytes::from(vec![7; 100]), meta }),
        }
    }

    /// Carries out one plan; false if there is none.
    fn compact(&mut self) -> bool {
        let shape = Shape::of(&self.version, Vec::new());
        let pressure = Pressure::of(&shape, &self.policy);
        let Some(plan) = pick(&shape, &self.policy) else {
            assert_eq!(pressure.debt_bytes, 0);
            assert_eq!(pressure.grade(&self.policy), Grade::AtOnce);
            return false;
        };
        let run = self.take_number();
        let inputs = plan.input_metas(&self.version);
        assert_eq!(plan.bytes, inputs.iter().flatten().map(|meta| meta.bytes).sum::<u64>());
        if plan.is_move {
            self.apply(plan.edit(run, inputs.concat()));
            return true;
        }
        let numbers = self.number..self.number + plan.numbers_max();
        self.number = numbers.end;
        let job = Job {
            dir: DIR.into(),
            directory_id: BINDING.directory_id,
            shard: BINDING.shard,
            inputs,
            older: plan.older.clone(),
            table_bytes: plan.table_bytes,
            numbers,
            options: BuilderOptions::default(),
        };
        let work = |desk| async move { job.run(&desk).await };
        let done = finish(background::run(&self.background, Urgency::Compaction, work));
        let done = done.unwrap().unwrap();
        let edit = plan.edit(run, done.outputs);
        self.apply(Edit { garbage: done.garbage, ..edit });
        true
    }

    fn apply(&mut self, edit: Edit) {
        let edit = Edit { file_number: Some(self.number), ..edit };
        self.version = self.version.apply(&edit).unwrap();
    }

    fn take_number(&mut self) -> u64 {
        self.number += 1;
        self.number - 1
    }

    fn check(&self) {
        let cache = Cache::new(1 << 20);
        finish(async {
            for table in self.version.tables().filter(|table| table.opened().is_none()) {
                table.open(Rc::new(open(&self.disk, &table.meta).await));
            }
            for (number, change) in &self.truth {
                let found = self.find(&cache, *number).await;
                assert_eq!(found.as_ref().unwrap_or(&Change::Tombstone), change, "key {number}");
            }
        });
        let mut referred = [0; 3];
        for blob in self.version.tables().flat_map(|table| &table.meta.blobs) {
            referred[blob.file as usize - 1] += blob.bytes;
        }
        for (file, blob) in self.version.blobs() {
            let index = *file as usize - 1;
            assert_eq!(blob.bytes, self.blobs[index]);
            assert_eq!(blob.garbage, blob.bytes - referred[index], "blob file {file}");
        }
    }

    async fn find(&self, cache: &Cache, number: u64) -> Option<Change> {
        let name = key(number);
        let probe = Probe::new(CollectionId::new(1).unwrap(), &name[4..]);
        for table in self.version.candidates(&name) {
            let table = table.opened().unwrap();
            let entry = match table.get(cache, &probe).unwrap() {
                Lookup::Absent => None,
                Lookup::Found(entry) => Some(entry),
                Lookup::NeedsBlock(span) => table.get_slow(cache, &probe, span).await.unwrap(),
            };
            if let Some(entry) = entry {
                return Some(entry.change);
            }
        }
        None
    }
}

async fn open(disk: &SimDisk, meta: &TableMeta) -> Table {
    let disk: &dyn Disk = disk;
    let binding = Binding { number: meta.number, ..BINDING };
    let path = table::path(DIR.as_ref(), meta.number);
    Table::open(disk, path, binding, Some(meta)).await.unwrap()
}

fn any_policy(dice: &mut Dice) -> Policy {
    let strategy =
        [Strategy::Leveled, Strategy::Tiered, Strategy::Universal][dice.below(3) as usize];
    let (levels, multiplier) = (2 + dice.below(5) as usize, 2 + dice.below(4) as usize);
    let mut policy = Policy::new(strategy, levels, multiplier, 12_000);
    policy.table_bytes = 16_000;
    policy
}

#[test]
fn a_shard_compacts_reads_and_counts_garbage_whatever_the_strategy() {
    with_seeds(25, |seed| {
        let mut shard = Shard::new(seed);
        for _ in 0..30 {
            shard.flush();
            while shard.dice.one_in(2) && shard.compact() {}
            if shard.dice.one_in(8) {
                shard.policy = any_policy(&mut shard.dice);
                shard.check();
            }
        }
        let mut steps = 0;
        while shard.compact() {
            steps += 1;
            assert!(steps < 1000, "no end of work");
        }
        shard.check();
    });
}
