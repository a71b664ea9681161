//! Log lines about what strangers do: seldom, however often they do it.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// From one line to the next.
const SPACING: Duration = Duration::from_secs(10);

/// When a line was written last, and how often it was left out since.
#[derive(Debug, Default)]
pub struct Seldom {
    written: Cell<Option<Instant>>,
    left_out: Cell<u64>,
}

impl Seldom {
    /// Whether to write the line now: then how many were left out before it.
    pub fn ask(&self, now: Instant) -> Option<u64> {
        let is_late = |written| now.saturating_duration_since(written) >= SPACING;
        if self.written.get().is_none_or(is_late) {
            self.written.set(Some(now));
            Some(self.left_out.take())
        } else {
            self.left_out.set(self.left_out.get() + 1);
            None
        }
    }
}

/// The end of a line before which so many were left out.
pub fn and_others(left_out: u64) -> String {
    if left_out == 0 { String::new() } else { format!(" ({left_out} like it were left out)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_one_line_and_a_number() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.ask(start), Some(0));
        for millis in 0..1000 {
            assert_eq!(seldom.ask(start + Duration::from_millis(millis)), None);
        }
        assert_eq!(seldom.ask(start + SPACING), Some(1000));
        assert_eq!(seldom.ask(start + 2 * SPACING), Some(0));
    }
}
