//! Times that reactors went without a turn: the longest are kept for whoever asks, and a standstill
//! is told at once.
//!
//! ```text
//!            gap > 1 s                     gap > 1 s: it grows
//!   turns ───────────────► stands still ──────────────┐
//!     ▲    told, at most      │        ▲──────────────┘
//!     │    once in 10 s       │ gap ≤ 1 s
//!     └───────────────────────┘ told, with how long it was
//! ```

use std::{
    fmt,
    time::{Duration, Instant},
};

/// A gap that clients notice, and that no request should cause.
const STANDSTILL: Duration = Duration::from_secs(1);
/// Between two standstills that are told.
const QUIET: Duration = Duration::from_secs(10);

/// The gaps of all reactors.
#[derive(Debug)]
pub(crate) struct Gaps {
    /// For each reactor, since they were last taken.
    longest: Vec<Duration>,
    /// For each reactor, how long the standstill is that was told and goes on.
    still: Vec<Option<Duration>>,
    told: Option<Instant>,
}

/// What an operator should know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A reactor does not turn, for so long already.
    Stands(usize, Duration),
    /// It turns again, after so long.
    Turns(usize, Duration),
}

impl Gaps {
    /// No gaps yet.
    pub(crate) fn new(reactors: usize) -> Self {
        Self { longest: vec![Duration::ZERO; reactors], still: vec![None; reactors], told: None }
    }

    /// Takes note of each reactor's longest gap since the last time, and says what is new.
    pub(crate) fn note(&mut self, gaps: &[Duration], now: Instant) -> Vec<News> {
        let mut news = Vec::new();
        for (reactor, gap) in gaps.iter().copied().enumerate() {
            self.longest[reactor] = self.longest[reactor].max(gap);
            let told = |told| now.saturating_duration_since(told) < QUIET;
            match &mut self.still[reactor] {
                Some(longest) if gap > STANDSTILL => *longest = gap.max(*longest),
                Some(longest) => {
                    news.push(News::Turns(reactor, *longest));
                    self.still[reactor] = None;
                }
                None if gap > STANDSTILL && !self.told.is_some_and(told) => {
                    news.push(News::Stands(reactor, gap));
                    self.still[reactor] = Some(gap);
                    self.told = Some(now);
                }
                None => {}
            }
        }
        news
    }

    /// For each reactor the longest gap since this was last asked.
    pub(crate) fn take(&mut self) -> Vec<Duration> {
        let none = vec![Duration::ZERO; self.longest.len()];
        std::mem::replace(&mut self.longest, none)
    }
}

impl fmt::Display for News {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stands(reactor, gap) => write!(
                out,
                "reactor {reactor} has made no turn for {:.1} s: its connections and its shards wait",
                gap.as_secs_f64()
            ),
            Self::Turns(reactor, gap) => {
                write!(out, "reactor {reactor} turns again, after {:.1} s", gap.as_secs_f64())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(3);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_longest_gap_is_kept_until_it_is_taken() {
        let mut gaps = Gaps::new(2);
        let now = Instant::now();
        assert_eq!(gaps.note(&[SHORT, Duration::ZERO], now), []);
        assert_eq!(gaps.note(&[Duration::ZERO, SHORT * 2], now), []);
        assert_eq!(gaps.take(), [SHORT, SHORT * 2]);
        assert_eq!(gaps.take(), [Duration::ZERO; 2]);
    }

    #[test]
    fn a_standstill_is_told_when_it_is_one_and_when_it_ends() {
        let mut gaps = Gaps::new(2);
        let now = Instant::now();
        assert_eq!(gaps.note(&[SHORT, seconds(2)], now), [News::Stands(1, seconds(2))]);
        assert_eq!(gaps.note(&[SHORT, seconds(5)], now + seconds(3)), []);
        assert_eq!(gaps.note(&[SHORT, SHORT], now + seconds(4)), [News::Turns(1, seconds(5))]);
        assert_eq!(gaps.note(&[SHORT, SHORT], now + seconds(5)), []);
    }

    #[test]
    fn standstills_in_a_row_are_told_once_in_a_while_and_all_count() {
        let mut gaps = Gaps::new(1);
        let now = Instant::now();
        assert_eq!(gaps.note(&[seconds(2)], now).len(), 1);
        assert_eq!(gaps.note(&[SHORT], now + seconds(1)).len(), 1);
        assert_eq!(gaps.note(&[seconds(3)], now + seconds(2)), []);
        assert_eq!(gaps.take(), [seconds(3)]);
        assert_eq!(gaps.note(&[SHORT], now + seconds(3)), []);
        assert_eq!(gaps.note(&[seconds(2)], now + QUIET).len(), 1);
    }
}
