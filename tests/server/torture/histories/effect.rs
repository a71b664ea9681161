//! What a call says of the content before it, and what it makes of it: all its steps together.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::call::{ABSENT, Call, Key, Outcome, Shown, Step, Version, name};

/// A call as one step.
#[derive(Clone, Debug, Default)]
pub(super) struct Effect {
    /// What must have been true before it.
    pub(super) needs: Vec<(Key, Need)>,
    /// So many of these keys had values.
    pub(super) count: Option<(Vec<Key>, u64)>,
    /// What it does, in this order.
    pub(super) changes: Vec<(Key, Change)>,
}

/// What a key must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Is(Version),
    /// Any value.
    Present,
    Not(Version),
    /// No value, or one below.
    Below(Version),
}

/// What a key holds afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    To(Version),
    /// The second, if it had any value.
    IfPresent(Version),
    /// The second, if it had the first.
    If(Version, Version),
}

impl Need {
    pub(super) fn holds(self, version: Version) -> bool {
        match self {
            Self::Is(wanted) => version == wanted,
            Self::Present => version != ABSENT,
            Self::Not(unwanted) => version != unwanted,
            Self::Below(bound) => version < bound,
        }
    }
}

impl Change {
    /// What becomes of a version.
    pub(super) fn of(self, version: Version) -> Version {
        match self {
            Self::To(new) => new,
            Self::IfPresent(new) if version != ABSENT => new,
            Self::If(old, new) if version == old => new,
            Self::IfPresent(_) | Self::If(..) => version,
        }
    }

    /// What it may write.
    pub(super) fn version(self) -> Version {
        match self {
            Self::To(new) | Self::IfPresent(new) | Self::If(_, new) => new,
        }
    }
}

impl Effect {
    /// Of a call; `key_of` tells which key a version was written to, if only one.
    ///
    /// # Errors
    /// The call contradicts itself: a step did not see what one before it did, or found what cannot be.
    pub(super) fn of(call: &Call, key_of: impl Fn(Version) -> Option<Key>) -> Result<Self, String> {
        if call.outcome == Outcome::Answered {
            let mut walk = Walk::default();
            call.steps.iter().try_for_each(|step| walk.step(step, &key_of))?;
            return Ok(walk.into_effect());
        }
        let changes = call.steps.iter().flat_map(|step| unknown(step, &key_of)).collect();
        Ok(Self { changes, ..Self::default() })
    }

    /// What it says of one key.
    pub(super) fn on(&self, key: Key) -> Self {
        fn of<T: Copy>(all: &[(Key, T)], wanted: Key) -> Vec<(Key, T)> {
            all.iter().copied().filter(|(key, _)| *key == wanted).collect()
        }
        Self { needs: of(&self.needs, key), count: None, changes: of(&self.changes, key) }
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.needs.is_empty() && self.count.is_none() && self.changes.is_empty()
    }

    /// The versions that it found, with their keys.
    pub(super) fn found(&self) -> impl Iterator<Item = (Key, Version)> {
        self.needs.iter().filter_map(|(key, need)| match need {
            Need::Is(version) => Some((*key, *version)),
            _ => None,
        })
    }
}

/// What a step of a call does that may have happened.
fn unknown(step: &Step, key_of: impl Fn(Version) -> Option<Key>) -> Vec<(Key, Change)> {
    match step {
        Step::Set { key, version } => vec![(*key, Change::To(*version))],
        Step::Delete { key, .. } => vec![(*key, Change::To(ABSENT))],
        Step::Update { only: Some(old), new, .. } => {
            key_of(*old).map(|key| (key, Change::If(*old, *new))).into_iter().collect()
        }
        Step::Update { keys, only: None, new, .. } => {
            keys.clone().map(|key| (key, Change::IfPresent(*new))).collect()
        }
        Step::Get { .. } | Step::Rows { .. } | Step::Spoil { .. } => Vec::new(),
    }
}

/// A call that was answered, step by step.
#[derive(Default)]
struct Walk {
    effect: Effect,
    changes: BTreeMap<Key, Change>,
    /// What keys are known to hold by now.
    known: BTreeMap<Key, Version>,
    /// Keys that hold this version by now if they have any value.
    changed_if_present: BTreeMap<Key, Version>,
}

impl Walk {
    fn into_effect(self) -> Effect {
        Effect { changes: self.changes.into_iter().collect(), ..self.effect }
    }

