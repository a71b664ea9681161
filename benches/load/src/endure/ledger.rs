//! Which writes a server has answered, and so what each key must hold: a few numbers, however many
//! keys there are.
//!
//! Writes are numbered. Of *n* keys, write *w* goes to place *w* mod *n* with a value that follows
//! from *w*: every place once, then every place again.
//!
//! ```text
//! writes:  0 ───────── answered ─────────── issued ──────►
//!            all answered    some are (ahead)    never sent
//! ```
//!
//! So a place holds the newest of its writes that was answered, or one that was sent since.
//! Always true: `answered ≤ issued`; every write of `ahead` lies between the two.

use std::collections::{BTreeSet, VecDeque};

use crate::script::{KeySet, Random};

/// The writes of one size of values.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    keys: KeySet,
    /// Places that are written over and over.
    places_count: u32,
    stride: u32,
    answered: u32,
    issued: u32,
    ahead: BTreeSet<u32>,
    /// Sent and refused, to be sent again.
    refused: VecDeque<u32>,
}

impl Ledger {
    /// Of keys that are not there yet; there must be one.
    pub(crate) fn new(keys: KeySet) -> Self {
        Self {
            keys,
            places_count: keys.keys_count,
            stride: stride(keys.keys_count),
            answered: 0,
            issued: 0,
            ahead: BTreeSet::new(),
            refused: VecDeque::new(),
        }
    }

    /// Begins a write: first what was refused, then the next.
    pub(crate) fn issue(&mut self) -> u32 {
        self.refused.pop_front().unwrap_or_else(|| {
            self.issued += 1;
            self.issued - 1
        })
    }

    /// A write was answered.
    pub(crate) fn answer(&mut self, write: u32) {
        self.ahead.insert(write);
        while self.ahead.remove(&self.answered) {
            self.answered += 1;
        }
    }

    /// A write was refused: it must be tried again.
    pub(crate) fn refuse(&mut self, write: u32) {
        self.refused.push_back(write);
    }

    /// Writes that wait to be tried again.
    pub(crate) fn refused_count(&self) -> usize {
        self.refused.len()
    }

    /// Writes that were answered.
    pub(crate) fn answered_count(&self) -> u32 {
        self.answered + self.ahead.len() as u32
    }

    /// Whether every write that was begun was answered.
    pub(crate) fn is_settled(&self) -> bool {
        self.answered == self.issued
    }

    /// Whether every key has had its first write begun.
    pub(crate) fn is_loaded(&self) -> bool {
        self.issued >= self.places_count
    }

    /// Loading ends here: only the places that are written count from now on.
    pub(crate) fn end_loading(&mut self) {
        self.places_count = self.places_count.min(self.answered).max(1);
    }

    /// Bytes of keys and values behind all places.
    pub(crate) fn live_bytes(&self) -> u64 {
        u64::from(self.places_count) * self.entry_bytes()
    }

    /// Bytes of a key and its value.
    pub(crate) fn entry_bytes(&self) -> u64 {
        (self.keys.key(0).len() + self.keys.value_bytes) as u64
    }

    /// Any place.
    pub(crate) fn any_place(&self, random: &mut Random) -> u32 {
        random.below(self.places_count)
    }

    /// The place of one of the last `count` writes that were begun.
    pub(crate) fn recent_place(&self, count: u32, random: &mut Random) -> u32 {
        let back = 1 + random.below(count.min(self.issued).max(1));
        self.issued.saturating_sub(back) % self.places_count
    }

    /// The key at the place of a write. Places that follow each other lie far apart in the order
    /// of keys, so that memtables overlap as those of other people's keys do.
    pub(crate) fn key(&self, write: u32) -> String {
        let place = u64::from(write % self.places_count);
        let index = place * u64::from(self.stride) % u64::from(self.keys.keys_count);
        self.keys.key(index as u32)
    }

    /// The value of a write.
    pub(crate) fn value(&self, write: u32) -> Vec<u8> {
        self.keys.value(write)
    }

    /// Writes that were begun.
    pub(crate) fn issued(&self) -> u32 {
        self.issued
    }

    /// Judges what was read at a place. This is the ledger as it was when the get was sent; when
    /// its answer came, `issued` writes had been begun.
    pub(crate) fn judge(
        &self,
        place: u32,
        issued: u32,
        found: Option<&[u8]>,
    ) -> Result<(), String> {
        let oldest = self.newest_answered(place);
        let newest = self.newest_below(issued, place);
        let Some(found) = found else {
            return match oldest {
                None => Ok(()),
                Some(_) => Err(format!("lost: {} is absent", self.key(place))),
            };
        };
        let step = self.places_count as usize;
        let is = |write: u32| self.value(write) == found;
        let allowed = oldest.unwrap_or(place)..=newest.unwrap_or(place);
        if newest.is_some() && allowed.step_by(step).any(is) {
            return Ok(());
        }
        let key = self.key(place);
        match (place..oldest.unwrap_or(place)).step_by(step).rev().find(|write| is(*write)) {
            Some(older) => {
                Err(format!("lost: {key} has the value of write {older}, not of {oldest:?}"))
            }
            None => Err(format!("wrong: {key} has a value of {} bytes not its own", found.len())),
        }
    }

