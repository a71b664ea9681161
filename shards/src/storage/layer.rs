//! A collection in one layer of memory: the newest entry of each key, and what snapshots may want of those before it.
//!
//! ```text
//!               a      b      c              numbers are epochs
//! newest        9      4      7
//! overwritten   2 5           3
//!
//! at epoch 6    5      4      3              at epoch 2, `b` and `c` are what the layers below say
//! ```
//!
//! Always true: a key that has overwritten entries has a newest one; the epochs of a key ascend.

use std::{
    cell::Cell,
    collections::{BTreeMap, btree_map::Entry as Slot},
    ops::Bound,
    rc::Rc,
};

use super::{
    entry::{Change, Sequence},
    epoch::{Epoch, Look},
    key::Key,
    totals::Totals,
};

/// A visible change, and since when it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visible {
    pub(super) epoch: Epoch,
    pub(super) sequence: Sequence,
    pub(super) change: Change,
}

#[derive(Default)]
pub(super) struct Layer {
    newest: BTreeMap<Key, Visible>,
    overwritten: BTreeMap<Key, Vec<Visible>>,
}

pub(super) type Range<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Where a page at a snapshot stops, because too much was hidden from the snapshot: others want their turn.
#[derive(Default)]
pub(super) struct Hidden<'a> {
    end: Cell<Option<&'a Key>>,
}

/// Hidden keys that a page looks at in each layer. The first one is always passed: a page gets further.
const HIDDEN_MAX: usize = if cfg!(test) { 3 } else { 4096 };
/// Overwritten entries of one key, up to which each new one is a reason to look which of them are still wanted. Beyond, it is
/// every doubling.
const FEW: usize = 8;

impl Layer {
    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// The newest entry of each key.
    pub(super) fn newest(&self) -> &BTreeMap<Key, Visible> {
        &self.newest
    }

    /// Makes a change visible. A tombstone is kept where something lies `below`, or where a snapshot may want what it hides.
    pub(super) fn put(
        &mut self,
        key: Key,
        new: Visible,
        below: bool,
        look: &Look<'_>,
        totals: &mut Totals,
    ) {
        let hides_nothing = new.change == Change::Tombstone && !below;
        match self.newest.entry(key) {
            Slot::Vacant(_) if hides_nothing => {}
            Slot::Vacant(slot) => {
                totals.add(slot.key(), &new.change);
                slot.insert(new);
            }
            Slot::Occupied(mut slot) => {
                let hidden_since = new.epoch;
                let wanted = look.wants(slot.get().epoch, hidden_since);
                if hides_nothing && !wanted && !self.overwritten.contains_key(slot.key()) {
                    let (key, before) = slot.remove_entry();
                    return totals.take(&key, &before.change);
                }
                totals.add(slot.key(), &new.change);
                let before = slot.insert(new);
                totals.take(slot.key(), &before.change);
                if wanted {
                    totals.keep(slot.key(), &before.change);
                    let overwritten = self.overwritten.entry(slot.key().clone()).or_default();
                    overwritten.push(before);
                    let count = overwritten.len();
                    if count <= FEW || count.is_power_of_two() {
                        prune(slot.key(), overwritten, hidden_since, look, totals);
                    }
                }
            }
        }
    }

    /// Lets go of what no living snapshot wants, for the next `left` keys from `from` on; tells where to go on.
    pub(super) fn sweep(
        &mut self,
        from: Option<&Key>,
        below: bool,
        look: &Look<'_>,
        totals: &mut Totals,
        left: &mut usize,
    ) -> Option<Key> {
        let from = from.map_or(Bound::Unbounded, Bound::Included);
        let keys =
            self.overwritten.range::<Key, _>((from, Bound::Unbounded)).map(|(key, _)| key.clone());
        let mut keys: Vec<Key> = keys.take(*left + 1).collect();
        let next = if keys.len() > *left { keys.pop() } else { None };
        *left -= keys.len();
        for key in keys {
            let (Some(newest), Some(overwritten)) =
                (self.newest.get(&key), self.overwritten.get_mut(&key))
            else {
                continue;
            };
            prune(&key, overwritten, newest.epoch, look, totals);
            if overwritten.is_empty() {
                self.overwritten.remove(&key);
                self.drop_tombstone(key, below, totals);
            }
        }
        next
    }

