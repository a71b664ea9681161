//! Rows of all shards in key order, page by page: never more than one page of each shard in memory.
//!
//! ```text
//!   shard 0:  a  d  f │ next page …
//!   shard 1:  b  c  g │
//!   merged:   a  b  c  d  f        and then shard 0 is asked again
//! ```
//!
//! Always true: a row is given out only when every shard that may still have a smaller key has
//! shown one; all rows are of one instant, that of the snapshot taken before the first page.

use std::{collections::VecDeque, rc::Rc, time::Instant};

use bytes::Bytes;
use futures_util::future::join_all;

use super::{
    Router,
    operation::{Operation, Reply, Scan},
};
use crate::{
    failure::Failure,
    limits::SNAPSHOT_LIFETIME,
    storage::{Page, Snapshot, Value},
    turn::give_way,
};

/// A scan over all shards.
pub struct Merge {
    router: Rc<Router>,
    scan: Scan,
    sources: Vec<Source>,
    /// From the first page to the last.
    snapshot: Option<Rc<Snapshot>>,
}

struct Source {
    shard: u32,
    rows: VecDeque<(Bytes, Value)>,
    /// Where the next page begins; none when the shard has shown all.
    next: Option<Bytes>,
}

impl Merge {
    /// Begins a scan; nothing is read until the first row is asked for.
    pub fn new(router: Rc<Router>, scan: Scan) -> Self {
        let source = |shard| Source { shard, rows: VecDeque::new(), next: Some(scan.from.clone()) };
        let sources = (0..router.shards()).map(source).collect();
        Self { router, scan, sources, snapshot: None }
    }

    /// The same of an instant that others read too.
    pub fn at(router: Rc<Router>, scan: Scan, snapshot: &Rc<Snapshot>) -> Self {
        let scan = Scan { epoch: Some(snapshot.epoch()), ..scan };
        Self { snapshot: Some(Rc::clone(snapshot)), ..Self::new(router, scan) }
    }

    /// The next row in key order; none at the end.
    ///
    /// # Errors
    /// What a shard refuses.
    pub async fn next(&mut self) -> Result<Option<(Bytes, Value)>, Failure> {
        while self.sources.iter().any(Source::is_unknown) {
            self.fetch().await?;
        }
        let first = self
            .sources
            .iter_mut()
            .filter(|source| !source.rows.is_empty())
            .min_by(|left, right| left.head().cmp(&right.head()));
        Ok(first.and_then(|source| source.rows.pop_front()))
    }

    /// Lets go of the instant: nothing more will be asked for.
    pub fn end(&mut self) {
        self.sources.clear();
        self.snapshot = None;
    }

    /// Asks every shard that has nothing to show, all at once.
    async fn fetch(&mut self) -> Result<(), Failure> {
        let snapshot = self.snapshot.get_or_insert_with(|| {
            let snapshot = self.router.snapshots().take(Instant::now());
            self.scan.epoch = Some(snapshot.epoch());
            Rc::new(snapshot)
        });
        let (router, scan) = (&self.router, &self.scan);
        let ask = |source: &Source| {
            let from = source.next.clone().unwrap_or_default();
            let shard = source.shard;
            let operation = Operation::Scan(Scan { from, ..scan.clone() });
            async move { (shard, router.run(shard, operation).await) }
        };
        let asked = join_all(self.sources.iter().filter(|source| source.is_unknown()).map(ask));
        let asked = asked.await;
        // Also pages that came may lack what was let go of meanwhile.
        if !snapshot.is_alive() {
            return Err(Failure::ScanTooLong { seconds: SNAPSHOT_LIFETIME.as_secs() });
        }
        for (shard, reply) in asked {
            let Reply::Page(Page { rows, next }) = reply? else {
                return Err(Failure::Internal("a scan was answered by something else".into()));
            };
            let source = &mut self.sources[shard as usize];
            source.rows.extend(rows);
            source.next = next;
        }
        if self.sources.iter().all(|source| source.next.is_none()) {
            self.snapshot = None;
        }
        // A page of a shard at home came at once; others want to be served between two pages.
        give_way().await;
        Ok(())
    }
}

impl Source {
    /// Nothing to show, but perhaps more to come.
    fn is_unknown(&self) -> bool {
        self.rows.is_empty() && self.next.is_some()
    }

    fn head(&self) -> Option<&Bytes> {
        self.rows.front().map(|(key, _)| key)
    }
}
