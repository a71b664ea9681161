//! A tree whose tables are lists in memory, under a real version: every plan is carried out, and every read is checked.

use std::collections::HashMap;

use bytes::Bytes;

use crate::storage::{
    compaction::{
        Claim, Plan, Policy, Shape, pick,
        plan::{Input, Place},
        shape::KeyRange,
    },
    disk::sim::Dice,
    manifest::{Addition, Edit},
    table::TableMeta,
    version::Version,
};

pub(super) const ENTRY_BYTES: u64 = 100;
const TOMBSTONE_BYTES: u64 = 20;

/// Key, sequence, and whether there is a value.
type Row = (u32, u64, bool);

pub(super) struct Tree {
    pub(super) version: Version,
    pub(super) policy: Policy,
    tables: HashMap<u64, Vec<Row>>,
    /// The newest record of each key, and whether it has a value.
    truth: HashMap<u32, (u64, bool)>,
    memtable: HashMap<u32, (u64, bool)>,
    sequence: u64,
    number: u64,
    under_way: Vec<(Plan, Vec<Vec<Row>>)>,
    pub(super) flushed_bytes: u64,
    pub(super) merged_bytes: u64,
    pub(super) plans: Vec<Plan>,
}

pub(super) fn key(key: u32) -> Bytes {
    Bytes::copy_from_slice(&key.to_be_bytes())
}

