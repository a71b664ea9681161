//! "Log rotation" and "Recent-log ring buffer", and what they promise beyond the guide's words.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    process::Stdio,
};

use amaters_load::{script::KeySet, target::Target};
use rustix::process::Signal;
use serde_json::Value;

use super::http::{eventually, metrics, sample, served_by};
use crate::{
    harness::{Folder, Server},
    wire::{
        client::{Client, ONE, Site, TWO, bounded},
        queries::get,
    },
};

const LOG: &str = "[logging]\nfile_enabled = true\nfile_path = \"a.log\"\n";
const METRICS: &str = "[metrics]\nbind_address = \"127.0.0.1:0\"\n";

fn log(folder: &Folder) -> String {
    fs::read_to_string(folder.path().join("a.log")).unwrap_or_default()
}

/// The names of the log file and its backups.
fn logs(folder: &Folder) -> BTreeSet<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("a.log")).collect()
}

/// Makes the server log lines: each signal is a handful.
fn chatter(server: &mut Server, signals: usize) {
    for _ in 0..signals {
        server.signal(Signal::USR1);
        server.wait_for("reactor 0: turns ");
    }
}

#[test]
fn lines_go_to_the_file_too_and_whoever_moves_it_away_gets_a_new_one() {
    let folder = Folder::new();
    folder.config("", LOG);
    let mut server = folder.serve();
    eventually("the file has the lines", || log(&folder).contains("Listening on "));
    let mode = fs::metadata(folder.path().join("a.log")).unwrap().mode();
    assert_eq!(mode & 0o777 & !0o640, 0, "{mode:o}");
    // As logrotate does it.
    fs::rename(folder.path().join("a.log"), folder.path().join("moved")).unwrap();
    server.signal(Signal::HUP);
    server.wait_for("no changes detected");
    eventually("there is a new file", || log(&folder).contains("no changes detected"));
    assert!(!log(&folder).contains("Listening on "));
}

#[test]
fn a_server_without_a_configuration_file_is_not_harmed_by_the_signal() {
    let folder = Folder::new();
    let mut server = Server::spawn(&mut folder.command("start --bind 127.0.0.1:0"));
    server.signal(Signal::HUP);
    server.wait_for("there is nothing to reload");
    chatter(&mut server, 1);
}

/// The smallest size that can be configured is a mebibyte: lines at debug level fill it.
#[test]
fn files_are_rotated_by_size_and_the_oldest_go() {
    let folder = Folder::new();
    let rotation = "[logging.rotation]\nenabled = true\nmax_size_mb = 1\nmax_backups = 2\n";
    folder.config("", &format!("{LOG}level = \"debug\"\n{rotation}"));
    let server = folder.serve();
    let keys = KeySet { keys_count: 2000, value_bytes: 10 };
    eventually("there are two backups", || {
        Target::Amaters.fill(server.address, keys).unwrap();
        logs(&folder).contains("a.log.2")
    });
    eventually("more was written", || {
        Target::Amaters.fill(server.address, keys).unwrap();
        fs::metadata(folder.path().join("a.log.2")).unwrap().len() > 1_000_000
    });
    let expected = ["a.log", "a.log.1", "a.log.2"].map(str::to_owned);
    assert_eq!(logs(&folder), BTreeSet::from(expected));
    for name in logs(&folder) {
        let bytes = fs::metadata(folder.path().join(&name)).unwrap().len();
        assert!(bytes <= 1 << 20, "{name} has {bytes} bytes");
    }
}

#[test]
fn format_file_and_level_change_while_it_runs() {
    let folder = Folder::new();
    folder.config("", "");
    let mut server = folder.serve();
    folder.config("", &format!("{LOG}format = \"json\""));
    server.signal(Signal::HUP);
    server.wait_for("logging.format: \"pretty\" -> \"json\": applied");
    server.wait_for("logging.file_enabled: false -> true: applied");
    chatter(&mut server, 2);
    eventually("the file has lines", || log(&folder).lines().count() > 1);
    for line in log(&folder).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["message"].is_string() && line["level"].is_string(), "{line}");
    }
    folder.config("", "[logging]\nformat = \"compact\"");
    server.signal(Signal::HUP);
    server.wait_for("logging.format: \\\"json\\\" -> \\\"compact\\\": applied");
    chatter(&mut server, 1);
    let lines = log(&folder).lines().count();
    chatter(&mut server, 1);
    assert_eq!(log(&folder).lines().count(), lines, "the file is not written any more");
}

#[test]
fn a_log_file_that_cannot_be_written_is_refused_by_start_and_reload() {
    let folder = Folder::new();
    folder.config("", "[logging]\nfile_enabled = true\nfile_path = \"nowhere/a.log\"");
    let output = folder.run("start --config a.toml --bind 127.0.0.1:0");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("logging.file_path: cannot write "), "{text}");

    folder.config("", "");
    let mut server = folder.serve();
    folder
        .config("max_connections = 7", "[logging]\nfile_enabled = true\nfile_path = \"no/a.log\"");
    server.signal(Signal::HUP);
    let line = server.wait_for("Config reload failed — keeping old config");
    assert!(line.contains("logging.file_path: cannot write "), "{line}");
}

