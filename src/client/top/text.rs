//! A view for people: a head, and a table each of methods, reactors and shards.

use serde_json::Value;

use crate::client::output::{Output, columns};

/// A view as text.
pub(super) fn text(view: &Value, place: &str, output: Output) -> String {
    let of = |name: &str| shown(&view[name]);
    let bytes = |name: &str| size(&view[name]);
    let restarted = if view["restarted"] == true { "  RESTARTED: no rates yet" } else { "" };
    let mut text = format!(
        "{}  {}, up {} s{restarted}\n\
             connections {} of {}, {} requests active, {} in flight\n\
             {} requests/s, {} errors/s, {}/s in, {}/s out, CPU {} %, memory {}\n\n",
        output.bold(place),
        of("state"),
        of("uptime_seconds"),
        of("connections"),
        of("connections_max"),
        of("active_requests"),
        bytes("in_flight_bytes"),
        of("requests_per_second"),
        of("errors_per_second"),
        bytes("received_bytes_per_second"),
        bytes("sent_bytes_per_second"),
        of("cpu_percent"),
        bytes("resident_bytes"),
    );
    let head = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut methods = vec![head(&["METHOD", "REQ/S", "ERR/S", "P50 ms", "P99 ms", "P99.9 ms"])];
    for row in rows(&view["methods"]) {
        let cells = ["requests_per_second", "errors_per_second", "p50_ms", "p99_ms", "p999_ms"];
        methods.push(line(row, "method", &cells));
    }
    let mut reactors = vec![head(&["REACTOR", "REQ/S", "CONNECTIONS", "ACTIVE"])];
    for row in rows(&view["reactors"]) {
        reactors.push(line(
            row,
            "reactor",
            &["requests_per_second", "connections", "active_requests"],
        ));
    }
    // Two tables of shards, each of which fits into 80 columns.
    let names = ["SHARD", "ENTRIES", "GET/S", "SET/S", "DEL/S", "SCAN/S", "STALL %", ""];
    let mut shards = vec![head(&names)];
    let names = ["SHARD", "MEMTABLE", "LOG", "TABLES", "BLOBS", "CACHE HIT %"];
    let mut sizes = vec![head(&names)];
    for row in rows(&view["shards"]) {
        let counted = [
            "entries",
            "gets_per_second",
            "sets_per_second",
            "deletes_per_second",
            "scans_per_second",
            "stall_percent",
        ];
        let mut cells = line(row, "shard", &counted);
        cells.push(if row["poisoned"] == true { "REFUSES WRITES".into() } else { String::new() });
        shards.push(cells);
        let sized = ["memtable_bytes", "log_bytes", "table_bytes", "blob_bytes"];
        let mut cells = line(row, "shard", &[]);
        cells.extend(sized.map(|name| size(&row[name])));
        cells.push(shown(&row["cache_hit_percent"]));
        sizes.push(cells);
    }
    for table in [methods, reactors, shards, sizes] {
        if table.len() > 1 {
            let table = columns(table);
            let (head, rest) = table.split_once('\n').unwrap_or((&table, ""));
            text.push_str(&format!("{}\n{rest}\n", output.bold(head)));
        }
    }
    text
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn line(row: &Value, first: &str, names: &[&str]) -> Vec<String> {
    std::iter::once(&first).chain(names).map(|name| shown(&row[*name])).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Bytes in the unit that fits.
fn size(value: &Value) -> String {
    let Some(bytes) = value.as_f64() else {
        return "-".into();
    };
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut number, mut unit) = (bytes, 0);
    while number >= 1024.0 && unit + 1 < units.len() {
        (number, unit) = (number / 1024.0, unit + 1);
    }
    if unit == 0 { format!("{number:.0} B") } else { format!("{number:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::output::Form;

    #[test]
    fn what_is_not_measured_is_a_dash() {
        let view = json!({
            "requests_per_second": 50.0,
            "shards": [{"shard": "0", "entries": 7, "poisoned": true, "log_bytes": 2048}],
        });
        let text = text(&view, "place", Output { form: Form::Table, color: false });
        assert!(text.contains("connections - of -, - requests active"), "{text}");
        assert!(text.contains("50.0 requests/s, - errors/s"), "{text}");
        assert!(text.contains("REFUSES WRITES\n\nSHARD  MEMTABLE  LOG      TABLES"), "{text}");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let shards: Vec<_> = text.lines().filter(|line| line.starts_with('0')).map(words).collect();
        assert_eq!(
            (&shards[0][..3], &shards[1][2..4]),
            (&words("0 7 -")[..], &words("2.0 KiB")[..])
        );
        assert!(!text.contains("REACTOR"), "{text}");
    }
}
