//! Metrics of the storage: as sums (`amaters_storage_…`), and for each shard (`amaters_shard_…`).
//!
//! Always true within one scrape: a sum is that of the values that are shown for the shards. A shard that is not open yet is
//! left out of both.

use std::sync::Arc;

use amaters_shards::{
    SIZE_BOUNDS,
    storage::{Operations, Stats},
};

use super::{
    exposition::{Exposition, Kind},
    reactors::seconds,
};

/// A number of a shard: name without its beginning, kind, meaning, and where it is.
type Number = (&'static str, Kind, &'static str, fn(&Stats) -> f64);

/// Every number that shards have one of.
const NUMBERS: &[Number] = &[
    (
        "entries",
        Kind::Gauge,
        "Entries of all collections, about: what has been overwritten counts until it is merged away.",
        |s| s.entries as f64,
    ),
    (
        "poisoned",
        Kind::Gauge,
        "Whether writes are refused after a failure of the disk: 1, or 0.",
        |s| f64::from(u8::from(s.poisoned.is_some())),
    ),
    ("memtable_bytes", Kind::Gauge, "Memory of entries that are in no table yet.", |s| {
        s.memtable_bytes as f64
    }),
    ("frozen_memtables", Kind::Gauge, "Memtables that wait for their flush.", |s| {
        s.frozen_memtables as f64
    }),
    ("snapshot_bytes", Kind::Gauge, "Memory of what only scans that go on still see.", |s| {
        s.snapshot_bytes as f64
    }),
    ("staged_bytes", Kind::Gauge, "Bytes of writes that wait for the log.", |s| {
        s.staged_bytes as f64
    }),
    ("wal_bytes", Kind::Gauge, "Bytes of the write-ahead log.", |s| s.log_bytes as f64),
    ("wal_segments", Kind::Gauge, "Segments of the write-ahead log.", |s| s.segments as f64),
    ("blob_files", Kind::Gauge, "Files of large values.", |s| s.blob_files as f64),
    ("blob_bytes", Kind::Gauge, "Large values in blob files, in bytes.", |s| s.blob_bytes as f64),
    (
        "blob_garbage_bytes",
        Kind::Gauge,
        "Large values in blob files to which no entry refers any more, in bytes.",
        |s| s.blob_garbage_bytes as f64,
    ),
    ("table_memory_bytes", Kind::Gauge, "Memory of filters and indexes of tables.", |s| {
        s.table_memory_bytes as f64
    }),
    ("compaction_debt_bytes", Kind::Gauge, "Bytes that merges have to write yet, about.", |s| {
        s.debt_bytes as f64
    }),
    ("stall_seconds", Kind::Counter, "Time that writers waited for flushes or merges.", |s| {
        s.stall_time.as_secs_f64()
    }),
    ("flushes", Kind::Counter, "Memtables flushed.", |s| s.flushes as f64),
    ("flush_seconds", Kind::Counter, "Time that flushes took.", |s| s.flush_time.as_secs_f64()),
    ("merges", Kind::Counter, "Merges of tables, moves included.", |s| s.merges as f64),
    ("merge_seconds", Kind::Counter, "Time that merges took.", |s| s.merge_time.as_secs_f64()),
    ("merge_read_bytes", Kind::Counter, "Bytes of tables that merges took in.", |s| {
        s.merged_bytes as f64
    }),
    ("merge_written_bytes", Kind::Counter, "Bytes of tables that merges wrote.", |s| {
        s.merge_written_bytes as f64
    }),
    ("cache_hits", Kind::Counter, "Blocks and large values that were cached when needed.", |s| {
        s.cache_hits as f64
    }),
    ("cache_misses", Kind::Counter, "Blocks and large values that had to be read.", |s| {
        s.cache_misses as f64
    }),
    ("cache_evictions", Kind::Counter, "Blocks and large values thrown out for room.", |s| {
        s.cache_evictions as f64
    }),
    ("cache_bytes", Kind::Gauge, "Memory of cached blocks and large values.", |s| {
        s.cache_bytes as f64
    }),
    ("cache_capacity_bytes", Kind::Gauge, "Memory that they may take.", |s| {
        s.cache_capacity_bytes as f64
    }),
];

/// Writes them.
pub(super) fn write(out: &mut Exposition, shards: &[Option<Arc<Stats>>]) {
    let open: Vec<_> = shards
        .iter()
        .enumerate()
        .filter_map(|(shard, stats)| Some((shard.to_string(), stats.as_deref()?)))
        .collect();
    out.single(Kind::Gauge, "amaters_storage_shards", "Shards that are open.", open.len());
    for (name, kind, help, value) in NUMBERS {
        let sum: f64 = open.iter().map(|(_, stats)| value(stats)).sum();
        out.single(*kind, &format!("amaters_storage_{name}"), help, sum);
        let mut family = out.family(*kind, &format!("amaters_shard_{name}"), help);
        for (shard, stats) in &open {
            family.sample(&[("shard", shard)], value(stats));
        }
    }
    operations(out, &open);
    levels(out, &open);
    log(out, &open);
}

