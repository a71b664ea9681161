//! "Which config sections are reloadable": each live key changes what the server does, while clients load it, and no
//! request fails of that. `--nocapture` shows how long after the reload's end the effect was there.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use amaters_load::{
    drive::Load,
    report::Report,
    script::{KeySet, Mix},
    target::{Target, Work},
};
use rustix::process::Signal;

use super::{
    http::{is_closed, metrics, metrics_address, page, sample},
    reload::{is_let_in, reload},
};
use crate::harness::{Folder, Server, eventually};

/// Small enough that tables are made and merged all the time.
const KEYS: KeySet = KeySet { keys_count: 20_000, value_bytes: 1000 };

/// Longest time of the whole.
const LONGEST: Duration = Duration::from_secs(300);

/// More than can be configured.
const LEVELS_MAX: usize = 17;

/// A server under load whose configuration changes key by key.
struct Changing {
    folder: Folder,
    server: RefCell<Server>,
    values: RefCell<BTreeMap<&'static str, String>>,
}

impl Changing {
    fn begin() -> Self {
        let folder = Folder::new();
        let values = [
            ("server.cores", "2".to_owned()),
            ("storage.memtable_size_mb", "1".into()),
            ("storage.compaction.num_levels", "3".into()),
            ("metrics.bind_address", "\"127.0.0.1:0\"".into()),
            ("logging.file_path", "\"a.log\"".into()),
        ];
        let values = RefCell::new(BTreeMap::from(values));
        write(&folder, &values.borrow());
        let server = RefCell::new(folder.serve());
        Self { folder, server, values }
    }

