//! Reloads of a server that runs.
//!
//! The layers are read on a thread of their own: a file system that hangs must not stop the control
//! thread, and with it the pulse of the reactors.

use std::{thread, time::Instant};

use super::{Published, ReloadReport};
use crate::{
    config::{Config, Refusal},
    control::Control,
    preflight,
    signals::Request,
};

impl Control {
    /// Begins to read the configuration, if somebody asked.
    pub(crate) fn begin_reload(&mut self) {
        if !self.reloads.begin(Instant::now()) {
            return;
        }
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
        let (reactors, level) = (&self.reactors, &self.level);
        let fits = |next: &Config| {
            preflight::check_open_files(next.limits.connections_max, reactors.counters().len())
                .map_err(|error| error.to_string())
        };
        let Published { report, live } = self.config.publish(loaded, fits);
        log(&report);
        // Last, because the new level may hide the report.
        let next = self.config.running();
        for path in live {
            match path {
                "logging.level" => level.set(next.log_level),
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
                _ => unreachable!("{path} is marked live, but nothing applies it"),
            }
        }
        self.end_reload(&report);
    }

    fn end_reload(&mut self, report: &ReloadReport) {
        self.board.reloaded(report);
        self.reloads.end(report);
    }
}

fn log(report: &ReloadReport) {
    use super::Outcome;

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
