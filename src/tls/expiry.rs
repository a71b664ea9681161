//! Dates that come nearer, and when an operator is reminded of them.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

const DAY: Duration = Duration::from_secs(86_400);
/// From here on there is a reminder each day.
const NOTICE: Duration = Duration::from_secs(30 * 86_400);

/// When something ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    what: String,
    until: SystemTime,
}

impl Date {
    pub(super) fn new(what: String, until: SystemTime) -> Self {
        Self { what, until }
    }

    /// What to say of it now: whether it is over, and a line.
    pub(crate) fn warning(&self, now: SystemTime) -> Option<(bool, String)> {
        let Self { what, until } = self;
        let date = crate::unix_time::date(*until);
        match until.duration_since(now) {
            Err(_) => Some((true, format!("{what} has expired on {date}: replace it"))),
            Ok(left) if left < NOTICE => {
                let days = left.as_secs() / DAY.as_secs();
                Some((false, format!("{what} expires in {days} days, on {date}: replace it")))
            }
            Ok(_) => None,
        }
    }
}

/// Reminds once a day.
#[derive(Debug, Default)]
pub(super) struct Reminder {
    told: BTreeMap<String, SystemTime>,
}

impl Reminder {
    /// The lines that are due.
    pub(super) fn due(&mut self, dates: &[Date], now: SystemTime) -> Vec<(bool, String)> {
        let mut lines = Vec::new();
        for date in dates {
            let Some(warning) = date.warning(now) else { continue };
            let told = self.told.get(&date.what).copied();
            // A clock that was set back is no reason for silence.
            if told.is_none_or(|told| now.duration_since(told).map_or(true, |since| since >= DAY)) {
                self.told.insert(date.what.clone(), now);
                lines.push(warning);
            }
        }
        self.told.retain(|what, _| dates.iter().any(|date| date.what == *what));
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn reminders_begin_a_month_before_and_come_once_a_day() {
        let end = UNIX_EPOCH + 1000 * DAY;
        let dates = [Date::new("it".into(), end)];
        let mut reminder = Reminder::default();
        assert_eq!(reminder.due(&dates, end - NOTICE), []);
        let first = reminder.due(&dates, end - NOTICE + Duration::from_secs(1));
        assert_eq!(first, [(false, "it expires in 29 days, on 1972-09-27: replace it".into())]);
        assert_eq!(reminder.due(&dates, end - NOTICE + DAY), []);
        assert_eq!(reminder.due(&dates, end - NOTICE + 2 * DAY).len(), 1);
        assert!(reminder.due(&dates, end + Duration::from_secs(1))[0].0);
        assert_eq!(reminder.due(&dates, end - DAY).len(), 1, "the clock was set back");
        assert_eq!(reminder.due(&[], end), []);
        assert_eq!(reminder.due(&dates, end - DAY).len(), 1, "another one of the same name");
    }
}
