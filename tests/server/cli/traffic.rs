//! `hot-keys` and `big-values`, against requests of which some keys have most.

use serde_json::Value;

use super::{Site, Told};

/// Gets of each key, so many, as one stream of queries from a file.
fn load(site: &Site, gets: &[(&str, usize)]) {
    const BATCH_QUERIES: usize = 1000;

    let lines: Vec<_> = gets
        .iter()
        .flat_map(|(key, count)| {
            (0..*count).map(move |_| format!(r#"{{"op":"get","key":"{key}"}}"#))
        })
        .collect();
    for lines in lines.chunks(BATCH_QUERIES) {
        let told = site.fed(&["batch", "-"], lines.join("\n").as_bytes());
        assert_eq!(told.status, Some(0), "{told:?}");
    }
}

#[test]
fn hot_keys_are_told_with_rates_and_bounds() {
    let site = Site::new();
    load(&site, &[("hot", 6000), ("warm", 2000), ("cool", 200)]);
    let answer = site.json(&["hot-keys"]);
    let keys = answer["keys"].as_array().unwrap();
    let number = |object: &Value, name: &str| object[name].as_f64().unwrap();
    let names: Vec<_> = keys.iter().map(|key| key["key"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["hot", "warm"], "{answer}");
    let seconds = number(&answer, "window_seconds");
    for (key, truth) in keys.iter().zip([6000.0, 2000.0]) {
        let [least, told, most] = ["_least", "", "_most"]
            .map(|end| number(key, &format!("requests_per_second{end}")) * seconds);
        // Six times as far as the bounds: what is by chance is never as far off.
        let far = 3.0 * (most - least);
        assert!((told - truth).abs() < far && least <= told && told <= most, "{answer}");
        assert_eq!(key["collection"], "default");
        assert_eq!(key["write_samples"], 0);
    }
    assert_eq!(answer["sampled_one_in"], 32);
    assert!((150.0..400.0).contains(&number(&answer, "samples")), "{answer}");

    let text = site.said(&["hot-keys", "-n", "1"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].starts_with("REQUESTS/S") && lines[1].ends_with("default     hot"), "{text}");
    // The second key is among the others now.
    let others = site.json(&["hot-keys", "-n", "1"]);
    assert!(number(&others, "others_per_second_max") > number(&answer, "others_per_second_max"));
    let yaml = site.said(&["-o", "yaml", "hot-keys", "-n", "1"]);
    assert!(yaml.contains("key: hot") && yaml.contains("sampled_one_in: 32"), "{yaml}");
}

#[test]
fn big_values_are_told_whether_they_are_written_or_read() {
    let site = Site::new();
    for (key, bytes) in [("small", 10), ("large", 200_000), ("larger", 300_000)] {
        let told = site.fed(&["-c", "sealed", "set", key], &vec![b'x'; bytes]);
        assert_eq!(told.status, Some(0), "{told:?}");
    }
    site.said(&["set", "--key-hex", "00ff", "y"]);
    site.said(&["-c", "sealed", "set", "larger", "now short"]);
    let answer = site.json(&["big-values", "-n", "3"]);
    let told: Vec<_> = answer["values"].as_array().unwrap().iter().collect();
    let told: Vec<_> =
        told.iter().map(|v| (v["key"].as_str(), v["value_bytes"].as_u64())).collect();
    let expected = [("larger", 300_000), ("large", 200_000), ("small", 10)];
    assert_eq!(told, expected.map(|(key, bytes)| (Some(key), Some(bytes))), "{answer}");
    let text = site.said(&["big-values"]);
    assert!(
        text.contains("sealed      larger\n") && text.contains("default     0x00ff\n"),
        "{text}"
    );
    let long = "k".repeat(300);
    site.said(&["set", &long, "z"]);
    assert!(site.said(&["big-values"]).contains(&format!("{}… (300 bytes)", "k".repeat(256))));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let site = Site::new();
    let refused = |told: Told| told.failed(2, "invalid value '0'");
    refused(site.run(&["hot-keys", "-n", "0"]));
    refused(site.run(&["big-values", "-n", "0"]));
}
