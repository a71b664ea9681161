//! Section "SIGHUP config reload": the pipeline, what is reloadable and takes effect, and what is
//! kept. The keys of logging and metrics have their effects shown beside those features.

use std::{
    fs,
    io::Read as _,
    net::{SocketAddr, TcpStream},
    path::Path,
    thread,
    time::Duration,
};

use amaters_load::{
    drive::Load,
    script::{KeySet, Mix},
    target::{Target, Work},
};
use amaters_server::{Outcome, ReloadableConfig};
use rustix::process::Signal;

use crate::harness::{Folder, Server, eventually};

/// Longest wait for the first word of a server.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn reload(folder: &Folder) -> String {
    let output = folder.run("reload --config a.toml");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_validation_failure_preserves_the_old_config() {
    let folder = Folder::new();
    folder.config("max_connections = 10", "");
    let _server = folder.serve();
    folder.config("max_connections = 20\nnope = 1", "[logging]\nlevel = \"loud\"");
    let output = folder.run("reload --config a.toml");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.starts_with("Config reload failed — keeping old config: "), "{told}");
    assert!(told.contains("server.nope (a.toml line 4): unknown key"), "{told}");
    assert!(told.contains("logging.level = \"loud\" (a.toml line 6)"), "{told}");

    folder.config("max_connections = 10", "");
    assert_eq!(reload(&folder), "Config reload: no changes detected in a.toml\n");
}

#[test]
fn sections_that_require_a_restart_are_reported_and_stay_pending() {
    let folder = Folder::new();
    folder.config("", "");
    let _server = folder.serve();
    folder.config("max_connections = 7", "[storage]\nmemtable_size_mb = 8");
    let told = reload(&folder);
    let expected = "server.max_connections: 1000 -> 7: applied\n\
                    storage.memtable_size_mb: 64 -> 8: requires restart - skipping\n\
                    Config reload successful: 1 applied, 1 skipped\n";
    assert_eq!(told, expected);
    let status = folder.run("status --config a.toml -f json").stdout;
    let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
    assert_eq!(status["connections_max"], 7);
    assert_eq!(status["pending_restart"][0]["key"], "storage.memtable_size_mb");
    assert_eq!(status["last_reload"]["outcome"], "reloaded");
    let text = String::from_utf8(folder.run("status --config a.toml").stdout).unwrap();
    assert!(text.contains("restart      storage.memtable_size_mb: 64 -> 8"), "{text}");

    folder.config("max_connections = 7", "");
    reload(&folder);
    let status = folder.run("status --config a.toml -f json").stdout;
    let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
    assert_eq!(status["pending_restart"], serde_json::json!([]));
}

/// A new connection, unless the server's first word is that there are too many.
pub(super) fn is_let_in(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut word = [0; 512];
    // SETTINGS come without being asked for; those of a refusal in one write with its reason.
    let count = stream.read(&mut word).unwrap();
    let text = String::from_utf8_lossy(&word[..count]);
    (count > 0 && !text.contains("server.max_connections reached")).then_some(stream)
}

#[test]
fn max_connections_is_live() {
    let folder = Folder::new();
    folder.config("max_connections = 1", "");
    let server = folder.serve();
    let first = is_let_in(server.address);
    assert!(first.is_some());
    assert!(is_let_in(server.address).is_none());
    folder.config("max_connections = 2", "");
    reload(&folder);
    let second = is_let_in(server.address);
    assert!(second.is_some());
    folder.config("max_connections = 1", "");
    reload(&folder);
    assert!(is_let_in(server.address).is_none());
    drop((first, second));
    eventually("a place is free again", || is_let_in(server.address).is_some());
}

#[test]
fn logging_level_is_live() {
    let folder = Folder::new();
    folder.config("", "");
    let mut server = folder.serve();
    let level = |level: &str| {
        folder.config("", &format!("[logging]\nlevel = \"{level}\""));
        reload(&folder);
    };
    let report = "reactor 0: turns";
    level("error");
    server.signal(Signal::USR1);
    // Handled after the signal, by the same thread.
    level("warn");
    level("info");
    server.signal(Signal::USR1);
    let seen = server.wait_for_all(report);
    assert_eq!(seen.iter().filter(|line| line.contains(report)).count(), 1, "{seen:#?}");
}

/// Tables of all shards.
fn tables(data: &Path) -> usize {
    let shards = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let shards = shards.filter(|path| path.is_dir());
    let files = shards.flat_map(|shard| fs::read_dir(shard).unwrap());
    files.filter(|file| file.as_ref().unwrap().path().extension() == Some("sst".as_ref())).count()
}

