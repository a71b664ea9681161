//! What each strategy costs, counted in entries: how often a byte is written, how much room old versions take, how many runs a
//! read looks at.

use super::tree::Tree;
use crate::storage::{
    compaction::{Policy, Strategy},
    disk::sim::Dice,
};

struct Cost {
    write_amplification: f64,
    /// The largest and the last.
    space_amplification: (f64, f64),
    runs: usize,
}

/// Fills `keys` keys in random order and then overwrites each of them four times over, in random order.
fn overwrites(strategy: Strategy, keys: u64, flush_bytes: u64) -> Cost {
    let mut policy = Policy::new(strategy, 7, 10, flush_bytes);
    policy.table_bytes = flush_bytes;
    let mut tree = Tree::new(policy);
    let mut dice = Dice::new(7);
    let (mut space, mut runs) = (0f64, 0);
    let step = keys / 64;
    for write in 0..keys * 5 {
        let key = if write < keys { write * 0x9e37_79b1 % keys } else { dice.below(keys) };
        tree.write(key as u32, true);
        if write % (flush_bytes / 100) == 0 {
            tree.settle(100_000);
        }
        if write % step == 0 {
            runs = runs.max(tree.version.runs().count());
            if write > keys {
                space = space.max(tree.space_amplification());
            }
        }
    }
    tree.flush();
    tree.settle(100_000);
    tree.check_reads(Some(&mut dice));
    Cost {
        write_amplification: tree.write_amplification(),
        space_amplification: (space, tree.space_amplification()),
        runs,
    }
}

#[test]
fn every_strategy_keeps_its_promise() {
    let (keys, flush_bytes) = (60_001, 20_000);
    println!("{keys} keys, {} flushes, 4 overwrites each, at random:", keys * 500 / flush_bytes);
    println!("strategy   written  room (most, last)  runs (most)");
    let bounds = [
        (Strategy::Leveled, 16.0, 1.7, 12),
        (Strategy::Tiered, 6.0, 11.0, 30),
        (Strategy::Universal, 9.0, 3.6, 12),
    ];
    for (strategy, written_max, space_max, runs_max) in bounds {
        let cost = overwrites(strategy, keys, flush_bytes);
        let (written, (most, last)) = (cost.write_amplification, cost.space_amplification);
        println!("{strategy:<10?} {written:7.2}  {most:8.2} {last:8.2}  {:6}", cost.runs);
        assert!(written < written_max && most < space_max && cost.runs <= runs_max);
    }
}
