//! When compaction cannot keep up, writers are made to wait: a little at first, and in the end until there is room.

use std::time::Duration;

use super::{
    policy::{LEVEL_0_RUNS, Policy, Strategy},
    scores,
    shape::Shape,
};

const RUNS_SLOW: u64 = 12;
const RUNS_STOP: u64 = 24;
/// Memtables that wait for their flush.
const FROZEN_SLOW: u64 = 2;
const FROZEN_STOP: u64 = 4;
/// In units of what level 0 may hold.
const DEBT_SLOW: u64 = 256;
const DEBT_STOP: u64 = 1024;
/// What a group waits when the stop is near.
const DELAY_MAX: Duration = Duration::from_millis(100);

/// What is behind, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::storage) struct Pressure {
    /// Runs that reads have to look at beyond those that the strategy allows for.
    pub(in crate::storage) runs: usize,
    /// Memtables that wait for their flush.
    pub(in crate::storage) frozen: usize,
    /// Bytes that compaction has to write until all is well, about.
    pub(in crate::storage) debt_bytes: u64,
}

/// How the next group is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::storage) enum Grade {
    AtOnce,
    After(Duration),
    Stop,
}

impl Pressure {
    /// Of the tables; memtables are for the caller to count.
    pub(in crate::storage) fn of(shape: &Shape, policy: &Policy) -> Self {
        let runs = match policy.strategy {
            Strategy::Leveled | Strategy::Tiered => shape.level(0).len(),
            Strategy::Universal => {
                (shape.runs().count() + LEVEL_0_RUNS).saturating_sub(policy.multiplier())
            }
        };
        Self { runs, frozen: 0, debt_bytes: debt_bytes(shape, policy) }
    }

    pub(in crate::storage) fn grade(&self, policy: &Policy) -> Grade {
        let bases = self.debt_bytes / policy.base_bytes();
        let most = [
            degree(self.runs as u64, RUNS_SLOW, RUNS_STOP),
            degree(self.frozen as u64, FROZEN_SLOW, FROZEN_STOP),
            degree(bases, DEBT_SLOW, DEBT_STOP),
        ];
        let most = most.into_iter().fold(0.0, f64::max);
        if most >= 1.0 {
            Grade::Stop
        } else if most > 0.0 {
            // Hardly felt at first, so that a short burst passes.
            Grade::After(DELAY_MAX.mul_f64(most * most))
        } else {
            Grade::AtOnce
        }
    }
}

/// How far `count` has come: 0 below `slow`, 1 from `stop` on.
fn degree(count: u64, slow: u64, stop: u64) -> f64 {
    if count < slow {
        return 0.0;
    }
    (count - slow + 1) as f64 / (stop - slow + 1) as f64
}

/// What levels hold beyond what they should, as often as it will be written on its way.
fn debt_bytes(shape: &Shape, policy: &Policy) -> u64 {
    let multiplier = match policy.strategy {
        // A byte is merged with half as many of the level below, on average.
        Strategy::Leveled => policy.multiplier() as f64 / 2.0 + 1.0,
        Strategy::Tiered | Strategy::Universal => 1.0,
    };
    let excess = scores(shape, policy).into_iter().enumerate().map(|(level, score)| {
        let share = if score > 1.0 { 1.0 - 1.0 / score } else { 0.0 };
        shape.level_bytes(level) as f64 * share * multiplier
    });
    excess.sum::<f64>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_wait_longer_and_longer_and_in_the_end_for_room() {
        let policy = Policy::new(Strategy::Leveled, 7, 10, 1000);
        let grade = |runs, frozen, bases| {
            let debt_bytes = bases * policy.base_bytes();
            Pressure { runs, frozen, debt_bytes }.grade(&policy)
        };
        assert_eq!(grade(11, 1, 255), Grade::AtOnce);
        let runs: Vec<_> = (11..=25).map(|runs| grade(runs, 0, 0)).collect();
        assert!(runs.is_sorted() && runs[1..13].windows(2).all(|pair| pair[0] < pair[1]));
        assert!(matches!(runs[1], Grade::After(delay) if delay < Duration::from_millis(1)));
        assert!(matches!(runs[12], Grade::After(delay) if delay > Duration::from_millis(80)));
        assert_eq!((runs[13], runs[14]), (Grade::Stop, Grade::Stop));
        assert!(matches!(grade(0, 2, 0), Grade::After(_)) && grade(0, 4, 0) == Grade::Stop);
        assert!(matches!(grade(0, 0, 256), Grade::After(_)) && grade(0, 0, 1024) == Grade::Stop);
        assert_eq!(grade(0, 0, u64::MAX / policy.base_bytes()), Grade::Stop);
        assert!(grade(12, 3, 0) > grade(12, 0, 0) && grade(12, 3, 0) == grade(0, 3, 256));
    }
}
