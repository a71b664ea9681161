//! Backups of real shards on the disk of this machine, and what is read from them.
#![expect(clippy::disallowed_methods, reason = "a test may block")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;

use super::{chunk::Kept, *};
use crate::{
    partition::{Partition, folder},
    settings::{CompactionSettings, Durability, SyncMode},
    storage::{
        Decisions, EngineOptions, Epochs, MergeSlots, Meta, Options, PageLimit, Shard, Snapshots,
        Value, Workshop,
        disk::glommio::{GlommioClock, GlommioDisk},
        tests::real::on_a_reactor,
    },
};

const DIRECTORY: u64 = 5;
const SOURCE: Source = Source { directory_id: DIRECTORY, seed: 9, shards: 1 };
const COLLECTIONS: [&str; 3] = ["tokens", "sealed", "a"];

type Contents = BTreeMap<(String, Vec<u8>), Value>;

/// A shard in a folder, its snapshots, and where backups go.
struct Site {
    dir: PathBuf,
    shard: Shard,
    running: glommio::Task<()>,
    snapshots: Rc<Snapshots>,
    roots: Roots,
}

impl Site {
    async fn open(dir: &Path, pending: Option<&Pending>) -> Self {
        let (shard, running, epochs) = open_shard(dir, 0, pending).await;
        let roots = Roots::new([(dir.join("snapshots"), "snapshot.dir")]);
        let snapshots = Snapshots::new(epochs, 0);
        Self { dir: dir.to_owned(), shard, running, snapshots, roots }
    }

    async fn close(self) {
        self.shard.close().await;
        self.running.await;
    }

    async fn set(&self, contents: &mut Contents, collection: &str, key: &[u8], value: Value) {
        // A shard that is busy refuses for a moment, and a client tries again.
        let mut tries = 0;
        let ticket = loop {
            match self.shard.set(collection, key, value.clone()) {
                Ok(ticket) => break ticket,
                Err(error) => assert!(tries < 1000, "{error}"),
            }
            tries += 1;
            glommio::timer::sleep(std::time::Duration::from_millis(5)).await;
        };
        ticket.await.unwrap();
        contents.insert((collection.to_owned(), key.to_vec()), value);
    }

    async fn delete(&self, contents: &mut Contents, collection: &str, key: &[u8]) {
        let (existed, ticket) = self.shard.delete(collection, key).await.unwrap();
        ticket.await.unwrap();
        assert_eq!(existed, contents.remove(&(collection.to_owned(), key.to_vec())).is_some());
    }

    /// Takes a backup, while `meanwhile` goes on behind the instant.
    async fn back_up<F: Future<Output = ()>>(
        &self,
        name: &str,
        incremental: bool,
        meanwhile: F,
    ) -> Manifest {
        let draft = Draft::begin(&self.roots, name, (incremental, None), SOURCE).unwrap();
        let snapshot = self.snapshots.take(Instant::now());
        meanwhile.await;
        let place = (draft.folder.clone(), draft.id);
        let copied =
            self.shard.copy(snapshot.epoch(), place, draft.parent.clone(), Control::new(0), || {
                drop(snapshot)
            });
        draft.finish(vec![copied.await.unwrap()]).unwrap().0
    }

    fn read(&self, name: &str) -> Result<Contents, BackupError> {
        let (folder, parent) = self.roots.existing(name)?;
        let mut reader = Reader::open(&folder, &parent, "default")?;
        let mut contents = Contents::new();
        while let Some(entry) = reader.next_entry()? {
            let Kept::Value(kept) = entry.kept else { panic!("a deletion is no row") };
            let value = Value { data: entry.data, meta: kept.meta };
            contents.insert((entry.collection.to_string(), entry.key.to_vec()), value);
        }
        Ok(contents)
    }

    fn verified(&self, name: &str) -> Verified {
        let (folder, parent) = self.roots.existing(name).unwrap();
        verify(&folder, &parent, &Control::new(0)).unwrap()
    }
}

