//! What is done, and to what.

use std::{fmt, str::FromStr};

use crate::failure::ShownKey;

/// What is done. Each includes those before it, where it is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Get, range, filter, stream, condition.
    Read,
    /// Set, delete, update.
    Write,
    /// Commands to the server.
    Admin,
}

impl Action {
    /// All of them.
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// As files and records spell it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|action| action.word() == text);
        known.ok_or_else(|| format!("unknown action {text:?}; there are read, write and admin"))
    }
}

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Actions(u8);

impl Actions {
    /// Every action.
    pub(super) const ALL: Self = Self(0b111);
    /// What can be done to entries.
    pub(super) const OF_ENTRIES: Self = Self(0b11);

    /// This one only.
    pub(super) fn only(action: Action) -> Self {
        Self(1 << action as u8)
    }

    /// This one and those that it includes.
    pub(super) fn up_to(action: Action) -> Self {
        Self((2 << action as u8) - 1)
    }

    /// These and those.
    pub(super) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether it is one of them.
    pub(super) fn has(self, action: Action) -> bool {
        self.0 & Self::only(action).0 != 0
    }
}

/// To what it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Entries of a collection.
    Entries {
        /// Its name.
        collection: &'a str,
        /// Which entries.
        keys: Keys<'a>,
    },
    /// The server.
    Server(ServerCommand<'a>),
}

/// What the server is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerCommand<'a> {
    /// As `BACKUP`.
    pub name: &'a str,
    /// On what, for the audit; empty where that says nothing.
    pub subject: &'a str,
}

/// Which entries of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys<'a> {
    /// That of one key.
    One(&'a [u8]),
    /// Those from a key up to another one, or to the end.
    Range(&'a [u8], Option<&'a [u8]>),
}

impl Keys<'_> {
    /// The entries of a whole collection.
    pub const ALL: Self = Keys::Range(&[], None);

    /// Whether some of the keys may begin so.
    pub(super) fn meet(self, prefix: &[u8]) -> bool {
        match self {
            Self::One(key) => key.starts_with(prefix),
            Self::Range(from, to) => {
                // The first key that begins so is the prefix itself.
                let ends_before = to.is_some_and(|to| to <= prefix);
                let begins_behind = from > prefix && !from.starts_with(prefix);
                !ends_before && !begins_behind
            }
        }
    }

    /// Whether all of the keys begin so.
    pub(super) fn are_within(self, prefix: &[u8]) -> bool {
        match self {
            Self::One(key) => key.starts_with(prefix),
            Self::Range(from, to) => {
                let begins_within = from.starts_with(prefix);
                begins_within && (prefix.is_empty() || to.is_some_and(|to| ends_within(to, prefix)))
            }
        }
    }
}

/// Whether all keys before `to` that are not below the prefix begin with it.
fn ends_within(to: &[u8], prefix: &[u8]) -> bool {
    // The prefix, its last byte that has a next one incremented, is the first key behind.
    let grown = prefix.iter().rposition(|byte| *byte < u8::MAX);
    match grown {
        None => true,
        Some(place) => {
            let behind = prefix[..place].iter().copied().chain([prefix[place] + 1]);
            to.iter().copied().le(behind)
        }
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(_) => f.write_str("the server"),
            Self::Entries { collection, keys: Keys::One(key) } => {
                write!(f, "key {} of collection {collection:?}", ShownKey(key))
            }
            Self::Entries { collection, keys } if *keys == Keys::ALL => {
                write!(f, "collection {collection:?}")
            }
            Self::Entries { collection, .. } => {
                write!(f, "this range of collection {collection:?}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn granted_actions_include_those_before_and_forbidden_ones_do_not() {
        let has = |actions: Actions| Action::ALL.map(|action| actions.has(action));
        assert_eq!(has(Actions::up_to(Action::Read)), [true, false, false]);
        assert_eq!(has(Actions::up_to(Action::Write)), [true, true, false]);
        assert_eq!(Actions::up_to(Action::Admin), Actions::ALL);
        assert_eq!(has(Actions::only(Action::Write)), [false, true, false]);
        assert_eq!(has(Actions::default().and(Actions::OF_ENTRIES)), [true, true, false]);
        assert!("Read".parse::<Action>().unwrap_err().contains("unknown action \"Read\""));
    }

    /// Every range over a small set of keys, against the same said key by key.
    #[test]
    fn ranges_meet_a_prefix_or_lie_within_it_as_their_keys_do() {
        let letters = [0u8, 1, 0xfe, 0xff];
        let mut keys = vec![vec![]];
        for length in 0..3 {
            let longer = keys.iter().filter(|key| key.len() == length).cloned().collect::<Vec<_>>();
            keys.extend(longer.iter().flat_map(|key| {
                letters.map(|letter| key.iter().copied().chain([letter]).collect::<Vec<_>>())
            }));
        }
        keys.sort();
        let prefixes = keys.iter().filter(|key| key.len() < 3);
        for prefix in prefixes {
            for from in &keys {
                for to in keys.iter().map(Some).chain([None]) {
                    let is_in = |key: &&Vec<u8>| *key >= from && to.is_none_or(|to| *key < to);
                    let range = Keys::Range(from, to.map(Vec::as_slice));
                    let mut inside = keys.iter().filter(is_in);
                    let (meets, within) = (range.meet(prefix), range.are_within(prefix));
                    if inside.clone().any(|key| key.starts_with(prefix)) {
                        assert!(meets, "{prefix:?} {range:?}");
                    }
                    if within {
                        assert!(inside.all(|key| key.starts_with(prefix)), "{prefix:?} {range:?}");
                    }
                }
            }
        }
        let user = |to: &'static [u8]| Keys::Range(b"user:", Some(to)).are_within(b"user:");
        assert!(user(b"user;") && user(b"user:z") && !user(b"user;\0") && !user(b"v"));
        assert!(Keys::Range(b"user:a", None).meet(b"user:"));
        assert!(!Keys::Range(b"user;", None).meet(b"user:"));
        assert!(!Keys::Range(b"a", Some(b"user:")).meet(b"user:"));
        assert!(Keys::ALL.are_within(b"") && Keys::ALL.meet(b"x") && !Keys::ALL.are_within(b"x"));
    }
}