/// The disk under the log is full: `/dev/full` says so to every write.
#[test]
fn a_log_file_on_a_full_disk_is_told_of_and_slows_no_request() {
    let folder = Folder::new();
    let full = "[logging]\nfile_enabled = true\nfile_path = \"/dev/full\"\nlevel = \"debug\"\n";
    folder.config("", &format!("{full}{METRICS}"));
    let mut server = folder.serve();
    let address = served_by(&server);
    let keys = KeySet { keys_count: 5000, value_bytes: 100 };
    Target::Amaters.fill(server.address, keys).unwrap();
    let text = metrics(address);
    assert!(sample(&text, "amaters_log_file_lines_lost_total") > 0.0);
    chatter(&mut server, 1);
}

#[test]
fn lines_for_the_journal_have_their_priority() {
    let folder = Folder::new();
    folder.config("", "");
    let path = folder.path().join("stderr");
    let file = File::create(&path).unwrap();
    let metadata = file.metadata().unwrap();
    let mut command = folder.command("start --config a.toml --bind 127.0.0.1:0");
    command.env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino()));
    let mut child = command.stderr(file).stdout(Stdio::null()).spawn().unwrap();
    eventually("it listens", || fs::read_to_string(&path).unwrap().contains("Listening on "));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().all(|line| line.starts_with("<6>") || line.starts_with("<4>")), "{text}");
    assert!(text.contains("\n<6>"), "{text}");
}

async fn asked(client: &Client, words: &str) -> Value {
    let data = client.data("any", format!("__admin__:{words}")).await;
    serde_json::from_slice(&data).unwrap()
}

fn messages(answer: &Value) -> Vec<String> {
    let lines = answer["lines"].as_array().unwrap();
    lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_ring_shows_requests_as_the_guide_does() {
    for kind in [ONE, TWO].into_iter().filter(|kind| kind.is_possible()) {
        let site = Site::new(kind, "");
        bounded(async {
            let client = site.client().await;
            client.set("users", "users:42", "value").await;
            client.get("users", "users:42").await;
            let answer = asked(&client, "LOGS 100 false").await;
            let messages = messages(&answer);
            for begin in ["SET users:42 (", "GET users:42 ("] {
                let found = messages.iter().find(|message| message.starts_with(begin));
                assert!(found.is_some_and(|message| message.ends_with(" ms)")), "{messages:?}");
            }
            let last = answer["lines"].as_array().unwrap().last().unwrap();
            let millis = last["timestamp_ms"].as_u64().unwrap();
            assert_eq!(last["timestamp"].as_u64().unwrap(), millis / 1000);
            assert_eq!(answer["logs"].as_array().unwrap().len(), messages.len());
            let newest = asked(&client, "logs 1").await;
            assert_eq!(newest["lines"].as_array().unwrap().len(), 1);
            let error = client.ask(get("any", "__admin__:LOGS many")).await.unwrap_err();
            assert!(error.message.starts_with("LOGS takes a count"), "{error:?}");
        })
        .await;
    }
}

/// Many clients at once, fewer requests than the ring has places: each of them is there, once.
#[tokio::test]
async fn the_ring_is_complete_under_contention_and_can_be_followed() {
    const CLIENTS: usize = 8;
    const REQUESTS: usize = 25;

    let kind = if TWO.is_possible() { TWO } else { ONE };
    let site = Site::new(kind, "");
    bounded(async {
        let reader = site.client().await;
        let mut next = asked(&reader, "LOGS 256 true").await["next_seq"].as_u64().unwrap();
        let writers: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let address = site.server.address;
                tokio::spawn(async move {
                    let client = Client::connect(address).await;
                    for request in 0..REQUESTS {
                        client.get("c", format!("key-{number}-{request}")).await;
                    }
                })
            })
            .collect();
        // Followed while they are written: by their numbers, nothing is missed and nothing comes twice.
        let mut followed = Vec::new();
        for writer in writers {
            writer.await.unwrap();
            let answer = asked(&reader, &format!("LOGS 256 true {next}")).await;
            next = answer["next_seq"].as_u64().unwrap();
            followed.extend(messages(&answer));
        }
        let answer = asked(&reader, &format!("LOGS 256 true {next}")).await;
        followed.extend(messages(&answer));
        let keys = |messages: &[String]| -> Vec<String> {
            let keys = messages.iter().filter_map(|message| message.strip_prefix("GET key-"));
            let mut keys: Vec<_> = keys.map(|key| key.split(' ').next().unwrap().into()).collect();
            keys.sort();
            keys
        };
        let mut expected: Vec<_> = (0..CLIENTS)
            .flat_map(|number| (0..REQUESTS).map(move |request| format!("{number}-{request}")))
            .collect();
        expected.sort();
        assert_eq!(keys(&followed), expected);

        let all = asked(&reader, "LOGS 256 false").await;
        assert_eq!(keys(&messages(&all)), expected);
        let lines = all["lines"].as_array().unwrap();
        let numbers: Vec<_> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    })
    .await;
}

#[tokio::test]
async fn slow_requests_are_named_in_the_log_and_warnings_are_in_the_ring() {
    let mut site = Site::new(ONE, "[logging]\nslow_request_ms = 1");
    let client = site.client().await;
    bounded(async {
        // Some megabytes take a millisecond on any machine.
        client.set("c", "large", vec![7; 8 << 20]).await;
    })
    .await;
    let line = site.server.wait_for("slow requests on reactor 0: ");
    assert!(line.contains(" took 1 ms or more, the slowest, ") && line.contains(" ms"), "{line}");
    assert!(!line.contains("large"), "keys are for debug only: {line}");
    bounded(async {
        let lines = messages(&asked(&client, "LOGS 256 false").await);
        let warning = lines.iter().find(|line| line.starts_with("WARN slow requests"));
        assert!(warning.is_some(), "{lines:?}");
    })
    .await;
}
