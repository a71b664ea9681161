//! The configuration as text for people: a commented default file, the effective values, and the
//! reference.

use std::fmt::Write as _;

use super::{
    keys::{KEYS, Key},
    written::Written,
};

const HEAD: &str = "\
# Configuration of amaters-server. Every key is optional; the values written here are the defaults.
# Over this file lie the environment (AMATERS_BIND_ADDRESS, AMATERS_DATA_DIR, AMATERS_LOG_LEVEL,
# AMATERS_TLS_ENABLED) and the flags --bind, --data-dir, --log-level and --cores.
# `amaters-server validate-config --config FILE` checks a file without starting anything.
";

/// A file with every key, commented out at its default.
pub(crate) fn default_file() -> String {
    by_table(HEAD, |key| {
        let (_, name) = key.table_and_name();
        let live = if key.live { " A reload applies it." } else { "" };
        let (value, unset) = match key.default {
            "" => (example(key), " Unset by default."),
            default => (default, ""),
        };
        format!("# {}{unset}{live}\n#{name} = {value}\n", key.meaning)
    })
}

/// The values in force, each with its origin if that is asked for.
pub(crate) fn effective(written: &Written, with_origins: bool) -> String {
    by_table("", |key| {
        let (_, name) = key.table_and_name();
        match written.entry(key.path) {
            Some(entry) => {
                let quote = if key.secret { "\"" } else { "" };
                let value = written.shown(key.path);
                let origin =
                    if with_origins { format!(" # {}", entry.origin) } else { String::new() };
                format!("{name} = {quote}{value}{quote}{origin}\n")
            }
            None => format!("#{name} unset\n"),
        }
    })
}

/// The table of `docs/reference/config.md`; only its test needs it.
#[cfg(test)]
pub(crate) fn reference() -> String {
    let mut text =
        String::from("| key | value | default | reload | meaning |\n|---|---|---|---|---|\n");
    for key in KEYS {
        let default = if key.default.is_empty() { "unset" } else { key.default };
        let reload = if key.live { "live" } else { "restart" };
        let only = key.switch.map(|switch| format!(" Only with `{switch}`.")).unwrap_or_default();
        let (value, meaning) = (key.expected(), key.meaning);
        let line = format!("| `{key}` | {value} | `{default}` | {reload} | {meaning}{only} |\n");
        text.push_str(&line);
    }
    text
}

fn by_table(head: &str, line: impl Fn(&Key) -> String) -> String {
    let mut text = String::from(head);
    let mut current = "";
    for key in KEYS {
        let (table, _) = key.table_and_name();
        if table != current {
            let gap = if text.is_empty() { "" } else { "\n" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{gap}[{table}]");
            current = table;
        }
        text.push_str(&line(key));
    }
    text
}

/// A value for a key that has no default.
fn example(key: &Key) -> &'static str {
    match key.path {
        "server.cores" => r#""0-3,5""#,
        "network.tls_cert" => r#""/etc/amaters/server.crt""#,
        "network.tls_key" => r#""/etc/amaters/server.key""#,
        "network.tls_ca" => r#""/etc/amaters/ca.crt""#,
        _ => r#""…""#,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{file::File, written::Gathered},
        *,
    };
    use crate::checked_in::assert_checked_in;

    fn gather(text: &str) -> Written {
        let file = File::new("a.toml".into(), text.into());
        let Gathered { written, problems, .. } = Gathered::new(Some(&file), &[]);
        assert_eq!(problems, []);
        written
    }

    #[test]
    fn the_deployed_file_is_the_generated_one() {
        assert_checked_in("deploy/amaters-server.toml", |_| default_file());
    }

    #[test]
    fn the_reference_lists_every_key() {
        assert_checked_in("docs/reference/config.md", |present| {
            let (begin, end) = ("<!-- keys -->\n", "<!-- end of keys -->\n");
            let (before, rest) = present.split_once(begin).expect("the mark before the keys");
            let (_, after) = rest.split_once(end).expect("the mark after the keys");
            format!("{before}{begin}{}{end}{after}", reference())
        });
    }

    #[test]
    fn the_default_file_changes_nothing() {
        let written = gather(&default_file());
        assert!(KEYS.iter().all(|key| !written.is_written(key.path)));
    }

    #[test]
    fn the_default_file_without_its_marks_says_the_defaults() {
        let unset = |line: &str| line.contains("= \"…\"") || line.contains("0-3,5");
        let text: String = default_file()
            .lines()
            .filter(|line| !line.starts_with("# ") && !unset(line) && !line.contains("/etc/"))
            .map(|line| format!("{}\n", line.trim_start_matches('#')))
            .collect();
        let written = gather(&text);
        for key in KEYS {
            let value = written.entry(key.path).map(|entry| entry.value.clone());
            assert_eq!(value, key.default_value(), "{key}");
            assert_eq!(written.is_written(key.path), !key.default.is_empty(), "{key}");
        }
    }

    #[test]
    fn the_effective_values_are_a_configuration_file_without_secrets() {
        let written = gather("[auth.jwt]\nsecret = \"hunter2\"\n[server]\nmax_connections = 3\n");
        assert_eq!(gather(&effective(&written, false)).shown("server.max_connections"), "3");
        let text = effective(&written, true);
        assert!(!text.contains("hunter2"));
        assert!(text.contains("max_connections = 3 # a.toml line 4"), "{text}");
        assert_eq!(gather(&text).shown("server.max_connections"), "3");
    }
}
