//! "Metrics endpoint": the sample, what is beyond it, the probes, and the switch.

use std::{
    collections::BTreeSet,
    io::Write as _,
    net::TcpStream,
    process::{Command, Stdio},
};

use amaters_load::{script::KeySet, target::Target};
use rustix::process::Signal;

use super::http::{eventually, is_closed, metrics, metrics_address, page, sample, served_by, sum};
use crate::{
    harness::{Folder, Server, refusal},
    tls::Site,
};

const FREE_PORT: &str = "[metrics]\nbind_address = \"127.0.0.1:0\"\n";
const KEYS: KeySet = KeySet { keys_count: 500, value_bytes: 100 };
const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";

/// A server that has served requests, and has told of all of them.
fn used(folder: &Folder) -> Server {
    folder.config("", FREE_PORT);
    let server = folder.serve();
    Target::Amaters.fill(server.address, KEYS).unwrap();
    let address = served_by(&server);
    eventually("every set is counted", || {
        let text = metrics(address);
        sample(&text, "amaters_storage_operations_total{operation=\"set\"}") >= 500.0
            && sample(&text, "amaters_net_active_requests") == 0.0
    });
    server
}

#[test]
fn the_sample_of_the_guide_is_there_with_its_names_and_types() {
    let folder = Folder::new();
    let server = used(&folder);
    let text = metrics(served_by(&server));
    for (name, kind) in [
        ("amaters_net_requests_total", "counter"),
        ("amaters_net_errors_total", "counter"),
        ("amaters_net_active_requests", "gauge"),
        ("amaters_net_bytes_sent_total", "counter"),
        ("amaters_net_bytes_received_total", "counter"),
        ("amaters_net_rtt", "histogram"),
        ("amaters_net_method_requests_total", "counter"),
        ("amaters_net_method_errors_total", "counter"),
    ] {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name}\n{text}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
    let requests = sample(&text, "amaters_net_requests_total");
    let method = "{method=\"/amaters.aql.AqlService/ExecuteQuery\"}";
    assert_eq!(sample(&text, &format!("amaters_net_method_requests_total{method}")), requests);
    assert_eq!(sample(&text, &format!("amaters_net_method_errors_total{method}")), 0.0);
    let mut below = 0.0;
    for bound in ["1", "5", "10", "50", "100", "500", "1000", "+Inf"] {
        let count = sample(&text, &format!("amaters_net_rtt_bucket{{le=\"{bound}\"}}"));
        assert!(count >= below, "{bound}");
        below = count;
    }
    assert_eq!((below, sample(&text, "amaters_net_rtt_count")), (requests, requests));
    assert!(sample(&text, "amaters_net_rtt_sum") > 0.0);
    assert!(sample(&text, "amaters_net_bytes_received_total") > 500.0 * 100.0);
}

#[test]
fn sums_are_those_of_reactors_and_shards() {
    let folder = Folder::new();
    let server = used(&folder);
    let text = metrics(served_by(&server));
    for name in ["requests", "errors", "bytes_sent", "bytes_received"] {
        let total = sample(&text, &format!("amaters_net_{name}_total"));
        assert_eq!(sum(&text, &format!("amaters_reactor_{name}_total")), total, "{name}");
    }
    assert_eq!(
        sum(&text, "amaters_net_method_requests_total"),
        sample(&text, "amaters_net_requests_total")
    );
    let names: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("amaters_storage_")?.split([' ', '{']).next())
        // What is not a sum over shards.
        .filter(|name| {
            !["shards", "operations_total", "merges_running", "merges_max"].contains(name)
        })
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let total = sample(&text, &format!("amaters_storage_{name}"));
        assert_eq!(sum(&text, &format!("amaters_shard_{name}")), total, "{name}");
    }
    assert_eq!(
        sum(&text, "amaters_storage_operations_total"),
        sum(&text, "amaters_shard_operations_total")
    );
    assert!(sample(&text, "amaters_storage_entries") >= 500.0);
    assert!(sum(&text, "amaters_shard_wal_group_records_sum") >= 500.0);
}

#[test]
fn open_metrics_are_given_to_those_who_ask_for_them() {
    let folder = Folder::new();
    let server = used(&folder);
    let address = served_by(&server);
    let text = page(address, "/metrics", "*/*");
    assert!(text.head.contains("Content-Type: text/plain; version=0.0.4"), "{}", text.head);
    let open = page(address, "/metrics", OPEN_METRICS);
    assert!(open.head.contains("application/openmetrics-text; version=1.0.0"), "{}", open.head);
    assert!(open.body.ends_with("\n# EOF\n"));
    assert!(open.body.contains("# TYPE amaters_net_requests counter\namaters_net_requests_total "));
    assert!(open.body.contains("amaters_net_rtt_bucket{le=\"1.0\"} "));
}

/// Prometheus' own reader has nothing to complain of; left out where it is not installed.
#[test]
fn promtool_accepts_the_metrics() {
    let folder = Folder::new();
    let server = used(&folder);
    let text = metrics(served_by(&server));
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = spawned else {
        return println!("left out: there is no promtool (Debian package prometheus)");
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{told}");
}

#[test]
fn the_reference_lists_every_metric_and_no_other() {
    // Those of TLS are there only where it is spoken.
    let site = Site::new("");
    let server = site.serve();
    let text = metrics(served_by(&server));
    let served: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            (name.to_owned(), kind.to_owned())
        })
        .collect();
    let listed: BTreeSet<_> = include_str!("../../../docs/reference/metrics.md")
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split("` | ");
            let (name, rest) = (cells.next()?, cells.next()?);
            let name = name.split('{').next().filter(|name| !name.starts_with('/'))?;
            Some((name.to_owned(), rest.split(" |").next()?.to_owned()))
        })
        .collect();
    let missing: Vec<_> = served.difference(&listed).collect();
    let surplus: Vec<_> = listed.difference(&served).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, surplus {surplus:?}");
}