    /// Lets go of everything overwritten.
    pub(super) fn forget_overwritten(&mut self, below: bool, totals: &mut Totals) {
        for (key, overwritten) in std::mem::take(&mut self.overwritten) {
            overwritten.iter().for_each(|entry| totals.forget(&key, &entry.change));
            self.drop_tombstone(key, below, totals);
        }
    }

    /// Of a key that has no overwritten entries any more.
    fn drop_tombstone(&mut self, key: Key, below: bool, totals: &mut Totals) {
        if let Slot::Occupied(newest) = self.newest.entry(key)
            && newest.get().change == Change::Tombstone
            && !below
        {
            let (key, tombstone) = newest.remove_entry();
            totals.take(&key, &tombstone.change);
        }
    }

    /// The newest entry of a key.
    pub(super) fn find(&self, key: &[u8]) -> Option<&Visible> {
        self.newest.get(key)
    }

    /// The newest changes of a range.
    pub(super) fn range<'a>(
        &'a self,
        range: Range<'a>,
    ) -> impl Iterator<Item = (&'a Key, &'a Change)> {
        self.newest.range::<[u8], _>(range).map(|(key, newest)| (key, &newest.change))
    }

    /// What a snapshot sees of a range.
    pub(super) fn range_at<'a>(
        &'a self,
        range: Range<'a>,
        epoch: Epoch,
        hidden: Rc<Hidden<'a>>,
    ) -> impl Iterator<Item = (&'a Key, &'a Change)> {
        let mut left = HIDDEN_MAX;
        let looked = self.newest.range::<[u8], _>(range).map_while(move |(key, newest)| {
            let change = self.at(key, newest, epoch);
            if change.is_none() && left == 0 {
                hidden.stop(key);
                return None;
            }
            left -= usize::from(change.is_none());
            Some((key, change))
        });
        looked.filter_map(|(key, change)| Some((key, change?)))
    }

    /// All that a snapshot sees.
    pub(super) fn all_at(&self, epoch: Epoch) -> impl Iterator<Item = (&Key, &Visible)> {
        let newest = self.newest.iter();
        newest.filter_map(move |(key, newest)| Some((key, self.seen(key, newest, epoch)?)))
    }

    fn at<'a>(&'a self, key: &Key, newest: &'a Visible, epoch: Epoch) -> Option<&'a Change> {
        self.seen(key, newest, epoch).map(|seen| &seen.change)
    }

    fn seen<'a>(&'a self, key: &Key, newest: &'a Visible, epoch: Epoch) -> Option<&'a Visible> {
        if newest.epoch <= epoch {
            return Some(newest);
        }
        let overwritten = self.overwritten.get(key)?;
        overwritten.iter().rev().find(|entry| entry.epoch <= epoch)
    }
}

/// Drops the entries of a key that no living snapshot wants; the last is hidden since `hidden_since`.
fn prune(
    key: &[u8],
    overwritten: &mut Vec<Visible>,
    hidden_since: Epoch,
    look: &Look<'_>,
    totals: &mut Totals,
) {
    let mut epochs: Vec<Epoch> = overwritten.iter().skip(1).map(|entry| entry.epoch).collect();
    epochs.push(hidden_since);
    let mut hidden_since = epochs.into_iter();
    overwritten.retain(|entry| {
        let wanted = hidden_since.next().is_none_or(|since| look.wants(entry.epoch, since));
        if !wanted {
            totals.forget(key, &entry.change);
        }
        wanted
    });
}

