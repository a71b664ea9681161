//! Start, second start, stop, start again.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    process::{Command, Stdio},
};

use amaters_load::{script::KeySet, target::Target};
use rustix::process::Signal;

use crate::harness::{Folder, Server, refusal};

#[test]
fn a_second_server_is_refused_with_process_and_directory_of_the_first() {
    let folder = Folder::new();
    folder.config("", "");
    let server = folder.serve();
    let text = refusal(folder.command("start --config a.toml --bind 127.0.0.1:0"));
    assert!(text.contains("Server is already running"), "{text}");
    assert!(text.contains(&server.pid().to_string()), "{text}");
    assert!(text.contains(&folder.path().join("data").display().to_string()), "{text}");
    TcpStream::connect(server.address).unwrap();
}

#[test]
fn another_directory_does_not_share_the_port_of_a_server_that_runs() {
    let (first, second) = (Folder::new(), Folder::new());
    first.config("", "");
    second.config("", "");
    let server = first.serve();
    let words = format!("start --config a.toml --bind {}", server.address);
    let text = refusal(second.command(&words));
    assert!(text.contains(&server.address.to_string()), "{text}");
    assert!(!second.path().join("pid").exists());
}

#[test]
fn a_pid_file_of_a_server_that_runs_is_not_taken_from_it() {
    let (first, second) = (Folder::new(), Folder::new());
    first.config("", "");
    let pid_file = first.path().join("pid");
    second.write("a.toml", &format!("[server]\npid_file = \"{}\"\n", pid_file.display()));
    let server = first.serve();
    let text = refusal(second.command("start --config a.toml --bind 127.0.0.1:0"));
    assert!(text.contains("server.pid_file"), "{text}");
    assert!(text.contains(&server.pid().to_string()), "{text}");
    assert_eq!(fs::read_to_string(&pid_file).unwrap().trim(), server.pid().to_string());
}

#[test]
fn a_stale_pid_file_does_not_lead_to_a_stranger() {
    let folder = Folder::new();
    folder.config("", "");
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    folder.write("pid", &stranger.id().to_string());
    let output = folder.run("stop --config a.toml");
    let alive = stranger.try_wait().unwrap().is_none();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(alive);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Server is not running\n");
}

#[test]
fn a_killed_server_leaves_nothing_that_hinders_the_next() {
    let folder = Folder::new();
    folder.config("", "");
    let mut server = folder.serve();
    server.signal(Signal::KILL);
    server.end();
    assert!(folder.path().join("pid").exists());
    assert_eq!(folder.run("status --config a.toml").status.code(), Some(1));
    let mut next = folder.serve();
    next.signal(Signal::TERM);
    assert_eq!(next.end().code(), Some(0));
}

#[test]
fn an_ordinary_user_starts_it_in_an_empty_folder_without_any_file() {
    let folder = Folder::of_ordinary_user();
    let mut server = Server::spawn(&mut folder.command("start --bind 127.0.0.1:0"));
    assert!(folder.run("status").stdout.starts_with(b"Running\n"));
    let data = fs::metadata(folder.path().join("data")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&data.permissions()) & 0o777, 0o700);
    assert_eq!(folder.run("stop").status.code(), Some(0));
    assert_eq!(server.end().code(), Some(0));
    assert!(!folder.path().join("data/amaters-server.pid").exists());
}

#[test]
fn the_memory_engine_keeps_no_files() {
    let folder = Folder::new();
    folder.config("", "[storage]\nengine = \"memory\"");
    let mut server = folder.serve();
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0));
    let left: Vec<_> =
        fs::read_dir(folder.path().join("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["LOCK"]);
}

#[test]
fn later_starts_keep_the_shard_count_of_the_first() {
    let folder = Folder::new();
    folder.config("cores = 1", "");
    let mut server = folder.serve();
    server.signal(Signal::TERM);
    server.end();
    let before = fs::read(folder.path().join("data/SUPERBLOCK")).unwrap();
    folder.config("", "");
    let mut server = folder.serve();
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0));
    assert_eq!(fs::read(folder.path().join("data/SUPERBLOCK")).unwrap(), before);
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up() {
    let folder = Folder::new();
    folder.config("", "");
    // At this level each frame is a line: far more than a pipe and the queue hold.
    let words = "start --config a.toml --bind 127.0.0.1:0 --log-level debug";
    let mut child = folder.command(words).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let listening = lines.find_map(|line| {
        line.unwrap().split_once("Listening on ").map(|(_, address)| address.to_owned())
    });
    let address = listening.unwrap().parse().unwrap();
    let keys = KeySet { keys_count: 3000, value_bytes: 100 };
    let filled = Target::Amaters.fill(address, keys);
    let ended =
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM);
    // The rest of the log, up to the end of the process.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let status = child.wait().unwrap();
    assert_eq!(filled.unwrap().answered, 3000);
    ended.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(rest.iter().any(|line| line.contains("log lines were dropped")));
}
