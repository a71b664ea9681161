//! What one shard is asked to do, and what it answers: the words of the mesh.
//!
//! Everything here is `Send` and owns its bytes; byte fields are slices of the request that
//! arrived, so a hop to another reactor copies no value.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    condition::{Condition, Unmet},
    coordinator::Answers,
    predicate::Predicate,
    update::Change,
};
use crate::{
    recent::Share,
    storage::{Batch, BatchId, Epoch, LockSet, Page, Value, Writers},
};

/// One step of work for one shard. A step is short: scans are cut into pages.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Look one key up.
    Get { collection: ByteString, key: Bytes },
    /// Write one key.
    Set { collection: ByteString, key: Bytes, value: Value },
    /// Remove one key.
    Delete { collection: ByteString, key: Bytes },
    /// Read a page of rows.
    Scan(Scan),
    /// Change the rows of these keys that still match, all or none.
    Update { collection: ByteString, keys: Vec<Bytes>, change: Arc<Change> },
    /// Do all of these or none.
    Batch(Work),
    /// Lock for a batch across shards, and wait for what is in the way.
    Lock { batch: Arc<Batch>, locks: LockSet },
    /// Do this shard's share of a batch across shards, so that it can still be undone.
    Prepare(Prepare),
    /// The verdict of a batch across shards is set.
    Finish { batch: Arc<Batch> },
    /// Tell the names of all collections.
    Collections,
    /// Make durable what has been logged.
    Sync,
    /// Note in the log that these batches count, durably.
    NoteCommitted(Arc<[BatchId]>),
}

/// A share of a batch across shards.
#[derive(Clone, Debug)]
pub struct Prepare {
    /// The batch.
    pub batch: Arc<Batch>,
    /// To be taken first, if nothing is in the way; none if they are held.
    pub locks: Option<LockSet>,
    /// The shards that the batch writes to; none if this share only reads.
    pub writers: Option<Writers>,
    /// What is to be done.
    pub work: Work,
}

/// What a batch does on one shard: its queries in their order, if all conditions hold before the first. Each with its place
/// in the batch.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// What must be true.
    pub conditions: Vec<(usize, Condition)>,
    /// What is done then.
    pub queries: Vec<(usize, Operation)>,
}

/// A page of rows in key order.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The collection.
    pub collection: ByteString,
    /// First key, inclusive.
    pub from: Bytes,
    /// Key to stop before; none means the end of the collection.
    pub to: Option<Bytes>,
    /// Rows to look at, at most; also bounded by `limits::SCAN_STEP_ROWS_MAX`.
    pub rows_max: usize,
    /// Keep only the rows that match.
    pub filter: Option<Arc<Predicate>>,
    /// As the snapshot of this epoch sees them; none means now.
    pub epoch: Option<Epoch>,
    /// Refuse the rows that this change could not be applied to, and leave the values out.
    pub check: Option<Arc<Change>>,
}

impl Scan {
    /// The key, if nothing else is in its range: batches that only read get single keys so.
    pub fn only_key(&self) -> Option<&Bytes> {
        let behind = self.to.as_ref()?.strip_suffix(&[0])?;
        (behind == self.from).then_some(&self.from)
    }
}

/// What a shard answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Of a get; none means that the key is absent.
    Value(Option<Value>),
    /// Rows that a write changed.
    Affected(u64),
    /// Of a scan.
    Page(Page),
    /// Of a batch, one for each query.
    Batch(Answers),
    /// Of a batch, or of a share of one: a condition did not hold.
    Unmet(Box<Unmet>),
    /// Of a share of a batch across shards; none if a lock was in the way.
    Prepared(Option<Answers>),
    /// Of the names of collections.
    Names(Vec<Arc<str>>),
    /// Of what happened lately on a reactor.
    Recent(Share),
    /// Of what says nothing but that it is done.
    Done,
}