async fn open_shard(
    dir: &Path,
    number: u32,
    pending: Option<&Pending>,
) -> (Shard, glommio::Task<()>, Epochs) {
    let engine = EngineOptions::Lsm {
        log_dir: dir.join("wal").join(folder(number)),
        data_dir: dir.join(folder(number)),
        segment_bytes: 8 << 20,
        durability: Durability::Logged(SyncMode::None),
        blob_bytes_min: 4096,
        cache_bytes_max: 1 << 20,
        compaction: CompactionSettings::default(),
        decided: pending.and_then(|pending| pending.of(number)),
    };
    let options =
        Options { shard: number, directory_id: DIRECTORY, memtable_bytes_max: 1 << 20, engine };
    let epochs = Epochs::new(1);
    let workshop = Workshop::thread(None, MergeSlots::new(1), epochs.clone()).unwrap();
    let (disk, clock) = (Rc::new(GlommioDisk), Rc::new(GlommioClock::new()));
    let (shard, _) = Shard::open(disk, clock, workshop, options).await.unwrap();
    shard.resolve(&Decisions::of(&BTreeMap::from([(number, shard.traces())]))).await.unwrap();
    let looping = shard.clone();
    let running = glommio::spawn_local(async move { looping.run().await });
    (shard, running, epochs)
}

async fn contents_of(shard: &Shard) -> Contents {
    let mut contents = Contents::new();
    for collection in shard.collections() {
        let mut from = Some(Vec::new());
        while let Some(start) = from {
            let limit = PageLimit { rows: 100, bytes: 1 << 20 };
            let page = shard.scan(&collection, &start, None, limit).await.unwrap();
            for (key, value) in page.rows {
                contents.insert((collection.to_string(), key.to_vec()), value);
            }
            from = page.next.map(|next| next.to_vec());
        }
    }
    contents
}

fn value(seed: usize, bytes: usize) -> Value {
    let data: Vec<u8> = (0..bytes).map(|at| (at * 7 + seed * 13 + at / 251) as u8).collect();
    let meta =
        Meta { size: bytes as u64, checksum: seed as u32, created_at: -1, ..Meta::default() };
    Value { data: Bytes::from(data), meta }
}

/// Values of all sizes, some of them overwritten and some deleted.
async fn fill(site: &Site, contents: &mut Contents, round: usize, keys: usize) {
    for number in 0..keys {
        let collection = COLLECTIONS[number % 3];
        let key = format!("key-{:05}", (number * 31) % keys);
        let bytes = [10, 100, 3000, 5000, 70_000][number % 5];
        match (number + round) % 7 {
            6 => site.delete(contents, collection, key.as_bytes()).await,
            _ => site.set(contents, collection, key.as_bytes(), value(number + round, bytes)).await,
        }
    }
}

#[test]
fn a_backup_shows_its_instant_and_incrementals_lead_to_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_a_reactor(move || async move {
        let site = Site::open(&path, None).await;
        let mut now = Contents::new();
        fill(&site, &mut now, 0, 300).await;
        let first = now.clone();
        let full = site.back_up("full", false, fill(&site, &mut now, 1, 200)).await;
        assert_eq!(full.keys, first.len() as u64);
        assert_eq!(site.read("full").unwrap(), first);

        site.set(&mut now, "tokens", b"one more", value(1, 9)).await;
        let second = now.clone();
        let next = site.back_up("next", true, std::future::ready(())).await;
        assert_eq!(next.parent, Some(full.id));
        assert!(next.deletions > 0);
        assert_eq!(site.read("next").unwrap(), second);

        for _ in 0..3 {
            site.set(&mut now, "sealed", b"key-00001", value(77, 70_000)).await;
        }
        site.delete(&mut now, "tokens", b"one more").await;
        // What was in memory at the last cut has got its place by now.
        let third = site.back_up("third", true, std::future::ready(())).await;
        assert_eq!((third.keys, third.deletions), (1, 1));
        assert!(third.data_bytes() < 100_000, "{third:?}");
        assert_eq!(site.read("third").unwrap(), now);
        assert_eq!(site.read("full").unwrap(), first);

        for (name, links) in [("full", 1), ("next", 2), ("third", 3)] {
            let found = site.verified(name);
            assert_eq!((found.damages_total, found.links), (0, links), "{:?}", found.damages);
        }
        fs::rename(site.dir.join("snapshots/next"), path.join("away")).unwrap();
        assert!(matches!(site.read("third"), Err(BackupError::NoParent { .. })));
        assert_eq!(site.verified("third").damages_total, 1);
        site.close().await;
    });
}

