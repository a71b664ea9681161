//! Section "Signals".

use std::{fs, net::TcpStream, process::Command};

use rustix::process::Signal;

use crate::harness::Folder;

#[test]
fn sigterm_and_sigint_shut_down_in_good_order_and_remove_the_pid_file() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = Folder::new();
        folder.config("shutdown_timeout_secs = 5", "");
        let mut server = folder.serve();
        let idle = TcpStream::connect(server.address).unwrap();
        let pid_file = fs::read_to_string(folder.path().join("pid")).unwrap();
        assert_eq!(pid_file.trim(), server.pid().to_string());
        server.signal(signal);
        server.wait_for("stopping: up to 5 s for requests in flight");
        drop(idle);
        assert_eq!(server.end().code(), Some(0));
        assert!(TcpStream::connect(server.address).is_err());
        let left = ["pid", "data/control.sock"].map(|name| folder.path().join(name).exists());
        assert_eq!(left, [false, false]);
    }
}

#[test]
fn kill_hup_of_the_pid_file_reloads() {
    let folder = Folder::new();
    folder.config("max_connections = 10", "");
    let mut server = folder.serve();
    folder.config("max_connections = 20", "");
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path()).args(["-c", "kill -HUP $(cat pid)"]);
    assert!(shell.status().unwrap().success());
    server.wait_for("server.max_connections: 10 -> 20: applied");
    server.wait_for("Config reload successful: 1 applied, 0 skipped");
}
