//! What was seen, as figures: of one reactor, and of all.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    SAMPLED_ONE_IN, Window,
    chance::{least, most},
    name::Kept,
};
use crate::partition::Partition;

/// What one reactor has seen: counts of samples.
#[derive(Clone, Debug)]
pub struct Share {
    /// How long it has looked.
    window: Duration,
    samples: u64,
    keys: Vec<Samples>,
    /// A key that is not here has no more samples than this.
    unseen: u64,
    values: Vec<BigValue>,
}

/// A key, and how many samples are of it.
#[derive(Clone, Debug)]
struct Samples {
    name: Shown,
    /// Surely.
    least: u64,
    /// Perhaps.
    most: u64,
    /// Of those that are sure.
    writes: u64,
}

/// A key as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub collection: String,
    /// Its first bytes.
    pub key: Vec<u8>,
    /// Length of all of it.
    pub key_bytes: usize,
    pub shard: u32,
}

/// What all reactors have seen.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How long they have looked.
    pub window: Duration,
    pub samples: u64,
    pub requests_per_second: f64,
    /// The hottest first.
    pub keys: Vec<HotKey>,
    /// Other keys have no more requests.
    pub others_per_second_max: f64,
    /// The largest first.
    pub values: Vec<BigValue>,
}

/// A key, and how often it is asked for.
#[derive(Clone, Debug)]
pub struct HotKey {
    pub name: Shown,
    pub samples: u64,
    pub write_samples: u64,
    pub per_second: f64,
    /// Bounds that the truth is beyond in one of forty cases, each.
    pub per_second_least: f64,
    pub per_second_most: f64,
}

/// A value, and when it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BigValue {
    pub name: Shown,
    pub bytes: usize,
    /// In milliseconds since 1970.
    pub seen_at: u64,
}

impl Share {
    /// What windows that follow each other have seen.
    pub(super) fn of<'a>(
        partition: &Partition,
        windows: impl Iterator<Item = &'a Window> + Clone,
        now: Instant,
    ) -> Self {
        let shown = |hash: u64, name: &Kept| Shown {
            collection: name.collection(),
            key: name.key().to_vec(),
            key_bytes: name.key_bytes(),
            shard: partition.of_hash(hash),
        };
        let unseen = windows.clone().map(|window| u64::from(window.keys.unseen())).sum();
        let mut keys: HashMap<u64, Samples> = HashMap::new();
        let mut values: HashMap<u64, BigValue> = HashMap::new();
        for window in windows.clone() {
            for counted in window.keys.all() {
                let samples = keys.entry(counted.hash).or_insert_with(|| Samples {
                    name: shown(counted.hash, counted.name),
                    least: 0,
                    // As many as there may be in windows that do not know it.
                    most: unseen,
                    writes: 0,
                });
                samples.least += u64::from(counted.times.0);
                samples.most += u64::from(counted.times.1);
                samples.most -= u64::from(window.keys.unseen());
                samples.writes += u64::from(counted.writes);
            }
            for value in window.values.all() {
                let (bytes, seen_at) = (value.bytes, value.seen_at);
                let name = || shown(value.hash, value.name);
                let known = values.entry(value.hash);
                let known = known.or_insert_with(|| BigValue { name: name(), bytes, seen_at });
                if bytes >= known.bytes {
                    (known.bytes, known.seen_at) = (bytes, seen_at);
                }
            }
        }
        let begun = windows.clone().map(|window| window.begun).min().unwrap_or(now);
        Self {
            window: now.saturating_duration_since(begun),
            samples: windows.map(|window| window.keys.total()).sum(),
            keys: keys.into_values().collect(),
            unseen,
            values: values.into_values().collect(),
        }
    }
}

impl Answer {
    /// Puts together what reactors have seen; no more than so many keys and values.
    pub fn of(shares: Vec<Share>, count_max: usize) -> Self {
        let mut answer = Self {
            window: shares.iter().map(|share| share.window).max().unwrap_or_default(),
            samples: shares.iter().map(|share| share.samples).sum(),
            requests_per_second: shares
                .iter()
                .map(|share| share.per_second(share.samples as f64))
                .sum(),
            keys: Vec::new(),
            others_per_second_max: 0.0,
            values: Vec::new(),
        };
        for mut share in shares {
            let unseen = share.per_second(most(share.unseen));
            answer.others_per_second_max = answer.others_per_second_max.max(unseen);
            answer.values.append(&mut share.values);
            let keys = std::mem::take(&mut share.keys);
            answer.keys.extend(keys.into_iter().map(|samples| share.hot_key(samples)));
        }
        answer.keys.sort_by(|a, b| b.per_second.total_cmp(&a.per_second));
        let others = answer.keys.iter().skip(count_max).map(|key| key.per_second_most);
        answer.others_per_second_max = others.fold(answer.others_per_second_max, f64::max);
        answer.keys.truncate(count_max);
        answer.values.sort_by_key(|value| std::cmp::Reverse(value.bytes));
        answer.values.truncate(count_max);
        answer
    }
}

impl Share {
    /// How long the reactor has looked.
    #[cfg(test)]
    pub(super) fn window(&self) -> Duration {
        self.window
    }

    fn hot_key(&self, samples: Samples) -> HotKey {
        let Samples { name, least: sure, most: perhaps, writes } = samples;
        HotKey {
            name,
            samples: sure,
            write_samples: writes,
            per_second: self.per_second(sure as f64),
            per_second_least: self.per_second(least(sure)),
            per_second_most: self.per_second(most(perhaps)),
        }
    }

    /// The requests that so many samples stand for.
    fn per_second(&self, samples: f64) -> f64 {
        let seconds = self.window.as_secs_f64();
        if seconds > 0.0 { samples * f64::from(SAMPLED_ONE_IN) / seconds } else { 0.0 }
    }
}
