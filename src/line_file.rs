//! A file of lines, as those of the log and of the audit: when the next one begins, and what becomes of the old ones.
//!
//! ```text
//! amaters.log ─► amaters.log.1 ─► amaters.log.2 ─► … ─► amaters.log.<max_backups> ─► removed
//! ```
//!
//! Always true: a line is in one file, whole or not at all; the newest backup is `.1`. Only one thread touches the files.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use thiserror::Error;

use crate::unix_time;

/// Whoever may read the folder's other logs may be in the file's group; nobody else reads it.
const MODE: u32 = 0o640;

/// When the next file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turnover {
    /// When a line would make it longer than this.
    Size(u64),
    /// With the first line of an hour, in UTC.
    Hourly,
    /// With the first line of a day, in UTC.
    Daily,
}

/// Which files there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// When.
    pub(crate) turnover: Turnover,
    /// Old files that are kept.
    pub(crate) backups_max: u32,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileSettings {
    /// The key that names the path, and how to do without the file; for refusals.
    pub(crate) key: FileKey,
    /// Absolute.
    pub(crate) path: PathBuf,
    /// None: it grows, or somebody else rotates it.
    pub(crate) rotation: Option<Rotation>,
}

/// A key whose value is the path of a file of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileKey {
    /// Its path.
    pub(crate) path: &'static str,
    /// What to write where there shall be no such file.
    pub(crate) otherwise: &'static str,
}

/// The file cannot be opened, or not be written.
#[derive(Debug, Error)]
#[error(
    "{}: cannot write {}: {error}; its folder must exist and be writable for the server, or {}",
    settings.key.path, settings.path.display(), settings.key.otherwise
)]
pub(crate) struct LineFileError {
    settings: FileSettings,
    error: io::Error,
}

/// An open file of lines.
#[derive(Debug)]
pub(crate) struct LineFile {
    settings: FileSettings,
    file: File,
    /// Pipes and devices can be written to, and are never moved or cut.
    is_regular: bool,
    bytes: u64,
    /// The hour or the day of the last line.
    period: u64,
}

