//! Mistakes that may be made in the protocol, to see that the search finds them.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Commit records are written before all parts are durable: rule 2 is left out.
    CommitRecordEarly,
    /// A layer is flushed without commit records at the other shards: rule 3 is left out.
    NoCommitRecord,
    /// A shard that waits for its flush writes no commit records for the flushes of others.
    CommitRecordWaits,
    /// Parts that are undecided when a memtable is frozen are not written again: rule 1 is left out.
    NotRestated,
    /// A part that is written again may still be lost when its first record is dropped.
    RestatedNotSynced,
    /// A part that is committed but not finished is written again, as if it were undecided.
    CommittedRestated,
    /// A memtable is frozen while the log is not durable up to there.
    FrozenNotSynced,
    /// A batch is undone without abort records.
    NoAbortRecord,
    /// A batch is prepared on a shard that has been told that it was undone.
    PreparedLate,
    /// The epoch of a verdict is read before *committing* is stored.
    EpochReadEarly,
    /// A reader that meets *committing* takes the batch as not yet there.
    CommittingNotHelped,
    /// A snapshot is taken before it is published as the oldest.
    SnapshotPublishedLate,
    /// A shard that only reads votes before what it has read is durable.
    ReadNotDurable,
    /// Locks are waited for in the order of the queries, not of the shards.
    LocksInOrderOfBatch,
    /// Locks that were tried in vain are kept while others are waited for.
    TriedLocksKept,
    /// The start writes its decisions before all that it decides upon is durable.
    DecidedBeforeSync,
}