#[test]
fn a_backup_becomes_shards_of_any_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_a_reactor(move || async move {
        let site = Site::open(&path, None).await;
        let mut now = Contents::new();
        fill(&site, &mut now, 0, 400).await;
        site.back_up("full", false, std::future::ready(())).await;
        fill(&site, &mut now, 3, 100).await;
        site.back_up("next", true, std::future::ready(())).await;
        let (from, parent) = site.roots.existing("next").unwrap();
        for shards in [1, 3] {
            let to = path.join(format!("to-{shards}"));
            let partition = Partition::new(shards, 77);
            let fresh = Fresh {
                log_dir: to.join("wal"),
                data_dir: to.clone(),
                directory_id: DIRECTORY,
                partition,
                blob_bytes_min: 4096,
                table_bytes: 64 * 1024,
                level: 6,
            };
            let mut reader = Reader::open(&from, &parent, "default").unwrap();
            let restored = make_shards(&fresh, &mut reader, &Control::new(0)).unwrap();
            assert_eq!(restored.keys, now.len() as u64);
            let mut all = Contents::new();
            for number in 0..shards {
                // Twice: what a start writes is read by the next.
                for _ in 0..2 {
                    let (shard, running, _) = open_shard(&to, number, None).await;
                    let contents = contents_of(&shard).await;
                    shard.set("tokens", b"more", value(number as usize, 5)).unwrap().await.unwrap();
                    shard.close().await;
                    running.await;
                    let own = contents.into_iter().filter(|((_, key), _)| key != b"more");
                    all.extend(own);
                }
            }
            assert_eq!(all, now);
        }
        site.close().await;
    });
}

/// Stages `name` and switches it in; with `crash`, everything ends between the decision and the instant.
async fn restore(site: &Site, name: &str, replace: bool, crash: bool) -> Option<Pending> {
    let (folder, parent) = site.roots.existing(name).unwrap();
    let mut reader = Reader::open(&folder, &parent, "default").unwrap();
    let names: Vec<String> = reader.collections().into_iter().collect();
    let place = site.shard.place(&names).await.unwrap();
    let partition = Partition::new(1, 9);
    let staged = stage_all(vec![place], &partition, &mut reader, &Control::new(0)).unwrap().0;
    let switch = Switch::new(1, replace);
    let (sender, receiver) = crossbeam_channel::bounded(1);
    let (shard, own) = (site.shard.clone(), Arc::clone(&switch));
    let staged = staged.into_iter().next().unwrap();
    let near = Arc::clone(&switch);
    let switched = glommio::spawn_local(async move {
        let ready = |edit, ready| sender.send((edit, ready)).unwrap();
        shard.switch(staged, own, || near.hold(), ready).await
    });
    let (edit, ready) = loop {
        if let Ok(ready) = receiver.try_recv() {
            break ready;
        }
        glommio::timer::sleep(std::time::Duration::from_millis(1)).await;
    };
    assert!(site.shard.set("tokens", b"k", value(1, 1)).is_err(), "writers are held");
    let pending = Pending::new(DIRECTORY, BTreeMap::from([(0, Arc::from(edit))]));
    if crash {
        pending.write(&site.dir).unwrap();
        switched.cancel().await;
        return Some(pending);
    }
    switch.decide();
    switch.meet(vec![ready]);
    assert!(switched.await.unwrap());
    None
}

#[test]
fn a_restore_takes_the_place_of_what_is_there_or_lies_over_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_a_reactor(move || async move {
        for replace in [true, false] {
            let path = path.join(replace.to_string());
            let site = Site::open(&path, None).await;
            let mut now = Contents::new();
            fill(&site, &mut now, 0, 300).await;
            let saved = now.clone();
            site.back_up("saved", false, std::future::ready(())).await;
            fill(&site, &mut now, 4, 250).await;
            site.set(&mut now, "later", b"k", value(3, 30)).await;
            let before = site.snapshots.take(Instant::now());
            restore(&site, "saved", replace, false).await;
            let mut expected = if replace { Contents::new() } else { now.clone() };
            expected.extend(saved.clone());
            assert_eq!(contents_of(&site.shard).await, expected);
            let limit = PageLimit { rows: 1000, bytes: 1 << 30 };
            let page = site.shard.scan_at("later", b"", None, limit, Some(before.epoch())).await;
            assert_eq!(page.unwrap().rows.len(), 1, "a snapshot of before still sees it");
            drop(before);

            // It goes on as any shard: writes, another backup, restarts.
            fill(&site, &mut expected, 5, 120).await;
            site.back_up("again", true, std::future::ready(())).await;
            assert_eq!(site.read("again").unwrap(), expected);
            site.close().await;
            let site = Site::open(&path, None).await;
            assert_eq!(contents_of(&site.shard).await, expected);
            fill(&site, &mut expected, 6, 50).await;
            site.close().await;
            let site = Site::open(&path, None).await;
            assert_eq!(contents_of(&site.shard).await, expected);
            site.close().await;
        }
    });
}

