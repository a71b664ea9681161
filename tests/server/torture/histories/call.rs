//! What was asked, when, and what was answered.
//!
//! ```text
//!  client 1   ├──── get a = 3 ────┤                     begun and ended are instants of one clock, that of
//!  client 2        ├─ batch: get a = 3, set a := 7 ─┤   the test's process; the call took effect between them
//!  client 3                 ├─ set b := 8 ───── ? ────╳ kill: it may have taken effect, or never will
//! ```
//!
//! Always true: a version is written by one call only, so whoever reads it names the call; 0 stands for no value.

use std::{fmt, ops::Range};

/// A key, by its place in the order of all keys of all collections.
pub(super) type Key = u16;

/// What a key holds.
pub(super) type Version = u64;

/// No value.
pub(super) const ABSENT: Version = 0;

/// What cannot be the value of the key: no call wrote it.
pub(super) const GARBAGE: Version = Version::MAX;

/// Keys of the collection `plain`: the server can compare and change their values.
pub(super) const PLAIN: Range<Key> = 0..16;

/// Keys of the collection `large`: many of their values go to blob files.
pub(super) const LARGE: Range<Key> = PLAIN.end..PLAIN.end + 8;

/// All keys.
pub(super) const KEYS: Range<Key> = 0..LARGE.end;

/// The content of all keys.
pub(super) type Content = Vec<Version>;

/// One request of a client, whole: nothing of it is visible without the rest.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) client: u32,
    /// One after the other, each seeing those before it. What they found counts only if they were answered.
    pub(super) steps: Vec<Step>,
    /// In nanoseconds.
    pub(super) begun: u64,
    /// When the answer was there, or when nothing of it could happen any more.
    pub(super) ended: u64,
    pub(super) outcome: Outcome,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It happened, and found what its steps say.
    Answered,
    /// It may have happened before it ended, or not.
    Unknown,
    /// It did not happen.
    Refused,
}

/// One query, with what it found.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Get {
        key: Key,
        found: Version,
    },
    Set {
        key: Key,
        version: Version,
    },
    Delete {
        key: Key,
        existed: bool,
    },
    /// Rows in key order, at most `limit`: all, or those whose version is at least `min`.
    Rows {
        keys: Range<Key>,
        min: Option<Version>,
        limit: Option<usize>,
        found: Vec<(Key, Version)>,
    },
    /// Each row of `keys`, or the one that holds `only`, gets the version `new`.
    Update {
        keys: Range<Key>,
        only: Option<Version>,
        new: Version,
        changed: u64,
    },
    /// What the server refuses where any key has a value, with all other steps of the call.
    Spoil {
        keys: Range<Key>,
    },
}

impl Call {
    /// Whether it can be known what it did.
    pub(super) fn is_answered(&self) -> bool {
        self.outcome == Outcome::Answered
    }

    /// The versions that it writes if it happens, each with the keys that may get it.
    pub(super) fn versions(&self) -> impl Iterator<Item = (Range<Key>, Version)> {
        self.steps.iter().filter_map(|step| match step {
            Step::Set { key, version } => Some((*key..*key + 1, *version)),
            Step::Update { keys, new, .. } => Some((keys.clone(), *new)),
            _ => None,
        })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        let (begun, ended) = (millis(self.begun), millis(self.ended));
        write!(out, "client {}, {begun:.3} to {ended:.3} ms: ", self.client)?;
        for (index, step) in self.steps.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(out, "{comma}{}", ShownStep(step, self.is_answered()))?;
        }
        match self.outcome {
            Outcome::Answered => Ok(()),
            Outcome::Unknown => out.write_str(" (outcome unknown)"),
            Outcome::Refused => out.write_str(" (refused)"),
        }
    }
}

/// A step, with or without what it found.
struct ShownStep<'a>(&'a Step, bool);

impl fmt::Display for ShownStep<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(step, is_answered) = self;
        match step {
            Step::Get { key, .. } => write!(out, "get {}", name(*key))?,
            Step::Set { key, version } => write!(out, "set {} := {version}", name(*key))?,
            Step::Delete { key, .. } => write!(out, "delete {}", name(*key))?,
            Step::Rows { keys, min, limit, .. } => {
                write!(out, "rows {}..{}", name(keys.start), name(keys.end))?;
                min.map_or(Ok(()), |min| write!(out, " of at least {min}"))?;
                limit.map_or(Ok(()), |limit| write!(out, " limit {limit}"))?;
            }
            Step::Update { keys, only, new, .. } => {
                write!(out, "update {}..{} ", name(keys.start), name(keys.end))?;
                match only {
                    Some(old) => write!(out, "{old} -> {new}")?,
                    None => write!(out, "all -> {new}")?,
                }
            }
            Step::Spoil { .. } => out.write_str("what is refused")?,
        }
        match step {
            _ if !is_answered => Ok(()),
            Step::Get { found, .. } => write!(out, " = {}", Shown(*found)),
            Step::Delete { existed, .. } => write!(out, " (was there: {existed})"),
            Step::Rows { found, .. } => {
                let row = |(key, version): &(Key, Version)| format!("{} = {version}", name(*key));
                let rows: Vec<_> = found.iter().map(row).collect();
                write!(out, " [{}]", rows.join(", "))
            }
            Step::Update { changed, .. } => write!(out, " ({changed} rows)"),
            _ => Ok(()),
        }
    }
}

/// A version in words.
pub(super) struct Shown(pub(super) Version);

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ABSENT => out.write_str("absent"),
            GARBAGE => out.write_str("bytes that are no value of this key"),
            version => write!(out, "{version}"),
        }
    }
}

/// The key as clients write it.
pub(super) fn name(key: Key) -> String {
    if key < PLAIN.end { format!("p{key:02}") } else { format!("x{:02}", key - PLAIN.end) }
}

/// The key of that name.
pub(super) fn key_of(name: &[u8]) -> Option<Key> {
    KEYS.into_iter().find(|key| self::name(*key).as_bytes() == name)
}

/// The collection of a key.
pub(super) fn collection(key: Key) -> &'static str {
    if key < PLAIN.end { "plain" } else { "large" }
}
