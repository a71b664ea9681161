//! The commands that start nothing, and the generated file.

use std::fs;

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