    fn newest_answered(&self, place: u32) -> Option<u32> {
        let is_there = |write: &&u32| **write % self.places_count == place;
        let ahead = self.ahead.iter().rev().find(is_there).copied();
        ahead.or_else(|| self.newest_below(self.answered, place))
    }

    /// The newest write of a place among the first `count` writes.
    fn newest_below(&self, count: u32, place: u32) -> Option<u32> {
        let behind = count.checked_sub(1)?.checked_sub(place)?;
        Some(place + behind / self.places_count * self.places_count)
    }
}

/// About the golden section of `count`, and without a common divisor: multiples of it visit all.
fn stride(count: u32) -> u32 {
    let near = (f64::from(count) * 0.618_034) as u32;
    (near.max(1)..=count).find(|stride| divisor(*stride, count) == 1).unwrap_or(1)
}

/// The greatest common divisor (Euclid).
fn divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        Ledger::new(KeySet { keys_count: 3, value_bytes: 20 })
    }

    /// After so many writes, all answered.
    fn after(writes: u32) -> Ledger {
        let mut ledger = ledger();
        for _ in 0..writes {
            let write = ledger.issue();
            ledger.answer(write);
        }
        ledger
    }

    #[test]
    fn every_key_is_visited_once_in_a_round() {
        for count in [1, 2, 3, 6, 7, 1000, 30_030] {
            let ledger = Ledger::new(KeySet { keys_count: count, value_bytes: 1 });
            let keys: BTreeSet<_> = (0..count).map(|write| ledger.key(write)).collect();
            assert_eq!(keys.len(), count as usize);
            assert_eq!(ledger.key(0), ledger.key(count));
        }
    }

    #[test]
    fn a_lost_value_is_told_from_a_wrong_one_and_from_what_may_be() {
        let mut ledger = after(5);
        let asked = ledger.clone();
        let says = |ledger: &Ledger, place, found: Option<u32>| {
            let found = found.map(|write| ledger.value(write));
            asked
                .judge(place, ledger.issued(), found.as_deref())
                .err()
                .map(|text| text[..4].to_owned())
        };
        // Place 1 was written by 1 and 4, place 2 by 2 alone.
        assert_eq!(says(&ledger, 1, Some(4)), None);
        assert_eq!(says(&ledger, 1, Some(1)).as_deref(), Some("lost"));
        assert_eq!(says(&ledger, 1, None).as_deref(), Some("lost"));
        assert_eq!(says(&ledger, 1, Some(2)).as_deref(), Some("wron"));
        assert_eq!(says(&ledger, 2, Some(5)).as_deref(), Some("wron"), "nobody wrote that yet");
        // Write 5 is on its way: both are fine. Answered later, both are still fine for this get.
        assert_eq!(ledger.issue(), 5);
        assert_eq!((says(&ledger, 2, Some(2)), says(&ledger, 2, Some(5))), (None, None));
        ledger.answer(5);
        assert_eq!((says(&ledger, 2, Some(2)), says(&ledger, 2, Some(5))), (None, None));
    }

    #[test]
    fn what_was_refused_comes_first_and_holds_up_the_account() {
        let mut ledger = after(1);
        let [first, second] = [ledger.issue(), ledger.issue()];
        ledger.refuse(first);
        ledger.answer(second);
        assert!(!ledger.is_settled());
        assert_eq!((ledger.refused_count(), ledger.answered_count()), (1, 2));
        // The second counts although the first has no answer.
        assert!(ledger.judge(2, 3, None).is_err());
        assert!(ledger.judge(1, 3, None).is_ok());
        assert_eq!(ledger.issue(), first);
        ledger.answer(first);
        assert!(ledger.is_settled() && ledger.is_loaded());
    }

    #[test]
    fn loading_that_is_cut_short_leaves_fewer_places() {
        let mut ledger = after(2);
        ledger.end_loading();
        let next = ledger.issue();
        assert_eq!(ledger.key(next), ledger.key(0));
        assert_eq!(ledger.live_bytes(), 2 * ledger.entry_bytes());
        assert!(after(0).judge(1, 3, None).is_ok());
    }
}
