//! The engine beside fjall and RocksDB, in one process, one thread that asks, same durability: an answered write is with the kernel.
//! docs/explanation/benchmarks.md tells how to run it and what came out.

mod amaters;
mod data;
mod peer_fjall;
mod peer_rocksdb;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Parser;
use glommio::{LocalExecutorBuilder, Placement};

use data::{Data, Dice};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Memory for entries that are not in tables, and for what was read.
const MEMTABLE_BYTES: u64 = 64 << 20;
const CACHE_BYTES: u64 = 256 << 20;
/// Writes that are under way at once where an engine can have several.
const WINDOW: usize = 64;

/// Compares the engine with fjall and RocksDB.
#[derive(Parser)]
struct Options {
    /// Folder for the files, on the disk that is to be measured.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Keys with values of 100 bytes.
    #[arg(long, default_value_t = 1_000_000)]
    small: u64,
    /// Keys with values of 64 KiB.
    #[arg(long, default_value_t = 8_000)]
    large: u64,
}

/// What is compared. The keys of a set of data are `key(0)` to `key(count - 1)`.
trait Engine: Sized {
    const NAME: &'static str;

    /// An engine in a folder that is new or that it has left.
    async fn open(dir: &Path, large: bool) -> Self;
    /// Writes; may return before it is answered.
    async fn set(&mut self, key: &[u8], value: &[u8]);
    /// All writes are answered.
    async fn answered(&mut self);
    /// Length of the value.
    async fn get(&mut self, key: &[u8]) -> Option<usize>;
    /// Reads rows from a key on, and tells how many bytes their values have.
    async fn scan(&mut self, from: &[u8], rows: usize) -> usize;
    /// Everything that was written is durable; nobody uses the files any more.
    async fn close(self);
}

/// One row of the table.
struct Row {
    name: &'static str,
    per_second: f64,
    /// Bytes that went to the disk for each byte of key and value.
    written: Option<f64>,
}

fn main() {
    let options = Options::parse();
    for (large, count, bytes) in [(false, options.small, 100), (true, options.large, 64 * 1024)] {
        let data = Data::new(count, bytes);
        println!("\n{count} keys, values of {bytes} bytes");
        println!(
            "| | ours/s | written | fjall/s | written | ratio | rocksdb/s | written | ratio |"
        );
        println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        let dir = || options.dir.clone();
        let ours = on_a_core(dir(), data.clone(), large, all::<amaters::Amaters>);
        let fjall = on_a_core(dir(), data.clone(), large, all::<peer_fjall::Fjall>);
        let rocksdb = on_a_core(dir(), data, large, all::<peer_rocksdb::RocksDb>);
        for ((ours, fjall), rocksdb) in ours.iter().zip(&fjall).zip(&rocksdb) {
            let beside = |peer: &Row| {
                let ratio = ours.per_second / peer.per_second;
                format!("{:.0} | {} | {ratio:.2}", peer.per_second, peer.written())
            };
            println!(
                "| {} | {:.0} | {} | {} | {} |",
                ours.name,
                ours.per_second,
                ours.written(),
                beside(fjall),
                beside(rocksdb),
            );
        }
    }
}

impl Row {
    fn written(&self) -> String {
        self.written.map_or(String::new(), |times| format!("{times:.2}"))
    }
}

fn on_a_core<F: Future<Output = Vec<Row>> + 'static>(
    dir: PathBuf,
    data: Data,
    large: bool,
    work: impl FnOnce(PathBuf, Data, bool) -> F + Send + 'static,
) -> Vec<Row> {
    let executor = LocalExecutorBuilder::new(Placement::Unbound);
    let thread = executor.spawn(move || work(dir, data, large)).expect("an executor");
    thread.join().expect("the work ends")
}