impl LineFile {
    /// Opens it, to go on at its end.
    pub(crate) fn open(settings: FileSettings) -> Result<Self, LineFileError> {
        let failed = |error| LineFileError { settings: settings.clone(), error };
        let file = append_to(&settings.path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let period = period(settings.rotation, metadata.modified().map_err(failed)?);
        let (is_regular, bytes) = (metadata.is_file(), metadata.len());
        Ok(Self { settings, file, is_regular, bytes, period })
    }

    /// The same file or, if it was moved away, the one that is there now.
    pub(crate) fn reopen(&mut self) -> Result<(), LineFileError> {
        *self = Self::open(self.settings.clone())?;
        Ok(())
    }

    /// Appends whole lines, in the next file if it is time for that. If it fails, none of them is there.
    pub(crate) fn write(&mut self, lines: &[u8], now: SystemTime) -> Result<(), LineFileError> {
        let written = self.rotate_if_due(lines.len() as u64, now).and_then(|()| self.append(lines));
        written.map_err(|error| self.failed(error))
    }

    /// Returns when the disk has all lines so far.
    pub(crate) fn sync(&self) -> Result<(), LineFileError> {
        if !self.is_regular {
            return Ok(());
        }
        self.file.sync_data().map_err(|error| self.failed(error))
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < lines.len() {
            match self.file.write(&lines[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.take_back(written as u64);
                    return Err(error);
                }
            }
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }

    /// What a full disk has taken of lines is cut off again. Where even that fails, a line stays that is cut.
    fn take_back(&self, bytes: u64) {
        if bytes > 0
            && self.is_regular
            && let Ok(metadata) = self.file.metadata()
        {
            let _ = self.file.set_len(metadata.len().saturating_sub(bytes));
        }
    }

    fn failed(&self, error: io::Error) -> LineFileError {
        LineFileError { settings: self.settings.clone(), error }
    }

    /// The file as it was named.
    pub(crate) fn path(&self) -> &Path {
        &self.settings.path
    }

    fn rotate_if_due(&mut self, more: u64, now: SystemTime) -> io::Result<()> {
        let Some(rotation) = self.settings.rotation.filter(|_| self.is_regular) else {
            return Ok(());
        };
        let period = period(Some(rotation), now);
        let is_due = match rotation.turnover {
            // A line that is longer than a file may be has a file of its own.
            Turnover::Size(max) => self.bytes > 0 && self.bytes + more > max,
            Turnover::Hourly | Turnover::Daily => self.bytes > 0 && period != self.period,
        };
        self.period = period;
        if !is_due {
            return Ok(());
        }
        shift(&self.settings.path, rotation.backups_max)?;
        self.file = append_to(&self.settings.path)?;
        self.bytes = self.file.metadata()?.len();
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    // Opening a pipe must not wait for a reader, nor writing to it.
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    OpenOptions::new().append(true).create(true).mode(MODE).custom_flags(nonblock).open(path)
}

/// The hour or day of a moment; 0 where none matters.
fn period(rotation: Option<Rotation>, at: SystemTime) -> u64 {
    let seconds = unix_time::seconds(at);
    match rotation.map(|rotation| rotation.turnover) {
        Some(Turnover::Hourly) => seconds / 3600,
        Some(Turnover::Daily) => seconds / 86_400,
        Some(Turnover::Size(_)) | None => 0,
    }
}

/// Moves the file and its backups one further, and removes those that are too many.
fn shift(path: &Path, backups_max: u32) -> io::Result<()> {
    for number in backups(path)? {
        if number >= backups_max {
            fs::remove_file(backup(path, number))?;
        }
    }
    // Backups without a gap before them; behind a gap, none needs to move.
    let mut numbers = backups(path)?;
    numbers.sort_unstable();
    let count = (1..).zip(&numbers).take_while(|(expected, number)| expected == *number).count();
    for number in (1..=count as u32).rev() {
        fs::rename(backup(path, number), backup(path, number + 1))?;
    }
    if backups_max == 0 { fs::remove_file(path) } else { fs::rename(path, backup(path, 1)) }
}

/// The numbers of the backups that are there, in no order.
fn backups(path: &Path) -> io::Result<Vec<u32>> {
    let Some(name) = path.file_name() else { return Ok(Vec::new()) };
    let begin = [name.as_encoded_bytes(), b"."].concat();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let entry = entry?.file_name();
        let number = entry.as_encoded_bytes().strip_prefix(&begin[..]);
        let number = number.and_then(|number| std::str::from_utf8(number).ok());
        // As we write them: no sign, no zero in front.
        let number = number.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = number.filter(|text| !text.starts_with('0'));
        numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
    }
    Ok(numbers)
}

fn backup(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const KEY: FileKey =
        FileKey { path: "logging.file_path", otherwise: "set logging.file_enabled = false" };

    struct Site {
        folder: tempfile::TempDir,
        file: LineFile,
    }

    impl Site {
        fn new(turnover: Turnover, backups_max: u32) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let rotation = Some(Rotation { turnover, backups_max });
            let settings = FileSettings { key: KEY, path: folder.path().join("a.log"), rotation };
            Self { file: LineFile::open(settings).unwrap(), folder }
        }

        fn write(&mut self, text: &str, seconds: u64) {
            let now = UNIX_EPOCH + Duration::from_secs(seconds);
            self.file.write(text.as_bytes(), now).unwrap();
        }

        /// Names and contents, in the order of the names.
        fn files(&self) -> Vec<(String, String)> {
            let entries = fs::read_dir(self.folder.path()).unwrap();
            let mut files: Vec<_> = entries
                .map(|entry| entry.unwrap())
                .map(|entry| {
                    let text = fs::read_to_string(entry.path()).unwrap();
                    (entry.file_name().into_string().unwrap(), text)
                })
                .collect();
            files.sort();
            files
        }
    }

    fn expected(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_file_ends_before_the_line_that_does_not_fit() {
        let mut site = Site::new(Turnover::Size(4), 2);
        for line in ["a\n", "b\n", "c\n", "longer\n", "d\n", "e\n", "f\n"] {
            site.write(line, 0);
        }
        let files = [("a.log", "f\n"), ("a.log.1", "d\ne\n"), ("a.log.2", "longer\n")];
        assert_eq!(site.files(), expected(&files));
    }

    #[test]
    fn a_file_ends_with_its_hour_or_its_day() {
        for (turnover, seconds) in [(Turnover::Hourly, 3600), (Turnover::Daily, 86_400)] {
            let mut site = Site::new(turnover, 9);
            site.write("first\n", 10 * seconds);
            site.write("same\n", 11 * seconds - 1);
            site.write("next\n", 11 * seconds);
            site.write("later\n", 20 * seconds);
            let files = [("a.log", "later\n"), ("a.log.1", "next\n"), ("a.log.2", "first\nsame\n")];
            assert_eq!(site.files(), expected(&files), "{turnover:?}");
        }
    }

    #[test]
    fn backups_that_are_too_many_go_and_strangers_stay() {
        let mut site = Site::new(Turnover::Size(2), 2);
        for (name, text) in [
            ("a.log.1", "one"),
            ("a.log.2", "two"),
            ("a.log.7", "seven"),
            ("a.log.gz", "s"),
            ("a.log.01", "s"),
            ("b.log.1", "s"),
        ] {
            fs::write(site.folder.path().join(name), text).unwrap();
        }
        site.write("x\n", 0);
        site.write("y\n", 0);
        let files = [
            ("a.log", "y\n"),
            ("a.log.01", "s"),
            ("a.log.1", "x\n"),
            ("a.log.2", "one"),
            ("a.log.gz", "s"),
            ("b.log.1", "s"),
        ];
        assert_eq!(site.files(), expected(&files));
    }

    #[test]
    fn without_backups_the_old_file_is_gone() {
        let mut site = Site::new(Turnover::Size(2), 0);
        for line in ["x\n", "y\n", "z\n"] {
            site.write(line, 0);
        }
        assert_eq!(site.files(), expected(&[("a.log", "z\n")]));
    }

    #[test]
    fn a_file_that_was_there_is_gone_on_with_and_counts() {
        let mut site = Site::new(Turnover::Size(4), 3);
        site.write("abc", 0);
        site.file.reopen().unwrap();
        site.write("d", 0);
        site.write("e", 0);
        assert_eq!(site.files(), expected(&[("a.log", "e"), ("a.log.1", "abcd")]));
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let mut site = Site::new(Turnover::Size(100), 3);
        site.write("old\n", 0);
        let path = site.folder.path().join("a.log");
        fs::rename(&path, site.folder.path().join("moved")).unwrap();
        site.write("still old\n", 0);
        site.file.reopen().unwrap();
        site.write("new\n", 0);
        assert_eq!(site.files(), expected(&[("a.log", "new\n"), ("moved", "old\nstill old\n")]));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named_with_the_remedy() {
        let settings = FileSettings { key: KEY, path: "/nowhere/a.log".into(), rotation: None };
        let text = LineFile::open(settings).unwrap_err().to_string();
        assert!(text.starts_with("logging.file_path: cannot write /nowhere/a.log: "), "{text}");
        assert!(text.contains("logging.file_enabled = false"), "{text}");
    }

    #[test]
    fn a_device_is_written_to_and_never_moved() {
        let rotation = Some(Rotation { turnover: Turnover::Size(1), backups_max: 1 });
        let settings = |path: &str| FileSettings { key: KEY, path: path.into(), rotation };
        let mut null = LineFile::open(settings("/dev/null")).unwrap();
        for _ in 0..3 {
            null.write(b"line\n", UNIX_EPOCH).unwrap();
        }
        let mut full = LineFile::open(settings("/dev/full")).unwrap();
        assert!(full.write(b"line\n", UNIX_EPOCH).unwrap_err().to_string().contains("No space"));
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        let settings = FileSettings { key: KEY, path, rotation: None };
        assert!(LineFile::open(settings).is_err());
    }

    #[test]
    fn lines_that_fit_only_in_part_are_not_there() {
        let mut site = Site::new(Turnover::Size(1000), 1);
        site.write("whole\n", 0);
        site.file.file.write_all(b"par").unwrap();
        site.file.take_back(3);
        assert_eq!(site.files(), expected(&[("a.log", "whole\n")]));
    }
}
