//! Which lines are done, from the first on.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::Place;

/// Parcels end in any order; what counts is how far all of them have.
#[derive(Debug)]
pub(super) struct Done {
    last: u64,
    bytes: u64,
    /// The last lines of parcels that were sent, and may be done, behind those that are.
    maybe: BTreeSet<u64>,
    lines: u64,
    /// Parcels that ended before an earlier one: number, then last line, bytes up to there, and lines with entries.
    early: BTreeMap<u64, (u64, u64, u64)>,
    next: u64,
}

impl Done {
    /// Everything up to a line is done.
    pub(super) fn from(line: u64) -> Self {
        let (maybe, early) = (BTreeSet::new(), BTreeMap::new());
        Self { last: line, bytes: 0, maybe, lines: 0, early, next: 0 }
    }

    /// A parcel is sent.
    pub(super) fn begin(&mut self, place: &Place) {
        self.maybe.insert(place.last());
    }

    /// A parcel is not done, for sure.
    pub(super) fn refuse(&mut self, place: &Place) {
        self.maybe.remove(&place.last());
    }

    /// A parcel is confirmed.
    pub(super) fn end(&mut self, place: &Place) {
        let told = (place.last(), place.bytes, place.lines.len() as u64);
        self.early.insert(place.number, told);
        while let Some((last, bytes, lines)) = self.early.remove(&self.next) {
            self.next += 1;
            (self.last, self.bytes) = (last, bytes);
            self.lines += lines;
            self.maybe.remove(&last);
        }
    }

    /// The last line of those that are done without a gap.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The last line that may be done.
    pub(super) fn tried(&self) -> u64 {
        self.maybe.last().copied().unwrap_or(0).max(self.last)
    }

    /// Entries of the lines that are done.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes of the file up to there.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u64, lines: &[u64]) -> Place {
        Place { number, name: "f".into(), lines: lines.to_vec(), bytes: number + 1 }
    }

    #[test]
    fn a_gap_holds_back_what_is_behind_it() {
        let mut done = Done::from(10);
        let places = [place(0, &[11, 12]), place(1, &[14]), place(2, &[15, 16])];
        places.iter().for_each(|place| done.begin(place));
        assert_eq!((done.last(), done.tried(), done.lines()), (10, 16, 0));
        let refused = place(3, &[17]);
        done.begin(&refused);
        assert_eq!(done.tried(), 17);
        done.refuse(&refused);
        done.end(&places[2]);
        done.end(&places[1]);
        assert_eq!((done.last(), done.lines()), (10, 0));
        done.end(&places[0]);
        assert_eq!((done.last(), done.tried(), done.lines(), done.bytes()), (16, 16, 5, 3));
    }
}
