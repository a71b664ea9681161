//! Reloads of a server that runs.
//!
//! The layers are read on a thread of their own: a file system that hangs must not stop the control
//! thread, and with it the pulse of the reactors.

use std::{thread, time::Instant};

use super::{Outcome, Published, ReloadReport};
use crate::{
    config::{Config, Refusal},
    control::Control,
    logging, metrics, preflight,
    signals::Request,
    telemetry::ReloadResult,
};

/// What a new configuration takes, opened before anything is changed.
struct Fitted {
    endpoint: metrics::Prepared,
    log: logging::Prepared,
}

impl Control {
    /// Begins to read the configuration, if somebody asked.
    pub(crate) fn begin_reload(&mut self) {
        if !self.reloads.begin(Instant::now()) {
            return;
        }
        self.notify.reloading();
        let (source, requests) = (self.config.source().clone(), self.requests.clone());
        let read = move || {
            // Without a receiver the server is ending.
            let _ = requests.send(Request::Loaded(Box::new(source.load())));
        };
        if let Err(error) = thread::Builder::new().name("reload".into()).spawn(read) {
            let file = self.config.source().file.clone().unwrap_or_default();
            let why = format!("cannot start a thread: {error}");
            self.end_reload(&ReloadReport::failed(&file, why));
        }
    }

    /// Publishes what was read, and reports.
    pub(crate) fn finish_reload(&mut self, loaded: Result<Config, Refusal>) {
        let (reactors, endpoint) = (&self.reactors, &self.endpoint);
        let mut fitted = None;
        let fits = |next: &Config| {
            let open =
                preflight::check_open_files(next.limits.connections_max, reactors.counters().len());
            open.map_err(|error| error.to_string())?;
            let endpoint = endpoint.prepare(&next.metrics).map_err(|error| error.to_string())?;
            let log = logging::prepare(&next.log).map_err(|error| error.to_string())?;
            fitted = Some(Fitted { endpoint, log });
            Ok(())
        };
        let Published { report, live } = self.config.publish(loaded, fits);
        log(&report);
        let next = self.config.running();
        for path in &live {
            match *path {
                "logging.slow_request_ms" => reactors.set_slow_request(next.slow_request),
                "server.max_connections" => {
                    reactors.set_connections_max(next.limits.connections_max);
                }
                "storage.compaction.max_concurrent" => {
                    reactors.set_merges_max(next.tree.merges_max);
                }
                "storage.compaction.strategy"
                | "storage.compaction.num_levels"
                | "storage.compaction.level_multiplier" => {
                    reactors.set_compaction(next.tree.compaction);
                }
                // All at once, below.
                path if path.starts_with("logging.") || path.starts_with("metrics.") => {}
                path => unreachable!("{path} is marked live, but nothing applies it"),
            }
        }
        if let Some(Fitted { endpoint, log }) = fitted.filter(|_| !live.is_empty()) {
            self.endpoint.apply(endpoint);
            // Last, because the new level may hide the report.
            if live.iter().any(|path| path.starts_with("logging.")) {
                self.log.apply(log);
            }
        }
        self.end_reload(&report);
    }

    fn end_reload(&mut self, report: &ReloadReport) {
        self.telemetry.reloaded(match report.outcome {
            Outcome::Reloaded => ReloadResult::Successful,
            Outcome::Unchanged | Outcome::NoFile => ReloadResult::Unchanged,
            Outcome::Failed => ReloadResult::Failed,
        });
        self.notify.ready("serving");
        self.board.reloaded(report);
        self.reloads.end(report);
    }
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
