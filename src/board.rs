//! What the server shows of itself: the control thread writes it, the control socket reads it.
//!
//! ```text
//! Starting ──► Serving ──► Stopping          one writer; readers see how old it is
//! ```
//!
//! Where the server is in its life, and since when its control thread has been silent, is what the
//! telemetry says.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    reload::{Change, LastReload, Outcome, ReloadReport},
    telemetry::Telemetry,
    tls::TlsStatus,
};

/// Silence of the control thread or of a reactor that is called a hang. Clients notice much less.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Where the server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// It opens its shards and reads their logs back.
    Starting,
    /// Clients may connect.
    Serving,
    /// It finishes requests, syncs and closes.
    Stopping,
}

/// What is shown; the answer to `status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Where it is in its life.
    pub(crate) phase: Phase,
    /// The process.
    pub(crate) pid: u32,
    /// Of the program that runs, which need not be the one that is installed now.
    pub(crate) version: String,
    /// Since the process began to start.
    pub(crate) uptime_seconds: u64,
    /// Absolute.
    pub(crate) data_dir: PathBuf,
    /// Where clients connect, once it listens.
    pub(crate) address: Option<SocketAddr>,
    /// Of the data directory.
    pub(crate) shards: u32,
    /// CPUs of the reactors.
    pub(crate) cpus: Vec<usize>,
    /// Open now.
    pub(crate) connections: usize,
    /// `server.max_connections`, in force.
    pub(crate) connections_max: usize,
    /// The credentials of TLS; none where plain text is served.
    #[serde(default)]
    pub(crate) tls: Option<TlsStatus>,
    /// Shards that refuse writes after a failure of their disk.
    pub(crate) poisoned_shards: u64,
    /// Keys that are written otherwise than the server runs with.
    pub(crate) pending_restart: Vec<Change>,
    /// The last one, if there was one.
    pub(crate) last_reload: Option<LastReload>,
    /// What stands still, and for how long; empty in a server that is well.
    pub(crate) hangs: Vec<String>,
}

/// What the control thread sees in one look at the reactors.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// Open connections.
    pub(crate) connections: usize,
    /// How many may be open.
    pub(crate) connections_max: usize,
    /// Shards that refuse writes.
    pub(crate) poisoned_shards: u64,
    /// For each reactor, how long it has not answered the pulse.
    pub(crate) silent: Vec<Duration>,
}

/// The board; clones show the same.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    telemetry: Arc<Telemetry>,
    shown: Arc<Mutex<Shown>>,
}

#[derive(Debug)]
struct Shown {
    status: Status,
    silent: Vec<Duration>,
}

impl Board {
    /// The board of this process, which starts.
    pub(crate) fn new(
        telemetry: Arc<Telemetry>,
        data_dir: PathBuf,
        shards: u32,
        cpus: Vec<usize>,
    ) -> Self {
        let status = Status {
            phase: Phase::Starting,
            pid: process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_seconds: 0,
            data_dir,
            address: None,
            shards,
            cpus,
            connections: 0,
            connections_max: 0,
            tls: None,
            poisoned_shards: 0,
            pending_restart: Vec::new(),
            last_reload: None,
            hangs: Vec::new(),
        };
        let shown = Shown { status, silent: Vec::new() };
        Self { telemetry, shown: Arc::new(Mutex::new(shown)) }
    }

    /// Clients may connect.
    pub(crate) fn serves(&self, address: SocketAddr) {
        self.lock().status.address = Some(address);
        self.telemetry.serves();
    }

    /// The end has begun.
    pub(crate) fn stops(&self) {
        self.telemetry.drains();
    }

    /// The control thread has looked at the reactors.
    pub(crate) fn show(&self, look: Look) {
        self.telemetry.beat(look.silent.iter().max().copied().unwrap_or_default());
        let mut shown = self.lock();
        shown.status.connections = look.connections;
        shown.status.connections_max = look.connections_max;
        shown.status.poisoned_shards = look.poisoned_shards;
        shown.silent = look.silent;
    }

    /// A reload has come to its end. One that failed does not change what waits for a restart.
    pub(crate) fn reloaded(&self, report: &ReloadReport) {
        let mut shown = self.lock();
        shown.status.last_reload = Some(report.last());
        if matches!(report.outcome, Outcome::Reloaded | Outcome::Unchanged) {
            shown.status.pending_restart = report.pending().cloned().collect();
        }
    }

    /// What is shown at this moment.
    pub(crate) fn status(&self) -> Status {
        let shown = self.lock();
        let mut status = shown.status.clone();
        status.phase = self.phase();
        status.tls = self.telemetry.tls.status();
        status.uptime_seconds = self.telemetry.uptime().as_secs();
        if status.phase == Phase::Serving {
            status.hangs = hangs(self.telemetry.control_silence(), &shown.silent);
        }
        status
    }

    fn phase(&self) -> Phase {
        match (self.telemetry.is_draining(), self.telemetry.is_serving()) {
            (true, _) => Phase::Stopping,
            (false, true) => Phase::Serving,
            (false, false) => Phase::Starting,
        }
    }

    /// Whoever panicked with it left a whole status: each change is a few plain moves.
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hangs(control: Duration, reactors: &[Duration]) -> Vec<String> {
    let told = |who: String, silent: Duration| {
        (silent > SILENCE_MAX)
            .then(|| format!("{who} has made no turn for {:.1} s", silent.as_secs_f64()))
    };
    let control_thread = told("the control thread".into(), control);
    let all = reactors.iter().enumerate();
    // What the control thread knew of them is as old as its last look.
    let reactors = all.filter_map(|(index, silent)| told(format!("reactor {index}"), *silent));
    control_thread.into_iter().chain(reactors).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_silent_for_long_is_called_a_hang() {
        let (short, long) = (Duration::from_millis(4900), Duration::from_millis(7250));
        assert_eq!(hangs(short, &[short, short]), [""; 0]);
        assert_eq!(hangs(short, &[short, long]), ["reactor 1 has made no turn for 7.2 s"]);
        assert_eq!(hangs(long, &[]), ["the control thread has made no turn for 7.2 s"]);
    }

    #[test]
    fn a_start_and_a_stop_are_no_hangs() {
        let board = Board::new(Arc::new(Telemetry::new()), "d".into(), 2, vec![0]);
        assert_eq!(board.status().phase, Phase::Starting);
        board.serves(([127, 0, 0, 1], 7).into());
        let look = Look {
            connections: 3,
            connections_max: 9,
            poisoned_shards: 0,
            silent: vec![Duration::from_secs(60)],
        };
        board.show(look);
        let status = board.status();
        assert_eq!((status.phase, status.connections), (Phase::Serving, 3));
        assert_eq!(status.hangs.len(), 1);
        board.stops();
        assert_eq!(board.status().hangs, [""; 0]);
    }
}
