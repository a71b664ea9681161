//! SIGHUP, in the log: what changes while it runs, and what does not. (Effects: `guide/reload.rs`.)

use rustix::process::Signal;

use crate::harness::Folder;

#[test]
fn live_keys_are_applied_and_the_others_are_named() {
    let folder = Folder::new();
    folder.config("max_connections = 10", "");
    let mut server = folder.serve();
    folder
        .config("max_connections = 20\nshutdown_timeout_secs = 1", "[logging]\nlevel = \"debug\"");
    server.signal(Signal::HUP);
    server.wait_for("server.max_connections: 10 -> 20: applied");
    server.wait_for("server.shutdown_timeout_secs: 30 -> 1: requires restart - skipping");
    server.wait_for("logging.level: \"info\" -> \"debug\": applied");
    server.wait_for("Config reload successful");
}

#[test]
fn a_wrong_file_changes_nothing() {
    let folder = Folder::new();
    folder.config("", "");
    let mut server = folder.serve();
    folder.config("max_connections = 0", "[logging]\nlevel = \"error\"");
    server.signal(Signal::HUP);
    let line = server.wait_for("Config reload failed — keeping old config");
    assert!(line.contains("server.max_connections = 0 (a.toml line 3)"), "{line}");
    folder.config("", "");
    server.signal(Signal::HUP);
    server.wait_for("Config reload: no changes detected");
}
