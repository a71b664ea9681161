//! Who asked for a reload, and when the next one begins: a storm of signals becomes a few reloads.
//!
//! ```text
//!            ask                 begin: not within SPACING of the last
//!   idle ─────────► asked ──────────────────────────────────────────────► under way ──► idle, answered
//!                     ▲                                                      │ ask
//!                     └──────────────────── end ◄────────────────────────────┘
//! ```
//!
//! Whoever asks is answered with a reload that began after the question: what was written before
//! is read.

use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::ReloadReport;

/// From one beginning to the next.
const SPACING: Duration = Duration::from_millis(100);
/// Questions that wait for one answer.
const ASKED_MAX: usize = 64;

/// The reloads of a server.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    /// Those who wait for the reload that is under way.
    under_way: Option<Vec<Sender<ReloadReport>>>,
    /// Those who wait for the next.
    asked: Option<Vec<Sender<ReloadReport>>>,
    began: Option<Instant>,
}

impl Reloads {
    /// Somebody asks, and may want to know what comes of it.
    pub(crate) fn ask(&mut self, who: Option<Sender<ReloadReport>>) {
        let asked = self.asked.get_or_insert_default();
        if asked.len() < ASKED_MAX {
            asked.extend(who);
        }
    }

    /// Whether a reload is to begin at this moment; it then counts as begun.
    pub(crate) fn begin(&mut self, now: Instant) -> bool {
        let is_late = |began| now.saturating_duration_since(began) >= SPACING;
        if self.under_way.is_some() || !self.began.is_none_or(is_late) {
            return false;
        }
        self.under_way = self.asked.take();
        if self.under_way.is_some() {
            self.began = Some(now);
        }
        self.under_way.is_some()
    }

    /// The reload that was under way has ended so.
    pub(crate) fn end(&mut self, report: &ReloadReport) {
        for who in self.under_way.take().into_iter().flatten() {
            // Whoever asked may have gone.
            let _ = who.send(report.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;

    use super::*;

    #[test]
    fn a_storm_is_two_reloads_and_whoever_asks_late_gets_the_second() {
        let mut reloads = Reloads::default();
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        assert!(!reloads.begin(start), "nobody asked");
        let (early, early_report) = unbounded();
        reloads.ask(Some(early));
        (0..1000).for_each(|_| reloads.ask(None));
        assert!(reloads.begin(start));
        assert!(!reloads.begin(after(1)));

        let (late, late_report) = unbounded();
        (0..1000).for_each(|_| reloads.ask(None));
        reloads.ask(Some(late));
        assert!(!reloads.begin(after(2)), "one is under way");
        reloads.end(&ReloadReport::no_file());
        assert!(early_report.try_recv().is_ok() && late_report.try_recv().is_err());
        assert!(!reloads.begin(after(99)), "too soon");
        assert!(reloads.begin(after(100)));
        reloads.end(&ReloadReport::no_file());
        assert!(late_report.try_recv().is_ok());
        assert!(!reloads.begin(after(300)), "all were answered");
    }
}
