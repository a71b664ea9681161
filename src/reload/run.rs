//! Reloads of a server that runs.
//!
//! The layers are read on a thread of their own: a file system that hangs must not stop the control
//! thread, and with it the pulse of the reactors.

use std::{error::Error, thread, time::Instant};

use amaters_shards::{
    Reactors,
    audit::{AuditResult, Event, Kind},
};

use super::{Outcome, Published, ReloadReport, next};
use crate::{
    audit,
    auth::Made,
    config::Config,
    control::Control,
    logging,
    metrics::{self, Endpoint},
    preflight,
    signals::{Loaded, Request},
    telemetry::ReloadResult,
};

impl Control<'_> {
    /// Begins to read the configuration, if somebody asked.
    pub(crate) fn begin_reload(&mut self) {
        if !self.reloads.begin(Instant::now()) {
            return;
        }
        self.notify.reloading();
        let (source, requests) = (self.config.source().clone(), self.requests.clone());
        let keeper = self.tls.clone();
        let running = self.config.running().written.clone();
        let read = move || {
            let config = source.load();
            let auth = config.clone().and_then(|new| Made::of(&next(&running, &new)?));
            let tls = keeper.map(|keeper| keeper.look());
            // Without a receiver the server is ending.
            let _ = requests.send(Request::Loaded(Box::new(Loaded { config, auth, tls })));
        };
        if let Err(error) = thread::Builder::new().name("reload".into()).spawn(read) {
            let file = self.config.source().file.clone().unwrap_or_default();
            let report = ReloadReport::failed(&file, format!("cannot start a thread: {error}"));
            self.note_reload(&report);
            self.end_reload(&report);
        }
    }

    /// Publishes what was read, and reports.
    pub(crate) fn finish_reload(&mut self, loaded: Loaded) {
        let Loaded { config: loaded, auth, tls } = loaded;
        let (reactors, endpoint) = (&self.reactors, &self.endpoint);
        let mut fitted = None;
        let fits = |next: &Config| {
            let made = auth.map_err(|refusal| refusal.to_string())?;
            let fits = Fitted::of(next, made, reactors, endpoint);
            fitted = Some(fits.map_err(|error| error.to_string())?);
            Ok(())
        };
        let Published { report, live } = self.config.publish(loaded, fits);
        let report = ReloadReport { tls, ..report };
        // First, because who reads the report may look at once.
        self.note_reload(&report);
        log(&report);
        // By the rules that end, unless nothing was recorded by them.
        let mut event = event(&report);
        event.take_if(|_| self.audit.is_enabled()).into_iter().for_each(|e| self.audit.note(e));
        if let Some(fitted) = fitted {
            // Files may be new where no key is.
            self.auth.publish(fitted.auth);
            if report.outcome == Outcome::Reloaded {
                self.endpoint.apply(fitted.endpoint);
                if live.iter().any(|path| path.starts_with(AUDIT)) {
                    self.audit.apply(fitted.audit);
                }
                event.into_iter().for_each(|event| self.audit.note(event));
                // Last, because the new level may hide the report.
                live.iter().for_each(|path| self.apply(path));
                if live.iter().any(|path| path.starts_with("logging.")) {
                    self.log.apply(fitted.log);
                }
            }
        }
        self.end_reload(&report);
    }

    /// Tells a reactor or the control thread of one key.
    fn apply(&self, path: &str) {
        let (reactors, next) = (&self.reactors, self.config.running());
        match path {
            "server.max_connections" => {
                reactors.set_connections_max(next.limits.connections_max);
            }
            "storage.compaction.max_concurrent" => reactors.set_merges_max(next.tree.merges_max),
            "storage.compaction.strategy"
            | "storage.compaction.num_levels"
            | "storage.compaction.level_multiplier" => {
                reactors.set_compaction(next.tree.compaction);
            }
            "limits.connections_per_address" => {
                reactors.set_connections_per_address_max(next.connections_per_address_max);
            }
            path if path.contains("_per_second_per_") || path.contains("_per_minute_per_") => {
                reactors.set_rates(next.rates);
            }
            "admin.allow_remote" => reactors.set_admin_from_anywhere(next.admin_from_anywhere),
            "snapshot.rate_mb_per_second" => reactors.jobs().set_rate(next.snapshot.rate),
            path if path.starts_with("snapshot.") => {
                reactors.jobs().set_schedule(next.snapshot.schedule);
            }
            "logging.slow_request_ms" => reactors.set_slow_request(next.slow_request),
            // Applied as a whole, before.
            path if path.starts_with("auth.") || path.starts_with("authz.") => {}
            // Applied as a whole; the interval is looked up each time.
            path if path.starts_with("logging.") || path.starts_with("metrics.") => {}
            _ => unreachable!("{path} is marked live, but nothing applies it"),
        }
    }

    /// For `status` and metrics.
    fn note_reload(&self, report: &ReloadReport) {
        let result = match report.outcome {
            Outcome::Reloaded => Some(ReloadResult::Successful),
            Outcome::Unchanged => Some(ReloadResult::Unchanged),
            Outcome::Failed => Some(ReloadResult::Failed),
            Outcome::NoFile => None,
        };
        result.into_iter().for_each(|result| self.telemetry.reloaded(result));
        self.board.reloaded(report);
    }

    /// Answers those who asked, and the service manager.
    fn end_reload(&mut self, report: &ReloadReport) {
        self.reloads.end(report);
        self.notify.ready("serving");
    }
}

/// What a new configuration takes, opened before anything is changed.
struct Fitted {
    auth: Made,
    endpoint: metrics::Prepared,
    audit: audit::Prepared,
    log: logging::Prepared,
}

impl Fitted {
    /// Or why the machine does not grant it.
    fn of(
        next: &Config,
        auth: Made,
        reactors: &Reactors,
        endpoint: &Endpoint,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        preflight::check_open_files(
            next.limits.connections_max,
            reactors.watch().counters().len(),
        )?;
        let endpoint = endpoint.prepare(&next.metrics)?;
        let audit = audit::prepare(&next.audit)?;
        Ok(Self { auth, endpoint, audit, log: logging::prepare(&next.log)? })
    }
}

/// The beginning of the keys of the audit.
const AUDIT: &str = "authz.audit_";

/// A reload that changed something, or was to.
fn event(report: &ReloadReport) -> Option<Event> {
    let result = match report.outcome {
        Outcome::Reloaded => AuditResult::Success,
        Outcome::Failed => AuditResult::Failure,
        Outcome::Unchanged | Outcome::NoFile => return None,
    };
    let changes: Vec<_> = report.changes.iter().map(ToString::to_string).collect();
    let event = Event::new(Kind::ConfigChange, result).action("config.reload");
    let event = match &report.file {
        Some(file) => event.resource(file.display().to_string()),
        None => event,
    };
    Some(match result {
        AuditResult::Success => event.with("changes", changes.join("; ")),
        _ => event.error(report.problems.join("; ")),
    })
}

fn log(report: &ReloadReport) {
    for change in &report.changes {
        if change.applied {
            tracing::info!("{change}");
        } else {
            tracing::warn!("{change}");
        }
    }
    report.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    match report.outcome {
        Outcome::Failed => tracing::error!("{}", report.summary()),
        _ => tracing::info!("{}", report.summary()),
    }
}
