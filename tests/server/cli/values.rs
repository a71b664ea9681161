//! Keys and values in every writing; scans, filters, updates and batches.

use serde_json::json;

use super::Site;

#[test]
fn a_value_comes_from_everywhere_and_goes_everywhere() {
    let site = Site::new();
    assert_eq!(site.said(&["set", "word", "sealed"]), "stored, 6 bytes\n");
    assert_eq!(site.said(&["get", "word"]), "sealed");
    assert_eq!(site.said(&["set", "hex", "00FF10", "--hex"]), "stored, 3 bytes\n");
    assert_eq!(site.said(&["get", "hex", "--as", "hex"]), "00ff10\n");
    assert_eq!(site.said(&["get", "hex", "--as", "base64"]), "AP8Q\n");
    assert_eq!(site.run(&["get", "hex"]).stdout.as_bytes()[0], 0);
    site.run(&["get", "hex", "--as", "utf8"]).failed(1, "use --as hex");
    site.said(&["set", "base64", "--base64", "AP8Q"]);
    assert_eq!(site.said(&["get", "base64", "--as", "hex"]), "00ff10\n");

    site.folder.write("file", "in a file\n");
    site.said(&["set", "at", "@file"]);
    assert_eq!(site.said(&["get", "at"]), "in a file\n");
    site.said(&["set", "file", "--value-file", "file"]);
    assert_eq!(site.said(&["get", "file"]), "in a file\n");
    assert_eq!(site.said(&["get", "file", "--to", "copy"]), "10 bytes in copy\n");
    assert_eq!(std::fs::read(site.folder.path().join("copy")).unwrap(), b"in a file\n");
    for words in [&["set", "in", "-"][..], &["set", "in"]] {
        let told = site.fed(words, b"\x00 from a pipe");
        assert_eq!((told.status, told.stdout.as_str()), (Some(0), "stored, 13 bytes\n"));
        assert_eq!(site.said(&["get", "in"]), "\0 from a pipe");
    }
    // A value that looks like something else.
    site.said(&["set", "odd", "@@home"]);
    assert_eq!(site.said(&["get", "odd"]), "@home");
    site.said(&["set", "odd", "--", "--flag"]);
    assert_eq!(site.said(&["get", "odd"]), "--flag");
    site.said(&["set", "odd", ""]);
    assert_eq!(site.said(&["get", "odd"]), "");

    // Keys in other writings are the same keys.
    site.said(&["set", "--key-hex", "00ff", "binary"]);
    assert_eq!(site.said(&["get", "--key-base64", "AP8="]), "binary");
    assert_eq!(
        site.said(&["delete", "--key-hex", "00ff", "0000"]).trim_end(),
        "1 of 2 deleted, the others had no value"
    );
    assert_eq!(site.said(&["delete", "word"]), "deleted\n");
    assert_eq!(site.said(&["delete", "word"]), "nothing deleted: the key had no value\n");
    // Collections are apart.
    site.said(&["-c", "other", "set", "hex", "1"]);
    assert_eq!(site.said(&["get", "hex", "--as", "hex"]), "00ff10\n");
}

#[test]
fn what_is_not_there_and_what_makes_no_sense_has_a_status_of_its_own() {
    let site = Site::new();
    site.run(&["get", "nothing"])
        .failed(3, "there is no value of this key in the collection \"default\"");
    site.run(&["get", "--key-hex", "0"]).failed(2, "the key is not hexadecimal");
    site.run(&["set", "k", "@nofile"]).failed(1, "cannot read nofile");
    site.run(&["set", "-", "-"]).failed(2, "cannot both");
    site.run(&["set", "", "x"])
        .failed(1, "the key has 0 bytes; 1 to 65536 are allowed (6000 VALIDATION_INVALID_KEY)");
    site.run(&["frobnicate"]).failed(2, "unrecognized subcommand");
    site.run(&["set", "__admin__:X", "x"]).failed(1, "");
    let told = site.run(&["-o", "json", "get", "nothing"]);
    let error: serde_json::Value = serde_json::from_str(&told.stderr).unwrap();
    assert_eq!((told.stdout.as_str(), &error["error"]["exit_status"]), ("", &json!(3)));
}

#[test]
fn a_value_is_stored_only_if_the_key_is_as_expected() {
    let site = Site::new();
    site.run(&["set", "lock", "mine", "--if-present"])
        .failed(8, "not stored, the key is not as expected: it has no value");
    assert_eq!(site.said(&["set", "lock", "mine", "--if-absent"]), "stored, 4 bytes\n");
    site.run(&["set", "lock", "yours", "--if-absent"])
        .failed(8, "it has a value with the SHA-256 ");
    let digest = site.said(&["get", "lock", "--sha256"]);
    assert_eq!(digest.trim_end().len(), 64, "{digest}");
    assert_eq!(
        site.said(&["set", "lock", "next", "--if-sha256", digest.trim_end()]),
        "stored, 4 bytes\n"
    );
    site.run(&["set", "lock", "late", "--if-sha256", digest.trim_end()])
        .failed(8, "it has a value with");
    assert_eq!(site.said(&["get", "lock"]), "next");
    site.run(&["get", "none", "--sha256"]).failed(3, "no value");
    site.run(&["set", "lock", "x", "--if-absent", "--if-present"]).failed(2, "cannot be used with");
    site.run(&["set", "lock", "x", "--if-sha256", "00"]).failed(1, "");
}

