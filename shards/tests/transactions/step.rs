//! What may happen next.

use std::fmt;

use super::{
    log::{Id, name},
    state::{Answer, State},
    world::SHARDS_MAX,
};

/// One step of one of the many that take part. Nothing else happens during it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    // The coordinator of a batch.
    Begin {
        batch: usize,
        in_order: bool,
    },
    Commit {
        batch: usize,
    },
    StoreCommitting {
        batch: usize,
    },
    LoadEpoch {
        batch: usize,
    },
    StoreCommitted {
        batch: usize,
    },
    Abort {
        batch: usize,
        why: Why,
    },
    AnswerAborted {
        batch: usize,
    },
    Retry {
        batch: usize,
    },

    // A shard of it.
    Lock {
        batch: usize,
        shard: usize,
    },
    Prepare {
        batch: usize,
        shard: usize,
    },
    Refuse {
        batch: usize,
        shard: usize,
    },
    Finish {
        batch: usize,
        shard: usize,
    },

    // Single writes and reads.
    Write {
        write: usize,
    },
    /// Of one that has waited for its lock.
    WriteAtLast {
        write: usize,
    },
    Show {
        write: usize,
    },
    Get {
        get: usize,
    },
    PublishOldest {
        scan: usize,
    },
    TakeSnapshot {
        scan: usize,
    },
    Look {
        scan: usize,
        shard: usize,
    },
    HelpLoadEpoch {
        reader: usize,
    },
    HelpCommit {
        reader: usize,
    },

    // The disks.
    Sync {
        shard: usize,
    },
    Freeze {
        shard: usize,
    },
    WriteCommitRecord {
        shard: usize,
        of: Id,
        for_flush_of: usize,
    },
    NameTable {
        shard: usize,
    },

    // Crashes.
    Kill,
    CutPower {
        left: [usize; SHARDS_MAX],
    },
    Decide,
    Settle {
        shard: usize,
    },
    Serve,
}

/// Why a batch is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Refused,
    Busy,
    TimeIsUp,
}

impl Step {
    /// Whether it is taken sooner or later, without a client or a mishap.
    pub fn is_owed(&self, state: &State) -> bool {
        let is_asked = |operation: usize| state.courses[operation].answer != Answer::NotAsked;
        match *self {
            Self::Begin { .. } | Self::Refuse { .. } | Self::Freeze { .. } => false,
            Self::Kill | Self::CutPower { .. } => false,
            Self::Abort { why, .. } => why != Why::TimeIsUp,
            Self::Write { write: operation } | Self::Get { get: operation } => is_asked(operation),
            Self::PublishOldest { scan } | Self::TakeSnapshot { scan } => is_asked(scan),
            _ => true,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Begin { batch, in_order: false } => write!(f, "{} is begun", name(batch)),
            Self::Begin { batch, in_order: true } => {
                write!(f, "{} is begun, with its locks in order", name(batch))
            }
            Self::Commit { batch } => write!(f, "{} is committed, and answered", name(batch)),
            Self::StoreCommitting { batch } => write!(f, "{}: store committing", name(batch)),
            Self::LoadEpoch { batch } => write!(f, "{}: load the epoch", name(batch)),
            Self::StoreCommitted { batch } => {
                write!(f, "{}: committing -> committed; answered", name(batch))
            }
            Self::Abort { batch, why } => write!(f, "{} is aborted: {why:?}", name(batch)),
            Self::AnswerAborted { batch } => write!(f, "{} is answered: undone", name(batch)),
            Self::Retry { batch } => write!(f, "{} is begun again, locks in order", name(batch)),
            Self::Lock { batch, shard } => write!(f, "{} locks on {shard}, or waits", name(batch)),
            Self::Prepare { batch, shard } => write!(f, "{} is prepared on {shard}", name(batch)),
            Self::Refuse { batch, shard } => write!(f, "{} is refused on {shard}", name(batch)),
            Self::Finish { batch, shard } => write!(f, "{} is finished on {shard}", name(batch)),
            Self::Write { write } => write!(f, "{} writes, or waits", name(write)),
            Self::WriteAtLast { write } => write!(f, "{} has its lock, and writes", name(write)),
            Self::Show { write } => write!(f, "{} looks for snapshots; answered", name(write)),
            Self::Get { get } => write!(f, "{} gets", name(get)),
            Self::PublishOldest { scan } => write!(f, "{} publishes the oldest epoch", name(scan)),
            Self::TakeSnapshot { scan } => write!(f, "{} takes its snapshot", name(scan)),
            Self::Look { scan, shard } => write!(f, "{} looks at {shard}", name(scan)),
            Self::HelpLoadEpoch { reader } => {
                write!(f, "{} meets committing, and loads the epoch", name(reader))
            }
            Self::HelpCommit { reader } => {
                write!(f, "{}: committing -> committed, if it still is", name(reader))
            }
            Self::Sync { shard } => write!(f, "{shard} syncs its log"),
            Self::Freeze { shard } => write!(f, "{shard} freezes its memtable"),
            Self::WriteCommitRecord { shard, of, for_flush_of } => {
                write!(f, "{shard} writes a commit record of {of} for {for_flush_of}")
            }
            Self::NameTable { shard } => write!(f, "{shard} names the table of its frozen layer"),
            Self::Kill => write!(f, "KILL"),
            Self::CutPower { left } => write!(f, "POWER CUT, so many records left: {left:?}"),
            Self::Decide => write!(f, "the start reads the logs, and decides"),
            Self::Settle { shard } => write!(f, "{shard} writes the decisions down"),
            Self::Serve => write!(f, "the start is over"),
        }
    }
}
