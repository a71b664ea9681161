//! What flushes take out of sight while a snapshot wants it: a layer of memory, of whose entries the table holds the newest
//! only, and the files of before.
//!
//! ```text
//!            flush ─► until 4     flush ─► until 7          now
//! files   v1   │           v2       │            v3
//! layers  a  b │        b           │
//!              │                    │
//!              a, v1                b, v2                   what is kept
//!
//! at epoch 2:  v1, and over it a, b and what is in memory
//! at epoch 5:  v2, and over it b and what is in memory
//! at epoch 8:  v3, and over it what is in memory
//! ```
//!
//! Always true: what is in the tables of a version was visible when the flush before it was installed, and merges leave the
//! newest entry of each key; so nothing in the files that a snapshot reads is newer than the snapshot, and what they hide is
//! older than something that it sees. A blob file that something visible at a snapshot refers to is in those files:
//! only flushes take blob files away, and that of the first flush after the snapshot are still there.

use std::{collections::VecDeque, rc::Rc, sync::Arc};

use super::{
    bugs::{Bug, is_planted},
    epoch::{Epoch, Look},
    memtable::Frozen,
    view::View,
};

#[derive(Default)]
pub(super) struct Past {
    /// Oldest first.
    flushes: VecDeque<Flush>,
    /// Epoch of the last one.
    last: Epoch,
    /// Of what older snapshots see, something is gone.
    floor: Epoch,
}

/// A flush that hides something.
struct Flush {
    /// Epoch of the flush before it.
    since: Epoch,
    until: Epoch,
    /// The layer that it took away; `None` if no snapshot sees anything in it, or if there was no memory left for it.
    layer: Option<Arc<Frozen>>,
    /// When something first became visible in that.
    begin: Option<Epoch>,
    /// The files of before.
    view: Rc<View>,
}

impl Past {
    /// Keeps what a flush takes away, as far as it is wanted.
    pub(super) fn keep(&mut self, layer: &Arc<Frozen>, view: Rc<View>, look: &Look<'_>) {
        let (since, until) = (self.last, look.now());
        self.last = until;
        if is_planted(Bug::PastNotKept) {
            return;
        }
        let begin = layer.totals().begin;
        let layer = Some(Arc::clone(layer));
        self.flushes.push_back(Flush { since, until, layer, begin, view });
    }

    /// Lets go of what no living snapshot wants, and of more if it takes more memory than this. Tells whether files may be
    /// free now.
    pub(super) fn release(&mut self, look: &Look<'_>, bytes_max: u64) -> bool {
        let before = self.flushes.len();
        self.flushes.retain_mut(|flush| {
            if !flush.wants_layer(look) {
                flush.layer = None;
            }
            flush.layer.is_some() || flush.wants_view(look)
        });
        let mut bytes = self.bytes();
        for flush in &mut self.flushes {
            if bytes <= bytes_max {
                break;
            }
            bytes -= flush.bytes();
            flush.layer = None;
        }
        self.flushes.len() < before
    }

    /// Nothing is kept for snapshots before this one any more.
    pub(super) fn raise_floor(&mut self, floor: Epoch) {
        self.floor = self.floor.max(floor);
    }

    /// Lets go of everything.
    pub(super) fn end(&mut self) {
        self.flushes.clear();
        self.floor = Epoch::MAX;
    }

    /// Whether all that a snapshot sees is still there.
    pub(super) fn has(&self, epoch: Epoch) -> bool {
        let is_gone = |flush: &Flush| {
            flush.layer.is_none() && flush.begin.is_some_and(|begin| begin <= epoch)
        };
        epoch >= self.floor && !self.hidden_from(epoch).any(is_gone)
    }

    /// The files that a snapshot reads, if they are others than those of now.
    pub(super) fn view_at(&self, epoch: Epoch) -> Option<&Rc<View>> {
        self.hidden_from(epoch).next().map(|flush| &flush.view)
    }

    /// The layers over those files and below those in memory, newest first.
    pub(super) fn layers_at(&self, epoch: Epoch) -> impl Iterator<Item = &Arc<Frozen>> {
        let flushes = self.hidden_from(epoch).rev();
        flushes.filter_map(|flush| flush.layer.as_ref())
    }

    /// Memory that it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.flushes.iter().map(Flush::bytes).sum()
    }

    /// Flushes after a snapshot, oldest first.
    fn hidden_from(&self, epoch: Epoch) -> impl DoubleEndedIterator<Item = &Flush> {
        let seen = self.flushes.partition_point(|flush| flush.until <= epoch);
        self.flushes.range(seen..)
    }
}

impl Flush {
    fn wants_layer(&self, look: &Look<'_>) -> bool {
        self.begin.is_some_and(|begin| look.wants(begin, self.until))
    }

    fn wants_view(&self, look: &Look<'_>) -> bool {
        look.wants(self.since, self.until)
    }

    fn bytes(&self) -> u64 {
        self.layer.as_ref().map_or(0, |layer| layer.totals().bytes)
    }
}
