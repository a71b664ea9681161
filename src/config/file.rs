//! The configuration file: read within bounds, parsed, and the places in it that problems name.
//!
//! Text that is no TOML is refused by line and column, under the key that stands there. What stands
//! right of `=` is never repeated: it may be a secret.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{refusal::Problem, written::Origin};
use crate::whole_file;

/// A hundred times the generated file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Mistakes of one file that are told; more follow from the first ones.
const MISTAKES_MAX: usize = 20;

/// A configuration file that was read.
#[derive(Clone)]
pub(crate) struct File {
    /// Its path as it was named.
    pub(crate) path: PathBuf,
    /// What it says.
    text: String,
    /// Where its lines begin, ascending, the first at 0.
    lines: Vec<usize>,
}

impl fmt::Debug for File {
    /// Without its text, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines of {}", self.lines.len(), self.path.display())
    }
}

impl File {
    /// A file with this text.
    pub(crate) fn new(path: PathBuf, text: String) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { path, text, lines }
    }

    /// Reads a regular file of UTF-8. Others could keep a reload waiting for ever.
    pub(crate) fn read(path: &Path) -> Result<Self, Problem> {
        let unreadable =
            |why: String| Problem::unreadable(format_args!("cannot read {}", path.display()), why);
        let file = whole_file::read(path, FILE_BYTES_MAX);
        let mut file = file.map_err(|error| unreadable(error.to_string()))?;
        Self::of_bytes(path, std::mem::take(&mut *file.bytes))
    }

    /// What was read from `path`.
    pub(crate) fn of_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, Problem> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(path.to_owned(), text)),
            Err(error) => {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                let place = Origin::File { path: path.to_owned(), line };
                Err(Problem::unreadable(&place, "is not UTF-8"))
            }
        }
    }

    /// The file as tables, or the places where it is no TOML.
    pub(crate) fn parse(&self) -> Result<DeTable<'_>, Vec<Problem>> {
        match DeTable::parse(&self.text) {
            Ok(document) => Ok(document.into_inner()),
            Err(first) => Err(self.mistakes(first)),
        }
    }

    /// All mistakes by line: each line that has one is taken away, and the rest is parsed again.
    /// (The parser can go on by itself, but keeps a copy of the text with each mistake.)
    fn mistakes(&self, first: toml::de::Error) -> Vec<Problem> {
        let mut found = BTreeMap::new();
        let mut text = self.text.clone();
        let mut mistake = Some(first);
        while let Some(error) = mistake.take() {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let why = format!("column {}: {}", self.column_of(at), error.message());
            let line = self.line(at);
            let problem = Problem::no_toml(self.key_at(at), &self.origin(at), &why);
            found.entry(line.start).or_insert(problem);
            if text[line.clone()].trim().is_empty() || found.len() == MISTAKES_MAX {
                break;
            }
            text.replace_range(line.clone(), &" ".repeat(line.len()));
            mistake = DeTable::parse(&text).err();
        }
        found.into_values().collect()
    }

    /// The line of a byte.
    pub(crate) fn origin(&self, at: usize) -> Origin {
        Origin::File { path: self.path.clone(), line: self.number(at) }
    }

    /// The number of the line of a byte, from one.
    fn number(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    /// The bytes of the line of a byte, without its end.
    fn line(&self, at: usize) -> Range<usize> {
        let number = self.number(at);
        let end = self.lines.get(number).map_or(self.text.len(), |next| next - 1);
        self.lines[number - 1]..end
    }

    fn column_of(&self, at: usize) -> usize {
        let before = self.text.get(self.line(at).start..at).unwrap_or_default();
        1 + before.chars().count()
    }

    /// The key, or else the table, that the line of a byte belongs to, as far as it can be told.
    fn key_at(&self, at: usize) -> Option<String> {
        let lines = self.number(at);
        let mut table = None;
        let mut key = None;
        for line in self.text.lines().take(lines) {
            let line = line.trim();
            key = match line.strip_prefix('[') {
                Some(rest) => {
                    table =
                        name(rest.trim_start_matches('[').split(']').next().unwrap_or_default());
                    None
                }
                None => line.split_once('=').and_then(|(left, _)| name(left)),
            };
        }
        match (table, key) {
            (Some(table), Some(key)) => Some(format!("{table}.{key}")),
            (table, key) => key.or(table),
        }
    }
}

/// A key as people write it, bare and dotted.
fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    (!text.is_empty() && text.len() <= 100 && text.chars().all(is_bare)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn refused(text: &str) -> Vec<String> {
        let file = File::new("a.toml".into(), text.into());
        file.parse().unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_mistake_is_told_with_key_line_and_column() {
        let told =
            refused("[server]\nbind_address = \n\n[storage.wal]\ndir = 'x\nsync_mode == 3\n");
        let place = |index: usize, place: &str| {
            let line = &told[index];
            assert!(
                line.starts_with(&format!("Configuration validation failed: {place}")),
                "{line}"
            );
        };
        assert_eq!(told.len(), 3, "{told:?}");
        place(0, "server.bind_address (a.toml line 2): column 16: ");
        place(1, "storage.wal.dir (a.toml line 5): column 9: ");
        place(2, "storage.wal.sync_mode (a.toml line 6): column 12: ");
        assert_eq!(refused("a = \"\"\"\n\n").len(), 1);
        assert_eq!(refused(&"= 1\n".repeat(1000)).len(), MISTAKES_MAX);
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        for text in ["secret = \"hunter2", "secret = hunter2", "secret = \"hunter2\" hunter2"] {
            let told = refused(&format!("[auth.jwt]\n{text}\n")).join("\n");
            assert!(told.contains("auth.jwt.secret (a.toml line 2)"), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn a_file_that_is_no_text_or_too_long_is_refused_before_it_is_parsed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        let refused = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            File::read(&path).unwrap_err().to_string()
        };
        assert!(refused(b"[server]\n# \xff\n").contains("a.toml line 2: is not UTF-8"));
        let long = vec![b'#'; FILE_BYTES_MAX as usize + 1];
        assert!(refused(&long).contains("it has more than 1048576 bytes"));
        let told = File::read(folder.path()).unwrap_err().to_string();
        assert!(told.contains("it is not a regular file"), "{told}");
        let told = File::read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(told.contains("it is not a regular file"), "{told}");
    }
}
