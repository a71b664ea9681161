//! What a model begins with: shards, operations, what may go wrong and how often. These are the bounds of a search.

use super::bugs::Bug;

/// At most so many shards. Each has one key.
pub const SHARDS_MAX: usize = 3;

/// When a write counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// When it is durable.
    Always,
    /// When it is appended; it becomes durable some time later.
    Interval,
}

/// What a client may ask for, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Writes some keys, reads others.
    Batch {
        writes: &'static [usize],
        reads: &'static [usize],
    },
    Write {
        shard: usize,
    },
    Get {
        shard: usize,
    },
    /// Reads the keys of all shards at one instant.
    Scan,
}

/// The bounds of a search.
#[derive(Clone, Debug)]
pub struct World {
    pub shards: usize,
    pub mode: Mode,
    pub operations: Vec<Operation>,
    /// Times that the process is killed.
    pub kills: u8,
    /// Times that the power goes.
    pub cuts: u8,
    /// Memtables that are frozen, on all shards together.
    pub freezes: u8,
    /// Queries that are refused, or meet a full disk.
    pub refusals: u8,
    /// Whether the time of a batch may be up at any moment.
    pub deadlines: bool,
    /// Whether a batch may also take its locks in order at once, as it does after many that met one.
    pub contended: bool,
    /// Whether a batch is answered as undone only when a power cut cannot bring it back, whatever the mode.
    pub undone_for_good: bool,
    pub bug: Option<Bug>,
}

impl World {
    /// Shards with operations, where nothing goes wrong.
    pub fn calm(shards: usize, mode: Mode, operations: Vec<Operation>) -> Self {
        Self {
            shards,
            mode,
            operations,
            kills: 0,
            cuts: 0,
            freezes: 0,
            refusals: 0,
            deadlines: false,
            contended: false,
            undone_for_good: true,
            bug: None,
        }
    }

    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether epochs matter: then the loads and stores of a verdict are steps of their own.
    pub fn has_snapshots(&self) -> bool {
        self.operations.iter().any(|operation| matches!(operation, Operation::Scan))
    }

    /// The shards that a batch locks, in their order.
    pub fn shares(&self, operation: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.shards)
            .filter(move |shard| self.writes(operation, *shard) || self.reads(operation, *shard))
    }

    /// The shards of which a batch has parts.
    pub fn writers(&self, operation: usize) -> &'static [usize] {
        match self.operations[operation] {
            Operation::Batch { writes, .. } => writes,
            _ => &[],
        }
    }

    pub fn writes(&self, operation: usize, shard: usize) -> bool {
        self.writers(operation).contains(&shard)
    }

    pub fn reads(&self, operation: usize, shard: usize) -> bool {
        match self.operations[operation] {
            Operation::Batch { reads, .. } => reads.contains(&shard),
            _ => false,
        }
    }
}