/// All rows of one engine.
async fn all<E: Engine>(dir: PathBuf, data: Data, large: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let folder = || tempfile::tempdir_in(&dir).expect("a folder");
    let sequential = folder();
    let mut engine = E::open(sequential.path(), large).await;
    let order = 0..data.count;
    rows.push(fill("fill, in order", &mut engine, &data, order, 0).await);
    engine.close().await;
    drop(sequential);

    let random = folder();
    let mut engine = E::open(random.path(), large).await;
    let order = data.shuffled();
    rows.push(fill("fill, at random", &mut engine, &data, order.iter().copied(), 0).await);
    let mut dice = Dice::new(2);
    let again = (0..data.count).map(|_| dice.below(data.count));
    rows.push(fill("overwrite, at random", &mut engine, &data, again, 1).await);
    engine.close().await;

    // What is read again is read from the memory of each: the cache of ours, and whatever the others keep
    // beside theirs, files that the kernel holds included.
    let (few, many) = if large { (200, 4_000) } else { (1_000, 100_000) };
    let (short, long) = if large { (10, 500) } else { (10, 10_000) };
    let mut engine = E::open(random.path(), large).await;
    scan(&mut engine, &data, 0, data.count as usize).await;
    for number in 0..few {
        engine.get(&data.key(number)).await;
    }
    let mut dice = Dice::new(3);
    rows.push(
        gets("get, 200 or 1000 hot keys", &mut engine, &data, many, || Some(dice.below(few))).await,
    );
    rows.push(gets("get, absent", &mut engine, &data, many, || None).await);
    rows.push(scans("scan, 10 rows", &mut engine, &data, many / 25, short).await);
    rows.push(scans("scan, long", &mut engine, &data, 20, long).await);
    engine.close().await;

    let cold = many / 5;
    forget_files();
    let mut engine = E::open(random.path(), large).await;
    let mut dice = Dice::new(4);
    rows.push(gets("get, cold", &mut engine, &data, cold, || Some(dice.below(data.count))).await);
    engine.close().await;
    forget_files();
    let mut engine = E::open(random.path(), large).await;
    rows.push(scans("scan, 10 rows, cold", &mut engine, &data, cold / 5, short).await);
    engine.close().await;
    rows
}

async fn fill<E: Engine>(
    name: &'static str,
    engine: &mut E,
    data: &Data,
    order: impl Iterator<Item = u64>,
    generation: u64,
) -> Row {
    let (before, began, mut bytes) = (written_bytes(), Instant::now(), 0);
    for number in order {
        let key = data.key(number);
        let value = data.value(number + generation);
        bytes += key.len() + value.len();
        engine.set(&key, value).await;
    }
    engine.answered().await;
    let took = began.elapsed();
    let written = (written_bytes() - before) as f64 / bytes as f64;
    Row { name, per_second: rate(data.count, took), written: Some(written) }
}

async fn gets<E: Engine>(
    name: &'static str,
    engine: &mut E,
    data: &Data,
    count: u64,
    mut next: impl FnMut() -> Option<u64>,
) -> Row {
    let began = Instant::now();
    for number in 0..count {
        let found = match next() {
            Some(number) => engine.get(&data.key(number)).await == Some(data.bytes),
            None => engine.get(&data.absent(number)).await.is_none(),
        };
        assert!(found, "{name}: a wrong answer from {}", E::NAME);
    }
    Row { name, per_second: rate(count, began.elapsed()), written: None }
}

async fn scans<E: Engine>(
    name: &'static str,
    engine: &mut E,
    data: &Data,
    count: u64,
    rows: usize,
) -> Row {
    let mut dice = Dice::new(5);
    let began = Instant::now();
    for _ in 0..count {
        scan(engine, data, dice.below(data.count - rows as u64), rows).await;
    }
    Row { name, per_second: rate(count * rows as u64, began.elapsed()), written: None }
}

/// Reads so many rows from a key on.
async fn scan<E: Engine>(engine: &mut E, data: &Data, from: u64, rows: usize) {
    let bytes = engine.scan(&data.key(from), rows).await;
    assert_eq!(bytes, rows * data.bytes, "a wrong answer from {}", E::NAME);
}

fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Bytes that this process has caused to be written (proc_pid_io(5)).
fn written_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/io").expect("proc");
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.parse().ok()).expect("a number")
}

/// The kernel forgets what it holds of files, once it is on the disk; only root can ask for that.
fn forget_files() {
    rustix::fs::sync();
    if let Err(error) = fs::write("/proc/sys/vm/drop_caches", "1") {
        eprintln!("cold gets are not cold, the kernel keeps the files in memory: {error}");
    }
}
