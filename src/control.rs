//! The control thread while the server serves: signals, reloads, reports, the pulse, and the end.

use std::time::{Duration, Instant};

use amaters_shards::{Health, Reactors, StopError};
use crossbeam_channel::{RecvTimeoutError, Sender};

use crate::{
    board::{Board, Look},
    gaps::Gaps,
    logging::LevelHandle,
    reload::{ReloadableConfig, queue::Reloads},
    signals::{Inbox, Request},
};

/// How often the reactors are looked at, so that none sleeps over work.
const PULSE: Duration = Duration::from_millis(10);

/// What the control thread has in its hands.
pub(crate) struct Control {
    /// What the server runs with.
    pub(crate) config: ReloadableConfig,
    /// Who asked for a reload.
    pub(crate) reloads: Reloads,
    /// Takes `logging.level`.
    pub(crate) level: LevelHandle,
    /// Serve.
    pub(crate) reactors: Reactors,
    /// How long they stood still.
    pub(crate) gaps: Gaps,
    /// What `status` sees.
    pub(crate) board: Board,
    /// For threads that tell this one something.
    pub(crate) requests: Sender<Request>,
}

/// Why the control thread stops controlling.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Somebody asked for it.
    Asked,
    /// A reactor died, with this text. Its connections and its shards are gone.
    Died(String),
}

impl Control {
    /// Handles requests and keeps the pulse until the end.
    pub(crate) fn serve(&mut self, inbox: Inbox) -> End {
        loop {
            self.reactors.pulse();
            self.look_at_gaps();
            self.show();
            self.begin_reload();
            if let Some(why) = self.reactors.dead() {
                return End::Died(why);
            }
            if !inbox.is_heard() {
                return End::Died("the thread that listens for signals died".into());
            }
            match inbox.received.recv_timeout(PULSE) {
                Ok(Request::Stop) => return End::Asked,
                Ok(Request::Reload(who)) => self.reloads.ask(who),
                Ok(Request::Loaded(loaded)) => self.finish_reload(*loaded),
                Ok(Request::Report) => self.report(),
                // We hold a sender ourselves.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    fn show(&self) {
        self.board.show(Look {
            connections: self.reactors.connections().iter().sum(),
            connections_max: self.config.running().limits.connections_max,
            poisoned_shards: match self.reactors.health() {
                Health::Broken(shards) => shards,
                Health::Serving | Health::Draining => 0,
            },
            silent: self.reactors.silent(),
        });
    }

    /// Finishes requests in flight as long as the configuration grants it, then syncs and closes.
    pub(crate) fn stop(self) -> Result<(), StopError> {
        self.board.stops();
        let timeout = self.config.running().shutdown_timeout;
        tracing::info!("stopping: up to {} s for requests in flight", timeout.as_secs());
        self.reactors.stop(Instant::now() + timeout)
    }
}
