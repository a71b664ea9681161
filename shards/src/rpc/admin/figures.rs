//! `STATS`, `METRICS`, `CLUSTER_INFO`, `NODES`: what the shards and reactors have told last, added up. Fields that existing
//! clients know by two names are sent by both.

use std::{collections::BTreeSet, rc::Rc, sync::Arc};

use serde_json::{Value, json};

use crate::{
    core::{Core, Health, Process},
    counters::Latencies,
    failure::Failure,
    grpc::method::Method,
    router::operation::{Operation, Reply},
    settings::Engine,
    storage::Stats,
    utc::{rfc3339, unix_millis},
};

/// Numbers of all shards together.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Of all shards, where a sum means something.
    pub stats: Stats,
    /// Shards that have told.
    pub shards: u64,
}

impl Totals {
    /// As the shards have told last.
    pub fn of(process: &Process) -> Self {
        Self::sum(process.shards.iter().filter_map(|stats| stats.load_full()))
    }

    /// Of these shards.
    pub fn sum(shards: impl Iterator<Item = Arc<Stats>>) -> Self {
        let mut totals = Self::default();
        shards.for_each(|shard| totals.add(&shard));
        totals
    }

    fn add(&mut self, shard: &Stats) {
        let sum = &mut self.stats;
        self.shards += 1;
        let mut add = |to: fn(&mut Stats) -> &mut u64, number: u64| *to(sum) += number;
        add(|stats| &mut stats.entries, shard.entries);
        add(|stats| &mut stats.memtable_bytes, shard.memtable_bytes);
        add(|stats| &mut stats.memtable_entries, shard.memtable_entries);
        add(|stats| &mut stats.frozen_memtables, shard.frozen_memtables);
        add(|stats| &mut stats.log_bytes, shard.log_bytes);
        add(|stats| &mut stats.segments, shard.segments);
        add(|stats| &mut stats.tables, shard.tables);
        add(|stats| &mut stats.table_bytes, shard.table_bytes);
        add(|stats| &mut stats.blob_files, shard.blob_files);
        add(|stats| &mut stats.blob_bytes, shard.blob_bytes);
        add(|stats| &mut stats.blob_garbage_bytes, shard.blob_garbage_bytes);
        add(|stats| &mut stats.flushes, shard.flushes);
        add(|stats| &mut stats.merges, shard.merges);
        add(|stats| &mut stats.merged_bytes, shard.merged_bytes);
        add(|stats| &mut stats.merge_written_bytes, shard.merge_written_bytes);
        add(|stats| &mut stats.cache_hits, shard.cache_hits);
        add(|stats| &mut stats.cache_misses, shard.cache_misses);
        add(|stats| &mut stats.cache_bytes, shard.cache_bytes);
        add(|stats| &mut stats.operations.gets, shard.operations.gets);
        add(|stats| &mut stats.operations.sets, shard.operations.sets);
        add(|stats| &mut stats.operations.deletes, shard.operations.deletes);
        add(|stats| &mut stats.operations.scans, shard.operations.scans);
        sum.merge_time += shard.merge_time;
        if sum.poisoned.is_none() {
            sum.poisoned.clone_from(&shard.poisoned);
        }
        sum.levels.resize_with(sum.levels.len().max(shard.levels.len()), Default::default);
        for (level, more) in sum.levels.iter_mut().zip(&shard.levels) {
            level.tables += more.tables;
            level.bytes += more.bytes;
        }
    }

    /// Bytes of data, on the disk or in memory where nothing outlives the process.
    pub fn data_bytes(&self) -> u64 {
        let Stats { table_bytes, blob_bytes, memtable_bytes, .. } = self.stats;
        table_bytes + blob_bytes + memtable_bytes
    }
}

/// Of all unary requests since the start.
pub fn latencies(process: &Process) -> Latencies {
    let mut all = Latencies::default();
    for counters in &process.counters {
        for method in Method::ALL.into_iter().filter(|method| method.is_unary()) {
            all.merge(&counters.method(Some(method)).latencies.read());
        }
    }
    all
}

