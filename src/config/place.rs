//! Where the server of a configuration is, for those who only look for it.
//!
//! Somebody who has made a mistake in the file must still be able to stop the server, and to ask how
//! it is: only a mistake that hides where to look keeps them from it.

use std::{
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use super::{Refusal, Source, refusal::Problem, written::Gathered};

const DATA_DIR: &str = "server.data_dir";
const PID_FILE: &str = "server.pid_file";
const TIMEOUT: &str = "server.shutdown_timeout_secs";

/// Where to look for a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Absolute.
    pub(crate) data_dir: PathBuf,
    /// Somebody wrote `server.data_dir`.
    pub(crate) data_dir_written: bool,
    /// Absolute.
    pub(crate) pid_file: PathBuf,
    /// Somebody wrote `server.pid_file`.
    pub(crate) pid_file_written: bool,
    /// How long its stop waits for requests.
    pub(crate) shutdown_timeout: Duration,
}

impl Source {
    /// Where the server of this configuration is, whatever else is wrong with it.
    ///
    /// # Errors
    /// Everything that is wrong, if that hides where it is.
    pub(crate) fn place(&self) -> Result<Place, Refusal> {
        let gathered = self.gather();
        let is_wrong = |key| gathered.wrong.contains(&key);
        let is_flagged = self.flags.iter().any(|flag| flag.key == DATA_DIR);
        let is_hidden =
            is_wrong(DATA_DIR) || !is_flagged && (gathered.is_unread || is_wrong(PID_FILE));
        if is_hidden {
            return Err(Refusal(gathered.problems));
        }
        Ok(Place::of(&gathered)?)
    }
}

impl Place {
    fn of(gathered: &Gathered) -> Result<Self, Problem> {
        let written = &gathered.written;
        let path = |key| {
            let path = written.text(key).unwrap_or_default();
            absolute(Path::new(path)).map_err(|error| Problem::unreadable(key, error))
        };
        let seconds = written.entry(TIMEOUT).and_then(|entry| entry.value.as_integer());
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Ok(Self {
            data_dir: path(DATA_DIR)?,
            data_dir_written: written.is_written(DATA_DIR),
            pid_file: path(PID_FILE)?,
            pid_file_written: written.is_written(PID_FILE),
            // Of its key's kind, or the default, which is.
            shutdown_timeout: Duration::from_secs(seconds.unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::{
            keys,
            written::{Assignment, Origin},
        },
        *,
    };

    fn place(text: &str, data_dir: Option<&str>) -> Result<Place, Refusal> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        fs::write(&file, text).unwrap();
        let flag = |text: &str| Assignment {
            key: DATA_DIR,
            text: text.into(),
            origin: Origin::Flag("--data-dir"),
        };
        let flags = data_dir.map(flag).into_iter().collect();
        Source { file: Some(file), flags, allow_unknown: false }.place()
    }

    #[test]
    fn mistakes_elsewhere_do_not_hide_the_server() {
        let text = "[server]\ndata_dir = \"/d\"\nshutdown_timeout_secs = 7\nmax_connections = 0\n\
                    nope = 1\n[cluster]\nenabled = true\n";
        let place = place(text, None).unwrap();
        assert_eq!((place.data_dir, place.data_dir_written), ("/d".into(), true));
        assert_eq!(place.shutdown_timeout, Duration::from_secs(7));
        assert_eq!(place.pid_file, Path::new("/var/run/amaters-server.pid"));
        assert!(!place.pid_file_written);
    }

    #[test]
    fn mistakes_that_hide_it_are_told_unless_a_flag_says_where_it_is() {
        for text in ["[server", "[server]\ndata_dir = 3", "[server]\npid_file = \"\""] {
            let refusal = place(text, None).unwrap_err().to_string();
            assert!(refusal.contains("a.toml line "), "{refusal}");
        }
        assert_eq!(place("[server", Some("/d")).unwrap().data_dir, Path::new("/d"));
        assert!(place("", Some("")).is_err());
    }

    #[test]
    fn the_keys_exist() {
        assert!([DATA_DIR, PID_FILE, TIMEOUT].map(keys::find).iter().all(Option::is_some));
    }
}
