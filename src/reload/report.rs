//! What came of a reload, for the log, for `amaters-server reload` and for `status`.

use amaters_shards::settings::Reloaded;
use std::{
    fmt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use crate::{
    config::changes,
    tls::{TlsOutcome, TlsReport},
    unix_time,
};

/// A key whose value differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its path, as `server.max_connections`.
    pub key: String,
    /// The value that was in use, as it may be shown.
    pub old: String,
    /// The value that is written, as it may be shown.
    pub new: String,
    /// It is in use now; otherwise it needs a restart.
    pub applied: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, old, new, applied } = self;
        let end = if *applied { "applied" } else { "requires restart - skipping" };
        write!(f, "{key}: {old} -> {new}: {end}")
    }
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What is live is in use.
    Reloaded,
    /// Nothing differs.
    Unchanged,
    /// Nothing was changed, because something is wrong.
    Failed,
    /// There is no configuration file.
    NoFile,
}

/// What came of a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// How it ended.
    pub outcome: Outcome,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// Every key that differs.
    pub changes: Vec<Change>,
    /// Everything that is wrong, if it failed.
    pub problems: Vec<String>,
    /// What an operator should know of the new configuration.
    pub notices: Vec<String>,
    /// What came of a look at the files of TLS, if it is served.
    #[serde(default)]
    pub tls: Option<TlsReport>,
}

/// The last reload, for `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastReload {
    /// Unix seconds.
    pub(crate) at: u64,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Its last line.
    pub(crate) summary: String,
}

impl ReloadReport {
    pub(super) fn no_file() -> Self {
        Self {
            outcome: Outcome::NoFile,
            file: None,
            changes: Vec::new(),
            problems: Vec::new(),
            notices: Vec::new(),
            tls: None,
        }
    }

    pub(super) fn failed(file: &Path, why: impl Into<String>) -> Self {
        let problems = why.into().lines().map(str::to_owned).collect();
        let file = Some(file.to_owned());
        Self { outcome: Outcome::Failed, file, problems, ..Self::no_file() }
    }

    pub(super) fn of(file: &Path, changes: &[changes::Change], notices: Vec<String>) -> Self {
        let change = |change: &changes::Change| Change {
            key: change.path.to_owned(),
            old: change.old.clone(),
            new: change.new.clone(),
            applied: change.live,
        };
        let outcome = if changes.is_empty() { Outcome::Unchanged } else { Outcome::Reloaded };
        let changes = changes.iter().map(change).collect();
        Self { outcome, file: Some(file.to_owned()), changes, notices, ..Self::no_file() }
    }

    /// Whether all that was read is in use now, or waits for a restart.
    pub fn is_right(&self) -> bool {
        let is_failed = |tls: &TlsReport| tls.outcome == TlsOutcome::Failed;
        self.outcome != Outcome::Failed && !self.tls.as_ref().is_some_and(is_failed)
    }

    /// The keys that wait for a restart.
    pub fn pending(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.applied)
    }

    /// For operators of a service that is far away.
    pub(crate) fn told(&self) -> Reloaded {
        let changes = self.changes.iter().map(ToString::to_string);
        let lines =
            changes.chain(self.problems.iter().cloned()).chain(self.notices.iter().cloned());
        let taken = matches!(self.outcome, Outcome::Reloaded | Outcome::Unchanged);
        Reloaded { taken, summary: self.summary(), lines: lines.collect() }
    }

    /// The line that sums it up, in the words that operators search for.
    pub fn summary(&self) -> String {
        let file = self.file.as_deref().unwrap_or(Path::new("")).display();
        match self.outcome {
            Outcome::NoFile => "started without --config, so there is nothing to reload".into(),
            Outcome::Failed => {
                format!("Config reload failed — keeping old config: {}", self.problems.join("\n"))
            }
            Outcome::Unchanged => format!("Config reload: no changes detected in {file}"),
            Outcome::Reloaded => {
                let skipped = self.pending().count();
                let applied = self.changes.len() - skipped;
                format!("Config reload successful: {applied} applied, {skipped} skipped")
            }
        }
    }

    pub(crate) fn last(&self) -> LastReload {
        let at = unix_time::seconds(SystemTime::now());
        LastReload { at, outcome: self.outcome, summary: self.summary() }
    }
}

impl fmt::Display for ReloadReport {
    /// A line for each change and notice, and the summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.changes.iter().try_for_each(|change| writeln!(f, "{change}"))?;
        self.notices.iter().try_for_each(|notice| writeln!(f, "{notice}"))?;
        self.tls.iter().try_for_each(|tls| writeln!(f, "{}", tls.line))?;
        f.write_str(&self.summary())
    }
}
