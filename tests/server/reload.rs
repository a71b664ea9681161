//! SIGHUP: what changes while it runs, and what does not.

use rustix::process::Signal;

use crate::harness::{Folder, Server};

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

#[test]
fn without_a_file_there_is_nothing_to_reload_and_the_server_stays() {
    let folder = Folder::of_ordinary_user();
    let mut server = Server::spawn(&mut folder.command("start --bind 127.0.0.1:0"));
    server.signal(Signal::HUP);
    server.wait_for("there is nothing to reload");
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0));
}