impl Tree {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            version: Version::default(),
            policy,
            tables: HashMap::new(),
            truth: HashMap::new(),
            memtable: HashMap::new(),
            sequence: 0,
            number: 1,
            under_way: Vec::new(),
            flushed_bytes: 0,
            merged_bytes: 0,
            plans: Vec::new(),
        }
    }

    pub(super) fn write(&mut self, key: u32, is_set: bool) {
        self.sequence += 1;
        self.truth.insert(key, (self.sequence, is_set));
        self.memtable.insert(key, (self.sequence, is_set));
        if self.memtable.len() as u64 * ENTRY_BYTES >= self.policy.flush_bytes {
            self.flush();
        }
    }

    pub(super) fn flush(&mut self) {
        let rows = self.memtable.drain().map(|(key, (sequence, is_set))| (key, sequence, is_set));
        let mut rows: Vec<Row> = rows.collect();
        rows.sort_unstable();
        if rows.is_empty() {
            return;
        }
        self.flushed_bytes += bytes(&rows);
        let run = self.number;
        let meta = self.keep(rows);
        let tables_added = vec![Addition { level: 0, run, meta }];
        let flushed_sequence = Some(self.sequence);
        self.apply(Edit { tables_added, flushed_sequence, ..Edit::default() });
    }

    pub(super) fn shape(&self) -> Shape {
        let claims: Vec<Claim> = self.under_way.iter().map(|(plan, _)| plan.claim()).collect();
        Shape::of(&self.version, claims)
    }

    /// Begins the next plan; false if there is none.
    pub(super) fn begin(&mut self) -> bool {
        let shape = self.shape();
        let Some(plan) = pick(&shape, &self.policy) else { return false };
        check(&shape, &plan);
        let outputs = if plan.is_move { Vec::new() } else { self.merge(&plan) };
        self.plans.push(plan.clone());
        self.under_way.push((plan, outputs));
        true
    }

    /// Ends one of the plans that are under way.
    pub(super) fn end(&mut self, index: usize) {
        let (plan, outputs) = self.under_way.remove(index);
        let run = self.number;
        self.number += 1;
        let metas = if plan.is_move {
            let moved = plan.inputs.iter().flat_map(|input| &input.tables);
            let find = |number: &u64| {
                let table = self.version.tables().find(|table| table.meta.number == *number);
                table.unwrap().meta.clone()
            };
            moved.map(find).collect()
        } else {
            self.merged_bytes += outputs.iter().map(|rows| bytes(rows)).sum::<u64>();
            outputs.into_iter().map(|rows| self.keep(rows)).collect()
        };
        self.apply(plan.edit(run, metas));
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Carries out plans until there are none; so many at most.
    pub(super) fn settle(&mut self, steps_max: usize) -> usize {
        while self.under_way() > 0 {
            self.end(0);
        }
        for step in 0..steps_max {
            if !self.begin() {
                return step;
            }
            self.end(0);
        }
        let last = self.plans.last().map(|plan| (plan.reason, plan.level, plan.place));
        panic!("no end of work after {steps_max} steps: {last:?}");
    }

    /// Some keys, or all, read as they were written.
    pub(super) fn check_reads(&self, sample: Option<&mut Dice>) {
        let mut keys: Vec<u32> = self.truth.keys().copied().collect();
        if let Some(dice) = sample {
            keys.sort_unstable();
            keys = (0..20.min(keys.len()))
                .map(|_| keys[dice.below(keys.len() as u64) as usize])
                .collect();
        }
        for number in keys {
            let found = self.memtable.get(&number).copied().or_else(|| self.find(number));
            let (sequence, is_set) = self.truth[&number];
            match found {
                Some(found) => assert_eq!(found, (sequence, is_set), "key {number}"),
                None => assert!(!is_set, "key {number} is lost"),
            }
        }
    }

    fn find(&self, number: u32) -> Option<(u64, bool)> {
        self.version.candidates(&key(number)).find_map(|table| {
            let rows = &self.tables[&table.meta.number];
            let at = rows.binary_search_by_key(&number, |row| row.0).ok()?;
            Some((rows[at].1, rows[at].2))
        })
    }

    /// Bytes of tables for each byte that a reader can see.
    pub(super) fn space_amplification(&self) -> f64 {
        let live = self.truth.values().filter(|(_, is_set)| *is_set).count() as u64;
        self.table_bytes() as f64 / (live.max(1) * ENTRY_BYTES) as f64
    }

    pub(super) fn write_amplification(&self) -> f64 {
        (self.flushed_bytes + self.merged_bytes) as f64 / self.flushed_bytes as f64
    }

    pub(super) fn table_bytes(&self) -> u64 {
        self.version.tables().map(|table| table.meta.bytes).sum()
    }

    pub(super) fn tombstones(&self) -> u64 {
        self.version.tables().map(|table| table.meta.tombstones).sum()
    }

    fn merge(&self, plan: &Plan) -> Vec<Vec<Row>> {
        // The newest source first, as in a real merge; a key's first row must be its newest.
        let mut merged: HashMap<u32, Row> = HashMap::new();
        for input in &plan.inputs {
            for &row in input.tables.iter().flat_map(|number| &self.tables[number]) {
                let newest = merged.entry(row.0).or_insert(row);
                assert!(newest.1 >= row.1, "key {}: {} above {}", row.0, newest.1, row.1);
            }
        }
        let hides = |row: &Row| {
            let key = key(row.0);
            let range = KeyRange { smallest: key.clone(), largest: key };
            plan.older.iter().any(|older| older.overlaps(&range))
        };
        let mut rows: Vec<Row> = merged.into_values().filter(|row| row.2 || hides(row)).collect();
        rows.sort_unstable();
        let mut outputs: Vec<Vec<Row>> = Vec::new();
        for row in rows {
            match outputs.last_mut() {
                Some(last) if bytes(last) < plan.table_bytes => last.push(row),
                _ => outputs.push(vec![row]),
            }
        }
        outputs
    }

    fn keep(&mut self, rows: Vec<Row>) -> TableMeta {
        let number = self.number;
        self.number += 1;
        let meta = TableMeta {
            number,
            bytes: bytes(&rows),
            entries: rows.len() as u64,
            tombstones: rows.iter().filter(|row| !row.2).count() as u64,
            blocks: 1,
            sequence_min: rows.iter().map(|row| row.1).min().unwrap(),
            sequence_max: rows.iter().map(|row| row.1).max().unwrap(),
            key_bytes: 4,
            data_bytes: 0,
            smallest: key(rows[0].0),
            largest: key(rows[rows.len() - 1].0),
            blobs: Vec::new(),
        };
        self.tables.insert(number, rows);
        meta
    }

    fn apply(&mut self, edit: Edit) {
        let edit = Edit { file_number: Some(self.number), ..edit };
        self.version = self.version.apply(&edit).unwrap();
        let live: Vec<u64> = self.version.tables().map(|table| table.meta.number).collect();
        if self.tables.len() > 2 * live.len() + 1000 {
            let live: std::collections::HashSet<u64> = live.into_iter().collect();
            self.tables.retain(|number, _| live.contains(number));
        }
    }

    /// A tree in which data of all ages lies anywhere, as no strategy would put it.
    pub(super) fn scattered(policy: Policy, dice: &mut Dice) -> Self {
        let mut tree = Self::new(policy);
        let runs = 1 + dice.below(12);
        let mut levels: Vec<u64> = (0..runs).map(|_| dice.below(9)).collect();
        levels.sort_unstable_by(|a, b| b.cmp(a));
        for level in levels {
            // The oldest first: later runs are newer, and no deeper.
            let run = tree.number;
            tree.number += 1;
            let mut edit = Edit::default();
            let mut next_key = dice.below(500) as u32;
            for _ in 0..=dice.below(20) {
                let rows: Vec<Row> = (0..=dice.below(40))
                    .map(|_| {
                        next_key += 1 + dice.below(30) as u32;
                        tree.sequence += 1;
                        (next_key, tree.sequence, !dice.one_in(4))
                    })
                    .collect();
                for &(key, sequence, is_set) in &rows {
                    tree.truth.insert(key, (sequence, is_set));
                }
                let meta = tree.keep(rows);
                edit.tables_added.push(Addition { level: level as u8, run, meta });
            }
            edit.flushed_sequence = Some(tree.sequence);
            tree.apply(edit);
        }
        tree
    }
}

