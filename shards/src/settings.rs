//! What the process tells the reactors at start: checked values only, no text to parse.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    audit::Audit, auth::Guards, limits::Limits, net::tls::credentials::Store, partition::Partition,
    recent::Notes, throttle::Rates,
};

/// Everything that reactors need to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub bind_address: SocketAddr,
    /// One reactor for each of these CPUs, pinned to it. Never empty.
    pub cpus: Vec<usize>,
    /// Memory that each reactor registers for I/O; counts three times against RLIMIT_MEMLOCK.
    pub io_memory_bytes: usize,
    /// What TLS is served with; none serves plain text.
    pub tls: Option<Arc<Store>>,
    /// How keys are spread over shards; from the superblock.
    pub partition: Partition,
    /// Random identity of the data directory, bound into every log checksum; from the superblock.
    pub directory_id: u64,
    /// A restore that was decided before this start.
    pub pending: Option<Arc<crate::storage::Pending>>,
    /// What only the control thread can do.
    pub orders: Orders,
    /// Where backups may lie.
    pub roots: crate::storage::Roots,
    /// Bytes a second for backups and checks; 0: as fast as it goes.
    pub backup_rate: u64,
    /// Where values are kept.
    pub engine: Engine,
    /// Memory for entries, summed over all shards.
    pub memtable_bytes_max: u64,
    /// Tables and blob files.
    pub tree: TreeSettings,
    /// Who may come in, and what they may do. It may change while the server runs.
    pub guards: Arc<Guards>,
    /// The bounds of the serving side.
    pub limits: Limits,
    /// How much clients may ask for. It may change while the server runs.
    pub rates: Rates,
    /// Open connections of one address; 0: no bound. It may change while the server runs.
    pub connections_per_address_max: usize,
    /// A handshake, a half-sent request or an answer that nobody reads may take this long.
    pub connection_timeout: Duration,
    /// Unary requests that take so long are worth a warning. It may change while the server runs.
    pub slow_request: Option<Duration>,
    /// Whether admin commands that write files or change the server are taken from other machines too, because clients prove
    /// who they are or the operator wants it. It may change while the server runs.
    pub admin_from_anywhere: bool,
    /// Takes what was decided and done. What it takes may change while the server runs.
    pub audit: Audit,
    /// Warnings of the whole process, for those who ask what happened lately.
    pub notes: Notes,
    /// A silent connection is asked for a sign of life (HTTP/2 PING) this often.
    pub keepalive_interval: Duration,
}

/// What only the control thread can do.
#[derive(Debug)]
pub enum Order {
    /// Read the configuration again, and tell what came of it.
    Reload(crossbeam_channel::Sender<Reloaded>),
    /// End in good order.
    Drain,
}

/// What came of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The configuration was taken, or was the same.
    pub taken: bool,
    /// In one line.
    pub summary: String,
    /// One for each key that has changed, and for what is wrong.
    pub lines: Vec<String>,
}

/// The way to the control thread.
#[derive(Clone)]
pub struct Orders(Arc<dyn Fn(Order) + Send + Sync>);

impl Orders {
    /// Orders go there, which must not block.
    pub fn new(give: impl Fn(Order) + Send + Sync + 'static) -> Self {
        Self(Arc::new(give))
    }

    /// Gives one.
    pub fn give(&self, order: Order) {
        (self.0)(order);
    }
}

impl std::fmt::Debug for Orders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Orders")
    }
}

/// `storage.engine` and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Nothing outlives the process.
    Memory,
    /// In a tree of files for each shard.
    Lsm(WalSettings),
}

/// `storage.wal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalSettings {
    /// Absolute folder that holds one folder for each shard.
    pub dir: PathBuf,
    /// Bytes after which a new segment is begun.
    pub segment_bytes: u64,
    /// What makes a write outlive the process.
    pub durability: Durability,
}

/// `storage`, as far as it is about tables and blob files. Without meaning for [`Engine::Memory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeSettings {
    /// Absolute folder that holds one folder for each shard.
    pub dir: PathBuf,
    /// Values of this length or more lie in blob files.
    pub blob_bytes_min: usize,
    /// Memory for blocks and large values that were read or written lately, summed over all shards.
    pub cache_bytes_max: u64,
    /// Merges that run at once in the process. It may change while the server runs.
    pub merges_max: usize,
    /// How tables are merged.
    pub compaction: CompactionSettings,
}

/// `storage.compaction`. It may change while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionSettings {
    /// What is paid with what.
    pub strategy: CompactionStrategy,
    /// Levels of the tree.
    pub levels: usize,
    /// How many times larger each level is than the one above, or how many runs are merged together.
    pub multiplier: usize,
}

/// `storage.compaction.strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactionStrategy {
    /// Little space and few files to read, much to rewrite.
    Leveled,
    /// Little to rewrite, much space.
    Tiered,
    /// In between, with large merges.
    Universal,
}

impl Default for CompactionSettings {
    fn default() -> Self {
        Self { strategy: CompactionStrategy::Leveled, levels: 7, multiplier: 10 }
    }
}

/// What makes a write outlive the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is in the log before it is answered.
    Logged(SyncMode),
    /// The flush of its memtable, some time after it was answered. A crash loses what was not flushed; a stop in good order
    /// flushes everything.
    Flushed,
}

/// What must have happened to a write before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// The bytes are on the disk.
    Always,
    /// The kernel has the bytes; the disk has them at most this much later.
    Interval(Duration),
    /// The kernel has the bytes; it writes them when it likes.
    None,
}
