//! The same engine over the disk of this machine, inside a glommio executor.

use std::{path::Path, rc::Rc, time::Duration};

use bytes::Bytes;
use glommio::{LocalExecutorBuilder, Placement};

use super::machine::{ALL, value};
use crate::{
    settings::{CompactionSettings, Durability, SyncMode},
    storage::{
        EngineOptions, Epochs, MergeSlots, Meta, Options, Shard, Value, Workshop,
        disk::glommio::{GlommioClock, GlommioDisk},
    },
};

async fn open(dir: &Path, durability: Durability) -> (Shard, glommio::Task<()>, u64) {
    let engine = EngineOptions::Lsm {
        log_dir: dir.join("wal/shard-0000"),
        data_dir: dir.join("shard-0000"),
        segment_bytes: 8 << 20,
        durability,
        blob_bytes_min: 4096,
        cache_bytes_max: 64 << 20,
        compaction: CompactionSettings::default(),
        decided: None,
    };
    let options = Options { shard: 0, directory_id: 5, memtable_bytes_max: 1 << 30, engine };
    let opened = Shard::open(
        Rc::new(GlommioDisk),
        Rc::new(GlommioClock::new()),
        Workshop::thread(None, MergeSlots::new(1), Epochs::new(1)).unwrap(),
        options,
    )
    .await;
    let (shard, recovery) = opened.unwrap();
    let looping = shard.clone();
    (shard, glommio::spawn_local(async move { looping.run().await }), recovery.records)
}

pub(in crate::storage) fn on_a_reactor<F: Future<Output = ()> + 'static>(
    story: impl FnOnce() -> F + Send + 'static,
) {
    LocalExecutorBuilder::new(Placement::Unbound)
        .spawn(move || async move { story().await })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn storage_comes_back_from_the_disk_of_this_machine() {
    let interval = SyncMode::Interval(Duration::from_millis(5));
    let logged = [SyncMode::Always, interval, SyncMode::None].map(Durability::Logged);
    for durability in logged.into_iter().chain([Durability::Flushed]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        on_a_reactor(move || async move {
            let (shard, looping, records) = open(&path, durability).await;
            assert_eq!(records, 0);
            shard.set("c", b"empty", value("")).unwrap().await.unwrap();
            let large = Bytes::from(
                (0..16 << 20).map(|index: u32| (index % 251) as u8).collect::<Vec<_>>(),
            );
            let large = Value { data: large, meta: Meta { created_at: -7, ..Meta::default() } };
            shard.set("c", b"large", large.clone()).unwrap().await.unwrap();
            let mut tickets = Vec::new();
            for key in 0..2000u32 {
                tickets.push(shard.set("s", &key.to_be_bytes(), value(key.to_le_bytes())).unwrap());
                if key % 100 == 0 {
                    tickets.pop().unwrap().await.unwrap();
                }
            }
            for ticket in tickets {
                ticket.await.unwrap();
            }
            if let Durability::Logged(SyncMode::Interval(interval)) = durability {
                glommio::timer::sleep(interval * 4).await;
                assert!(shard.stats().syncs > 0);
            }
            let (found, ticket) = shard.delete("s", &7u32.to_be_bytes()).await.unwrap();
            assert!(found);
            ticket.await.unwrap();
            shard.close().await;
            looping.await;
            assert_eq!(shard.stats().poisoned, None);

            for _ in 0..2 {
                let (shard, looping, records) = open(&path, durability).await;
                // The large value has made the memtable be flushed, some time or other.
                assert!(records <= 2003);
                assert_eq!(shard.get("c", b"empty").await.unwrap(), Some(value("")));
                assert_eq!(shard.get("c", b"large").await.unwrap(), Some(large.clone()));
                assert_eq!(shard.get("s", &7u32.to_be_bytes()).await.unwrap(), None);
                let rows = shard.scan("s", b"", None, ALL).await.unwrap().rows;
                assert_eq!(rows.len(), 1999);
                assert_eq!(rows[100].1, value(101u32.to_le_bytes()));
                shard.close().await;
                looping.await;
            }
        });
    }
}

#[test]
fn a_folder_that_is_not_absolute_is_refused() {
    on_a_reactor(|| async {
        let engine = EngineOptions::Lsm {
            log_dir: "relative".into(),
            data_dir: "relative".into(),
            blob_bytes_min: 4096,
            cache_bytes_max: 0,
            compaction: CompactionSettings::default(),
            decided: None,
            segment_bytes: 1 << 20,
            durability: Durability::Logged(SyncMode::Always),
        };
        let options = Options { shard: 0, directory_id: 5, memtable_bytes_max: 1, engine };
        let opened = Shard::open(
            Rc::new(GlommioDisk),
            Rc::new(GlommioClock::new()),
            Workshop::thread(None, MergeSlots::new(1), Epochs::new(1)).unwrap(),
            options,
        )
        .await;
        assert!(opened.is_err_and(|error| error.to_string().contains("absolute")));
    });
}
