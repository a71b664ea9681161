//! Bugs that a test can plant, to see that the simulation finds them. Without tests there are none, and no trace of them.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// A table is named in the manifest before its folder is synced.
    FolderNotSynced,
    /// A record is vouched for before its large values are durable.
    ValuesNotSynced,
    /// Records at the end of the log count without their large values.
    ValuesNotLookedAt,
    /// A delete leaves no tombstone over what lies in tables.
    NoTombstone,
    /// The log is cut when a memtable is frozen, not when it has been flushed.
    LogCutEarly,
    /// A blob file that is collected goes before its values have been written again.
    BlobGoneEarly,
    /// Without a log, nothing in the manifest says so.
    CoverageNotNoted,
    /// Without a log, a stop in good order leaves the last memtable in memory.
    LeftInMemory,
    /// Parts of batches that are under way are not written again when a memtable is frozen.
    PartsNotRestated,
    /// A batch is undone without a record of that.
    AbortNotLogged,
    /// A memtable is flushed before the other shards know that its batches count.
    PartnersNotTold,
    /// What a batch that is not to be done has read is told before it is durable.
    NoBeforeDurable,
    /// The log keeps no room for the marks of batches.
    NoRoomForMarks,
    /// A flush is installed without telling those who read meanwhile.
    FlushNotTold,
    /// What has been overwritten in a memtable is forgotten when that is frozen, though snapshots want it.
    OverwrittenNotFrozen,
    /// A flush lets go of the memtable and of the files of before, though snapshots want them.
    PastNotKept,
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Whether this bug is to be made.
#[cfg(test)]
pub(super) fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// None is.
#[cfg(not(test))]
pub(super) const fn is_planted(_: Bug) -> bool {
    false
}

/// Makes this bug on this thread from now on.
#[cfg(test)]
pub(super) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}
