//! Buckets in a table of fixed size: whoever comes when it is full takes the place of who owes least, and owes as much.
//!
//! ```text
//! key ─► one of SETS sets ─► one of WAYS places:  key │ paid until, for requests and for bytes │ not told to others yet
//! ```
//!
//! A bucket is the moment until which everything is paid (the "theoretical arrival time" of the generic cell rate
//! algorithm): a cost moves it on, time catches up with it. Up to `burst` ahead of now is credit; what is beyond is debt.
//!
//! Always true: whoever lost its place comes back with no less debt than it left with, because every place of its set owes at
//! least as much as it did then (Metwally, Agrawal & El Abbadi, "Efficient computation of frequent and top-k elements in
//! data streams", 2005). So nobody gets rid of a debt by the help of a million addresses, and memory does not grow with them.

use super::Bounds;

/// Places for one key.
const WAYS: usize = 8;
/// A power of two. A table takes 1.5 MiB.
const SETS: usize = 4096;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Queries.
    pub requests: u64,
    /// Bytes of messages.
    pub bytes: u64,
}

impl Cost {
    /// Of one query, but for its bytes.
    pub const REQUEST: Self = Self { requests: 1, bytes: 0 };
}

/// Places of a table.
#[cfg(test)]
pub(super) const SETS_AND_WAYS: usize = SETS * WAYS;

/// Buckets.
#[derive(Debug)]
pub(super) struct Table {
    /// Set by set.
    places: Box<[Place]>,
    /// Places whose costs others were not told, each once.
    untold: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// 0: nobody.
    key: u64,
    /// Until when everything is paid: requests, bytes.
    paid_until: [u64; 2],
    untold: Cost,
    /// When an event told of it last.
    told_at: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self { places: vec![Place::default(); SETS * WAYS].into(), untold: Vec::new() }
    }
}

impl Table {
    /// Whether a key has credit.
    ///
    /// # Errors
    /// The kind that has none, and how long that will be so.
    pub(super) fn look(&mut self, key: u64, now: u64, bounds: Bounds) -> Result<(), (usize, u64)> {
        let index = self.index(key);
        let paid_until = self.places[index].paid_until;
        for (kind, rate) in [bounds.requests, bounds.bytes].into_iter().enumerate() {
            let credit_until = now + bounds.burst;
            if rate > 0 && paid_until[kind] > credit_until {
                return Err((kind, paid_until[kind] - credit_until));
            }
        }
        Ok(())
    }

    /// Takes what it costs.
    pub(super) fn charge(&mut self, key: u64, now: u64, bounds: Bounds, cost: Cost) {
        let index = self.index(key);
        let place = &mut self.places[index];
        let rates = [bounds.requests, bounds.bytes];
        let counts = [cost.requests, cost.bytes];
        for ((paid_until, rate), count) in place.paid_until.iter_mut().zip(rates).zip(counts) {
            if rate > 0 && count > 0 {
                let time = u128::from(count) * u128::from(bounds.period);
                let time = time.div_ceil(u128::from(rate));
                let time = u64::try_from(time).unwrap_or(u64::MAX);
                *paid_until = (*paid_until).max(now).saturating_add(time);
            }
        }
    }

    /// Others have to be told of a cost.
    pub(super) fn tell_later(&mut self, key: u64, cost: Cost) {
        let index = self.index(key);
        let untold = &mut self.places[index].untold;
        if *untold == Cost::default() {
            self.untold.push(index as u32);
        }
        untold.requests += cost.requests;
        untold.bytes += cost.bytes;
    }

    /// What others have to be told, some of it.
    pub(super) fn take_untold(&mut self, count: usize) -> impl Iterator<Item = (u64, Cost)> {
        let from = self.untold.len().saturating_sub(count);
        let places = &mut self.places;
        self.untold.drain(from..).filter_map(|index| {
            let place = &mut places[index as usize];
            let cost = std::mem::take(&mut place.untold);
            (cost != Cost::default()).then_some((place.key, cost))
        })
    }

    /// Whether no event has told of this key for a while; one does now.
    pub(super) fn is_news(&mut self, key: u64, now: u64, silence: u64) -> bool {
        let index = self.index(key);
        let place = &mut self.places[index];
        let is_news = place.told_at == 0 || now.saturating_sub(place.told_at) >= silence;
        if is_news {
            place.told_at = now.max(1);
        }
        is_news
    }

    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// The place of a key, taken from another one if need be.
    fn index(&mut self, key: u64) -> usize {
        let first = (key as usize % SETS) * WAYS;
        let set = &mut self.places[first..first + WAYS];
        if let Some(way) = set.iter().position(|place| place.key == key) {
            return first + way;
        }
        let owed = |place: &Place| place.paid_until[0].max(place.paid_until[1]);
        let (way, place) = set
            .iter_mut()
            .enumerate()
            .min_by_key(|(_, place)| owed(place))
            .expect("a set has places");
        // What the others were not told of whoever had the place, they learn of who has it now, which is as good: it owes that.
        place.key = key;
        place.told_at = 0;
        first + way
    }
}
