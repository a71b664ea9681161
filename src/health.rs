//! Whether the server lives, and whether it is of use: what probes are told.
//!
//! ```text
//!             lives        ready
//! starting     yes          no      logs are read back; a restart would begin again
//! serving      yes          yes
//! poisoned     yes          no      shards refuse writes; only a restart with a well disk helps
//! unaudited    yes          no      what must be recorded is not done, as the configuration wants it
//! draining     yes          no
//! stuck        no           no      a reactor or the control thread stands still
//! ```

use std::{fmt, time::Duration};

use amaters_shards::{Health, audit::Audit};

use crate::telemetry::Telemetry;

/// A reactor or a control thread that stands still for so long will not go on by itself.
const STUCK: Duration = Duration::from_secs(30);

/// What a probe is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Shards are being opened.
    Starting,
    /// Requests are served.
    Serving,
    /// So many shards refuse writes.
    Poisoned(u64),
    /// The audit cannot be written, and what it must record is not done.
    Unaudited,
    /// The server is going away.
    Draining,
    /// Nothing has moved for so many seconds.
    Stuck(u64),
}

impl State {
    /// The state at this moment.
    pub(crate) fn of(telemetry: &Telemetry) -> Self {
        if telemetry.is_draining() {
            return Self::Draining;
        }
        let Some(watch) = telemetry.watch().filter(|_| telemetry.is_serving()) else {
            return Self::Starting;
        };
        let silence = telemetry.silence();
        if silence > STUCK {
            return Self::Stuck(silence.as_secs());
        }
        match watch.health() {
            Health::Serving if telemetry.audit().is_some_and(Audit::is_closed) => Self::Unaudited,
            Health::Serving => Self::Serving,
            Health::Draining => Self::Draining,
            Health::Broken(shards) => Self::Poisoned(shards),
        }
    }

    /// Whether the process is worth keeping.
    pub(crate) fn lives(self) -> bool {
        !matches!(self, Self::Stuck(_))
    }

    /// Whether requests should be sent here.
    pub(crate) fn is_ready(self) -> bool {
        self == Self::Serving
    }

    /// One word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Poisoned(_) => "poisoned",
            Self::Unaudited => "unaudited",
            Self::Draining => "draining",
            Self::Stuck(_) => "stuck",
        }
    }

    /// All words.
    pub(crate) const WORDS: [&'static str; 6] =
        ["starting", "serving", "poisoned", "unaudited", "draining", "stuck"];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting: shards are being opened"),
            Self::Serving => f.write_str("serving"),
            Self::Poisoned(shards) => {
                write!(f, "poisoned: {shards} shards refuse writes after a failure of their disk")
            }
            Self::Unaudited => f.write_str(
                "unaudited: the audit cannot be written, and what it must record is not done",
            ),
            Self::Draining => f.write_str("draining: the server is going away"),
            Self::Stuck(seconds) => write!(f, "stuck: nothing has moved for {seconds} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_starts_or_stops_lives_and_is_not_ready() {
        let telemetry = Telemetry::new();
        assert_eq!(State::of(&telemetry), State::Starting);
        telemetry.serves();
        assert_eq!(State::of(&telemetry), State::Starting, "there are no reactors");
        telemetry.drains();
        assert_eq!(State::of(&telemetry), State::Draining);
        assert!(State::Draining.lives() && !State::Draining.is_ready());
    }

    #[test]
    fn every_state_has_one_of_the_words() {
        let states = [
            State::Starting,
            State::Serving,
            State::Poisoned(1),
            State::Unaudited,
            State::Draining,
            State::Stuck(9),
        ];
        assert_eq!(states.map(State::word), State::WORDS);
        assert!(states.iter().all(|state| state.to_string().starts_with(state.word())));
        assert_eq!(states.map(State::is_ready), [false, true, false, false, false, false]);
        assert_eq!(states.map(State::lives), [true, true, true, true, true, false]);
    }
}
