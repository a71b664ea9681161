//! The control thread while the server serves: signals, reloads, reports, the pulse, and the end.

use std::time::{Duration, Instant};

use amaters_shards::{Reactors, StopError};
use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::{
    config::{Config, Source},
    gaps::Gaps,
    logging::LevelHandle,
    signals::Request,
};

/// How often the reactors are looked at, so that none sleeps over work.
const PULSE: Duration = Duration::from_millis(10);

/// What the control thread has in its hands.
pub(crate) struct Control<'a> {
    /// What the server runs with.
    pub(crate) running: Config,
    /// Where the configuration is read from, now and by a reload.
    pub(crate) source: &'a Source,
    /// Takes `logging.level`.
    pub(crate) level: &'a LevelHandle,
    /// Serve.
    pub(crate) reactors: Reactors,
    /// How long they stood still.
    pub(crate) gaps: Gaps,
}

/// Why the control thread stops controlling.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Somebody asked for it.
    Asked,
    /// A reactor died, with this text. Its connections and its shards are gone.
    Died(String),
}

impl Control<'_> {
    /// Handles requests and keeps the pulse until the end.
    pub(crate) fn serve(&mut self, requests: &Receiver<Request>) -> End {
        loop {
            self.reactors.pulse();
            self.look_at_gaps();
            if let Some(why) = self.reactors.dead() {
                return End::Died(why);
            }
            match requests.recv_timeout(PULSE) {
                Ok(Request::Stop) => return End::Asked,
                Ok(Request::Reload) => self.reload(),
                Ok(Request::Report) => self.report(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return End::Died("the thread that listens for signals died".into());
                }
            }
        }
    }

    /// Finishes requests in flight as long as the configuration grants it, then syncs and closes.
    pub(crate) fn stop(self) -> Result<(), StopError> {
        let timeout = self.running.shutdown_timeout;
        tracing::info!("stopping: up to {} s for requests in flight", timeout.as_secs());
        self.reactors.stop(Instant::now() + timeout)
    }
}
