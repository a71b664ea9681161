//! Section "CLI commands".

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
};

use rustix::process::Signal;

use crate::harness::{Folder, Server, eventually, refusal};

fn answer(folder: &Folder, words: &str, code: i32) -> String {
    let output = folder.run(words);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn start_serves_in_the_foreground() {
    let folder = Folder::of_ordinary_user();
    // In an empty folder, with nothing but the words of the guide.
    let words = "start --bind 127.0.0.1:0 --data-dir here --log-level warn";
    let mut server = Server::begun(&mut folder.command(words));
    let status = || folder.run("status --data-dir here").stdout;
    eventually("it runs", || status().starts_with(b"Running\n"));
    assert!(folder.path().join("here/LOCK").exists());
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0));
    assert_eq!(server.lines_so_far().filter(|line| line.contains("INFO")).count(), 0);
}

#[test]
fn start_generates_a_config_file_where_it_is_missing() {
    let folder = Folder::new();
    let words = "start --generate-config --bind 127.0.0.1:0 --config new.toml";
    drop(Server::spawn(&mut folder.command(words)));
    let text = fs::read_to_string(folder.path().join("new.toml")).unwrap();
    assert!(text.contains("#max_connections = 1000\n"), "{text}");
    assert_eq!(answer(&folder, "validate-config --config new.toml", 0), "Configuration is valid\n");
}

#[test]
fn a_daemon_returns_when_it_serves_and_is_stopped_by_stop() {
    let folder = Folder::new();
    folder.config("", "");
    let started = answer(&folder, "start --daemon --config a.toml --bind 127.0.0.1:0", 0);
    let _guard = StopAtTheEnd(&folder);
    let (pid, address) = started
        .trim_end()
        .strip_prefix("Running as process ")
        .and_then(|rest| rest.split_once(", listening on "))
        .unwrap_or_else(|| panic!("{started}"));
    TcpStream::connect(address.parse::<SocketAddr>().unwrap()).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("pid")).unwrap().trim(), pid);
    // In a session of its own, with streams that lead nowhere.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (name, after_name) = stat.rsplit_once(')').unwrap();
    assert!(name.ends_with("(amaters-server"), "{name}");
    let session = after_name.split_ascii_whitespace().nth(3).unwrap();
    assert_eq!(session, pid);
    for stream in 0..3 {
        let target = fs::read_link(format!("/proc/{pid}/fd/{stream}")).unwrap();
        assert_eq!(target.to_str(), Some("/dev/null"), "stream {stream}");
    }

    let second = refusal(folder.command("start --daemon --config a.toml --bind 127.0.0.1:0"));
    assert!(second.contains("Server is already running"), "{second}");
    assert_eq!(answer(&folder, "stop --config a.toml", 0), "Stopped\n");
    // Gone, or waiting for a reaper that the tests do not control.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or(") Z".into());
    assert!(stat.contains(") Z"), "{stat}");
    assert!(!folder.path().join("pid").exists());
}

/// So that a daemon does not outlive a test that fails.
struct StopAtTheEnd<'a>(&'a Folder);

impl Drop for StopAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.run("stop --config a.toml --timeout 0 --force");
    }
}

#[test]
fn a_daemon_that_fails_says_why() {
    let folder = Folder::new();
    folder.write("a.toml", "[server]\nmax_connections = 0\n");
    let told = refusal(folder.command("start --daemon --config a.toml"));
    assert!(told.contains("server.max_connections = 0 (a.toml line 2)"), "{told}");
    let told = refusal(folder.command("start --daemon --bind 192.0.2.1:7878"));
    assert!(told.contains("cannot listen on 192.0.2.1:7878"), "{told}");
    let told = refusal(folder.command("start --detached --bind 127.0.0.1:0"));
    assert!(told.contains("use `start --daemon`"), "{told}");
}

#[test]
fn stop_waits_until_it_is_gone_and_forces_on_request() {
    let folder = Folder::new();
    folder.config("", "");
    assert_eq!(answer(&folder, "stop --config a.toml", 0), "Server is not running\n");
    let mut server = folder.serve();
    assert_eq!(answer(&folder, "stop --config a.toml", 0), "Stopped\n");
    assert_eq!(server.end().code(), Some(0));

    let mut server = folder.serve();
    server.signal(Signal::STOP);
    let told = refusal(folder.command("stop --config a.toml --timeout 1"));
    assert!(told.contains("still runs after 1 s"), "{told}");
    let told = answer(&folder, "stop --config a.toml --timeout 1 --force", 0);
    assert_eq!(told, "Killed, as it did not stop within 1 s\n");
    assert_eq!(server.end().code(), None);
    let status = answer(&folder, "status --config a.toml", 1);
    assert!(status.starts_with("Stopped\n") && status.contains("did not end well"), "{status}");
}

