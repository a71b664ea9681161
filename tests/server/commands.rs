//! The commands that start nothing, and the generated file.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::PathBuf};

use amaters_load::{script::KeySet, target::Target};
use rustix::process::Signal;

use crate::harness::{Folder, Server, refusal};

fn stdout(folder: &Folder, words: &str) -> String {
    let output = folder.run(words);
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn validate_config_checks_and_shows_without_making_anything() {
    let folder = Folder::new();
    folder.write("a.toml", "[server]\nmax_connections = 3\n[auth.jwt]\nsecret = \"hunter2\"\n");
    assert_eq!(stdout(&folder, "validate-config --config a.toml"), "Configuration is valid\n");
    let shown = stdout(&folder, "validate-config --show --config a.toml");
    assert!(shown.contains("\nmax_connections = 3\n"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let shown = stdout(&folder, "validate-config --show --origins --config a.toml --cores 1");
    assert!(shown.contains("max_connections = 3 # a.toml line 2"), "{shown}");
    assert!(shown.contains("cores = \"1\" # flag --cores"), "{shown}");
    assert!(shown.contains("max_backups = 10 # default"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    folder.write("a.toml", "[storage]\nengine = \"btree\"\n");
    let text = refusal(folder.command("validate-config --config a.toml"));
    assert!(text.starts_with("Configuration validation failed: storage.engine = \"btree\""));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let folder = Folder::new();
    let text = "[server]\nmax_connections = 0\ndata_dir = \"file/data\"\nnope = 1\n\
                [limits]\nmessage_bytes_max = 1073741824\n[cluster]\nenabled = true\n";
    folder.write("a.toml", text);
    folder.write("file", "");
    let told = refusal(folder.command("validate-config --config a.toml --log-level loud"));
    let expected = [
        "server.max_connections = 0 (a.toml line 2): must be",
        "logging.level = \"loud\" (flag --log-level): must be one of",
        "server.nope (a.toml line 4): unknown key",
        "cluster.enabled = true (a.toml line 8): a cluster needs",
        "limits.message_bytes_max = 1073741824 (a.toml line 6): must not exceed",
        "cluster.enabled = true (a.toml line 8): this version runs as a single node",
        "server.data_dir = \"file/data\" (a.toml line 3): cannot be made",
        "storage.wal.dir = \"wal\" (default): cannot be made",
    ];
    assert_eq!(told.lines().count(), expected.len(), "{told}");
    for (line, expected) in told.lines().zip(expected) {
        assert!(
            line.starts_with(&format!("Configuration validation failed: {expected}")),
            "{line}"
        );
    }
}

#[test]
fn unknown_keys_may_be_allowed() {
    let folder = Folder::new();
    folder.config("max_conections = 3", "[sever]\nx = 1");
    let output = folder.run("validate-config --config a.toml --allow-unknown");
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stderr).unwrap();
    let meant = "did you mean server.max_connections?; left alone";
    assert!(told.contains("server.max_conections (a.toml line 3): unknown key"), "{told}");
    assert!(told.contains(meant) && told.contains("sever (a.toml line 4)"), "{told}");

    let words = "start --config a.toml --allow-unknown --bind 127.0.0.1:0";
    let mut server = Server::spawn(&mut folder.command(words));
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn files_and_addresses_are_checked_without_a_start() {
    let folder = Folder::of_ordinary_user();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = stdout(&folder, &format!("validate-config --bind {address}"));
    assert_eq!(text, "Configuration is valid\n");
    let words = format!("validate-config --bind-check --bind {address}");
    let told = refusal(folder.command(&words));
    assert!(told.contains(&format!("cannot listen on {address}: Address already")), "{told}");
    let words = words.replace(&address.to_string(), "127.0.0.1:0");
    assert_eq!(stdout(&folder, &words), "Configuration is valid\n");

    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let told = refusal(folder.command("validate-config"));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(told.contains("server.data_dir = \"./data\" (default): cannot be made"), "{told}");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn the_environment_lies_over_the_file() {
    let folder = Folder::new();
    folder.write("a.toml", "[logging]\nlevel = \"warn\"\n");
    let mut command = folder.command("validate-config --show --origins --config a.toml");
    let shown = command.env("AMATERS_LOG_LEVEL", "debug").output().unwrap().stdout;
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("level = \"debug\" # environment AMATERS_LOG_LEVEL"), "{shown}");
}

#[test]
fn a_generated_file_is_written_once_and_changes_nothing() {
    let folder = Folder::of_ordinary_user();
    let words = "start --generate-config --config b.toml --bind 127.0.0.1:0";
    drop(Server::spawn(&mut folder.command(words)));
    let text = fs::read_to_string(folder.path().join("b.toml")).unwrap();
    assert_eq!(text, include_str!("../../deploy/amaters-server.toml"));
    folder.write("b.toml", "[logging]\nformat = \"compact\"\n");
    drop(Server::spawn(&mut folder.command(&words.replace("127.0.0.1:0", "127.0.0.2:0"))));
    let kept = fs::read_to_string(folder.path().join("b.toml")).unwrap();
    assert_eq!(kept, "[logging]\nformat = \"compact\"\n");
}

#[test]
fn check_tells_a_sound_directory_from_a_damaged_one() {
    let folder = Folder::new();
    let none = refusal(folder.command("check --data-dir none"));
    assert!(none.contains("no server has ever served from it"), "{none}");
    assert!(!folder.path().join("none").exists());

    folder.config("", "");
    let server = folder.serve();
    let keys = KeySet { keys_count: 64, value_bytes: 8192 };
    Target::Amaters.fill(server.address, keys).unwrap();
    let text = refusal(folder.command("check --config a.toml"));
    assert!(text.contains("Server is already running"), "{text}");
    drop(server);
    // What was left to the kernel is there; a start in good order vouches for it.
    let mut server = folder.serve();
    server.signal(Signal::TERM);
    server.end();

    let text = stdout(&folder, "check --config a.toml");
    assert!(text.ends_with("\n0 damaged, 0 left over\n"), "{text}");
    let values: u64 = text.lines().filter_map(|line| number_before(line, " values of")).sum();
    assert_eq!(values, 64, "{text}");

    let blob = blobs(&folder).pop().unwrap();
    let mut bytes = fs::read(&blob).unwrap();
    bytes[4096 + 5000] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let output = folder.run("check --config a.toml");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains(&format!("  damaged: {} is damaged at byte", blob.display())), "{text}");
    assert!(text.ends_with("\n1 damaged, 0 left over\n"), "{text}");
}

fn number_before(line: &str, words: &str) -> Option<u64> {
    line.split_once(words)?.0.rsplit(' ').next()?.parse().ok()
}

fn blobs(folder: &Folder) -> Vec<PathBuf> {
    let shards = fs::read_dir(folder.path().join("data")).unwrap();
    let shards = shards.map(|shard| shard.unwrap().path()).filter(|path| path.is_dir());
    let files = shards.flat_map(|shard| fs::read_dir(shard).unwrap());
    let files = files.map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|ending| ending == "blob")).collect()
}
