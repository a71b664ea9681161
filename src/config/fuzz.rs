//! Damaged and invented configuration files: none panics, and each refusal names key and place.

use std::{fmt::Write as _, path::Path};

use amaters_fuzz::Campaign;

use super::{file::File, keys::KEYS, template, *};

/// The issue asks for a thousand.
const ROUNDS: u64 = 1000;

/// Right and wrong values of every kind, as TOML.
const VALUES: &[&str] = &[
    "true",
    "false",
    "0",
    "1",
    "-1",
    "7",
    "400",
    "65536",
    "9223372036854775807",
    "0x1f",
    "99999999999999999999",
    "1.5",
    "nan",
    "1979-05-27",
    "\"\"",
    "\"x\"",
    "\"0\"",
    "\"0-3,5\"",
    "\"127.0.0.1:0\"",
    "\"[::1]:7878\"",
    "\"localhost:1\"",
    "\"LSM\"",
    "\"memory\"",
    "\"always\"",
    "\"tiered\"",
    "\"debug\"",
    "\"json\"",
    "\"jwt\"",
    "\"HS256\"",
    "\"/nowhere\"",
    "'''a\nb'''",
    "\"\\u0000\\n\"",
    "[]",
    "[\"mtls\", \"jwt\"]",
    "[1, [2]]",
    "{}",
    "{ a = 1 }",
    "{ a.b.c = [] }",
];

/// Loads it, and looks at the lines of a refusal.
fn load(bytes: &[u8]) -> Result<Config, String> {
    let file = File::of_bytes(Path::new("a.toml"), bytes.to_vec()).map_err(|problem| {
        let told = problem.to_string();
        assert!(told.contains("a.toml line "), "{told}");
        told
    })?;
    let mut gathered = Gathered::new(Some(&file), &[]);
    gathered.problems.append(&mut gathered.unknown);
    Config::check(gathered).map_err(|refusal| {
        for line in refusal.to_string().lines() {
            assert!(line.starts_with("Configuration validation failed: "), "{line}");
            let told = line.trim_start_matches("Configuration validation failed: ");
            // What is no TOML may stand where there is no key.
            let is_placed = told.contains(" (a.toml line ") || told.contains(" (default): ");
            assert!(is_placed || told.starts_with("a.toml line "), "{line}");
        }
        // The words without the numbers, which are endless.
        refusal.to_string().replace(|letter: char| letter.is_ascii_digit(), "")
    })
}

/// What was accepted means the same when it is shown and read again.
fn assert_shown(config: &Config) -> u64 {
    let shown = template::effective(&config.written, true);
    let file = File::new("b.toml".into(), shown);
    let Gathered { written, problems, .. } = Gathered::new(Some(&file), &[]);
    assert_eq!(problems, []);
    let mut count = 0;
    for key in KEYS.iter().filter(|key| !key.secret) {
        assert_eq!(written.shown(key.path), config.written.shown(key.path), "{key}");
        count += u64::from(config.written.is_written(key.path));
    }
    count
}

#[test]
fn fuzz_configuration_files() {
    let samples = [
        include_str!("../../deploy/amaters-server.toml"),
        "[server]\nmax_connections = 3\ndata_dir = \"d\"\n[storage.wal]\nsync_mode = 'always'\n",
        "server = { bind_address = \"127.0.0.1:1\", cores = \"0-3\" }\nlogging.level = \"warn\"\n",
        "[auth]\nmethods = [\"mtls\"]\n[auth.jwt]\nsecret = \"\"\"\nabc\"\"\"\n[authz]\ndefault_mode = 'deny-by-default'\n",
    ];
    let seeds = samples.map(|text| text.as_bytes().to_vec()).to_vec();
    Campaign::new("configuration files", seeds)
        .rounds(ROUNDS)
        .run(|bytes| load(bytes).map(|config| assert_shown(&config)));
}

#[test]
fn fuzz_configuration_values() {
    // Of the tables' order: max_connections = 7, shutdown_timeout_secs = 0, and nothing.
    let seeds = vec![vec![3, 5, 4, 2], vec![]];
    Campaign::new("configuration values", seeds)
        .rounds(ROUNDS)
        .run(|bytes| load(invented(bytes).as_bytes()).map(|config| assert_shown(&config)));
}

/// A file that assigns to each key that the bytes choose the value that they choose.
fn invented(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut given = Vec::new();
    for choice in bytes.chunks_exact(2).take(12) {
        let (key, value) = (usize::from(choice[0]), usize::from(choice[1]));
        let path = KEYS[key % KEYS.len()].path;
        if given.contains(&path) {
            continue;
        }
        given.push(path);
        // A key in a hundred is misspelt.
        let slip = if value == 77 { "x" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{path}{slip} = {}", VALUES[value % VALUES.len()]);
    }
    text
}

#[test]
fn nesting_is_bounded() {
    for text in [
        format!("{} = 1", vec!["a"; 100_000].join(".")),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}{}", "{a=".repeat(100_000), "}".repeat(100_000)),
        format!("[{}]", vec!["a"; 100_000].join(".")),
        "[[a]]\n".repeat(10_000),
        (0..20_000).map(|number| format!("key{number} = 1\n")).collect(),
    ] {
        load(text.as_bytes()).unwrap_err();
    }
}