#[test]
fn compaction_is_live() {
    let storage = |compaction: &str| {
        format!("[storage]\nmemtable_size_mb = 1\n[storage.compaction]\n{compaction}")
    };
    let folder = Folder::new();
    folder.config("cores = 1", &storage("strategy = \"tiered\"\nlevel_multiplier = 100"));
    let server = folder.serve();
    let keys = KeySet { keys_count: 12_000, value_bytes: 1000 };
    Target::Amaters.fill(server.address, keys).unwrap();
    let data = folder.path().join("data");
    eventually("there are tables", || tables(&data) > 6);
    // With the same strategy, four are merged where it took a hundred: never were there fewer.
    let mut most = tables(&data);
    folder.config("cores = 1", &storage("strategy = \"tiered\"\nlevel_multiplier = 4"));
    let told = reload(&folder);
    assert!(told.contains("storage.compaction.level_multiplier: 100 -> 4: applied"), "{told}");
    let address = server.address;
    let filled = thread::spawn(move || Target::Amaters.fill(address, keys).unwrap());
    eventually("tables are merged", || {
        let (before, now) = (most, tables(&data));
        most = most.max(now);
        now < before
    });
    filled.join().unwrap();

    let more = "strategy = \"leveled\"\nlevel_multiplier = 4\nnum_levels = 3\nmax_concurrent = 1";
    folder.config("cores = 1", &storage(more));
    let told = reload(&folder);
    for key in ["strategy", "num_levels", "max_concurrent"] {
        assert!(told.contains(&format!("storage.compaction.{key}: ")), "{told}");
    }
    assert!(told.ends_with("Config reload successful: 3 applied, 0 skipped\n"), "{told}");
    Target::Amaters.fill(server.address, keys).unwrap();
    Target::Amaters
        .measure(server.address, &work(keys, 1.0, Duration::from_secs(1)), |_| {})
        .unwrap();
}

fn work(keys: KeySet, reads: f64, time: Duration) -> Work {
    let mix = if reads < 1.0 { Mix::Mixed(reads) } else { Mix::Get };
    Work { keys, mix, load: Load::closed(8, 32, time) }
}

#[test]
fn a_storm_of_signals_under_load_becomes_a_few_reloads_and_fails_no_request() {
    let folder = Folder::new();
    folder.config("max_connections = 100", "");
    let mut server = folder.serve();
    let keys = KeySet { keys_count: 2000, value_bytes: 100 };
    Target::Amaters.fill(server.address, keys).unwrap();
    let address = server.address;
    let loaded = thread::spawn(move || {
        let work = work(keys, 0.5, Duration::from_secs(2));
        Target::Amaters.measure(address, &work, |_| {}).unwrap()
    });
    for round in 0..500 {
        if round % 100 == 0 {
            folder.config(&format!("max_connections = {}", 101 + round), "");
        }
        server.signal(Signal::HUP);
        thread::sleep(Duration::from_millis(2));
    }
    server.wait_for("-> 501: applied");
    let report = loaded.join().unwrap();
    assert_eq!(report.failed(), 0, "{report}");
    assert!(report.answered > 0);
    let reloads = server.lines_so_far().filter(|line| line.contains("Config reload")).count();
    assert!(reloads <= 100, "{reloads} reloads of 500 signals");
}

#[test]
fn without_a_config_file_a_signal_is_harmless() {
    let folder = Folder::of_ordinary_user();
    let mut server = Server::spawn(&mut folder.command("start --bind 127.0.0.1:0"));
    server.signal(Signal::HUP);
    server.wait_for("there is nothing to reload");
    let output = folder.run("reload");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, "started without --config, so there is nothing to reload\n");
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn manual_reload_does_the_same_without_a_signal() {
    let folder = Folder::new();
    let file = folder.config("max_connections = 10", "");
    let mut config = ReloadableConfig::open(&file).unwrap();
    folder.config("max_connections = 20\nbind_address = \"127.0.0.1:1\"", "");
    let report = config.manual_reload();
    assert_eq!(report.outcome, Outcome::Reloaded);
    assert_eq!(config.value("server.max_connections").as_deref(), Some("20"));
    assert_eq!(config.value("server.bind_address").as_deref(), Some("\"0.0.0.0:7878\""));
    let skipped: Vec<_> = report.pending().map(|change| change.key.as_str()).collect();
    assert_eq!(skipped, ["server.bind_address"]);
    folder.config("max_connections = 0", "");
    assert_eq!(config.manual_reload().outcome, Outcome::Failed);
    assert_eq!(config.value("server.max_connections").as_deref(), Some("20"));
}
