//! Where the records of groups go, beside the memtable.
//!
//! ```text
//! logged    group ─► log ─► memtable ─► table    a crash loses what the sync mode allows
//! unlogged  group ────────► memtable ─► table    a crash loses what is in no table yet
//!                  └─ counted: the log of the next run goes on behind
//! ```
//!
//! Always true: sequences never go back, whoever gave the last one; before an unlogged record is made, the manifest says
//! that there will be some ([`Coverage`]), and before a logged one, that there will be none any more.

use std::{cell::RefCell, future::ready};

use super::{
    StorageError,
    disk::Synced,
    entry::Sequence,
    group::Group,
    log::{AppendError, Coverage, Log, Retired, Room},
    state::State,
};

/// Where records go.
pub(super) enum Journal {
    /// To the log.
    Logged(Log),
    /// Nowhere.
    Unlogged(Unlogged),
}

/// What there is instead of a log.
pub(super) struct Unlogged {
    /// What an earlier run has logged and is not in tables yet.
    before: Retired,
    /// Of the next record.
    sequence: Sequence,
}

impl Journal {
    /// Without a log from now on, behind one that an earlier run may have left.
    pub(super) fn unlogged(before: Retired) -> Self {
        let sequence = before.end();
        Self::Unlogged(Unlogged { before, sequence })
    }

    /// What the manifest is to say while records go there, if it says `noted` now.
    pub(super) fn coverage(&self, noted: Coverage) -> Coverage {
        match (self, noted) {
            (Self::Logged(_), _) => Coverage::Whole,
            (Self::Unlogged(unlogged), Coverage::Whole) => Coverage::Before(unlogged.sequence),
            (Self::Unlogged(unlogged), Coverage::Before(end)) => {
                Coverage::Before(end.min(unlogged.sequence))
            }
        }
    }

    /// Of the next record.
    pub(super) fn sequence(&self) -> Sequence {
        match self {
            Self::Logged(log) => log.sequence(),
            Self::Unlogged(unlogged) => unlogged.sequence,
        }
    }

    /// Takes the records of a group whose values have their places.
    pub(super) async fn append(
        &mut self,
        group: &Group,
        state: &RefCell<State>,
    ) -> Result<(), AppendError> {
        match self {
            Self::Logged(log) => {
                let behind = state.borrow().bytes_left_behind(group);
                let room = if group.has_room { Room::Left(behind) } else { Room::Leaving(behind) };
                let append = log.append_with(room, group.bytes, |records| {
                    group.write(&state.borrow().memtable, records);
                });
                append.await
            }
            Self::Unlogged(unlogged) => {
                unlogged.sequence += group.records();
                Ok(())
            }
        }
    }

    /// Whether a group of so many bytes begins a segment.
    pub(super) fn begins_segment(&self, bytes: u64) -> bool {
        match self {
            Self::Logged(log) => log.begins_segment(bytes),
            Self::Unlogged(_) => false,
        }
    }

    /// Whether something was written that no sync covers.
    pub(super) fn is_dirty(&self) -> bool {
        match self {
            Self::Logged(log) => log.is_dirty(),
            Self::Unlogged(_) => false,
        }
    }

    /// See [`Log::sync_beside`].
    pub(super) fn sync_beside(&self) -> (u64, Synced) {
        match self {
            Self::Logged(log) => log.sync_beside(),
            Self::Unlogged(_) => (0, Box::pin(ready(Ok(())))),
        }
    }

    /// See [`Log::note_synced`].
    pub(super) fn note_synced(&mut self, position: u64) {
        match self {
            Self::Logged(log) => log.note_synced(position),
            Self::Unlogged(_) => {}
        }
    }

    /// Lets the next record be one that is dropped later than those so far.
    pub(super) async fn rotate(&mut self, state: &RefCell<State>) -> Result<(), AppendError> {
        match self {
            Self::Logged(log) => {
                let behind = state.borrow().bytes_left_behind(&Group::default());
                log.rotate(behind).await
            }
            Self::Unlogged(_) => Ok(()),
        }
    }

    /// See [`Log::jump`].
    pub(super) async fn jump(
        &mut self,
        sequence: Sequence,
        state: &RefCell<State>,
    ) -> Result<(), AppendError> {
        match self {
            Self::Logged(log) => {
                let behind = state.borrow().bytes_left_behind(&Group::default());
                log.jump(sequence, behind).await
            }
            Self::Unlogged(unlogged) => {
                unlogged.sequence = sequence;
                Ok(())
            }
        }
    }

    /// Whether [`Journal::drop_before`] would find something.
    pub(super) fn can_drop_before(&self, sequence: Sequence) -> bool {
        match self {
            Self::Logged(log) => log.can_drop_before(sequence),
            Self::Unlogged(unlogged) => unlogged.before.can_drop_before(sequence),
        }
    }

    /// Lets go of records before this one, as far as whole segments hold them; they are in tables.
    pub(super) async fn drop_before(&mut self, sequence: Sequence) -> Result<(), StorageError> {
        match self {
            Self::Logged(log) => log.drop_before(sequence).await,
            Self::Unlogged(unlogged) => unlogged.before.drop_before(sequence).await,
        }
    }

    /// Ends with a mark that vouches for everything before it, if there is a log.
    pub(super) async fn seal(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Logged(log) => log.seal().await,
            Self::Unlogged(_) => Ok(()),
        }
    }

    /// Lets go of the file.
    pub(super) async fn close(self) {
        if let Self::Logged(log) = self {
            log.close().await;
        }
    }

    /// Bytes of the log.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Logged(log) => log.bytes(),
            Self::Unlogged(unlogged) => unlogged.before.bytes(),
        }
    }

    /// Segments of the log.
    pub(super) fn segments(&self) -> u64 {
        match self {
            Self::Logged(log) => log.segments(),
            Self::Unlogged(unlogged) => unlogged.before.segments(),
        }
    }
}
