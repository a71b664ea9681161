//! `storage.wal.enabled = false`: the warning, what a stop keeps and a crash takes, and a log that comes back.

use amaters_load::{script::KeySet, target::Target};
use rustix::process::Signal;

use crate::harness::{Folder, Server, refusal};

const UNLOGGED: &str = "[storage.wal]\nenabled = false\nsync_mode = \"always\"";
const KEYS: KeySet = KeySet { keys_count: 300, value_bytes: 6000 };

fn stop(mut server: Server) {
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0));
}

fn kill(mut server: Server) {
    server.signal(Signal::KILL);
    server.end();
}

fn fill(server: &Server) {
    Target::Amaters.fill(server.address, KEYS).unwrap();
}

/// Large values that a check finds, in a directory that is sound. Only a crash leaves files that nobody names.
fn values(folder: &Folder, is_crashed: bool) -> u64 {
    let output = folder.run("check --config a.toml");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\n0 damaged, "), "{text}");
    assert!(is_crashed || text.ends_with(" 0 left over\n"), "{text}");
    let counts =
        text.lines().filter_map(|line| line.split_once(" values of")?.0.rsplit(' ').next());
    counts.map(|count| count.parse::<u64>().unwrap()).sum()
}

#[test]
fn a_server_without_a_log_warns_keeps_all_at_a_stop_and_loses_what_is_new_in_a_crash() {
    let folder = Folder::new();
    folder.config("", UNLOGGED);
    let told = refusal(folder.command("start --config a.toml --bind 192.0.2.1:7878"));
    assert!(
        told.contains("a crash or a power cut loses every write since the last flush"),
        "{told}"
    );
    assert!(told.contains("because storage.wal.enabled is false: storage.wal.sync_mode"), "{told}");

    let server = folder.serve();
    fill(&server);
    kill(server);
    assert_eq!(values(&folder, true), 0, "so little is not flushed by itself");

    let server = folder.serve();
    fill(&server);
    stop(server);
    assert_eq!(values(&folder, false), 300);

    // With a log again: nothing is missing, and what is new lasts.
    folder.config("", "");
    let server = folder.serve();
    kill(server);
    let server = folder.serve();
    fill(&server);
    kill(server);
    assert_eq!(values(&folder, true), 300);

    // And without: what was logged is there before it is flushed, and after.
    folder.config("", UNLOGGED);
    kill(folder.serve());
    assert_eq!(values(&folder, true), 300);
    stop(folder.serve());
    assert_eq!(values(&folder, false), 300);
}
