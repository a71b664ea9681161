//! The control thread while the server serves: signals, reloads, reports, the pulse, and the end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use amaters_shards::{
    Health, Reactors, StopError,
    audit::{AuditResult, Event, Kind},
};
use crossbeam_channel::{RecvTimeoutError, Sender};

use crate::{
    audit::AuditLog,
    auth,
    board::{Board, Look},
    gaps::Gaps,
    logging::{self, Log},
    metrics::{Endpoint, summary::Meter},
    notify::Notify,
    reload::{ReloadableConfig, queue::Reloads},
    signals::{Inbox, Request},
    telemetry::Telemetry,
    tls::{Keeper, Retirements},
};

/// How often the reactors are looked at, so that none sleeps over work.
const PULSE: Duration = Duration::from_millis(10);

/// What the control thread has in its hands.
pub(crate) struct Control<'a> {
    /// What the server runs with.
    pub(crate) config: ReloadableConfig,
    /// Who asked for a reload.
    pub(crate) reloads: Reloads,
    /// Takes `logging`.
    pub(crate) log: &'a Log,
    /// Takes `authz.audit_…`, and what the process does.
    pub(crate) audit: AuditLog,
    /// Keeps the credentials of TLS, if it is served.
    pub(crate) tls: Option<Keeper>,
    /// Clients that must go when their certificates are verified anew.
    pub(crate) retirements: Retirements,
    /// Says who may come in.
    pub(crate) auth: auth::Keeper,
    /// Serve.
    pub(crate) reactors: Reactors,
    /// How long they stood still.
    pub(crate) gaps: Gaps,
    /// What `status` sees.
    pub(crate) board: Board,
    /// For threads that tell this one something.
    pub(crate) requests: Sender<Request>,
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
    pub(crate) fn serve(&mut self, inbox: Inbox) -> End {
        loop {
            self.reactors.pulse();
            self.look_at_gaps();
            let now = Instant::now();
            self.look(now);
            self.tell(now);
            self.begin_reload();
            self.retirements
                .due(now)
                .for_each(|step| self.reactors.retire(step.trust, step.at_once));
            if let Some(why) = self.reactors.dead() {
                return End::Died(why);
            }
            if !inbox.is_heard() {
                return End::Died("the thread that listens for signals died".into());
            }
            match inbox.received.recv_timeout(PULSE) {
                Ok(Request::Stop) => return End::Asked,
                Ok(Request::Reload(who)) => {
                    // Whoever has moved a file of lines away says so by this signal, with a configuration file or without.
                    logging::reopen();
                    self.audit.reopen();
                    self.reloads.ask(who);
                }
                Ok(Request::Loaded(loaded)) => self.finish_reload(*loaded),
                Ok(Request::Retire { trust, grace }) => {
                    self.retirements.plan(trust, Instant::now(), grace);
                }
                Ok(Request::Report) => self.report(),
                // We hold a sender ourselves.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    /// Looks at the reactors, for those who ask and for the watchdog.
    fn look(&mut self, now: Instant) {
        let (watch, silent) = (self.reactors.watch(), self.reactors.silent());
        let silence = silent.iter().max().copied().unwrap_or_default();
        self.board.show(Look {
            connections: watch.connections().iter().sum(),
            connections_max: self.config.running().limits.connections_max,
            poisoned_shards: match watch.health() {
                Health::Broken(shards) => shards,
                Health::Serving | Health::Draining => 0,
            },
            silent,
        });
        self.notify.serving(silence, now);
    }

    /// Finishes requests in flight as long as the configuration grants it, then syncs and closes.
    pub(crate) fn stop(mut self) -> Result<(), StopError> {
        const STOP: &str = "server.stop";

        self.board.stops();
        let timeout = self.config.running().shutdown_timeout;
        tracing::info!("stopping: up to {} s for requests in flight", timeout.as_secs());
        self.notify.stopping();
        let (watch, notify) = (self.reactors.watch(), &mut self.notify);
        let mut waiting = || notify.draining(watch.connections().iter().sum(), Instant::now());
        let stopped = self.reactors.stop(Instant::now() + timeout, &mut waiting);
        self.audit.note(match &stopped {
            Ok(()) => Event::new(Kind::ConfigChange, AuditResult::Success).action(STOP),
            Err(error) => Event::new(Kind::ConfigChange, AuditResult::Failure)
                .action(STOP)
                .error(error.to_string()),
        });
        self.audit.flush();
        stopped
    }

    /// Tells those who watch now and then how it goes.
    fn tell(&mut self, now: Instant) {
        if self.notify.wants_status(now) {
            let summary = self.meters.status.take(&self.reactors.watch(), now);
            self.notify.status(&format!("serving: {summary}"), now);
        }
        let metrics = &self.config.running().metrics;
        if metrics.enabled && self.meters.export.elapsed(now) >= metrics.export_interval {
            let summary = self.meters.export.take(&self.reactors.watch(), now);
            tracing::info!("last {} s: {summary}", summary.time.as_secs());
        }
    }
}
