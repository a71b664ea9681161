//! `top`, `bench` and `shell`.

use serde_json::Value;

use super::{Site, Told};
use crate::guide::http::served_by;

#[test]
fn top_shows_what_two_scrapes_say() {
    let site = Site::new();
    let metrics = served_by(&site.server).to_string();
    site.said(&["set", "a", "1"]);
    let text = site.said(&["--metrics", &metrics, "top", "-n", "1", "-i", "1"]);
    assert!(text.contains("serving, up ") && text.contains("requests/s"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("SHARD  ENTRIES")), "{text}");
    let view = site.json(&["--metrics", &metrics, "top", "-n", "1", "-i", "1"]);
    assert_eq!((&view["state"], &view["restarted"]), (&"serving".into(), &false.into()));
    assert_eq!(view["shards"].as_array().unwrap().len(), 1);
    assert!(
        view["shards"][0]["sets_per_second"].is_f64() && view["connections_max"] == 1000,
        "{view}"
    );
    // Nothing was read, so there is no share of hits.
    assert_eq!(view["shards"][0]["cache_hit_percent"], Value::Null);
    for wrong in ["127.0.0.1:1", &site.server.address.to_string()] {
        let told = site.run(&["--metrics", wrong, "top", "-n", "1"]);
        told.failed(4, "is not available: ");
        assert_eq!(told.stdout, "");
    }
}

#[test]
fn bench_counts_every_request_in_both_loops() {
    let site = Site::new();
    let words = ["bench", "--seconds", "1", "--warmup", "0", "--keys", "500", "--reads", "50"];
    let closed = site.json(&[&words[..], &["--distribution", "zipf"]].concat());
    assert_eq!(
        (&closed["loop"], &closed["failed"], &closed["absent"]),
        (&"closed".into(), &0.into(), &0.into())
    );
    let answered = closed["answered"].as_u64().unwrap();
    let count = |kind: &str| closed["latency"][kind]["count"].as_u64().unwrap();
    assert!(answered > 0 && count("get") + count("set") == answered, "{closed}");
    assert_eq!(site.said(&["-c", "bench", "scan", "--keys-only"]).lines().count(), 500);

    // What is due is all accounted for, whatever this machine can do.
    let open = site.json(&[&words[..], &["--rate", "200", "--clean"]].concat());
    let number = |name: &str| open[name].as_u64().unwrap();
    assert_eq!(number("answered") + number("failed") + number("unfinished"), 200, "{open}");
    assert!(open["method"].as_str().unwrap().starts_with("open loop, 200 requests/s due"));
    assert_eq!(site.said(&["-c", "bench", "scan", "--keys-only"]), "");
    // Gets of keys that are not there are answers, and told.
    let bare =
        site.json(&[&words[..5], &["--rate", "100", "--reads", "100", "--no-fill"]].concat());
    assert_eq!(bare["absent"], bare["answered"], "{bare}");
    let text = site.said(&["bench", "--seconds", "1", "--warmup", "0", "--keys", "10"]);
    assert!(text.starts_with("closed loop, 64 streams") && text.contains("--rate shows"), "{text}");
}

#[test]
fn a_shell_takes_the_same_commands() {
    let site = Site::new();
    let script = b"set a 'two words'\n\nuse other\nset a x\nget a --as hex\n-c default get a --as utf8\nuse\n";
    let told = site.fed(&["shell"], script);
    assert_eq!(told.stdout, "stored, 9 bytes\nstored, 1 bytes\n78\ntwo words", "{told:?}");
    told.failed(2, "use takes the name of a collection");
    let failed = |script: &[u8], status, part| {
        let told: Told = site.fed(&["shell"], script);
        told.failed(status, part);
        assert_eq!(told.stdout, "");
    };
    // Nobody is there to try again: it ends at the first failure, with its status.
    failed(b"get none\nset a b\n", 3, "no value");
    failed(b"frobnicate\nset a b\n", 2, "unrecognized subcommand 'frobnicate'");
    failed(b"-a 127.0.0.1:1 health\n", 2, "are settled when the shell begins");
    failed(b"get 'a\n", 2, "a quote is not closed");
    failed(b"shell\n", 2, "this is a shell already");
    let told = site.fed(&["shell"], b"exit\nset a b\n");
    assert_eq!((told.status, told.stdout.as_str()), (Some(0), ""));
    assert!(site.fed(&["-o", "json", "shell"], b"help\n").stdout.contains("Usage: amaters-cli"));
}
