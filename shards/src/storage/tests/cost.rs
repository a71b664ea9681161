//! What the hot path costs: allocations are asserted, times are printed (`--ignored --nocapture`, optimised).

use std::{hint::black_box, time::Instant};

use amaters_fuzz::memory::{Counting, allocations};
use bytes::Bytes;

use super::machine::{Machine, finish};
use crate::{
    settings::SyncMode,
    storage::{LockSet, Meta, Transaction, Value, disk::sim::Dice},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn key(number: u64) -> [u8; 16] {
    let mut key = *b"user:00000000000";
    for (place, digit) in
        key[5..].iter_mut().rev().zip((0..11).map(|power| number / 10u64.pow(power) % 10))
    {
        *place = b'0' + digit as u8;
    }
    key
}

fn filled(entries: u64) -> (Machine, Bytes) {
    let mut machine = Machine::new(1, SyncMode::None, 1 << 40);
    machine.start().unwrap();
    let request = Bytes::from(vec![7; 100]);
    for number in 0..entries {
        machine
            .shard()
            .set("default", &key(number), Value { data: request.clone(), meta: Meta::default() })
            .unwrap();
    }
    machine.settle();
    (machine, request)
}

#[test]
fn a_get_takes_no_memory_and_a_set_one_piece() {
    let (mut machine, request) = filled(2000);
    let shard = machine.shard();
    let gets = allocations(|| {
        for number in 0..1000 {
            assert!(finish(shard.get("default", &key(number))).unwrap().is_some());
        }
    });
    assert_eq!(gets, 0);
    for number in 0..1000 {
        shard
            .set("default", &key(number), Value { data: request.clone(), meta: Meta::default() })
            .unwrap();
    }
    machine.settle();
    let sets = allocations(|| {
        for number in 0..1000 {
            let value = Value { data: request.clone(), meta: Meta::default() };
            shard.set("default", &key(number), value).unwrap();
        }
    });
    // The value itself; the rest is nodes of the tree of staged changes.
    assert!((1000..1400).contains(&sets), "{sets}");
}

/// Ten sets in one batch of a shard on which no lock is held: a list of locks would be a name for each key.
#[test]
fn a_batch_takes_few_pieces_of_memory_beside_its_sets() {
    const SETS: u64 = 10;

    let (mut machine, request) = filled(2000);
    let shard = machine.shard();
    let batch = |first: u64| {
        let request = request.clone();
        let locks = || -> LockSet { panic!("nothing is in the way") };
        let step = move |transaction: &mut Transaction<'_>| {
            (first..first + SETS).try_for_each(|number| {
                let value = Value { data: request.clone(), meta: Meta::default() };
                transaction.set("default", &key(number), value)
            })
        };
        finish(shard.transact(locks, step)).unwrap();
    };
    (0..100).for_each(|number| batch(number * SETS));
    machine.settle();
    let batches = allocations(|| (0..100).for_each(|number| batch(number * SETS)));
    println!("{batches} allocations for 100 batches of {SETS} sets");
    assert!((1000..1800).contains(&batches), "{batches}");
}

#[test]
#[ignore = "prints times"]
fn times_of_get_and_set() {
    let (mut machine, request) = filled(100_000);
    let shard = machine.shard();
    let mut dice = Dice::new(1);
    let keys: Vec<_> = (0..1_000_000).map(|_| key(dice.below(100_000))).collect();
    let start = Instant::now();
    for key in &keys {
        black_box(finish(shard.get("default", key)).unwrap());
    }
    println!("get: {} ns", start.elapsed().as_nanos() / keys.len() as u128);
    for batch in [16, 256] {
        let (mut staging, mut rest) = (0, 0);
        for keys in keys[..200_000].chunks(batch) {
            let start = Instant::now();
            for key in keys {
                let value = Value { data: request.clone(), meta: Meta::default() };
                black_box(shard.set("default", key, value).unwrap());
            }
            let staged = Instant::now();
            staging += (staged - start).as_nanos();
            while shard.stats().staged_bytes > 0 {
                machine.step();
            }
            rest += staged.elapsed().as_nanos();
        }
        println!(
            "set, groups of {batch}: {} ns staging, {} ns commit on the simulated disk",
            staging / 200_000,
            rest / 200_000
        );
    }
}
