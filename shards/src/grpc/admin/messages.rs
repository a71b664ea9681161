//! Jobs and figures as messages.

use std::sync::Arc;

use amaters_proto::admin::v1 as wire;

use crate::{
    core::Core,
    counters::Latencies,
    grpc::method::Method,
    jobs::{Job, Outcome, State, Work},
    rpc::admin::figures::{Totals, latencies},
    storage::Stats,
};

/// A job at this moment.
pub(super) fn job(job: &Job) -> wire::Job {
    let (keys, bytes, bytes_total) = job.control.progress();
    let (started, ended) = job.times();
    let state = match job.state() {
        State::Waiting => wire::JobState::Waiting,
        State::Running => wire::JobState::Running,
        State::Done => wire::JobState::Done,
        State::Failed => wire::JobState::Failed,
        State::Cancelled => wire::JobState::Cancelled,
    };
    let kind = match job.work {
        Work::Backup { .. } => wire::JobKind::Backup,
        Work::Restore { .. } => wire::JobKind::Restore,
        Work::Verify { .. } => wire::JobKind::Verify,
        Work::Compact { .. } => wire::JobKind::Compact,
    };
    let step = if job.has_ended() { String::new() } else { job.step().to_owned() };
    let (result, error) = match job.result() {
        Some(Ok(outcome)) => (Some(result(outcome)), String::new()),
        Some(Err(error)) if state == wire::JobState::Failed => (None, error.to_string()),
        Some(Err(_)) | None => (None, String::new()),
    };
    wire::Job {
        id: job.id,
        kind: kind.into(),
        state: state.into(),
        subject: job.work.subject().to_owned(),
        created_at_ms: job.created_at_ms as i64,
        started_at_ms: started.map(|at| at as i64),
        ended_at_ms: ended.map(|at| at as i64),
        progress: Some(wire::Progress { step, keys, bytes, bytes_total }),
        error,
        scheduled: job.scheduled,
        result,
    }
}

fn result(outcome: &Outcome) -> wire::job::Result {
    match outcome {
        Outcome::Backup(backup) => wire::job::Result::Backup(wire::BackupResult {
            directory: backup.directory.clone(),
            backup_id: backup.id.clone(),
            incremental: backup.parent.is_some(),
            parent_id: backup.parent.clone().unwrap_or_default(),
            keys: backup.keys,
            bytes: backup.bytes,
            size_bytes: backup.size_bytes,
            deletions: backup.deletions,
        }),
        Outcome::Restore(restore) => wire::job::Result::Restore(wire::RestoreResult {
            schema_version: restore.schema_version,
            keys: restore.keys,
            bytes: restore.bytes,
            backups: restore.backups,
            dry_run: restore.dry_run,
        }),
        Outcome::Verify(found) => wire::job::Result::Verify(wire::VerifyResult {
            keys: found.keys,
            bytes: found.bytes,
            files: found.files,
            damages: found.damages.clone(),
            damages_total: found.damages_total,
        }),
        Outcome::Compact(done) => wire::job::Result::Compact(wire::CompactResult {
            tables_before: done.tables_before,
            tables_after: done.tables_after,
            bytes_before: done.bytes_before,
            bytes_after: done.bytes_after,
        }),
    }
}

/// Figures of the server.
pub(super) fn stats(core: &Core, detailed: bool) -> wire::StatsResponse {
    let process = &core.process;
    let sum =
        |number: fn(&crate::counters::Counters) -> u64| process.counters.iter().map(number).sum();
    let methods = || {
        let methods = Method::ALL.into_iter().map(Some).chain([None]);
        methods.flat_map(|method| process.counters.iter().map(move |one| one.method(method)))
    };
    let shards = process.shards.iter().enumerate();
    let shards = shards.filter_map(|(number, stats)| Some((number as u32, stats.load_full()?)));
    // Looked at once, so that the parts make the sum.
    let shards: Vec<_> = shards.collect();
    let total = Totals::sum(shards.iter().map(|(_, stats)| Arc::clone(stats)));
    let shards = shards.iter().filter(|_| detailed).map(|(number, stats)| shard(*number, stats));
    wire::StatsResponse {
        version: env!("CARGO_PKG_VERSION").into(),
        uptime_seconds: process.started.elapsed().as_secs(),
        connections: process.connections() as u64,
        requests: methods().map(|method| method.latencies.read().count()).sum(),
        errors: methods().map(|method| method.failed.get()).sum(),
        bytes_received: sum(|one| one.bytes_received.get()),
        bytes_sent: sum(|one| one.bytes_sent.get()),
        total: Some(shard(0, &total.stats)),
        shards: shards.collect(),
        latency: Some(latency(&latencies(process))),
    }
}

fn latency(latencies: &Latencies) -> wire::Latency {
    let count = latencies.count();
    let quantile = |share| match count {
        0 => 0.0,
        _ => 1000.0 * latencies.quantile(share).as_secs_f64(),
    };
    wire::Latency {
        mean_ms: latencies.sum as f64 / 1e6 / (count as f64).max(1.0),
        p50_ms: quantile(0.5),
        p95_ms: quantile(0.95),
        p99_ms: quantile(0.99),
    }
}

fn shard(number: u32, stats: &Stats) -> wire::ShardStats {
    let level = |level: &crate::storage::Level| wire::LevelStats {
        tables: level.tables,
        bytes: level.bytes,
    };
    wire::ShardStats {
        shard: number,
        keys: stats.entries,
        tables: stats.tables,
        table_bytes: stats.table_bytes,
        blob_files: stats.blob_files,
        blob_bytes: stats.blob_bytes,
        blob_garbage_bytes: stats.blob_garbage_bytes,
        memtable_bytes: stats.memtable_bytes,
        frozen_memtables: stats.frozen_memtables,
        log_bytes: stats.log_bytes,
        log_segments: stats.segments,
        cache_bytes: stats.cache_bytes,
        cache_hits: stats.cache_hits,
        cache_misses: stats.cache_misses,
        gets: stats.operations.gets,
        sets: stats.operations.sets,
        deletes: stats.operations.deletes,
        scans: stats.operations.scans,
        merges: stats.merges,
        flushes: stats.flushes,
        poisoned: stats.poisoned.clone().unwrap_or_default(),
        levels: stats.levels.iter().map(level).collect(),
    }
}
