//! fjall 3, with its defaults where it has a better idea than we have.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};

use crate::{CACHE_BYTES, Engine, MEMTABLE_BYTES};

pub struct Fjall {
    database: Database,
    keyspace: Keyspace,
}

impl Engine for Fjall {
    const NAME: &'static str = "fjall";

    async fn open(dir: &Path, large: bool) -> Self {
        let database = Database::builder(dir).cache_size(CACHE_BYTES).open().expect("a database");
        let options = || {
            let separation = large.then(KvSeparationOptions::default);
            KeyspaceCreateOptions::default()
                .max_memtable_size(MEMTABLE_BYTES)
                .with_kv_separation(separation)
        };
        let keyspace = database.keyspace("bench", options).expect("a keyspace");
        Self { database, keyspace }
    }

    async fn set(&mut self, key: &[u8], value: &[u8]) {
        self.keyspace.insert(key, value).expect("written");
    }

    async fn answered(&mut self) {}

    async fn get(&mut self, key: &[u8]) -> Option<usize> {
        self.keyspace.get(key).expect("read").map(|value| value.len())
    }

    async fn scan(&mut self, from: &[u8], rows: usize) -> usize {
        let found = self.keyspace.range(from..).take(rows);
        found.map(|row| row.value().expect("read").len()).sum()
    }

    async fn close(self) {
        self.database.persist(PersistMode::SyncAll).expect("durable");
    }
}
