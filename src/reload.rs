//! A reload: a transaction on the configuration.
//!
//! ```text
//! read ─► check ─► compare ─► fit: does the machine grant it ─► publish, apply
//!    └───────┴────────┴────────────┴─► or nothing, and the report says why
//! ```
//!
//! - The same layers are read as at the start: file, environment, flags.
//! - What is published is checked as a whole: the old values of keys that need a restart together
//!   with the new values of those that are live.
//! - A key that needs a restart is reported again by the next reload, because the server still
//!   runs with the old value.

pub(crate) mod command;
pub(crate) mod queue;
mod report;
mod run;

use std::path::PathBuf;

pub(crate) use self::report::LastReload;
pub use self::report::{Change, Outcome, ReloadReport};
use crate::config::{Config, Refusal, Source, Written, changes::changes};

/// A configuration that can be read again while it is in use.
#[derive(Debug)]
pub struct ReloadableConfig {
    source: Source,
    running: Config,
}

impl ReloadableConfig {
    /// Reads a file, and what the environment lays over it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(file: impl Into<PathBuf>) -> Result<Self, Refusal> {
        let source = Source { file: Some(file.into()), ..Source::default() };
        let running = source.load()?;
        Ok(Self::new(source, running))
    }

    /// What `source` said, and is in use.
    pub(crate) fn new(source: Source, running: Config) -> Self {
        Self { source, running }
    }

    /// Reads all layers again and publishes what may change while they are in use, or nothing.
    /// What SIGHUP does to a server, without one.
    pub fn manual_reload(&mut self) -> ReloadReport {
        let loaded = self.source.load();
        self.publish(loaded, |_| Ok(())).report
    }

    /// The value that is in use, as it may be shown: secrets are not.
    pub fn value(&self, key: &str) -> Option<String> {
        self.running.written.entry(key).map(|_| self.running.written.shown(key))
    }

    /// What is in use.
    pub(crate) fn running(&self) -> &Config {
        &self.running
    }

    /// Where it is read from.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Publishes what was read, as far as it is live, if it `fits`. Whoever prepares something in
    /// there keeps it until the report says that it was published.
    pub(crate) fn publish(
        &mut self,
        loaded: Result<Config, Refusal>,
        fits: impl FnOnce(&Config) -> Result<(), String>,
    ) -> Published {
        let nothing = |report| Published { report, live: Vec::new() };
        let Some(file) = self.source.file.clone() else {
            return nothing(ReloadReport::no_file());
        };
        let failed = |why: String| nothing(ReloadReport::failed(&file, why));
        let new = match loaded {
            Ok(new) => new,
            Err(refusal) => return failed(refusal.to_string()),
        };
        let changes = changes(&self.running.written, &new.written);
        let next = match next(&self.running.written, &new) {
            Ok(next) => next,
            Err(refusal) => return failed(refusal.to_string()),
        };
        if let Err(why) = fits(&next) {
            return failed(why);
        }
        let is_news = |notice: &&String| !self.running.notices.contains(notice);
        let notices = new.notices.iter().filter(is_news).cloned().collect();
        self.running = next;
        let live = changes.iter().filter(|change| change.live).map(|change| change.path);
        let live = live.collect();
        Published { report: ReloadReport::of(&file, &changes, notices), live }
    }
}

/// What would be in use: the live keys of `new` over what is in use.
fn next(running: &Written, new: &Config) -> Result<Config, Refusal> {
    let mut written = running.clone();
    let live = changes(running, &new.written).into_iter().filter(|change| change.live);
    live.for_each(|change| written.adopt(change.path, &new.written));
    Config::of(written)
}

/// What a reload has changed.
pub(crate) struct Published {
    /// What came of it.
    pub(crate) report: ReloadReport,
    /// Keys that have another value in [`ReloadableConfig::running`] now.
    pub(crate) live: Vec<&'static str>,
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Site {
        _folder: tempfile::TempDir,
        file: PathBuf,
        config: ReloadableConfig,
    }

    impl Site {
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("a.toml");
            fs::write(&file, text).unwrap();
            let config = ReloadableConfig::open(&file).unwrap();
            Self { _folder: folder, file, config }
        }

        fn reload(&mut self, text: &str) -> ReloadReport {
            fs::write(&self.file, text).unwrap();
            self.config.manual_reload()
        }

        fn value(&self, key: &str) -> String {
            self.config.value(key).unwrap()
        }
    }

    const CONNECTIONS: &str = "server.max_connections";

    #[test]
    fn a_manual_reload_publishes_what_is_live_and_names_the_rest() {
        let mut site = Site::new("[server]\nmax_connections = 10\n");
        let text = "[server]\nmax_connections = 20\nshutdown_timeout_secs = 7\n";
        for connections in ["10", "20"] {
            let report = site.reload(text);
            assert_eq!(report.outcome, Outcome::Reloaded);
            let told: Vec<_> = report.changes.iter().map(ToString::to_string).collect();
            let mut expected = vec![
                "server.max_connections: 10 -> 20: applied",
                "server.shutdown_timeout_secs: 30 -> 7: requires restart - skipping",
            ];
            // The second time, only what still waits.
            expected.drain(..usize::from(connections == "20"));
            assert_eq!(told, expected);
            assert_eq!(site.value(CONNECTIONS), "20");
            assert_eq!(site.value("server.shutdown_timeout_secs"), "30");
        }
        let report = site.reload("[server]\nmax_connections = 20\n");
        assert_eq!(report.outcome, Outcome::Unchanged);
    }

    #[test]
    fn a_file_that_is_refused_changes_nothing() {
        let mut site = Site::new("[server]\nmax_connections = 10\n");
        for text in ["[server]\nmax_connections = 20\nnope = 1\n", "[server", "\u{0}"] {
            let report = site.reload(text);
            assert_eq!(report.outcome, Outcome::Failed);
            assert!(report.problems[0].contains("a.toml line "), "{report}");
            assert_eq!(site.value(CONNECTIONS), "10");
        }
        fs::remove_file(&site.file).unwrap();
        assert_eq!(site.config.manual_reload().outcome, Outcome::Failed);
        assert_eq!(site.reload("[server]\nmax_connections = 20\n").outcome, Outcome::Reloaded);
    }

    #[test]
    fn what_the_machine_does_not_grant_changes_nothing() {
        let mut site = Site::new("");
        fs::write(&site.file, "[server]\nmax_connections = 20\n").unwrap();
        let loaded = site.config.source().load();
        let refuse = |next: &Config| {
            assert_eq!(next.limits.connections_max, 20);
            Err("not today".to_owned())
        };
        let Published { report, live } = site.config.publish(loaded, refuse);
        assert!(live.is_empty());
        assert_eq!(
            (report.outcome, &*report.problems),
            (Outcome::Failed, &["not today".into()][..])
        );
        assert_eq!(site.value(CONNECTIONS), "1000");
    }

    #[test]
    fn secrets_do_not_get_into_reports() {
        let mut site = Site::new("[auth.jwt]\nsecret = \"hunter2\"\n");
        let report = site.reload("[auth.jwt]\nsecret = \"hunter3\"\n");
        assert_eq!(report.changes.len(), 1);
        assert!(!format!("{report:?} {report}").contains("hunter"), "{report:?}");
        assert_eq!(site.value("auth.jwt.secret"), "(secret)");
    }

    #[test]
    fn notices_are_told_once() {
        let mut site = Site::new("");
        let text = "[authz]\ndefault_role = \"reader\"\n";
        assert!(site.reload(text).notices[0].contains("authz.default_role"));
    }
}
