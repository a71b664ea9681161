//! What an operator asks: the guide's commands, in both spellings.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use serde_json::Value;

use super::{Site, Told};

#[test]
fn logs_are_those_of_the_guide() {
    let site = Site::new();
    site.said(&["set", "users:42", "x"]);
    for words in [&["admin", "LOGS", "100", "false"][..], &["admin", "logs"], &["logs"]] {
        let text = site.said(words);
        assert!(text.contains("Z SET users:42 ("), "{text}");
        let json = site.json(words);
        assert_eq!(json["follow_supported"], true);
        let is_there =
            |line: &Value| line["message"].as_str().unwrap().starts_with("SET users:42 (");
        assert!(json["lines"].as_array().unwrap().iter().any(is_there), "{json}");
    }
    assert_eq!(site.said(&["logs", "-n", "1"]).lines().count(), 1);
}

#[test]
fn logs_can_be_followed() {
    let site = Site::new();
    for words in [&["logs", "-f", "-n", "1"][..], &["admin", "LOGS", "1", "true"]] {
        let mut child = site.command(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        site.said(&["set", "followed", "x"]);
        let found = lines.find(|line| line.as_ref().unwrap().contains("SET followed"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.is_some());
    }
}

/// Who looks on is not to be seen; the lines are those that a question is answered with.
#[test]
fn following_adds_nothing_to_what_is_followed() {
    let mut site = Site::new();
    let mut child = site
        .command(&["-o", "json", "logs", "-f"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let keys = ["one", "two", "three"];
    let mut seen: Vec<String> = Vec::new();
    keys.iter().for_each(|key| drop(site.said(&["set", key, "x"])));
    while !seen.last().is_some_and(|line| line.contains("SET three")) {
        seen.push(lines.next().unwrap().unwrap());
    }
    assert!(seen.iter().all(|line| line.contains("SET ")), "{seen:?}");
    let asked = site.json(&["logs", "-n", "3"]);
    for (line, asked) in seen.iter().rev().take(3).rev().zip(asked["lines"].as_array().unwrap()) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(&line, asked);
    }
    site.said(&["drain"]);
    assert!(site.server.end().success());
    let told: Told = child.wait_with_output().unwrap().into();
    told.failed(4, "the server is going away");
}

#[test]
fn a_command_that_the_server_does_not_know_is_no_success() {
    let site = Site::new();
    for words in [&["admin", "frobnicate"][..], &["admin", "FROBNICATE", "a", "b c"]] {
        let told = site.run(words);
        told.failed(1, "this server does not know the command FROBNICATE");
        assert_eq!(told.stdout, "");
    }
    site.run(&["admin", "logs", "many"]).failed(2, "invalid value 'many'");
    site.run(&["admin", "restore"]).failed(2, "needs the folder");
    site.run(&["admin", "backup", "x", "half"]).failed(2, "invalid value 'half'");
}

#[test]
fn the_server_is_asked_how_it_is() {
    let site = Site::new();
    assert_eq!(site.said(&["health"]), "serving\n");
    assert_eq!(site.json(&["health"])["status"], "serving");
    let info = site.json(&["info"]);
    assert_eq!(info["protocol"], "0.2.0");
    assert!(info["capabilities"].as_array().unwrap().contains(&"query.get".into()), "{info}");
    let text = site.said(&["ping", "-n", "2"]);
    assert_eq!(text.lines().count(), 3, "{text}");
    let ping = site.json(&["ping", "-n", "3"]);
    assert_eq!(ping["answers"], 3);
    assert!(ping["least_ms"].as_f64().unwrap() <= ping["most_ms"].as_f64().unwrap());
}

#[test]
fn completions_are_printed_without_a_server() {
    let site = Site::new();
    for shell in ["bash", "fish", "zsh"] {
        let text = site.said(&["-a", "127.0.0.1:1", "completions", shell]);
        assert!(text.contains("amaters-cli") && text.contains("export"), "{shell}");
    }
}
