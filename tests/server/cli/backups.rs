//! Backups, restores and the other long work, as the guide spells it and as the client's own commands.

use std::fs;

use super::Site;
use crate::harness::eventually;

#[test]
fn both_spellings_back_up_and_restore() {
    let site = Site::new();
    site.said(&["set", "user:1", "first"]);
    let full = site.json(&["admin", "BACKUP", "one", "full"]);
    assert_eq!((&full["status"], &full["kind"]), (&"success".into(), &"full".into()));
    site.said(&["set", "user:2", "second"]);
    let changed = site.json(&["admin", "backup", "two", "--incremental"]);
    assert_eq!((&changed["kind"], &changed["key_count"]), (&"incremental".into(), &1.into()));
    assert_eq!(changed["parent_id"], full["backup_id"]);

    assert_eq!(site.said(&["delete", "user:1", "user:2"]), "2 deleted\n");
    let restored = site.json(&["admin", "restore", "two"]);
    assert_eq!(restored["status"], "success");
    assert_eq!(site.said(&["scan"]), "user:1  first\nuser:2  second\n");
    site.said(&["admin", "RESTORE", "one", "replace"]);
    assert_eq!(site.said(&["scan"]), "user:1  first\n");
    for command in
        ["STATS", "stats", "METRICS", "CLUSTER_INFO", "cluster-info", "NODES", "COMPACT", "VERIFY"]
    {
        let answer = site.json(&["admin", command]);
        assert!(answer.as_object().is_some_and(|answer| !answer.is_empty()), "{command}: {answer}");
    }
    // Figures of shards are told once a second.
    let keys = || site.json(&["stats"])["total_keys"].as_u64();
    eventually("the key is counted", || keys() == Some(1));
}

#[test]
fn long_work_is_watched_listed_and_fails_as_it_should() {
    let site = Site::new();
    site.said(&["set", "user:1", "first"]);
    site.said(&["backup", "one"]);
    site.said(&["set", "user:2", "second"]);
    site.said(&["backup", "two", "--incremental"]);
    site.said(&["verify", "two"]);
    site.said(&["restore", "one", "--replace", "--dry-run"]);
    assert_eq!(site.said(&["scan", "--keys-only"]).lines().count(), 2);
    site.said(&["restore", "one", "--replace"]);
    assert_eq!(site.said(&["scan", "--keys-only"]), "user:1\n");
    site.said(&["compact"]);
    site.said(&["verify"]);
    let jobs = site.json(&["jobs"]);
    let jobs = jobs.as_array().unwrap();
    assert_eq!(jobs.len(), 7, "{jobs:?}");
    let is_backup = |job: &&serde_json::Value| job["kind"] == "backup" && job["state"] == "done";
    assert_eq!(jobs.iter().filter(is_backup).count(), 2, "{jobs:?}");

    site.run(&["backup", "../outside"]).failed(1, "");
    site.run(&["restore", "nothing"]).failed(1, "");
    site.run(&["jobs", "watch", "999"]).failed(1, "999");
    // One flipped bit is damage, and no success in any spelling.
    let folder = site.folder.path().join("data/snapshots/one");
    let data = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let data = data.into_iter().find(|path| path.to_string_lossy().contains("/data-")).unwrap();
    let mut bytes = fs::read(&data).unwrap();
    bytes[40] ^= 1;
    fs::write(&data, bytes).unwrap();
    for words in [&["verify", "one"][..], &["admin", "VERIFY", "one"], &["restore", "one"]] {
        let told = site.run(words);
        assert_eq!(told.status, Some(1), "{words:?}: {told:?}");
    }
    assert_eq!(site.said(&["scan", "--keys-only"]), "user:1\n");
}
