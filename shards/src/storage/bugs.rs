//! Bugs that a test can plant, to see that the simulation finds them. Without tests there are none, and no trace of them.
//!
//! The feature `planted-bugs` brings them into the real program: the environment variable `AMATERS_PLANTED_BUG` names one
//! there. It is for tests of the program, and does not build with optimisations, as what is shipped is.

use std::rc::Rc;

use super::disk::DiskFile;
#[cfg(any(test, feature = "planted-bugs"))]
use super::disk::late::Late;

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
    /// A group is told that it is in the log, but gets there only with the next one.
    #[cfg_attr(
        not(any(test, feature = "planted-bugs")),
        expect(dead_code, reason = "it is made in builds for tests only")
    )]
    AnsweredEarly,
    /// Readers see a part of a batch as soon as it is prepared, whatever becomes of the batch.
    SeenUndecided,
    /// Readers see a batch on each shard only when it has ended there, though its verdict is set for all.
    HalfVisible,
}

#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!(
    "the feature planted-bugs is for tests only: build without optimisations, or without the feature"
);

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// A file of a log, or one that answers before it has written.
#[cfg(any(test, feature = "planted-bugs"))]
pub(super) fn perhaps_late(file: Rc<dyn DiskFile>) -> Rc<dyn DiskFile> {
    if is_planted(Bug::AnsweredEarly) { Rc::new(Late::new(file)) } else { file }
}

/// A file of a log.
#[cfg(not(any(test, feature = "planted-bugs")))]
pub(super) fn perhaps_late(file: Rc<dyn DiskFile>) -> Rc<dyn DiskFile> {
    file
}

/// Whether this bug is to be made.
#[cfg(test)]
pub(super) fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether this bug is to be made.
#[cfg(all(feature = "planted-bugs", not(test)))]
pub(super) fn is_planted(bug: Bug) -> bool {
    static PLANTED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let planted = PLANTED.get_or_init(|| {
        let planted = std::env::var("AMATERS_PLANTED_BUG").ok();
        tracing::warn!("built with planted bugs, for tests only; planted: {planted:?}");
        planted
    });
    planted.as_ref().is_some_and(|planted| *planted == format!("{bug:?}"))
}

/// None is.
#[cfg(not(any(test, feature = "planted-bugs")))]
pub(super) const fn is_planted(_: Bug) -> bool {
    false
}

/// Makes this bug on this thread from now on.
#[cfg(test)]
pub(super) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}
