//! A shard of ours.

use std::{collections::VecDeque, path::Path, rc::Rc};

use amaters_shards::{
    settings::{CompactionSettings, Durability, SyncMode},
    storage::{
        EngineOptions, Epochs, MergeSlots, Meta, Options, PageLimit, Shard, Ticket, Value,
        Workshop,
        disk::glommio::{GlommioClock, GlommioDisk},
    },
};
use bytes::Bytes;

use crate::{CACHE_BYTES, Engine, MEMTABLE_BYTES, WINDOW};

const COLLECTION: &str = "bench";
const PAGE_BYTES: usize = 4 << 20;

pub struct Amaters {
    shard: Shard,
    running: glommio::Task<()>,
    tickets: VecDeque<Ticket>,
}

impl Engine for Amaters {
    const NAME: &'static str = "amaters";

    async fn open(dir: &Path, _large: bool) -> Self {
        let engine = EngineOptions::Lsm {
            log_dir: dir.join("wal"),
            data_dir: dir.join("data"),
            segment_bytes: 64 << 20,
            durability: Durability::Logged(SyncMode::None),
            blob_bytes_min: 4096,
            cache_bytes_max: CACHE_BYTES,
            compaction: CompactionSettings::default(),
            decided: None,
        };
        let memtable_bytes_max = 3 * MEMTABLE_BYTES;
        let options = Options { shard: 0, directory_id: 1, memtable_bytes_max, engine };
        let (disk, clock) = (Rc::new(GlommioDisk), Rc::new(GlommioClock::new()));
        let workshop =
            Workshop::thread(None, MergeSlots::new(4), Epochs::new(1)).expect("a thread");
        let (shard, _) = Shard::open(disk, clock, workshop, options).await.expect("a shard");
        let looping = shard.clone();
        let running = glommio::spawn_local(async move { looping.run().await });
        Self { shard, running, tickets: VecDeque::new() }
    }

    async fn set(&mut self, key: &[u8], value: &[u8]) {
        let meta = Meta { size: value.len() as u64, ..Meta::default() };
        let value = Value { data: Bytes::copy_from_slice(value), meta };
        let ticket = loop {
            match self.shard.set(COLLECTION, key, value.clone()) {
                Ok(ticket) => break ticket,
                // As a client would: wait for what is under way, then try again.
                Err(_) if !self.tickets.is_empty() => self.answered().await,
                Err(error) => panic!("{error}"),
            }
        };
        self.tickets.push_back(ticket);
        if self.tickets.len() >= WINDOW
            && let Some(oldest) = self.tickets.pop_front()
        {
            oldest.await.expect("written");
        }
    }

    async fn answered(&mut self) {
        for ticket in self.tickets.drain(..) {
            ticket.await.expect("written");
        }
    }

    async fn get(&mut self, key: &[u8]) -> Option<usize> {
        let found = self.shard.get(COLLECTION, key).await.expect("read");
        found.map(|value| value.data.len())
    }

    async fn scan(&mut self, from: &[u8], rows: usize) -> usize {
        let (mut from, mut left, mut bytes) = (from.to_vec(), rows, 0);
        while left > 0 {
            let limit = PageLimit { rows: left, bytes: PAGE_BYTES };
            let page = self.shard.scan(COLLECTION, &from, None, limit).await.expect("read");
            left -= page.rows.len();
            bytes += page.rows.iter().map(|(_, value)| value.data.len()).sum::<usize>();
            let Some(next) = page.next else { break };
            from = next.to_vec();
        }
        bytes
    }

    async fn close(mut self) {
        self.answered().await;
        self.shard.close().await;
        self.running.await;
    }
}