#[test]
fn a_restore_that_was_decided_is_carried_out_by_the_next_start_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_a_reactor(move || async move {
        let site = Site::open(&path, None).await;
        let mut now = Contents::new();
        fill(&site, &mut now, 0, 200).await;
        let mut expected = now.clone();
        site.back_up("saved", false, std::future::ready(())).await;
        fill(&site, &mut now, 4, 150).await;
        restore(&site, "saved", true, true).await;
        // What a crash would leave: nothing has been closed.
        let copy = path.join("copy");
        copy_folder(&path.join("shard-0000"), &copy.join("shard-0000"));
        copy_folder(&path.join("wal/shard-0000"), &copy.join("wal/shard-0000"));
        let pending = Pending::read(&path, DIRECTORY).unwrap().unwrap();
        for _ in 0..2 {
            let site = Site::open(&copy, Some(&pending)).await;
            assert_eq!(contents_of(&site.shard).await, expected);
            fill(&site, &mut expected, 2, 20).await;
            site.close().await;
        }
        site.close().await;
    });
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn every_flipped_byte_and_every_file_that_is_cut_missing_or_swapped_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_a_reactor(move || async move {
        let site = Site::open(&path, None).await;
        let mut now = Contents::new();
        for number in 0..40 {
            let key = format!("key-{number}");
            site.set(&mut now, COLLECTIONS[number % 3], key.as_bytes(), value(number, 60)).await;
        }
        site.back_up("full", false, std::future::ready(())).await;
        site.set(&mut now, "a", b"key-1", value(5, 50)).await;
        site.back_up("next", true, std::future::ready(())).await;
        site.close().await;
        let roots = Roots::new([(path.join("snapshots"), "snapshot.dir")]);
        let is_found = |name: &str, what: &str| {
            let (folder, parent) = roots.existing(name).unwrap();
            let found = verify(&folder, &parent, &Control::new(0)).unwrap();
            assert!(found.damages_total > 0, "verify, {what}");
            let read = Reader::open(&folder, &parent, "default")
                .and_then(|mut reader| read_through(&mut reader, &Control::new(0)));
            assert!(read.is_err(), "restore, {what}");
        };
        for name in ["full", "next"] {
            let folder = path.join("snapshots").join(name);
            let mut others: Vec<PathBuf> = Vec::new();
            for entry in fs::read_dir(&folder).unwrap() {
                let file = entry.unwrap().path();
                let whole = fs::read(&file).unwrap();
                for at in 0..whole.len() {
                    let mut wrong = whole.clone();
                    wrong[at] ^= 0x10;
                    fs::write(&file, &wrong).unwrap();
                    is_found(name, &format!("{} byte {at}", file.display()));
                }
                for length in [0, 1, whole.len() / 2, whole.len() - 1] {
                    fs::write(&file, &whole[..length]).unwrap();
                    is_found(name, &format!("{} cut to {length}", file.display()));
                }
                fs::write(&file, [&whole[..], &[0]].concat()).unwrap();
                is_found(name, &format!("{} longer", file.display()));
                fs::remove_file(&file).unwrap();
                is_found(name, &format!("{} missing", file.display()));
                fs::write(&file, &whole).unwrap();
                others.push(file);
            }
            // Each file in the place of each other one.
            for (one, other) in
                others.iter().flat_map(|one| others.iter().map(move |other| (one, other)))
            {
                if one != other {
                    let whole = fs::read(one).unwrap();
                    fs::copy(other, one).unwrap();
                    is_found(name, "swapped");
                    fs::write(one, &whole).unwrap();
                }
            }
            let (folder, parent) = roots.existing(name).unwrap();
            assert_eq!(verify(&folder, &parent, &Control::new(0)).unwrap().damages_total, 0);
        }
    });
}

/// A folder with the files of version 1.
fn version_1(root: &Path, meta: &[u8], manifest: &[u8]) -> (Folder, Folder) {
    let folder = root.join("snapshots/v1");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("meta.bin"), meta).unwrap();
    fs::write(folder.join("manifest.bin"), manifest).unwrap();
    let roots = Roots::new([(root.join("snapshots"), "snapshot.dir")]);
    roots.existing("v1").unwrap()
}

#[test]
fn a_version_1_backup_is_read_from_the_published_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = [0x02, 0x02, 0x61, 0x62, 0x03, 0x78, 0x79, 0x7a, 0x00, 0x03, 0xff, 0x80, 0x01];
    let (folder, parent) = version_1(dir.path(), &[1, 2, 8, 0], &manifest);
    let mut reader = Reader::open(&folder, &parent, "mine").unwrap();
    assert_eq!((reader.schema_version(), reader.links()), (1, 1));
    let mut rows = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        assert_eq!(&*entry.collection, "mine");
        rows.push((entry.key.to_vec(), entry.data.to_vec()));
    }
    assert_eq!(rows, [(vec![], vec![0xff, 0x80, 0x01]), (b"ab".to_vec(), b"xyz".to_vec())]);
    assert_eq!(verify(&folder, &parent, &Control::new(0)).unwrap().damages_total, 0);
}

