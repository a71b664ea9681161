//! SIGHUP: the configuration is read again as a whole, and what can change while running does.
//!
//! Nothing is applied unless everything that was written is valid. The report names each key that
//! differs, with both values, and whether it was applied; a key that needs a restart is reported
//! again by the next reload, because the server still runs with the old value.

use crate::{
    config::{
        Config,
        changes::{Change, changes},
    },
    control::Control,
    logging,
    metrics::{self, MetricsSettings},
    preflight,
    telemetry::ReloadResult,
};

/// What a new configuration takes, opened before anything is changed.
struct Fitted {
    endpoint: metrics::Prepared,
    log: logging::Prepared,
}

impl Control<'_> {
    /// Reads, checks, compares, applies what is live, and logs a report.
    pub(crate) fn reload(&mut self) {
        let Some(file) = &self.source.file else {
            tracing::info!("SIGHUP: started without --config, so there is nothing to reload");
            return;
        };
        match self.source.load().map_err(|error| error.to_string()).and_then(|new| self.fit(new)) {
            Err(error) => {
                self.telemetry.reloaded(ReloadResult::Failed);
                tracing::error!("Config reload failed — keeping old config: {error}");
            }
            Ok((new, Fitted { endpoint, log })) => {
                let changes = changes(&self.running.written, &new.written);
                if changes.is_empty() {
                    self.telemetry.reloaded(ReloadResult::Unchanged);
                    tracing::info!("Config reload: no changes detected in {}", file.display());
                    return;
                }
                let applied = changes.iter().filter(|change| change.live).count();
                let skipped = changes.len() - applied;
                changes.iter().for_each(report);
                tracing::info!("Config reload successful: {applied} applied, {skipped} skipped");
                self.telemetry.reloaded(ReloadResult::Successful);
                self.endpoint.apply(endpoint);
                // Last, because the new level may hide the report.
                let live = changes.iter().filter(|change| change.live);
                live.for_each(|change| self.apply(change.path, &new));
                if changes.iter().any(|change| change.live && change.path.starts_with("logging.")) {
                    self.log.apply(log);
                    self.running.log = new.log;
                }
            }
        }
    }

    /// `new`, if the machine grants it.
    fn fit(&self, new: Config) -> Result<(Config, Fitted), String> {
        let reactors = self.reactors.counters().len();
        preflight::check_open_files(new.limits.connections_max, reactors)
            .map_err(|error| error.to_string())?;
        // The address is not live.
        let settings = MetricsSettings { enabled: new.metrics.enabled, ..self.running.metrics };
        let endpoint = self.endpoint.prepare(&settings).map_err(|error| error.to_string())?;
        let log = logging::prepare(&new.log).map_err(|error| error.to_string())?;
        Ok((new, Fitted { endpoint, log }))
    }

    /// Cannot fail: `new` is checked.
    fn apply(&mut self, path: &'static str, new: &Config) {
        match path {
            "logging.slow_request_ms" => self.reactors.set_slow_request(new.slow_request),
            "server.max_connections" => {
                self.reactors.set_connections_max(new.limits.connections_max);
            }
            "storage.compaction.max_concurrent" => {
                self.reactors.set_merges_max(new.tree.merges_max);
            }
            "storage.compaction.strategy"
            | "storage.compaction.num_levels"
            | "storage.compaction.level_multiplier" => {
                self.reactors.set_compaction(new.tree.compaction);
            }
            "metrics.enabled" => self.running.metrics.enabled = new.metrics.enabled,
            "metrics.export_interval_secs" => {
                self.running.metrics.export_interval = new.metrics.export_interval;
            }
            // All at once, when the report is out.
            path if path.starts_with("logging.") => {}
            _ => unreachable!("{path} is marked live, but nothing applies it"),
        }
        self.running.written.adopt(path, &new.written);
    }
}

fn report(change: &Change) {
    let Change { path, old, new, live } = change;
    if *live {
        tracing::info!("{path}: {old} -> {new}: applied");
    } else {
        tracing::warn!("{path}: {old} -> {new}: requires restart - skipping");
    }
}