#[test]
fn entries_are_printed_for_people_and_for_programs() {
    let site = Site::new();
    for number in 1..=3 {
        site.said(&["set", &format!("user:{number}"), &format!("note {number}")]);
    }
    site.said(&["set", "user;", "behind"]);
    assert_eq!(
        site.said(&["scan", "--prefix", "user:"]),
        "user:1  note 1\nuser:2  note 2\nuser:3  note 3\n"
    );
    assert_eq!(site.said(&["range", "user:2", "user:3"]), "user:2  note 2\n");
    assert_eq!(site.said(&["scan", "--keys-only", "-n", "2"]), "user:1\nuser:2\n");
    assert_eq!(site.said(&["scan", "-c", "none"]), "");
    assert_eq!(site.json(&["scan", "-c", "none"]), json!([]));
    let rows = site.json(&["scan"]);
    assert_eq!(rows.as_array().unwrap().len(), 4);
    assert_eq!((&rows[0]["key"], &rows[0]["value"]), (&json!("user:1"), &json!("note 1")));
    assert_eq!(rows[0]["metadata"]["size"], 6);
    let yaml = site.said(&["-o", "yaml", "range", "user:1", "user:2"]);
    assert!(yaml.starts_with("- key: \"user:1\"\n  metadata:\n    checksum: "), "{yaml}");
    assert!(yaml.ends_with("  value: \"note 1\"\n"), "{yaml}");
    let one = site.json(&["get", "user:1", "--as", "base64"]);
    assert_eq!(one["value_base64"], "bm90ZSAx");
}

/// Existing clients stop at 4 MiB; the values here are more, and one of them alone is.
#[test]
fn scans_have_no_bound() {
    let site = Site::new();
    let large = "x".repeat(5 << 20);
    site.fed(&["set", "large:1"], large.as_bytes());
    site.fed(&["set", "large:2"], &large.as_bytes()[..3 << 20]);
    let rows = site.json(&["scan"]);
    assert_eq!(rows[0]["value"].as_str().unwrap().len(), 5 << 20);
    assert_eq!(rows[1]["value"].as_str().unwrap().len(), 3 << 20);
    assert_eq!(site.said(&["scan"]), "large:1  (5242880 bytes)\nlarge:2  (3145728 bytes)\n");
    assert_eq!(site.said(&["get", "large:1"]).len(), 5 << 20);
}

#[test]
fn plain_values_are_filtered_and_updated() {
    let site = Site::new();
    let ages: [&[&str]; 3] = [&["ada", "24"], &["bob", "13"], &["eve", "40"]];
    for pair in ages {
        site.said(&[&["-c", "ages", "set", "--hex"], pair].concat());
    }
    let filter = |condition| site.said(&["-c", "ages", "filter", condition]);
    assert_eq!(filter("> 30"), "ada  36\neve  64\n");
    assert_eq!(filter("> 30 and not (= 64 or = 65)"), "ada  36\n");
    assert_eq!(site.said(&["-c", "ages", "update", "> 30", "add 1"]), "2 updated\n");
    assert_eq!(filter(">= 0"), "ada  37\nbob  19\neve  65\n");
    assert_eq!(
        site.said(&["-c", "ages", "filter", ">= 0", "--offset", "1", "-n", "1", "--as", "hex"]),
        "bob  13\n"
    );
    site.run(&["-c", "ages", "filter", "> x"]).failed(2, "\"x\" is no number");
    site.run(&["-c", "ages", "update", "> 0", "add 1", "--width", "2"]).failed(1, "5001 COMPUTE");
}

#[test]
fn a_batch_is_done_whole_or_not_at_all() {
    let site = Site::new();
    let lines = [
        r#"{"op": "set", "key": "a", "value": "1"}"#,
        r#"{"op": "set", "collection": "other", "key_hex": "00ff", "value_base64": "AP8Q"}"#,
        r#"{"op": "get", "key": "a"}"#,
        r#"{"op": "get", "key": "none"}"#,
        r#"{"op": "scan", "prefix": "a"}"#,
        r#"{"op": "delete", "key": "none"}"#,
    ];
    site.folder.write("batch", &lines.join("\n"));
    let results = site.json(&["batch", "batch"]);
    assert_eq!(results.as_array().unwrap().len(), lines.len());
    assert_eq!(results[0], json!({"op": "set", "key": "a", "affected": 1}));
    assert_eq!((&results[2]["found"], &results[2]["value"]), (&json!(true), &json!("1")));
    assert_eq!(results[3]["found"], false);
    assert_eq!((&results[4]["count"], &results[4]["rows"][0]["key"]), (&json!(1), &json!("a")));
    assert_eq!(results[5]["affected"], 0);
    let text = site.said(&["batch", "batch"]);
    assert_eq!(text.lines().next(), Some("set a: stored"), "{text}");
    assert_eq!(site.said(&["-c", "other", "get", "--key-hex", "00ff", "--as", "hex"]), "00ff10\n");

    // The second query is refused by the server, so the first one is not done either.
    let wrong = "{\"op\": \"set\", \"key\": \"b\", \"value\": \"1\"}\n{\"op\": \"set\", \"key\": \"\", \"value\": \"1\"}\n";
    let told = site.fed(&["batch", "-"], wrong.as_bytes());
    told.failed(1, "Query 1 in batch failed: ");
    site.run(&["get", "b"]).failed(3, "no value");
    // And here by the client, which says where.
    let told = site.fed(
        &["batch", "-"],
        b"{\"op\": \"set\", \"key\": \"b\", \"value\": \"1\"}\n\n{\"op\": \"sit\"}",
    );
    told.failed(2, "standard input line 3: the op \"sit\" is unknown");
    site.run(&["get", "b"]).failed(3, "no value");
}