fn operations(out: &mut Exposition, open: &[(String, &Stats)]) {
    type Value = fn(&Operations) -> u64;
    let all: [(&str, Value); 5] = [
        ("get", |operations| operations.gets),
        ("set", |operations| operations.sets),
        ("delete", |operations| operations.deletes),
        ("scan", |operations| operations.scans),
        ("transaction", |operations| operations.transactions),
    ];
    let help =
        "Operations on shards; a scan is counted once for each page, a batch once for each shard.";
    let mut family = out.family(Kind::Counter, "amaters_storage_operations", help);
    for (operation, value) in all {
        let sum: u64 = open.iter().map(|(_, stats)| value(&stats.operations)).sum();
        family.sample(&[("operation", operation)], sum);
    }
    let mut family = out.family(Kind::Counter, "amaters_shard_operations", help);
    for (shard, stats) in open {
        for (operation, value) in all {
            let labels: [(&str, &str); 2] = [("shard", shard), ("operation", operation)];
            family.sample(&labels, value(&stats.operations));
        }
    }
}

fn levels(out: &mut Exposition, open: &[(String, &Stats)]) {
    let sums = [
        ("amaters_storage_tables", "Tables.", true),
        ("amaters_storage_table_bytes", "Bytes of tables.", false),
    ];
    for (name, help, counts) in sums {
        let sum: u64 =
            open.iter().map(|(_, s)| if counts { s.tables } else { s.table_bytes }).sum();
        out.single(Kind::Gauge, name, help, sum);
        let name = name.replace("_storage_", "_shard_");
        let mut family = out.family(Kind::Gauge, &name, &help.replace('.', ", by level."));
        for (shard, stats) in open {
            for (number, level) in stats.levels.iter().enumerate() {
                let labels: [(&str, &str); 2] = [("shard", shard), ("level", &number.to_string())];
                family.sample(&labels, if counts { level.tables } else { level.bytes });
            }
        }
    }
}

fn log(out: &mut Exposition, open: &[(String, &Stats)]) {
    let help = "Records that were logged together.";
    let mut family = out.family(Kind::Histogram, "amaters_shard_wal_group_records", help);
    let bounds = SIZE_BOUNDS.map(|bound| bound as f64);
    for (shard, stats) in open {
        let records = &stats.group_records;
        family.histogram(&[("shard", shard)], &bounds, &records.counts, records.sum as f64);
    }
    let help = "Time that syncs of the write-ahead log took.";
    let mut family = out.family(Kind::Histogram, "amaters_shard_wal_sync_seconds", help);
    for (shard, stats) in open {
        let times = &stats.sync_times;
        family.histogram(&[("shard", shard)], &seconds(), &times.counts, times.sum as f64 / 1e9);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::exposition::Form, *};

    fn stats(entries: u64) -> Stats {
        let mut stats = Stats { entries, tables: entries, ..Stats::default() };
        stats.operations.gets = 10 * entries;
        stats.levels.resize_with(2, Default::default);
        stats.levels[1].tables = entries;
        stats.sync_times.record(Duration::from_millis(3));
        stats.group_records.record(entries);
        stats
    }

    #[test]
    fn sums_are_those_of_the_open_shards() {
        let shards = [Some(Arc::new(stats(3))), None, Some(Arc::new(stats(4)))];
        let mut out = Exposition::new(Form::Text);
        write(&mut out, &shards);
        let text = out.finish();
        for line in [
            "amaters_storage_shards 2",
            "amaters_storage_entries 7",
            "amaters_shard_entries{shard=\"0\"} 3",
            "amaters_shard_entries{shard=\"2\"} 4",
            "amaters_storage_operations_total{operation=\"get\"} 70",
            "amaters_shard_operations_total{shard=\"2\",operation=\"get\"} 40",
            "amaters_storage_tables 7",
            "amaters_shard_tables{shard=\"0\",level=\"1\"} 3",
            "amaters_shard_wal_sync_seconds_bucket{shard=\"0\",le=\"0.0025\"} 0",
            "amaters_shard_wal_sync_seconds_bucket{shard=\"0\",le=\"0.005\"} 1",
            "amaters_shard_wal_group_records_sum{shard=\"2\"} 4",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("shard=\"1\""), "{text}");
    }
}
