//! When the server takes backups by itself: `[snapshot] schedule`.
//!
//! ```text
//! "6h"      so long after the last one began          "03:30"   each day at that time, UTC
//! ```
//!
//! What was done is read from the folder, so a restart changes nothing: the last backup there counts, whoever wrote it so.

use std::{fmt, str::FromStr, time::Duration};

use crate::storage::Keep;

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;
/// From one try to the next, if a backup fails.
const RETRY_SECONDS: u64 = 600;

/// Backups that the server takes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When.
    pub when: When,
    /// One in so many is a full one.
    pub full_every: usize,
    /// Which of them are kept.
    pub keep: Keep,
}

/// When a backup is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long after the last one.
    Every(Duration),
    /// At this second of each day, UTC.
    Daily(u64),
}

/// A text that says no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an interval, as \"30m\", \"6h\" or \"1d\", of a minute to 366 days; or a time of day in UTC, as \"03:30\""
)]
pub struct NoTime;

impl FromStr for When {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u64>().ok()).flatten().ok_or(NoTime)
        };
        if let Some((hour, minute)) = text.split_once(':') {
            let (hour, minute) = (number(hour)?, number(minute)?);
            let is_time = hour < 24 && minute < 60 && text.len() == 5;
            return if is_time {
                Ok(Self::Daily(3600 * hour + MINUTE * minute))
            } else {
                Err(NoTime)
            };
        }
        let unit = match text.chars().last() {
            Some('m') => MINUTE,
            Some('h') => 3600,
            Some('d') => DAY,
            _ => return Err(NoTime),
        };
        let seconds = number(&text[..text.len() - 1])?.checked_mul(unit).ok_or(NoTime)?;
        let fits = (MINUTE..=366 * DAY).contains(&seconds);
        if fits { Ok(Self::Every(Duration::from_secs(seconds))) } else { Err(NoTime) }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(time) => write!(f, "every {} minutes", time.as_secs() / MINUTE),
            Self::Daily(second) => {
                write!(f, "each day at {:02}:{:02} UTC", second / 3600, second / MINUTE % 60)
            }
        }
    }
}

impl When {
    /// Whether a backup is due now, if the last one was begun at `last` and the last try, in vain or not, at `tried`; all in
    /// seconds since the Unix epoch.
    #[must_use]
    pub fn is_due(&self, last: Option<u64>, tried: Option<u64>, now: u64) -> bool {
        if tried.is_some_and(|tried| now.saturating_sub(tried) < self.retry()) {
            return false;
        }
        match (self, last) {
            (Self::Every(_), None) => true,
            (Self::Every(time), Some(last)) => now.saturating_sub(last) >= time.as_secs(),
            (Self::Daily(second), last) => {
                let today = now - now % DAY + second;
                let latest = if today <= now { today } else { today.saturating_sub(DAY) };
                // A server that has never taken one waits for its first time.
                match last {
                    Some(last) => last < latest,
                    None => now - latest < RETRY_SECONDS,
                }
            }
        }
    }

    fn retry(&self) -> u64 {
        match self {
            Self::Every(time) => time.as_secs().min(RETRY_SECONDS),
            Self::Daily(_) => RETRY_SECONDS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_and_times_of_day_are_read_and_nothing_else() {
        let every = |seconds| Ok(When::Every(Duration::from_secs(seconds)));
        assert_eq!("1m".parse(), every(60));
        assert_eq!("6h".parse(), every(6 * 3600));
        assert_eq!("366d".parse(), every(366 * DAY));
        assert_eq!("03:30".parse(), Ok(When::Daily(12_600)));
        assert_eq!("23:59".parse(), Ok(When::Daily(86_340)));
        for wrong in [
            "",
            "m",
            "0m",
            "367d",
            "6",
            "6s",
            "-1h",
            "+1h",
            "1 h",
            "24:00",
            "12:60",
            "3:30",
            "12:3",
            "12:030",
            "a:bb",
            "99999999999999999999d",
            "1é",
        ] {
            assert_eq!(wrong.parse::<When>(), Err(NoTime), "{wrong}");
        }
    }

    #[test]
    fn an_interval_counts_from_the_last_backup_and_a_failure_waits_a_while() {
        let every = When::Every(Duration::from_secs(3600));
        assert!(every.is_due(None, None, 1000));
        assert!(!every.is_due(None, Some(900), 1000));
        assert!(every.is_due(None, Some(400), 1000));
        assert!(!every.is_due(Some(1000), Some(1000), 4599));
        assert!(every.is_due(Some(1000), Some(1000), 4600));
        assert!(!every.is_due(Some(5000), None, 4600), "a clock that went back");
    }

    #[test]
    fn a_time_of_day_is_due_once_a_day() {
        let daily = When::Daily(3600);
        let day = 20 * DAY;
        assert!(!daily.is_due(Some(day - DAY + 3600), None, day + 3599));
        assert!(daily.is_due(Some(day - DAY + 3600), None, day + 3600));
        assert!(
            daily.is_due(Some(day - DAY + 3600), None, day + 80_000),
            "the server was down then"
        );
        assert!(!daily.is_due(Some(day + 3600), None, day + 80_000));
        assert!(!daily.is_due(None, None, day + 80_000));
        assert!(daily.is_due(None, None, day + 3601));
    }
}