/// `STATS`
pub async fn stats(core: &Rc<Core>) -> Result<Value, Failure> {
    let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
    for shard in 0..core.router.shards() {
        if let Reply::Names(more) = core.router.run(shard, Operation::Collections).await? {
            names.extend(more);
        }
    }
    let totals = Totals::of(&core.process);
    let (stats, bytes) = (&totals.stats, totals.data_bytes());
    let levels = stats.levels.iter().enumerate().map(|(level, of_level)| {
        json!({ "level": level, "count": of_level.tables, "size_bytes": of_level.bytes })
    });
    Ok(json!({
        "key_count": stats.entries,
        "total_keys": stats.entries,
        "total_bytes": bytes,
        "total_size_bytes": bytes,
        "truncated": false,
        "collections_count": names.len(),
        "shards": totals.shards,
        "sstable_stats": {
            "levels": levels.collect::<Vec<_>>(),
            "total_size_bytes": stats.table_bytes,
            "count": stats.tables,
        },
        "memtable_stats": {
            "active_count": totals.shards,
            "frozen_count": stats.frozen_memtables,
            "total_size_bytes": stats.memtable_bytes,
            "entry_count": stats.memtable_entries,
        },
        "wal_stats": {
            "file_count": stats.segments,
            "total_size_bytes": stats.log_bytes,
        },
        "blob_stats": {
            "file_count": stats.blob_files,
            "total_size_bytes": stats.blob_bytes,
            "garbage_bytes": stats.blob_garbage_bytes,
        },
        "compaction_stats": {
            "total_compactions": stats.merges,
            "bytes_read": stats.merged_bytes,
            "bytes_written": stats.merge_written_bytes,
            "time_seconds": stats.merge_time.as_secs(),
        },
    }))
}

/// `METRICS`
pub fn metrics(core: &Core) -> Value {
    let process = &core.process;
    let (totals, latencies) = (Totals::of(process), latencies(process));
    let uptime = process.started.elapsed().as_secs_f64();
    let bytes: u64 =
        process.counters.iter().map(|one| one.bytes_sent.get() + one.bytes_received.get()).sum();
    let millis = |share| 1000.0 * latencies.quantile(share).as_secs_f64();
    let (hits, misses) = (totals.stats.cache_hits as f64, totals.stats.cache_misses as f64);
    json!({
        "key_count": totals.stats.entries,
        "storage_type": storage_type(core),
        "uptime_seconds": uptime as u64,
        "queries_per_second": latencies.count() as f64 / uptime.max(f64::MIN_POSITIVE),
        "avg_query_latency_ms": latencies.sum as f64 / 1e6 / (latencies.count() as f64).max(1.0),
        "p95_latency_ms": if latencies.count() == 0 { 0.0 } else { millis(0.95) },
        "p99_latency_ms": if latencies.count() == 0 { 0.0 } else { millis(0.99) },
        "database_size_bytes": totals.data_bytes(),
        "cache_hit_rate": 100.0 * hits / (hits + misses).max(1.0),
        "network_bytes_per_second": (bytes as f64 / uptime.max(f64::MIN_POSITIVE)) as u64,
    })
}

fn storage_type(core: &Core) -> &'static str {
    match core.settings.engine {
        Engine::Memory => "memory",
        Engine::Lsm(_) => "lsm",
    }
}

/// `CLUSTER_INFO`: one node, which is all that there is in this version.
pub fn cluster_info(core: &Core) -> Value {
    let healthy = core.process.health() == Health::Serving;
    json!({
        "mode": "standalone",
        "version": env!("CARGO_PKG_VERSION"),
        "nodes": [node(core)],
        "cluster_id": format!("{:016x}", core.settings.directory_id),
        "total_nodes": 1,
        "healthy_nodes": u8::from(healthy),
        "replication_factor": 1,
    })
}

/// `NODES`
pub fn nodes(core: &Core) -> Value {
    json!({ "nodes": [node(core)] })
}

fn node(core: &Core) -> Value {
    let id = format!("{:016x}", core.settings.directory_id);
    let address = core.settings.bind_address.to_string();
    let status = match core.process.health() {
        Health::Serving => "healthy",
        Health::Draining => "draining",
        Health::Broken(_) => "broken",
    };
    json!({
        "id": id,
        "node_id": id,
        "addr": address,
        "address": address,
        "role": "standalone",
        "status": status,
        "state": status,
        "last_heartbeat": rfc3339(unix_millis()),
        "data_size_bytes": Totals::of(&core.process).data_bytes(),
    })
}
