//! The audit of the real program: what is in it, and what becomes of it when its file cannot be written.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt as _, path::Path};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    guide::http::{eventually, metrics, page, sample, served_by},
    harness::{Folder, refusal},
};

const FILE: &str = "[authz]\naudit_log_path = \"audit.log\"\n";

/// The lines of a file, each of which must be one object.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "a line is cut: {text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn audit(folder: &Folder) -> Vec<Value> {
    lines(&folder.path().join("audit.log"))
}

fn actions(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["action"].as_str().unwrap()).collect()
}

/// Reloads, and says what came of it.
fn reload(folder: &Folder) -> String {
    let output = folder.run("reload --config a.toml");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn a_life_of_the_server_is_in_its_audit() {
    let folder = Folder::new();
    folder.config("", FILE);
    let mut server = folder.serve();
    eventually("the start is recorded", || !audit(&folder).is_empty());
    let mode = fs::metadata(folder.path().join("audit.log")).unwrap().mode();
    assert_eq!(mode & 0o777 & !0o640, 0, "{mode:o}");

    folder.config("max_connections = 7", FILE);
    reload(&folder);
    reload(&folder);
    folder.config("max_connections = 0", &format!("{FILE}[auth.jwt]\nsecret = [\"hunter2\"]\n"));
    reload(&folder);
    folder.config("max_connections = 7", &format!("{FILE}[auth.jwt]\nsecret = \"hunter2\"\n"));
    reload(&folder);
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0));

    let lines = audit(&folder);
    let reload = "config.reload";
    assert_eq!(actions(&lines), ["server.start", reload, reload, reload, "server.stop"]);
    let results: Vec<_> = lines.iter().map(|line| line["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["success", "success", "failure", "success", "success"]);
    assert!(lines.iter().all(|line| line["event_type"] == "config_change"), "{lines:#?}");
    let changes = lines[1]["metadata"]["changes"].as_str().unwrap();
    assert!(changes.contains("server.max_connections: 1000 -> 7: applied"), "{changes}");
    assert!(lines[2]["error"].as_str().unwrap().contains("max_connections"), "{lines:#?}");
    let ids: BTreeSet<_> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert!(ids.iter().copied().eq(lines.iter().map(|line| line["id"].as_str().unwrap())));
    let text = fs::read_to_string(folder.path().join("audit.log")).unwrap();
    assert!(!text.contains("hunter"), "{text}");
}

#[test]
fn without_a_path_and_without_authentication_nothing_is_recorded() {
    let folder = Folder::new();
    folder.config("", "");
    let mut server = folder.serve();
    server.signal(Signal::TERM);
    server.end();
    let told: Vec<_> =
        server.first_lines().to_vec().into_iter().chain(server.lines_so_far()).collect();
    assert!(told.iter().all(|line| !line.contains("amaters_net::audit")), "{told:#?}");
}

#[test]
fn a_file_that_was_moved_away_is_begun_anew_and_a_large_one_is_rotated() {
    let folder = Folder::new();
    folder.config("", FILE);
    let mut server = folder.serve();
    eventually("the start is recorded", || !audit(&folder).is_empty());
    fs::rename(folder.path().join("audit.log"), folder.path().join("moved")).unwrap();
    folder.config("max_connections = 8", FILE);
    server.signal(Signal::HUP);
    server.wait_for("Config reload successful");
    eventually("there is a new file", || actions(&audit(&folder)) == ["config.reload"]);
    assert_eq!(actions(&lines(&folder.path().join("moved"))), ["server.start"]);

    let rotation = "[authz.audit_rotation]\nmax_size_mb = 1\nmax_backups = 1\n";
    let config = format!("{FILE}{rotation}");
    folder.config("max_connections = 8", &config);
    reload(&folder);
    let filler = "x".repeat(1_048_400) + "\n";
    let path = folder.path().join("audit.log");
    // As another process would: what is in the file counts once it is opened again.
    fs::write(&path, filler).unwrap();
    reload(&folder);
    folder.config("max_connections = 9", &config);
    reload(&folder);
    folder.config("max_connections = 8", &config);
    reload(&folder);
    eventually("a second file is begun", || folder.path().join("audit.log.1").exists());
    eventually("it has the last line", || {
        audit(&folder)
            .last()
            .is_some_and(|line| line["metadata"]["changes"].as_str().unwrap().contains("9 -> 8"))
    });
}

/// The disk is full: the server goes on, says so, and what has waited is written when there is room.
#[test]
fn a_full_disk_is_told_and_what_waited_is_written_later() {
    let folder = Folder::new();
    let full = FILE.replace("audit.log", "/dev/full");
    folder.config("", &full);
    let mut server = folder.serve();
    let address = served_by(&server);
    let is_failing = || sample(&metrics(address), "amaters_audit_failing") == 1.0;
    eventually("it is told", is_failing);
    let told = metrics(address);
    assert!(sample(&told, "amaters_audit_write_errors_total") >= 1.0);
    assert_eq!(page(address, "/readyz", "").status, 200, "it serves all the same");

    folder.config("", &format!("{full}audit_fail_closed = true\n"));
    assert!(reload(&folder).contains("Config reload successful"));
    let ready = page(address, "/readyz", "");
    assert_eq!(ready.status, 503);
    assert!(ready.body.starts_with("unaudited: "), "{}", ready.body);
    assert_eq!(page(address, "/livez", "").status, 200);

    folder.config("", &format!("{FILE}audit_fail_closed = true\n"));
    assert!(reload(&folder).contains("Config reload successful"));
    server.wait_for("the audit is written again");
    eventually("it is ready", || page(address, "/readyz", "").status == 200);
    let expected = ["server.start", "config.reload", "config.reload"];
    eventually("nothing is missing", || actions(&audit(&folder)) == expected);
    let told = metrics(address);
    assert_eq!(sample(&told, "amaters_audit_failing"), 0.0);
    assert_eq!(sample(&told, "amaters_audit_events_lost_total"), 0.0);
    assert_eq!(sample(&told, "amaters_audit_events_total{event_type=\"config_change\"}"), 3.0);
}

#[test]
fn a_file_that_cannot_be_opened_ends_the_start_at_once() {
    let folder = Folder::new();
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    for path in ["pipe", "missing/audit.log", "."] {
        folder.config("", &FILE.replace("audit.log", path));
        let text = refusal(folder.command("start --config a.toml --bind 127.0.0.1:0"));
        let last = text.lines().last().unwrap();
        assert!(
            last.contains("authz.audit_log_path: cannot write ") && last.contains(path),
            "{text}"
        );
    }
}
