//! When clients go whose certificates were verified by authorities or revocations of before.
//!
//! ```text
//!   published ──── grace ───► told to finish and go ──── grace, at least FAREWELL ───► closed
//! ```

use std::time::{Duration, Instant};

/// Time for calls under way, where there is no grace.
const FAREWELL: Duration = Duration::from_secs(5);

/// Plans, the soonest first.
#[derive(Debug, Default)]
pub(crate) struct Retirements(Vec<Step>);

/// What is to be done to those who were verified under an older trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Than this.
    pub(crate) trust: u64,
    /// Their connections are closed; otherwise they are told to go.
    pub(crate) at_once: bool,
    due: Instant,
}

impl Retirements {
    /// A trust has been published.
    pub(crate) fn plan(&mut self, trust: u64, now: Instant, grace: Duration) {
        let told = now + grace;
        let closed = told + grace.max(FAREWELL);
        self.0.push(Step { trust, at_once: false, due: told });
        self.0.push(Step { trust, at_once: true, due: closed });
        self.0.sort_by_key(|step| step.due);
    }

    /// What is due, and will not be again.
    pub(crate) fn due(&mut self, now: Instant) -> impl Iterator<Item = Step> + use<> {
        let count = self.0.partition_point(|step| step.due <= now);
        self.0.drain(..count).collect::<Vec<_>>().into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_has_its_own_grace_and_then_an_end() {
        let (mut plans, start) = (Retirements::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        plans.plan(1, start, Duration::from_secs(30));
        plans.plan(2, after(20), Duration::ZERO);
        let mut due = |seconds| {
            plans.due(after(seconds)).map(|step| (step.trust, step.at_once)).collect::<Vec<_>>()
        };
        assert_eq!(due(19), []);
        assert_eq!(due(20), [(2, false)]);
        assert_eq!(due(25), [(2, true)]);
        assert_eq!(due(59), [(1, false)]);
        assert_eq!(due(60), [(1, true)]);
        assert_eq!(due(1000), []);
    }
}
