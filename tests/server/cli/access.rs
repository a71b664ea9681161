//! A server that asks who calls: exit status 5, and what the client says to do.

use std::fs;

use serde_json::json;

use super::{Site, Told, command};
use crate::harness::Folder;

/// A server that takes API keys and tokens; somebody who reads, and an operator.
fn site() -> Site {
    let folder = Folder::new();
    let key = |name: &str, roles: &[&str]| json!({"id": name, "name": name, "key": format!("key-of-{name}"), "user_id": name, "roles": roles});
    let keys = json!([key("ada", &["reader"]), key("olga", &["admin"])]);
    folder.write("keys.json", &keys.to_string());
    let more = "[auth]\nenabled = true\nmethods = [\"jwt\", \"api_key\"]\n\
                [auth.jwt]\nenabled = true\nsecret = \"a secret of at least thirty-two bytes\"\n\
                [auth.api_key]\nenabled = true\nkeys_file = \"keys.json\"\nhash_keys = false\n\
                [limits]\nauth_failures_per_minute_per_address = 0\n";
    folder.config("cores = 1", more);
    folder.write("ada.key", "key-of-ada\n");
    let server = folder.serve();
    Site { folder, server }
}

#[test]
fn who_is_not_recognised_or_may_not_is_told_so_with_status_5() {
    let site = site();
    let advice = "give credentials with --token-file, --api-key-file or a client certificate";
    for words in [&["get", "a"][..], &["set", "a", "1"], &["scan"], &["stats"], &["jobs"]] {
        site.run(words).failed(5, advice);
        let wrong = [&["--api-key", "key-of-nobody"], words].concat();
        site.run(&wrong).failed(5, "authentication failed");
        let wrong = [&["--token", "not.a.token"], words].concat();
        site.run(&wrong).failed(5, "authentication failed");
    }
    // Recognised, and not allowed.
    let ada = |words: &[&str]| site.run(&[&["--api-key-file", "ada.key"], words].concat());
    ada(&["get", "a"]).failed(3, "there is no value of this key");
    for words in [
        &["set", "a", "1"][..],
        &["delete", "a"],
        &["import", "-"],
        &["admin", "STATS"],
        &["backup", "one"],
        &["jobs"],
        &["connections"],
        &["hot-keys"],
        &["big-values"],
        &["reload"],
        &["drain"],
        &["compact"],
    ] {
        let told = match words {
            ["import", ..] => {
                let line = br#"{"key": "a", "value": "1"}"#;
                site.fed(&[&["--api-key-file", "ada.key"], words].concat(), line)
            }
            _ => ada(words),
        };
        // An import tells how far it came; this one not at all.
        let status = if words[0] == "import" { 7 } else { 5 };
        told.failed(status, "access denied");
    }
    let told = ada(&["-o", "json", "set", "a", "1"]);
    let error: serde_json::Value = serde_json::from_str(&told.stderr).unwrap();
    assert_eq!(error["error"]["exit_status"], 5, "{told:?}");
    assert_eq!(error["error"]["code"], 3002, "{told:?}");
}

#[test]
fn whoever_has_an_operators_key_does_what_operators_do() {
    let site = site();
    let olga = |words: &[&str]| site.said(&[&["--api-key", "key-of-olga"], words].concat());
    olga(&["set", "a", "1"]);
    for words in [&["jobs"][..], &["stats"], &["hot-keys"], &["big-values"], &["reload"]] {
        olga(words);
    }
    // Health is for everybody.
    assert_eq!(site.said(&["health"]), "serving\n");
}

#[test]
fn credentials_come_from_the_environment_and_from_profiles() {
    let site = site();
    site.said(&["--api-key", "key-of-olga", "set", "a", "1"]);
    let folder = site.folder.path().join(".config/amaters");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("ada.key"), "key-of-ada").unwrap();
    let text = "[profiles.ada]\napi_key_file = \"ada.key\"\n[profiles.wrong]\napi_key_file = \"wrong.key\"\n";
    fs::write(folder.join("cli.toml"), text).unwrap();
    fs::write(folder.join("wrong.key"), "key-of-nobody").unwrap();
    assert_eq!(site.said(&["--profile", "ada", "get", "a"]), "1");
    site.run(&["--profile", "ada", "set", "a", "2"]).failed(5, "access denied");
    site.run(&["--profile", "wrong", "get", "a"]).failed(5, "authentication failed");
    let mut command = command(&site.folder, site.server.address, &["get", "a"]);
    let told: Told = command.env("AMATERS_API_KEY", "key-of-ada").output().unwrap().into();
    assert_eq!(told.stdout, "1", "{told:?}");
    let told: Told = command.env("AMATERS_API_KEY", "key-of-nobody").output().unwrap().into();
    told.failed(5, "authentication failed");
    // A flag lies over the environment, and no error shows a key.
    let told: Told = command.args(["--api-key", "key-of-ada"]).output().unwrap().into();
    assert_eq!((told.stdout.as_str(), told.stderr.contains("key-of")), ("1", false), "{told:?}");
}
