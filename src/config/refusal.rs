//! A configuration that is not accepted: every problem, each with key, value, place and bound.

use std::fmt;

use super::{
    keys::Key,
    written::{Entry, Origin, Written, shown},
};

/// Letters of a value or of a name that are shown.
const SHOWN_MAX: usize = 160;

/// One line of a refusal, without the words that all lines begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem(String);

impl Problem {
    /// A key or table that does not exist.
    pub(crate) fn unknown(path: &str, origin: &Origin, meant: Option<String>) -> Self {
        let question = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
        Self(format!("{} ({origin}): unknown key{question}", on_one_line(path)))
    }

    /// A table that was written as a value.
    pub(crate) fn not_a_table(path: &str, origin: &Origin) -> Self {
        Self(format!("{path} ({origin}): is a table, written [{path}]"))
    }

    /// A file that cannot be read, or something that belongs to no key.
    pub(crate) fn unreadable(place: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self(on_one_line(&format!("{place}: {why}")))
    }

    /// Text that is no TOML, at a key if there is one.
    pub(crate) fn no_toml(key: Option<String>, origin: &Origin, why: &str) -> Self {
        let why = why.lines().collect::<Vec<_>>().join("; ");
        Self(match key {
            Some(key) => format!("{key} ({origin}): {why}"),
            None => format!("{origin}: {why}"),
        })
    }

    /// A value that its key does not take.
    pub(crate) fn of_value(key: &Key, entry: &Entry, why: &str) -> Self {
        let (value, origin) = (on_one_line(&shown(key.path, &entry.value)), &entry.origin);
        Self(format!("{key} = {value} ({origin}): {why}"))
    }

    /// A value that does not go with others.
    pub(crate) fn of_key(written: &Written, path: &str, why: impl fmt::Display) -> Self {
        let origin = written.entry(path).map_or(&Origin::Default, |entry| &entry.origin);
        Self(format!("{path} = {} ({origin}): {why}", on_one_line(&written.shown(path))))
    }

    /// The line without the words that all lines begin with, for who does not refuse.
    pub(crate) fn told(&self) -> &str {
        &self.0
    }
}

/// Text from a file: without what would break the line, and not endless.
fn on_one_line(text: &str) -> String {
    let mut line = String::new();
    for (index, letter) in text.chars().enumerate() {
        match letter {
            _ if index == SHOWN_MAX => {
                line.push('…');
                break;
            }
            letter if letter.is_control() => line.extend(letter.escape_default()),
            letter => line.push(letter),
        }
    }
    line
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Configuration validation failed: {}", self.0)
    }
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub(crate) Vec<Problem>);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
