//! A look at the reactors from any thread, without a word to them.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use crate::{
    core::{Health, Process},
    counters::Counters,
    jobs::Jobs,
    storage::Stats,
};

/// Sees what reactors tell of themselves. Cloning shares it; it outlives them.
#[derive(Clone)]
pub struct Watch(Arc<Process>);

impl Watch {
    pub(crate) fn new(process: Arc<Process>) -> Self {
        Self(process)
    }

    /// Whether requests are served.
    pub fn health(&self) -> Health {
        self.0.health()
    }

    /// Each reactor's numbers.
    pub fn counters(&self) -> &[Counters] {
        &self.0.counters
    }

    /// Open connections of each reactor.
    pub fn connections(&self) -> Vec<usize> {
        self.0.connections.iter().map(|count| count.load(Relaxed)).collect()
    }

    /// Open connections that are allowed.
    pub fn connections_max(&self) -> usize {
        self.0.connections_max.load(Relaxed)
    }

    /// Each shard's figures, not older than about a second; none for a shard that is not open yet.
    pub fn shards(&self) -> Vec<Option<Arc<Stats>>> {
        self.0.shards.iter().map(|stats| stats.load_full()).collect()
    }

    /// Merges of tables that run at this moment.
    pub fn merges_running(&self) -> usize {
        self.0.merge_slots.taken()
    }

    /// Merges of tables that may run at once.
    pub fn merges_max(&self) -> usize {
        self.0.merge_slots.max()
    }

    /// Long work that operators ask for.
    pub fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// Steps of recovery so far; it stands still when recovery does.
    pub fn recovery_steps(&self) -> u64 {
        self.0.recovery_steps.iter().map(|steps| steps.get()).sum()
    }

    /// How long the reactors have been running.
    pub fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("reactors", &self.0.counters.len()).finish_non_exhaustive()
    }
}