fn bytes(rows: &[Row]) -> u64 {
    rows.iter().map(|row| if row.2 { ENTRY_BYTES } else { TOMBSTONE_BYTES }).sum()
}

/// That of one key nothing newer comes to lie below anything older, and that the output run keeps its form.
fn check(shape: &Shape, plan: &Plan) {
    assert!(!plan.inputs.is_empty() && plan.inputs.iter().all(|input| !input.tables.is_empty()));
    let output = plan.output();
    let runs: Vec<_> = shape.runs().collect();
    let place = |index: usize| (runs[index].level, std::cmp::Reverse(runs[index].run.number));
    let is_taken = |index: usize, number: u64| {
        let is_run = |input: &&Input| {
            input.level == runs[index].level && input.run == runs[index].run.number
        };
        plan.inputs.iter().filter(is_run).any(|input| input.tables.contains(&number))
    };
    let mut taken = 0;
    for (index, placed) in runs.iter().enumerate() {
        for table in &placed.run.tables {
            if !is_taken(index, table.number) {
                let in_the_way = place(index) == output && table.keys.overlaps(&plan.keys);
                assert!(
                    !in_the_way,
                    "the output run would overlap: {:?} {:?}",
                    plan.reason, plan.level
                );
                continue;
            }
            taken += 1;
            assert!(
                place(index) <= output,
                "data moves down: {:?} {:?} {:?}",
                plan.reason,
                plan.level,
                plan.place
            );
            for (other, others) in runs.iter().enumerate() {
                for neighbour in others.run.overlapping(&table.keys) {
                    if is_taken(other, neighbour.number) {
                        continue;
                    }
                    let is_newer = other < index;
                    let is_above = place(other) < output;
                    assert_eq!(
                        is_newer, is_above,
                        "order of {neighbour:?}: {:?} {:?} {:?}",
                        plan.reason, plan.level, plan.place
                    );
                }
            }
        }
    }
    let inputs: usize = plan.inputs.iter().map(|input| input.tables.len()).sum();
    assert_eq!(taken, inputs, "what is taken is there, once");
    assert!(plan.place != Place::New || plan.level > 0);
}
