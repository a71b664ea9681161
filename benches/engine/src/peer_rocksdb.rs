//! RocksDB, with bloom filters and, for large values, blob files; its other options are its defaults.

use std::path::Path;

use rocksdb::{BlockBasedOptions, Cache, DB, Direction, IteratorMode, Options};

use crate::{CACHE_BYTES, Engine, MEMTABLE_BYTES};

/// From this size on values go to blob files, as in our own engine.
const BLOB_BYTES_MIN: u64 = 4096;
/// Of filters: one false positive in a hundred, as in our own engine.
const BLOOM_BITS: f64 = 10.0;

pub struct RocksDb(DB);

impl Engine for RocksDb {
    const NAME: &'static str = "rocksdb";

    async fn open(dir: &Path, large: bool) -> Self {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES as usize).expect("a cache"));
        blocks.set_bloom_filter(BLOOM_BITS, false);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_write_buffer_size(MEMTABLE_BYTES as usize);
        options.set_block_based_table_factory(&blocks);
        if large {
            options.set_enable_blob_files(true);
            options.set_min_blob_size(BLOB_BYTES_MIN);
            options.set_enable_blob_gc(true);
        }
        Self(DB::open(&options, dir).expect("a database"))
    }

    async fn set(&mut self, key: &[u8], value: &[u8]) {
        // Its default: logged, and with the kernel when it returns.
        self.0.put(key, value).expect("written");
    }

    async fn answered(&mut self) {}

    async fn get(&mut self, key: &[u8]) -> Option<usize> {
        self.0.get_pinned(key).expect("read").map(|value| value.len())
    }

    async fn scan(&mut self, from: &[u8], rows: usize) -> usize {
        let found = self.0.iterator(IteratorMode::From(from, Direction::Forward)).take(rows);
        found.map(|row| row.expect("read").1.len()).sum()
    }

    async fn close(self) {
        self.0.flush_wal(true).expect("durable");
    }
}
