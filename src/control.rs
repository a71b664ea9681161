//! The control thread while the server serves: signals, reloads, reports, the pulse, and the end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use amaters_shards::{Reactors, StopError};
use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::{
    config::{Config, Source},
    gaps::Gaps,
    logging::{self, Log},
    metrics::{Endpoint, summary::Meter},
    notify::Notify,
    signals::Request,
    telemetry::Telemetry,
};

/// How often the reactors are looked at, so that none sleeps over work.
const PULSE: Duration = Duration::from_millis(10);

/// What the control thread has in its hands.
pub(crate) struct Control<'a> {
    /// What the server runs with.
    pub(crate) running: Config,
    /// Where the configuration is read from, now and by a reload.
    pub(crate) source: &'a Source,
    /// Takes `logging`.
    pub(crate) log: &'a Log,
    /// Serve.
    pub(crate) reactors: Reactors,
    /// How long they stood still.
    pub(crate) gaps: Gaps,
    /// What others are told.
    pub(crate) telemetry: Arc<Telemetry>,
    /// Where they are told it.
    pub(crate) endpoint: Endpoint,
    /// What the service manager is told.
    pub(crate) notify: Notify,
    /// What happened lately.
    pub(crate) meters: Meters,
}

/// What happened since the last line, and since the last status.
pub(crate) struct Meters {
    /// For the log, each `metrics.export_interval_secs`.
    pub(crate) export: Meter,
    /// For the service manager.
    pub(crate) status: Meter,
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
            self.tell(Instant::now());
            if let Some(why) = self.reactors.dead() {
                return End::Died(why);
            }
            match requests.recv_timeout(PULSE) {
                Ok(Request::Stop) => return End::Asked,
                Ok(Request::Reload) => {
                    self.notify.reloading();
                    // Whoever has moved the log file away says so by this signal, with a configuration file or without.
                    logging::reopen();
                    self.reload();
                    self.notify.ready("serving");
                }
                Ok(Request::Report) => self.report(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return End::Died("the thread that listens for signals died".into());
                }
            }
        }
    }

    /// Finishes requests in flight as long as the configuration grants it, then syncs and closes.
    pub(crate) fn stop(mut self) -> Result<(), StopError> {
        let timeout = self.running.shutdown_timeout;
        tracing::info!("stopping: up to {} s for requests in flight", timeout.as_secs());
        self.telemetry.drains();
        self.notify.stopping();
        let (watch, notify) = (self.reactors.watch(), &mut self.notify);
        let mut waiting = || notify.draining(watch.connections().iter().sum(), Instant::now());
        self.reactors.stop(Instant::now() + timeout, &mut waiting)
    }

    /// Tells those who watch that all goes on, and now and then how it goes.
    fn tell(&mut self, now: Instant) {
        let silence = self.reactors.silence();
        self.telemetry.beat(silence);
        self.notify.serving(silence, now);
        if self.notify.wants_status(now) {
            let summary = self.meters.status.take(&self.reactors.watch(), now);
            self.notify.status(&format!("serving: {summary}"), now);
        }
        let metrics = &self.running.metrics;
        if metrics.enabled && self.meters.export.elapsed(now) >= metrics.export_interval {
            let summary = self.meters.export.take(&self.reactors.watch(), now);
            tracing::info!("last {} s: {summary}", summary.time.as_secs());
        }
    }
}
