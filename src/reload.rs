//! SIGHUP: the configuration is read again as a whole, and what can change while running does.
//!
//! Nothing is applied unless everything that was written is valid. The report names each key that
//! differs, with both values, and whether it was applied; a key that needs a restart is reported
//! again by the next reload, because the server still runs with the old value.

use amaters_shards::Reactors;

use crate::{
    config::{
        Config, Source,
        changes::{Change, changes},
    },
    logging::LevelHandle,
    preflight,
};

/// What a reload works on.
pub(crate) struct Reload<'a> {
    /// What the server runs with.
    pub(crate) running: Config,
    /// Where the configuration is read from.
    pub(crate) source: &'a Source,
    /// Takes `server.max_connections`.
    pub(crate) reactors: &'a Reactors,
    /// Takes `logging.level`.
    pub(crate) level: &'a LevelHandle,
}

impl Reload<'_> {
    /// Reads, checks, compares, applies what is live, and logs a report.
    pub(crate) fn run(&mut self) {
        let Some(file) = &self.source.file else {
            tracing::info!("SIGHUP: started without --config, so there is nothing to reload");
            return;
        };
        match self.source.load().map_err(|error| error.to_string()).and_then(|new| self.fit(new)) {
            Err(error) => tracing::error!("Config reload failed — keeping old config: {error}"),
            Ok(new) => {
                let changes = changes(&self.running.written, &new.written);
                if changes.is_empty() {
                    tracing::info!("Config reload: no changes detected in {}", file.display());
                    return;
                }
                let applied = changes.iter().filter(|change| change.live).count();
                let skipped = changes.len() - applied;
                for change in changes {
                    self.apply(&change, &new);
                }
                tracing::info!("Config reload successful: {applied} applied, {skipped} skipped");
            }
        }
    }

    /// `new`, if the machine grants it.
    fn fit(&self, new: Config) -> Result<Config, String> {
        let reactors = self.reactors.counters().len();
        preflight::check_open_files(new.limits.connections_max, reactors)
            .map_err(|error| error.to_string())?;
        Ok(new)
    }

    fn apply(&mut self, change: &Change, new: &Config) {
        let Change { path, old, new: value, live } = change;
        if !live {
            tracing::warn!("{path}: {old} -> {value}: requires restart - skipping");
            return;
        }
        match *path {
            "logging.level" => self.level.set(new.log_level),
            "server.max_connections" => {
                self.reactors.set_connections_max(new.limits.connections_max);
            }
            _ => unreachable!("{path} is marked live, but nothing applies it"),
        }
        self.running.written.adopt(path, &new.written);
        tracing::info!("{path}: {old} -> {value}: applied");
    }
}
