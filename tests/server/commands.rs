//! The commands that start nothing, and the generated file.

use std::{fs, path::PathBuf};

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
    assert!(shown.contains("max_connections = 3 # a.toml line 2"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    folder.write("a.toml", "[storage]\nengine = \"btree\"\n");
    let text = refusal(folder.command("validate-config --config a.toml"));
    assert!(text.starts_with("Configuration validation failed: storage.engine = \"btree\""));
}

#[test]
fn the_environment_lies_over_the_file() {
    let folder = Folder::new();
    folder.write("a.toml", "[logging]\nlevel = \"warn\"\n");
    let mut command = folder.command("validate-config --show --config a.toml");
    let shown = command.env("AMATERS_LOG_LEVEL", "debug").output().unwrap().stdout;
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("level = \"debug\" # environment AMATERS_LOG_LEVEL"), "{shown}");
}

#[test]
fn version_names_the_components() {
    let folder = Folder::new();
    assert!(stdout(&folder, "version").starts_with("amaters-server "));
    let verbose = stdout(&folder, "version --verbose");
    assert!(verbose.contains("build profile: ") && verbose.contains("glommio-ng: "), "{verbose}");
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