    fn step(&mut self, step: &Step, key_of: impl Fn(Version) -> Option<Key>) -> Result<(), String> {
        match step {
            Step::Get { key, found } => self.see(*key, *found),
            Step::Set { key, version } => {
                self.write(*key, *version);
                Ok(())
            }
            Step::Delete { key, existed: false } => self.see(*key, ABSENT),
            Step::Delete { key, existed: true } => {
                self.need(*key, Need::Present)?;
                self.write(*key, ABSENT);
                Ok(())
            }
            Step::Rows { .. } => self.rows(step),
            Step::Update { keys, only: Some(old), new, changed } => {
                let key = key_of(*old).filter(|key| keys.contains(key));
                match (key, changed) {
                    (Some(key), 1) => {
                        self.see(key, *old)?;
                        self.write(key, *new);
                        Ok(())
                    }
                    (Some(key), 0) => self.need(key, Need::Not(*old)),
                    _ => Err(format!("{changed} rows held {old}")),
                }
            }
            Step::Update { keys, only: None, new, changed } => {
                self.update_all(keys.clone(), *new, *changed)
            }
            Step::Spoil { keys } => keys.clone().try_for_each(|key| self.see(key, ABSENT)),
        }
    }

    /// A key was found to hold this.
    fn see(&mut self, key: Key, found: Version) -> Result<(), String> {
        self.need(key, Need::Is(found))?;
        if !self.changed_if_present.contains_key(&key) {
            self.known.insert(key, found);
        }
        Ok(())
    }

    /// Something was found to be true of a key.
    fn need(&mut self, key: Key, need: Need) -> Result<(), String> {
        if let Some(known) = self.known.get(&key) {
            let refusal = || {
                let (name, known) = (name(key), Shown(*known));
                format!("within the call, {name} was {known}, and later {need:?}")
            };
            return need.holds(*known).then_some(()).ok_or_else(refusal);
        }
        let before = match self.changed_if_present.get(&key) {
            None => need,
            Some(_) if need == Need::Is(ABSENT) => need,
            Some(new) if need.holds(*new) => Need::Present,
            Some(new) => return Err(format!("{} was changed to {new}: {need:?}", name(key))),
        };
        self.effect.needs.push((key, before));
        Ok(())
    }

    fn write(&mut self, key: Key, version: Version) {
        self.known.insert(key, version);
        self.changed_if_present.remove(&key);
        self.changes.insert(key, Change::To(version));
    }

    fn rows(&mut self, step: &Step) -> Result<(), String> {
        let Step::Rows { keys, min, limit, found } = step else { return Ok(()) };
        let mut rows = BTreeMap::new();
        for (key, version) in found {
            let is_next = rows.last_key_value().is_none_or(|(last, _)| last < key);
            let is_wanted = *version != ABSENT && min.is_none_or(|min| *version >= min);
            if !is_next || !is_wanted || !keys.contains(key) {
                return Err(format!("{} = {} is no row of these", name(*key), Shown(*version)));
            }
            rows.insert(*key, *version);
        }
        let end = match limit {
            Some(limit) if rows.len() > *limit => {
                return Err(format!("{} rows where {limit} were asked for", rows.len()));
            }
            Some(limit) if rows.len() == *limit => {
                rows.last_key_value().map_or(keys.start, |(last, _)| last + 1)
            }
            _ => keys.end,
        };
        for key in keys.start..end {
            match (rows.get(&key), min) {
                (Some(version), _) => self.see(key, *version)?,
                (None, None) => self.see(key, ABSENT)?,
                (None, Some(min)) => self.need(key, Need::Below(*min))?,
            }
        }
        Ok(())
    }

    fn update_all(&mut self, keys: Range<Key>, new: Version, changed: u64) -> Result<(), String> {
        let known = |key: &Key| self.known.contains_key(key);
        let (known, unknown): (BTreeSet<Key>, BTreeSet<Key>) = keys.partition(known);
        let present = known.into_iter().filter(|key| self.known[key] != ABSENT);
        let present: Vec<Key> = present.collect();
        let of_unknown = changed.checked_sub(present.len() as u64);
        let of_unknown = of_unknown.filter(|count| *count <= unknown.len() as u64);
        let Some(of_unknown) = of_unknown else {
            return Err(format!("{changed} rows were changed, but {} were there", present.len()));
        };
        present.into_iter().for_each(|key| self.write(key, new));
        if unknown.is_empty() {
            return Ok(());
        }
        if self.effect.count.is_some() || !self.changed_if_present.is_empty() {
            return Err("two updates of unknown rows in one call are not understood".into());
        }
        for key in &unknown {
            self.changes.insert(*key, Change::IfPresent(new));
            self.changed_if_present.insert(*key, new);
        }
        self.effect.count = Some((unknown.into_iter().collect(), of_unknown));
        Ok(())
    }
}