#[test]
fn probes_tell_whether_it_lives_and_whether_it_is_of_use() {
    let folder = Folder::new();
    folder.config("", FREE_PORT);
    let mut server = folder.serve();
    let address = served_by(&server);
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(page(address, path, "*/*").status, 200, "{path}");
    }
    let version = page(address, "/version", "*/*").body;
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    assert_eq!(page(address, "/nothing", "*/*").status, 404);

    // A connection that is there keeps the drain waiting.
    let guest = TcpStream::connect(server.address).unwrap();
    eventually("the guest is counted", || sample(&metrics(address), "amaters_connections") == 1.0);
    server.signal(Signal::TERM);
    eventually("it is not ready", || page(address, "/readyz", "*/*").status == 503);
    assert!(page(address, "/readyz", "*/*").body.starts_with("draining"));
    assert_eq!(page(address, "/livez", "*/*").status, 200);
    assert!(metrics(address).contains("amaters_state{state=\"draining\"} 1"));
    drop(guest);
    assert_eq!(server.end().code(), Some(0));
    assert!(is_closed(address));
}

#[test]
fn the_switch_closes_and_opens_the_port_while_it_runs() {
    let folder = Folder::new();
    folder.config("", FREE_PORT);
    let mut server = folder.serve();
    let address = served_by(&server);
    folder.config("", &format!("{FREE_PORT}enabled = false"));
    server.signal(Signal::HUP);
    server.wait_for("metrics.enabled: true -> false: applied");
    server.wait_for("metrics are not served any more");
    assert!(is_closed(address));
    folder.config("", FREE_PORT);
    server.signal(Signal::HUP);
    let address = metrics_address(&server.wait_for("Metrics on http://"));
    let text = metrics(address);
    assert_eq!(sample(&text, "amaters_config_reloads_total{result=\"successful\"}"), 2.0);
    server.signal(Signal::HUP);
    server.wait_for("no changes detected");
    folder.config("max_connections = 0", FREE_PORT);
    server.signal(Signal::HUP);
    server.wait_for("Config reload failed");
    let text = metrics(address);
    assert_eq!(sample(&text, "amaters_config_reloads_total{result=\"unchanged\"}"), 1.0);
    assert_eq!(sample(&text, "amaters_config_reloads_total{result=\"failed\"}"), 1.0);
}

#[test]
fn the_log_sums_up_at_the_interval_that_was_set_last() {
    let folder = Folder::new();
    folder.config("", &format!("{FREE_PORT}export_interval_secs = 86400"));
    let mut server = folder.serve();
    folder.config("", &format!("{FREE_PORT}export_interval_secs = 1"));
    server.signal(Signal::HUP);
    server.wait_for("metrics.export_interval_secs: 86400 -> 1: applied");
    server.wait_for(" requests/s, 0 errors, ");
    server.wait_for(" requests/s, 0 errors, ");
}

#[test]
fn a_taken_address_is_refused_if_somebody_wrote_it_and_gives_way_if_nobody_did() {
    let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = first.local_addr().unwrap();
    let folder = Folder::new();
    folder.config("", &format!("[metrics]\nbind_address = \"{taken}\""));
    let text = refusal(folder.command("start --config a.toml --bind 127.0.0.1:0"));
    assert!(text.contains(&format!("cannot listen on {taken}")), "{text}");
    assert!(text.contains("metrics.enabled = false"), "{text}");

    // Whoever holds the default port, this or another process: it is taken.
    let _holder = std::net::TcpListener::bind("127.0.0.1:9090");
    folder.write("a.toml", "[server]\npid_file = \"pid\"\n");
    let mut server = folder.serve();
    let lines = server.first_lines().join("\n");
    assert!(lines.contains("no metrics are served: metrics.bind_address"), "{lines}");
    // Nor does it stand in the way of a reload.
    server.signal(Signal::HUP);
    server.wait_for("Config reload: no changes detected");
}

/// What rules and dashboard ask for is served, so that no panel stays empty and no alert silent for ever.
#[test]
fn rules_and_dashboard_ask_for_metrics_that_there_are() {
    let site = Site::new("");
    let server = site.serve();
    let text = metrics(served_by(&server));
    let rules = include_str!("../../../deploy/prometheus/amaters.rules.yml");
    let dashboard = include_str!("../../../deploy/grafana/amaters.json");
    let mut asked = BTreeSet::new();
    for file in [rules, dashboard] {
        let is_part =
            |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
        let words = file.split(|character| !is_part(character));
        asked.extend(words.filter(|word| {
            let begins = word.starts_with("amaters_") || word.starts_with("process_");
            begins && !["amaters_recorded", "amaters_alerts"].contains(word)
        }));
    }
    assert!(asked.len() > 40, "{asked:?}");
    for name in asked {
        let name = name.strip_suffix("_bucket").unwrap_or(name);
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} is not served");
    }
}

#[test]
fn promtool_accepts_the_rules_and_their_tests() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus");
    for words in
        [["check", "rules", "amaters.rules.yml"], ["test", "rules", "amaters.rules.test.yml"]]
    {
        let Ok(output) = Command::new("promtool").args(words).current_dir(folder).output() else {
            return println!("left out: there is no promtool (Debian package prometheus)");
        };
        let told =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}");
    }
}
