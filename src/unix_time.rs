//! Moments as numbers that outlive the process, and as dates that people read.

use std::time::{SystemTime, UNIX_EPOCH};

use amaters_shards::utc::rfc3339;

/// Whole seconds since 1970; 0 for what was before.
pub(crate) fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The day in UTC, as 2026-11-29.
pub(crate) fn date(at: SystemTime) -> String {
    date_of(seconds(at))
}

/// The day in UTC of so many seconds since 1970.
pub(crate) fn date_of(seconds: u64) -> String {
    let moment = rfc3339(seconds.saturating_mul(1000));
    moment.split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_772_323_199, "2026-02-28"),
            (1_772_323_200, "2026-03-01"),
            (253_402_300_799, "9999-12-31"),
        ] {
            assert_eq!(date_of(seconds), expected);
        }
    }
}