impl<'a> Hidden<'a> {
    /// The key that layers have been looked through up to, exclusive, if one had a bound.
    pub(super) fn end(&self) -> Option<&'a Key> {
        self.end.get()
    }

    fn stop(&self, key: &'a Key) {
        let end = self.end().map_or(key, |end| end.min(key));
        self.end.set(Some(end));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::storage::{
        Epochs, Meta, Snapshot, Snapshots, Value, layers::Layers, memtable::bounds,
    };

    fn change(number: u64) -> Change {
        let data = Bytes::copy_from_slice(&number.to_be_bytes());
        Change::Inline(Value { data, meta: Meta::default() })
    }

    /// Keys and changes that a snapshot sees, with as many pages as it takes.
    fn seen(layer: &Layer, epoch: Epoch) -> Vec<(u8, Change)> {
        let mut rows = Vec::new();
        let mut from = Vec::new();
        loop {
            let hidden = Rc::<Hidden<'_>>::default();
            let mut layers = Layers::default();
            layers.push(layer.range_at(bounds(&from, None).unwrap(), epoch, Rc::clone(&hidden)));
            let known = layers.take_while(|(key, _)| hidden.end().is_none_or(|end| *key < end));
            rows.extend(known.map(|(key, change)| (key[0], change.clone())));
            let Some(end) = hidden.end() else { return rows };
            from = end.to_vec();
        }
    }

    #[derive(Clone, Debug)]
    enum Act {
        Put(u8, bool),
        Take,
        Drop(usize),
        Tick,
        Sweep(usize),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            6 => (0..8u8, any::<bool>()).prop_map(|(key, delete)| Act::Put(key, delete)),
            2 => Just(Act::Take),
            1 => any::<usize>().prop_map(Act::Drop),
            1 => Just(Act::Tick),
            1 => (0..5usize).prop_map(Act::Sweep),
        ];
        prop::collection::vec(act, 1..120)
    }

    proptest! {
        #[test]
        fn every_snapshot_sees_what_was_there_and_nothing_stays_for_nobody(acts in acts(), below: bool) {
            let epochs = Epochs::new(1);
            let snapshots = Snapshots::new(epochs.clone(), 0);
            let mut held: Vec<(Snapshot, BTreeMap<u8, Change>)> = Vec::new();
            let (mut layer, mut totals, mut model) =
                (Layer::default(), Totals::default(), BTreeMap::new());
            let sweep = |layer: &mut Layer, totals: &mut Totals, mut left: usize| {
                layer.sweep(None, below, &epochs.look(), totals, &mut left)
            };
            for (number, act) in (1..).zip(acts) {
                match act {
                    Act::Put(key, delete) => {
                        let look = epochs.look();
                        let change = if delete { Change::Tombstone } else { change(number) };
                        let new = Visible { epoch: look.now(), sequence: number, change: change.clone() };
                        layer.put(Key::new(&[key]), new, below, &look, &mut totals);
                        if delete && !below { model.remove(&key); } else { model.insert(key, change); }
                    }
                    Act::Take => held.push((snapshots.take(Instant::now()), model.clone())),
                    Act::Drop(index) if !held.is_empty() => {
                        drop(held.swap_remove(index % held.len()));
                    }
                    Act::Drop(_) => {}
                    Act::Tick => snapshots.tick(Instant::now(), std::time::Duration::MAX),
                    Act::Sweep(left) => { sweep(&mut layer, &mut totals, left); }
                }
                for (snapshot, then) in &held {
                    // Where nothing lies below, a tombstone and nothing are the same.
                    let mut seen = seen(&layer, snapshot.epoch());
                    seen.retain(|(_, change)| below || *change != Change::Tombstone);
                    prop_assert!(seen.iter().map(|(key, change)| (key, change)).eq(then));
                }
            }
            held.clear();
            sweep(&mut layer, &mut totals, usize::MAX - 1);
            prop_assert!(layer.overwritten.is_empty());
            prop_assert_eq!(layer.newest.len(), model.len());
            prop_assert_eq!(totals.values + totals.tombstones, model.len() as u64);
            prop_assert_eq!(totals.overwritten_bytes, 0);
            let mut fresh = Totals::default();
            layer.newest.iter().for_each(|(key, newest)| fresh.add(key, &newest.change));
            prop_assert_eq!(totals.bytes, fresh.bytes);
        }
    }

    #[test]
    fn of_a_key_that_is_always_overwritten_only_what_is_wanted_stays() {
        let epochs = Epochs::new(1);
        let snapshots = Snapshots::new(epochs.clone(), 0);
        let (mut layer, mut totals) = (Layer::default(), Totals::default());
        let mut put = |layer: &mut Layer, number| {
            let look = epochs.look();
            let new = Visible { epoch: look.now(), sequence: number, change: change(number) };
            layer.put(Key::new(b"k"), new, true, &look, &mut totals);
        };
        put(&mut layer, 1);
        let first = snapshots.take(Instant::now());
        for number in 2..1000 {
            put(&mut layer, number);
            snapshots.tick(Instant::now(), std::time::Duration::MAX);
            drop(snapshots.take(Instant::now()));
        }
        assert!(layer.overwritten[&b"k"[..]].len() <= FEW);
        assert_eq!(seen(&layer, first.epoch()), [(b'k', change(1))]);
        drop(first);
        put(&mut layer, 1000);
        assert!(layer.overwritten[&b"k"[..]].len() <= FEW, "they go with the next sweep");
        layer.sweep(None, true, &epochs.look(), &mut totals, &mut 1);
        assert!(layer.overwritten.is_empty());
    }
}