#[test]
fn status_is_running_or_stopped_and_truthful_when_the_server_hangs() {
    let folder = Folder::new();
    folder.config("max_connections = 50", "");
    assert_eq!(answer(&folder, "status --config a.toml", 3), "Stopped\n");
    let json = answer(&folder, "status --config a.toml -f json", 3);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["status"], &json["running"]), (&"Stopped".into(), &false.into()));

    let mut server = folder.serve();
    let text = answer(&folder, "status --config a.toml", 0);
    assert!(text.starts_with("Running\n"), "{text}");
    assert!(text.contains(&server.address.to_string()), "{text}");
    let json = answer(&folder, "status --config a.toml -f json", 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["status"], "Running");
    assert_eq!(json["pid"], server.pid());
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["addresses"]["grpc"], server.address.to_string());
    assert_eq!(json["connections_max"], 50);
    assert_eq!(json["last_reload"], serde_json::Value::Null);
    for number in ["uptime_seconds", "shards", "connections", "poisoned_shards"] {
        assert!(json[number].is_u64(), "{number}: {json}");
    }

    // A mistake in the file hides the server only where it may be about the place.
    folder.config("max_connections = 0", "[sever]");
    assert!(answer(&folder, "status --config a.toml", 0).starts_with("Running\n"));
    folder.config("max_connections =", "");
    assert_eq!(answer(&folder, "status --config a.toml", 4), "");
    let text = answer(&folder, "status --config a.toml --data-dir data", 0);
    assert!(text.starts_with("Running\n"), "{text}");
    folder.config("max_connections = 50", "");

    server.signal(Signal::STOP);
    let text = answer(&folder, "status --config a.toml", 150);
    assert!(text.starts_with("Not answering\n"), "{text}");
    let json = answer(&folder, "status --config a.toml -f json", 150);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["status"], &json["running"]), (&"Not answering".into(), &true.into()));
    assert_eq!(folder.run("reload --data-dir none --config a.toml").status.code(), Some(3));
    server.signal(Signal::CONT);
    // It stood still, and says so until it has turned again.
    eventually("it runs", || folder.run("status --config a.toml").status.success());
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn a_stranger_is_not_told_that_a_server_is_stopped() {
    let folder = Folder::new();
    if !rustix::process::geteuid().is_root() {
        println!("left out: only root can turn into a stranger");
        return;
    }
    folder.config("", "");
    let _server = folder.serve();
    let stranger = Folder::of_ordinary_user();
    let words = format!("status --data-dir {}", folder.path().join("data").display());
    let text = answer(&stranger, &words, 4);
    assert!(text.starts_with("Unknown\n") && text.contains("Permission denied"), "{text}");
}

#[test]
fn validate_config_exits_non_zero_on_error_and_shows() {
    let folder = Folder::new();
    folder.write("a.toml", "[auth.jwt]\nsecret = \"hunter2\"\n");
    let text = answer(&folder, "validate-config --config a.toml", 0);
    assert_eq!(text, "Configuration is valid\n");
    let text = answer(&folder, "validate-config --config a.toml --show", 0);
    assert!(text.contains("bind_address = \"0.0.0.0:7878\"\n"), "{text}");
    assert!(text.contains("secret = \"(secret)\"\n"), "{text}");
    folder.write("a.toml", "[server]\nbind_address = \"x\"\n[storage]\nengine = \"y\"\n");
    let told = refusal(folder.command("validate-config --config a.toml --show"));
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn version_tells_components_and_build_profile() {
    let folder = Folder::new();
    let text = answer(&folder, "version --verbose", 0);
    let parts =
        ["amaters-server ", "commit: ", "rustc: ", "build profile: ", "features: ", "glommio-ng: "];
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn doctor_looks_at_everything_and_fails_with_a_remedy() {
    let folder = Folder::new();
    folder.config("cores = 1", "");
    let text = answer(&folder, "doctor --config a.toml --bind 127.0.0.1:0", 0);
    let subjects = [
        "kernel",
        "io_uring",
        "clock",
        "configuration",
        "cpus",
        "memlock",
        "nofile",
        "filesystem",
        "direct I/O",
        "room",
        "server",
        "files",
        "ports",
    ];
    for subject in subjects {
        let is_line = |line: &str| {
            let verdict = ["OK  ", "WARN"].iter().any(|verdict| line.starts_with(verdict));
            verdict && line[6..].starts_with(subject)
        };
        assert!(text.lines().any(is_line), "{subject}: {text}");
    }
    assert!(!folder.path().join("data").exists());

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let words = format!("doctor --bind {}", taken.local_addr().unwrap());
    let command = folder.command_after("ulimit -n 256", &words);
    let text = failed(command);
    for part in [
        "FAIL  nofile         server.max_connections = 1000 needs",
        "LimitNOFILE= of the systemd unit",
        "FAIL  ports          server.bind_address = ",
        "Address already in use",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    folder.config("max_connections = 0", "");
    let text = failed(folder.command("doctor --config a.toml"));
    assert!(text.contains("FAIL  configuration  Configuration validation failed: server.max_"));
}

fn failed(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stdout).unwrap()
}
