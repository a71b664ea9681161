//! Moments as numbers that outlive the process, and as dates that people read.

use std::time::{SystemTime, UNIX_EPOCH};

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
    // Days since 0000-03-01: years that begin in March end with the day that is not in all of them
    // (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
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
