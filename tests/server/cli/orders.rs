//! `connections`, `reload` and `drain`: what an operator changes of a server that runs.

use std::{
    fs,
    io::Write as _,
    process::{ChildStdin, Stdio},
};

use serde_json::Value;

use super::Site;
use crate::harness::eventually;

/// A shell that stays connected as long as its input is open.
fn shell(site: &Site) -> (std::process::Child, ChildStdin) {
    let mut command = site.command(&["shell", "--no-history"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"health\n").unwrap();
    (child, input)
}

/// The connections but that of the command that asks.
fn others(site: &Site) -> Vec<Value> {
    let Value::Array(all) = site.json(&["connections"]) else { panic!("no list") };
    let own = |each: &&Value| each["requests_under_way"] == 1;
    assert_eq!(all.iter().filter(own).count(), 1, "{all:?}");
    all.into_iter().filter(|each| each["requests_under_way"] == 0).collect()
}

#[test]
fn connections_are_listed_and_closed_by_number_and_by_address() {
    let site = Site::new();
    assert_eq!(others(&site), [] as [Value; 0]);
    let (mut first, input) = shell(&site);
    eventually("the shell is connected", || others(&site).len() == 1);
    let id = others(&site)[0]["id"].to_string();
    let text = site.said(&["connections", "list"]);
    let head: Vec<_> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["ID", "ADDRESS", "REACTOR", "AGE_SECONDS", "REQUESTS_UNDER_WAY"]);
    assert!(
        text.lines().any(|line| line.starts_with(&id) && line.contains("127.0.0.1:")),
        "{text}"
    );

    assert_eq!(site.said(&["connections", "close", "4711"]), "0 closed\n");
    assert_eq!(site.said(&["connections", "close", "--from", "127.0.0.2"]), "0 closed\n");
    assert_eq!(site.json(&["connections", "close", &id])["closed"], 1);
    eventually("it is gone", || others(&site).is_empty());
    // Whoever was told goodbye comes back with the next command.
    let mut input = input;
    input.write_all(b"set a 1\n").unwrap();
    eventually("the shell went on", || site.run(&["get", "a"]).status == Some(0));
    // That of the command itself is among them.
    assert_eq!(site.said(&["connections", "close", "--from", "127.0.0.1"]), "2 closed\n");
    drop(input);
    assert!(first.wait().unwrap().success());

    site.run(&["connections", "close"]).failed(2, "--from <ADDRESS>");
    site.run(&["connections", "close", "x"]).failed(2, "invalid value 'x'");
    site.run(&["connections", "close", "--from", "nowhere"])
        .failed(1, "\"nowhere\" is no IP address");
}

#[test]
fn a_reload_is_told_key_by_key_and_fails_where_it_is_refused() {
    let site = Site::new();
    assert_eq!(site.json(&["reload"])["taken"], true);
    let path = site.folder.path().join("a.toml");
    let before = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{before}\n[logging]\nlevel = \"debug\"\n")).unwrap();
    let text = site.said(&["reload"]);
    assert!(text.contains("logging.level") && text.contains("debug"), "{text}");

    fs::write(&path, format!("{before}\n[logging]\nlevel = \"loud\"\n")).unwrap();
    let told = site.run(&["reload"]);
    told.failed(1, "the server keeps the configuration that it had");
    assert!(told.stdout.contains("loud"), "{told:?}");
    let told = site.run(&["-o", "json", "reload"]);
    let said: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((said["taken"].as_bool(), told.status), (Some(false), Some(1)), "{told:?}");
}

#[test]
fn a_drained_server_finishes_and_ends() {
    let mut site = Site::new();
    let (mut child, input) = shell(&site);
    eventually("the shell is connected", || others(&site).len() == 1);
    let text = site.said(&["drain"]);
    assert_eq!(text, "the server finishes its requests and ends; 2 connections are open\n");
    assert!(site.server.end().success());
    drop(input);
    assert!(child.wait().unwrap().success());
    site.run(&["drain"]).failed(4, "does a server run there?");
}