    /// Changes keys, reloads, and waits until it shows.
    fn change(&self, changes: &[(&'static str, &str)], what: &str, shows: impl FnMut() -> bool) {
        let mut values = self.values.borrow_mut();
        values.extend(changes.iter().map(|(key, value)| (*key, (*value).to_owned())));
        write(&self.folder, &values);
        let begun = Instant::now();
        let told = reload(&self.folder);
        let reloaded = begun.elapsed();
        for (key, _) in changes {
            assert!(told.contains(&format!("{key}: ")) && told.contains(": applied"), "{told}");
        }
        assert!(told.ends_with(&format!("{} applied, 0 skipped\n", changes.len())), "{told}");
        let begun = Instant::now();
        eventually(what, shows);
        let keys: Vec<_> = changes.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let (reloaded, shown) = (reloaded.as_millis(), begun.elapsed().as_millis());
        println!("{}: reloaded in {reloaded} ms, {what} after {shown} ms more", keys.join(", "));
    }

    fn address(&self) -> SocketAddr {
        self.server.borrow().address
    }

    /// New lines on standard error.
    fn lines(&self) -> Vec<String> {
        self.server.borrow().lines_so_far().collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("a.log")).unwrap_or_default()
    }

    fn has(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }
}

/// The configuration file with these keys.
fn write(folder: &Folder, values: &BTreeMap<&'static str, String>) {
    let lines = values.iter().map(|(key, value)| format!("{key} = {value}\n"));
    folder.write("a.toml", &format!("server.pid_file = \"pid\"\n{}", lines.collect::<String>()));
}

/// The most merges that are seen to run at once in a while.
fn most_merges(address: SocketAddr, time: Duration) -> usize {
    let end = Instant::now() + time;
    let looks = std::iter::from_fn(|| {
        thread::sleep(Duration::from_millis(2));
        (Instant::now() < end).then(|| sample(&metrics(address), "amaters_storage_merges_running"))
    });
    looks.fold(0.0, f64::max) as usize
}

/// The deepest level that has tables.
fn deepest(address: SocketAddr) -> Option<usize> {
    let text = metrics(address);
    let tables = |level: usize| {
        let shards = ["0", "1"].map(|shard| format!("{{shard=\"{shard}\",level=\"{level}\"}} "));
        let lines = text.lines().filter_map(|line| line.strip_prefix("amaters_shard_tables"));
        lines
            .filter_map(|line| shards.iter().find_map(|shard| line.strip_prefix(shard)))
            .any(|count| count != "0")
    };
    (0..LEVELS_MAX).rfind(|level| tables(*level))
}

#[test]
fn each_live_key_shows_its_effect_under_load_and_no_request_fails() {
    let it = Changing::begin();
    let address = it.address();
    Target::Amaters.fill(address, KEYS).unwrap();
    let goes_on = AtomicBool::new(true);
    let report = thread::scope(|scope| {
        let load = scope.spawn(|| load_while(address, &goes_on));
        let changed = catch_unwind(AssertUnwindSafe(|| {
            let answered = || sample(&metrics(metrics_of(&it)), "amaters_net_requests_total");
            let filled = answered();
            eventually("the load has begun", || answered() > filled + 1000.0);
            connections(&it);
            merging(&it);
            logging(&it);
            switch_of_metrics(&it);
        }));
        goes_on.store(false, Relaxed);
        let report = load.join().unwrap();
        changed.unwrap_or_else(|panic| resume_unwind(panic));
        report
    });
    println!("{report}");
    assert_eq!(report.failed(), 0, "{report}");
    assert!(report.answered > 0);
}

/// 8 connections × 32 requests, half of them sets.
fn load_while(address: SocketAddr, goes_on: &AtomicBool) -> Report {
    let load = Load::closed(8, 32, LONGEST);
    let work = Work { keys: KEYS, mix: Mix::Mixed(0.5), load };
    Target::Amaters.measure_while(address, &work, || goes_on.load(Relaxed)).unwrap()
}

fn connections(it: &Changing) {
    let address = it.address();
    it.change(&[("server.max_connections", "1")], "a connection is refused", || {
        is_let_in(address).is_none()
    });
    it.change(&[("server.max_connections", "900")], "a connection is let in", || {
        is_let_in(address).is_some()
    });
}

fn metrics_of(it: &Changing) -> SocketAddr {
    let server = it.server.borrow();
    let line = server.first_lines().iter().find(|line| line.contains("Metrics on http://"));
    metrics_address(line.expect("metrics are served"))
}

fn merging(it: &Changing) {
    let address = metrics_of(it);
    eventually("tables come to the last level", || deepest(address) == Some(2));
    let time = Duration::from_millis(500);
    eventually("two merges run at once", || most_merges(address, time) == 2);
    it.change(&[("storage.compaction.max_concurrent", "1")], "one merge runs at a time", || {
        most_merges(address, time) == 1
    });
    it.change(&[("storage.compaction.max_concurrent", "3")], "two merges run at once", || {
        most_merges(address, time) == 2
    });
    let merged = || sample(&metrics(address), "amaters_storage_merge_written_bytes_total");
    // Tables move down only, so that fewer levels show nothing at once.
    it.change(&[("storage.compaction.num_levels", "7")], "the last level is the seventh", || {
        deepest(address) == Some(6)
    });
    let tables = || sample(&metrics(address), "amaters_storage_tables");
    let wide = [
        ("storage.compaction.strategy", "\"tiered\""),
        ("storage.compaction.level_multiplier", "50"),
    ];
    let before = tables();
    it.change(&wide, "tables pile up", || tables() > before + 3.0);
    let before = merged();
    let narrow = [("storage.compaction.level_multiplier", "2")];
    it.change(&narrow, "tables are merged again", || merged() > before);
}

/// A signal makes the server log a handful of lines.
fn chatter(it: &Changing) {
    it.server.borrow().signal(Signal::USR1);
}

fn logging(it: &Changing) {
    let any = |text: &str| it.lines().iter().any(|line| line.contains(text));
    it.change(&[("logging.level", "\"debug\"")], "lines of debugging", || any("DEBUG"));
    it.change(&[("logging.level", "\"info\"")], "no lines of debugging", || {
        let _ = it.lines();
        thread::sleep(Duration::from_millis(100));
        chatter(it);
        !any("DEBUG")
    });
    it.change(&[("logging.format", "\"json\"")], "lines of JSON", || {
        chatter(it);
        it.lines().last().is_some_and(|line| line.starts_with('{'))
    });
    it.change(&[("logging.slow_request_ms", "1")], "slow requests are named", || {
        any("slow requests")
    });
    it.change(&[("logging.slow_request_ms", "0")], "none is named", || {
        let _ = it.lines();
        thread::sleep(Duration::from_millis(100));
        !any("slow requests")
    });
    it.change(&[("logging.file_enabled", "true")], "the file has lines", || {
        chatter(it);
        !it.log().is_empty()
    });
    it.change(&[("logging.file_path", "\"b.log\"")], "another file has lines", || {
        chatter(it);
        it.has("b.log")
    });
    let debug = [("logging.level", "\"debug\""), ("logging.rotation.max_size_mb", "1")];
    it.change(&debug, "the file is rotated", || it.has("b.log.1"));
    let two = [("logging.rotation.max_backups", "1")];
    let has_two = || it.has("b.log.2");
    eventually("there are two old files", has_two);
    it.change(&two, "there is one old file", || !it.has("b.log.2"));
    let size = || fs::metadata(it.folder.path().join("b.log")).map_or(0, |file| file.len());
    it.change(&[("logging.rotation.enabled", "false")], "the file grows", || size() > 1 << 20);
    it.change(&[("logging.rotation.enabled", "true")], "it is rotated", || size() <= 1 << 20);
    it.change(&[("logging.rotation.strategy", "\"daily\"")], "the file grows", || size() > 1 << 20);
    it.change(
        &[("logging.level", "\"info\""), ("logging.format", "\"pretty\"")],
        "it stays",
        || {
            let before = size();
            thread::sleep(Duration::from_millis(100));
            size() == before
        },
    );
}

fn switch_of_metrics(it: &Changing) {
    let any = |text: &str| it.lines().iter().any(|line| line.contains(text));
    it.change(&[("metrics.export_interval_secs", "1")], "the log sums up", || any("last 1 s: "));
    let address = metrics_of(it);
    it.change(&[("metrics.enabled", "false")], "nobody listens", || is_closed(address));
    let _ = it.lines();
    let served = RefCell::new(None);
    it.change(&[("metrics.enabled", "true")], "metrics are served", || {
        let lines = it.lines();
        let line = lines.iter().find(|line| line.contains("Metrics on http://"));
        *served.borrow_mut() = line.map(|line| metrics_address(line));
        served.borrow().is_some()
    });
    assert_eq!(page(served.into_inner().unwrap(), "/livez", "").status, 200);
}
