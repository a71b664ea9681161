//! Import and export: round trips, wrong lines, and servers that die in the middle.

use std::{fmt::Write as _, fs, process::Stdio};

use rustix::process::Signal;

use super::Site;
use crate::harness::eventually;

fn lines(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        writeln!(text, "{{\"key\":\"key:{number:06}\",\"value\":\"value {number}\"}}").unwrap();
    }
    text
}

#[test]
fn a_hundred_thousand_lines_make_the_round_trip() {
    let site = Site::new();
    site.folder.write("lines", &lines(100_000));
    let text = site.said(&["import", "lines"]);
    assert!(text.starts_with("100000 lines stored in "), "{text}");
    let said = site.json(&["export", "out", "--without-metadata"]);
    assert_eq!((said["entries"].as_u64(), said["instants"].as_u64()), (Some(100_000), Some(1)));
    let path = |name| site.folder.path().join(name);
    assert_eq!(fs::read_to_string(path("out")).unwrap(), lines(100_000));
    assert!(!path("out.part").exists());

    // With the metadata, what comes back is the same to the last bit.
    site.said(&["export", "first"]);
    site.said(&["-c", "copy", "import", "first", "--batch", "1000", "--in-flight", "2"]);
    site.said(&["-c", "copy", "export", "second"]);
    assert!(fs::read(path("first")).unwrap() == fs::read(path("second")).unwrap());
}

#[test]
fn bytes_that_are_no_text_make_the_round_trip_too() {
    let site = Site::new();
    let input = "{\"key_hex\":\"00ff\",\"value_base64\":\"AP8Q\"}\n\n{\"key\":\"\u{fc}\",\"value_hex\":\"\"}\n\
                 {\"op\":\"set\",\"collection\":\"other\",\"key\":\"k\",\"value\":\"v\"}";
    let told = site.fed(&["import", "-"], input.as_bytes());
    assert_eq!(told.status, Some(0), "{told:?}");
    let text = site.said(&["export", "--without-metadata"]);
    assert_eq!(
        text,
        "{\"key_base64\":\"AP8=\",\"value_base64\":\"AP8Q\"}\n{\"key\":\"\u{fc}\",\"value\":\"\"}\n"
    );
    let text = site.said(&["-c", "other", "export", "-", "--without-metadata", "--as", "hex"]);
    assert_eq!(text, "{\"key\":\"k\",\"value_hex\":\"76\"}\n");
}

#[test]
fn the_last_line_of_a_key_counts() {
    let site = Site::new();
    let mut text = String::new();
    for number in 0..2000 {
        writeln!(text, "{{\"key\":\"key:{}\",\"value\":\"{number}\"}}", number % 3).unwrap();
    }
    site.folder.write("lines", &text);
    site.said(&["import", "lines", "--batch", "7", "--in-flight", "16"]);
    assert_eq!(site.said(&["scan"]), "key:0  1998\nkey:1  1999\nkey:2  1997\n");
}

#[test]
fn a_wrong_line_stops_it_and_says_how_to_go_on() {
    let site = Site::new();
    let mut text = lines(500);
    text.push_str("{\"key\":\"\",\"value\":\"the server refuses the empty key\"}\n");
    site.folder.write("lines", &text);
    let told = site.run(&["import", "lines", "--batch", "10"]);
    told.failed(7, "lines line 501: invalid key: the key has 0 bytes");
    told.failed(
        7,
        "\nlines 1 to 500 are stored; go on with: amaters-cli import lines --from-line 501\n",
    );
    assert_eq!(site.said(&["scan", "--keys-only"]).lines().count(), 500);

    site.folder.write("lines", &text.replace("{\"key\":\"\",", "{\"key\":\"good\","));
    let text = site.said(&["import", "lines", "--from-line", "501"]);
    assert!(text.starts_with("1 lines stored"), "{text}");
    assert_eq!(site.said(&["get", "good"]), "the server refuses the empty key");
    // A line that is none at all is found here.
    site.folder.write("lines", "{\"key\":\"a\",\"value\":\"\"}\nnonsense\n");
    site.run(&["import", "lines"]).failed(7, "lines line 2: not a line that is understood");
    site.run(&["import", "nofile"]).failed(1, "cannot read nofile");
}

/// The server is killed while lines are stored. What the client says is stored must be there after a restart, and going on
/// as it says must end with all.
#[test]
fn a_killed_server_leaves_an_import_that_can_go_on() {
    let mut site = Site::new();
    let count = 60_000;
    site.folder.write("lines", &lines(count));
    let words = ["import", "lines", "--checkpoint", "point", "--batch", "10"];
    let child = site.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("some lines are stored", || site.folder.path().join("point").exists());
    site.server.signal(Signal::KILL);
    site.server.end();
    let told = super::Told::from(child.wait_with_output().unwrap());
    assert_eq!((told.status, told.stdout.as_str()), (Some(7), ""), "{told:?}");
    assert!(
        told.stderr.contains("go on with: amaters-cli import lines --checkpoint point"),
        "{told:?}"
    );
    let stored = told
        .stderr
        .split_once("lines 1 to ")
        .map(|(_, rest)| rest.split(' ').next().unwrap().parse::<usize>().unwrap());

    site.server = site.folder.serve();
    let there = site.said(&["scan", "--keys-only"]);
    let stored = stored.unwrap_or(0);
    println!("{stored} lines stored for sure, {} are there", there.lines().count());
    let first: Vec<_> = there.lines().take(stored).map(str::to_owned).collect();
    let expected: Vec<_> = (0..stored).map(|number| format!("key:{number:06}")).collect();
    assert!(first == expected, "lines that were said to be stored are not there");

    let text = site.said(&words);
    assert!(text.starts_with(&format!("{} lines stored in ", count - stored)), "{text}");
    assert_eq!(site.said(&["scan", "--keys-only"]).lines().count(), count);
    assert!(!site.folder.path().join("point").exists());
}

#[test]
fn an_interrupted_import_says_what_is_stored() {
    let site = Site::new();
    site.folder.write("lines", &lines(200_000));
    let mut command = site.command(&["import", "lines", "--batch", "10", "--in-flight", "1"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("a line is stored", || !site.said(&["scan", "-n", "1"]).is_empty());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    let told = super::Told::from(child.wait_with_output().unwrap());
    told.failed(130, "error: interrupted\n");
    told.failed(130, "go on with: amaters-cli import lines --from-line ");
}

#[test]
fn an_export_that_fails_leaves_no_file() {
    let site = Site::new();
    site.said(&["set", "a", "1"]);
    site.run(&["export", "no/such/folder"]).failed(1, "cannot write no/such/folder");
    site.run(&["-c", &"x".repeat(300), "export", "out"]).failed(1, "the name has 300 bytes");
    assert!(
        !site.folder.path().join("out").exists() && !site.folder.path().join("out.part").exists()
    );
}
