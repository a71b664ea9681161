//! A configuration that is not accepted: every problem, each with key, value, place and bound.

use std::fmt;

use super::{
    keys::Key,
    written::{Entry, Origin, Written, shown},
};

/// One line of a refusal, without the words that all lines begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem(String);

impl Problem {
    /// A key or table that does not exist.
    pub(crate) fn unknown(path: &str, origin: &Origin, meant: Option<String>) -> Self {
        let question = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
        Self(format!("{path} ({origin}): unknown key{question}"))
    }

    /// A table that was written as a value.
    pub(crate) fn not_a_table(path: &str, origin: &Origin) -> Self {
        Self(format!("{path} ({origin}): is a table, written [{path}]"))
    }

    /// Text that is no TOML, or a file that cannot be read.
    pub(crate) fn unreadable(place: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self(format!("{place}: {why}"))
    }

    /// A value that its key does not take.
    pub(crate) fn of_value(key: &Key, entry: &Entry, why: &str) -> Self {
        let (value, origin) = (shown(key.path, &entry.value), &entry.origin);
        Self(format!("{key} = {value} ({origin}): {why}"))
    }

    /// A value that does not go with others.
    pub(crate) fn of_key(written: &Written, path: &str, why: impl fmt::Display) -> Self {
        let origin = written.entry(path).map_or(&Origin::Default, |entry| &entry.origin);
        Self(format!("{path} = {} ({origin}): {why}", written.shown(path)))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Configuration validation failed: {}", self.0)
    }
}

/// All that is wrong; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) Vec<Problem>);

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
