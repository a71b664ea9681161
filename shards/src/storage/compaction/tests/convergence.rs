//! Whatever is written, whatever the strategy and whenever it changes: reads stay right, and there is an end of work.

use super::tree::Tree;
use crate::storage::{
    compaction::{Policy, Reason, Shape, Strategy, pick, plan::Place, scores},
    disk::sim::Dice,
    tests::machine::with_seeds,
};

const STRATEGIES: [Strategy; 3] = [Strategy::Leveled, Strategy::Tiered, Strategy::Universal];

fn policy(strategy: Strategy, levels: usize, multiplier: usize, flush_bytes: u64) -> Policy {
    let mut policy = Policy::new(strategy, levels, multiplier, flush_bytes);
    policy.table_bytes = flush_bytes;
    policy
}

fn any_policy(dice: &mut Dice) -> Policy {
    let strategy = STRATEGIES[dice.below(3) as usize];
    let levels = 2 + dice.below(6) as usize;
    let multiplier = 2 + dice.below(9) as usize;
    policy(strategy, levels, multiplier, 2000)
}

/// What the next write is about.
fn write(tree: &mut Tree, dice: &mut Dice, habit: u64, count: &mut u32) {
    *count += 1;
    let key = match habit {
        0 => dice.below(2000) as u32,
        1 => *count,
        2 => 5000 - *count % 5000,
        3 => (dice.below(50) * dice.below(50)) as u32,
        _ => *count % 300 * 7,
    };
    let is_set = !dice.one_in([20, 2, 5][(habit % 3) as usize]);
    tree.write(key, is_set);
}

fn story(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut tree = Tree::new(any_policy(&mut dice));
    let (mut habit, mut count) = (dice.below(5), 0);
    for _ in 0..3000 {
        match dice.below(400) {
            0 => tree.policy = any_policy(&mut dice),
            1 => habit = dice.below(5),
            2 => tree.flush(),
            3..=40 if tree.under_way() < 3 => {
                tree.begin();
            }
            41..=80 if tree.under_way() > 0 => {
                tree.end(dice.below(tree.under_way() as u64) as usize);
                tree.check_reads(Some(&mut dice));
            }
            _ => write(&mut tree, &mut dice, habit, &mut count),
        }
    }
    tree.settle(2000);
    tree.check_reads(None);
    for strategy in STRATEGIES {
        tree.policy = any_policy(&mut dice);
        tree.policy.strategy = strategy;
        tree.settle(2000);
        tree.check_reads(None);
    }
}

#[test]
fn strategies_may_change_at_any_moment() {
    with_seeds(60, story);
}

#[test]
fn every_strategy_comes_to_an_end_from_any_shape() {
    with_seeds(300, |seed| {
        let mut dice = Dice::new(seed);
        let policy = any_policy(&mut dice);
        let mut tree = Tree::scattered(policy, &mut dice);
        tree.check_reads(None);
        tree.settle(3000);
        tree.check_reads(None);
        let shape = tree.shape();
        assert!(scores(&shape, &tree.policy).iter().all(|score| *score < 1.0));
        assert_form(&shape, &tree.policy);
    });
}

/// What a strategy promises once there is nothing to do.
fn assert_form(shape: &Shape, policy: &Policy) {
    let runs = |level: usize| shape.levels.get(level).map_or(0, Vec::len);
    match policy.strategy {
        Strategy::Leveled => {
            assert!(runs(0) < 4 && (1..shape.levels.len()).all(|level| runs(level) <= 1));
            let used = (1..shape.levels.len()).filter(|level| runs(*level) > 0).count();
            assert!(used <= policy.bottom(), "{used} levels");
        }
        Strategy::Tiered => {
            assert!(runs(0) < 4);
            assert!((1..policy.bottom()).all(|level| runs(level) < policy.multiplier()));
            let bottom: usize = (policy.bottom()..shape.levels.len()).map(runs).sum();
            assert!(bottom < policy.multiplier());
        }
        Strategy::Universal => {
            assert!(shape.levels.iter().map(Vec::len).sum::<usize>() <= policy.multiplier());
        }
    }
}

#[test]
fn an_empty_tree_needs_nothing() {
    for strategy in STRATEGIES {
        assert_eq!(pick(&Shape::default(), &policy(strategy, 7, 10, 1000)), None);
    }
}

#[test]
fn what_was_deleted_leaves_nothing_behind() {
    for strategy in STRATEGIES {
        let mut tree = Tree::new(policy(strategy, 5, 4, 2000));
        for round in 0..2 {
            for key in 0..3000 {
                tree.write(key * 7 % 3000, round == 0);
            }
            tree.flush();
            tree.settle(1000);
        }
        tree.check_reads(None);
        let left = tree.table_bytes();
        assert!(left < 3000 * 100 / 5, "{strategy:?}: {left} bytes for nothing");
        assert!(tree.plans.iter().any(|plan| plan.reason == Reason::Tombstones), "{strategy:?}");
    }
}

#[test]
fn tombstones_that_nobody_touches_any_more_go_in_the_end() {
    for strategy in STRATEGIES {
        let mut tree = Tree::new(policy(strategy, 5, 4, 2000));
        (0..2000).for_each(|key| tree.write(key, true));
        tree.settle(1000);
        // A few tombstones among many values, and later writes elsewhere.
        (0..200).for_each(|key| tree.write(key * 10, key % 10 != 0));
        tree.flush();
        tree.settle(1000);
        for round in 0..4 {
            (10_000..12_000).for_each(|key| tree.write(key + round % 2, true));
            tree.settle(1000);
        }
        assert_eq!(tree.tombstones(), 0, "{strategy:?}");
        tree.check_reads(None);
    }
}

#[test]
fn keys_that_only_ascend_are_moved_and_not_rewritten() {
    for strategy in STRATEGIES {
        let mut tree = Tree::new(policy(strategy, 7, 4, 2000));
        for key in 0..40_000 {
            tree.write(key, true);
            if key % 20 == 0 && tree.begin() {
                tree.end(0);
            }
        }
        tree.settle(1000);
        assert!(tree.plans.iter().all(|plan| plan.is_move), "{strategy:?}");
        assert!(tree.write_amplification() == 1.0);
        tree.check_reads(None);
    }
}

#[test]
fn plans_keep_out_of_each_others_way() {
    let mut tree = Tree::new(policy(Strategy::Leveled, 4, 4, 2000));
    let mut dice = Dice::new(1);
    let mut most = 0;
    for _ in 0..20_000 {
        tree.write(dice.below(3000) as u32, true);
        while dice.one_in(20) && tree.under_way() < 4 && tree.begin() {}
        if dice.one_in(60) && tree.under_way() > 0 {
            tree.end(dice.below(tree.under_way() as u64) as usize);
        }
        most = most.max(tree.under_way());
    }
    assert!(most >= 2, "some go on at the same time");
    tree.settle(1000);
    tree.check_reads(None);
}

#[test]
fn more_levels_are_taken_into_use_when_the_policy_allows_them() {
    let mut tree = Tree::new(policy(Strategy::Leveled, 2, 2, 2000));
    (0..4000).for_each(|key| tree.write(key * 13 % 4001, true));
    tree.settle(1000);
    assert_eq!(tree.shape().levels.len(), 2);
    tree.policy = policy(Strategy::Leveled, 6, 2, 2000);
    let before = tree.merged_bytes;
    tree.settle(1000);
    assert_eq!((tree.shape().levels.len(), tree.merged_bytes), (6, before), "moved only");
    let moved = tree.plans.last().unwrap();
    assert_eq!((moved.level, moved.place, moved.reason), (5, Place::New, Reason::Shape));
}