#[test]
fn hostile_and_broken_version_1_backups_are_refused_before_memory_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let huge = [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let key = [&[1u8][..], &huge].concat();
    let value = [&[1u8, 1, b'k'][..], &huge].concat();
    for (meta, manifest, expected) in [
        (&[1u8, 1, 8, 0][..], &key[..], "a key of 9223372036854775807 bytes, where 0 are left"),
        (&[1, 1, 8, 0], &value, "a value of 9223372036854775807 bytes"),
        (&[1, 1, 8, 0], &[2, 1, b'k', 0], "meta.bin says 1"),
        (&[1, 2, 8, 0], &[2, 1, b'k', 0], "cut short"),
        (&[1, 1, 8, 0], &[1, 1, b'k', 0, 9], "1 bytes lie behind the last entry"),
        (&[1, 1, 8, 0], &[1, 254], "no number begins so"),
        (&[1, 1, 8], &[1, 1, b'k', 0], "meta.bin is damaged"),
        (&[7, 1, 8, 0], &[1, 1, b'k', 0], "schema version 7"),
    ] {
        let (folder, parent) = version_1(dir.path(), meta, manifest);
        let read = Reader::open(&folder, &parent, "c")
            .and_then(|mut reader| read_through(&mut reader, &Control::new(0)));
        let text = read.unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
        assert_eq!(verify(&folder, &parent, &Control::new(0)).unwrap().damages_total, 1);
    }
}

#[test]
fn version_1_entries_in_any_order_get_into_shards_and_the_last_of_a_key_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_a_reactor(move || async move {
        let mut manifest = vec![0xfb, 0x88, 0x13];
        let mut expected = BTreeMap::new();
        for number in 0..5000u32 {
            let key = number.wrapping_mul(2_654_435_761) % 3000;
            let data = [number.to_le_bytes(), key.to_le_bytes()].concat().repeat(4);
            manifest.push(4);
            manifest.extend_from_slice(&key.to_be_bytes());
            manifest.push(data.len() as u8);
            manifest.extend_from_slice(&data);
            expected.insert(key.to_be_bytes().to_vec(), data);
        }
        let meta = [1, 0xfb, 0x88, 0x13, 0, 0];
        let (folder, parent) = version_1(&path, &meta, &manifest);
        let to = path.join("to");
        let fresh = Fresh {
            log_dir: to.join("wal"),
            data_dir: to.clone(),
            directory_id: DIRECTORY,
            partition: Partition::new(2, 1),
            blob_bytes_min: 4096,
            table_bytes: 16 * 1024,
            level: 6,
        };
        let mut reader = Reader::open(&folder, &parent, "default").unwrap();
        make_shards(&fresh, &mut reader, &Control::new(0)).unwrap();
        let mut found = BTreeMap::new();
        for number in 0..2 {
            let (shard, running, _) = open_shard(&to, number, None).await;
            for ((collection, key), value) in contents_of(&shard).await {
                assert_eq!(collection, "default");
                assert_eq!(value.meta.checksum, crc32fast::hash(&value.data));
                found.insert(key, value.data.to_vec());
            }
            shard.close().await;
            running.await;
        }
        assert_eq!(found, expected);
    });
}

#[test]
fn a_cancelled_copy_leaves_no_backup_and_a_slow_one_keeps_its_pace() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_a_reactor(move || async move {
        let site = Site::open(&path, None).await;
        let mut now = Contents::new();
        fill(&site, &mut now, 0, 100).await;
        let draft = Draft::begin(&site.roots, "x", (false, None), SOURCE).unwrap();
        let snapshot = site.snapshots.take(Instant::now());
        let control = Control::new(1);
        let (place, own) = ((draft.folder.clone(), draft.id), Arc::clone(&control));
        let cancel = glommio::spawn_local(async move {
            glommio::timer::sleep(std::time::Duration::from_millis(50)).await;
            own.cancel();
        });
        let copied =
            site.shard.copy(snapshot.epoch(), place, None, control, || drop(snapshot)).await;
        assert!(matches!(copied, Err(BackupError::Cancelled)));
        cancel.await;
        assert!(site.roots.existing("x").is_err());
        draft.abandon();
        assert_eq!(fs::read_dir(path.join("snapshots")).unwrap().count(), 0);
        site.close().await;
    });
}
