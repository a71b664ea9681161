//! What two scrapes say about the time between them.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::scrape::Samples;

/// A view, as objects: what is not measured is null.
pub(crate) struct View(Value);

/// Two scrapes, and the seconds between.
struct Between<'a> {
    before: &'a Samples,
    after: &'a Samples,
    seconds: f64,
}

impl View {
    pub(crate) fn between(before: &Samples, after: &Samples, elapsed: Duration) -> Self {
        let between = Between { before, after, seconds: elapsed.as_secs_f64() };
        let state = after.all("amaters_state").iter().find(|(_, value)| *value == 1.0);
        let state = state.and_then(|(labels, _)| labels.get("state"));
        let uptime = between.now("amaters_uptime_seconds", &[]);
        let restarted = between.restarted();
        Self(json!({
            "state": state,
            "uptime_seconds": whole(uptime),
            "seconds": tenth(between.seconds),
            "restarted": restarted,
            "connections": whole(between.now("amaters_connections", &[])),
            "connections_max": whole(between.now("amaters_connections_max", &[])),
            "active_requests": whole(between.now("amaters_net_active_requests", &[])),
            "requests_per_second": tenths(between.rate("amaters_net_requests_total", &[])),
            "errors_per_second": tenths(between.rate("amaters_net_errors_total", &[])),
            "received_bytes_per_second": tenths(between.rate("amaters_net_bytes_received_total", &[])),
            "sent_bytes_per_second": tenths(between.rate("amaters_net_bytes_sent_total", &[])),
            "in_flight_bytes": whole(between.now("amaters_in_flight_bytes", &[])),
            "cpu_percent": tenths(between.rate("process_cpu_seconds_total", &[]).map(|share| share * 100.0)),
            "resident_bytes": whole(between.now("process_resident_memory_bytes", &[])),
            "methods": between.methods(),
            "reactors": between.reactors(),
            "shards": between.shards(),
        }))
    }

    pub(crate) fn json(&self) -> &Value {
        &self.0
    }
}

impl Between<'_> {
    fn now(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.after.one(name, labels)
    }

    /// How much a counter grew a second. One that is less than before has begun anew, and says nothing of the time between.
    fn rate(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let grown = self.after.one(name, labels)? - self.before.one(name, labels)?;
        (grown >= 0.0 && !self.restarted()).then_some(grown / self.seconds)
    }

    fn restarted(&self) -> bool {
        let start = |samples: &Samples| samples.one("process_start_time_seconds", &[]);
        start(self.before) != start(self.after)
    }

    /// Methods that were called in between.
    fn methods(&self) -> Value {
        let name = "amaters_net_method_requests_total";
        let called = self.after.values(name, "method").into_iter().filter_map(|method| {
            let labels = [("method", method.as_str())];
            let requests = self.rate(name, &labels).filter(|rate| *rate > 0.0)?;
            let quantile = |share| self.quantile_ms(&method, share);
            Some(json!({
                "method": method.rsplit('/').next(),
                "requests_per_second": tenth(requests),
                "errors_per_second": tenths(self.rate("amaters_net_method_errors_total", &labels)),
                "p50_ms": quantile(0.5),
                "p99_ms": quantile(0.99),
                "p999_ms": quantile(0.999),
            }))
        });
        Value::Array(called.collect())
    }

    /// A bound of a histogram that so many requests were not above: what is known is that bound, not the time itself.
    fn quantile_ms(&self, method: &str, share: f64) -> Value {
        let name = "amaters_request_duration_seconds_bucket";
        let of_method = |samples: &Samples| -> Vec<(String, f64)> {
            let buckets = samples.all(name).iter();
            let buckets =
                buckets.filter(|(labels, _)| labels.get("method").is_some_and(|has| has == method));
            buckets
                .map(|(labels, count)| (labels.get("le").cloned().unwrap_or_default(), *count))
                .collect()
        };
        let (before, after) = (of_method(self.before), of_method(self.after));
        if before.len() != after.len() || self.restarted() {
            return Value::Null;
        }
        let grown: Vec<_> =
            before.iter().zip(&after).map(|((_, b), (le, a))| (le, a - b)).collect();
        let Some(all) = grown.last().map(|(_, count)| *count).filter(|count| *count > 0.0) else {
            return Value::Null;
        };
        let Some(at) = grown.iter().position(|(_, count)| *count >= all * share) else {
            return Value::Null;
        };
        let bound = |le: &str| {
            le.parse::<f64>().ok().filter(|bound| bound.is_finite()).map(|bound| bound * 1e3)
        };
        match bound(grown[at].0) {
            Some(ms) => json!(format!("≤{}", trimmed(ms))),
            None => at
                .checked_sub(1)
                .and_then(|below| bound(grown[below].0))
                .map_or(Value::Null, |ms| json!(format!(">{}", trimmed(ms)))),
        }
    }

    fn reactors(&self) -> Value {
        let rows = self.after.values("amaters_reactor_requests_total", "reactor").into_iter().map(|reactor| {
            let labels = [("reactor", reactor.as_str())];
            json!({
                "reactor": reactor,
                "requests_per_second": tenths(self.rate("amaters_reactor_requests_total", &labels)),
                "connections": whole(self.now("amaters_reactor_connections", &labels)),
                "active_requests": whole(self.now("amaters_reactor_active_requests", &labels)),
            })
        });
        Value::Array(rows.collect())
    }

    fn shards(&self) -> Value {
        let rows = self.after.values("amaters_shard_entries", "shard").into_iter().map(|shard| {
            let labels = [("shard", shard.as_str())];
            let now = |name: &str| whole(self.now(&format!("amaters_shard_{name}"), &labels));
            let rate = |operation: &str| {
                let labels = [labels[0], ("operation", operation)];
                tenths(self.rate("amaters_shard_operations_total", &labels))
            };
            let hits = self.rate("amaters_shard_cache_hits_total", &labels);
            let misses = self.rate("amaters_shard_cache_misses_total", &labels);
            let hit = hits.zip(misses).filter(|(hits, misses)| hits + misses > 0.0);
            let stall = self.rate("amaters_shard_stall_seconds_total", &labels);
            let mut row = Map::new();
            let mut put = |name: &str, value| row.insert(name.to_owned(), value);
            put("shard", shard.clone().into());
            put("entries", now("entries"));
            put("gets_per_second", rate("get"));
            put("sets_per_second", rate("set"));
            put("deletes_per_second", rate("delete"));
            put("scans_per_second", rate("scan"));
            put(
                "cache_hit_percent",
                tenths(hit.map(|(hits, misses)| hits * 100.0 / (hits + misses))),
            );
            put("memtable_bytes", now("memtable_bytes"));
            put("log_bytes", now("wal_bytes"));
            put("table_bytes", whole(self.after.sum_of_shard("amaters_shard_table_bytes", &shard)));
            put("blob_bytes", now("blob_bytes"));
            put("stall_percent", tenths(stall.map(|share| share * 100.0)));
            put(
                "poisoned",
                json!(self.now("amaters_shard_poisoned", &labels).map(|value| value == 1.0)),
            );
            Value::Object(row)
        });
        Value::Array(rows.collect())
    }
}

impl Samples {
    /// Tables are told by level too.
    fn sum_of_shard(&self, name: &str, shard: &str) -> Option<f64> {
        self.sum(name, "shard", shard)
    }
}

fn tenth(number: f64) -> Value {
    json!((number * 10.0).round() / 10.0)
}

fn tenths(number: Option<f64>) -> Value {
    number.map_or(Value::Null, tenth)
}

fn whole(number: Option<f64>) -> Value {
    number.map_or(Value::Null, |number| json!(number.round() as u64))
}

fn trimmed(ms: f64) -> String {
    format!("{ms:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "process_start_time_seconds 5\namaters_net_requests_total 10\n\
        amaters_net_method_requests_total{method=\"/a/Get\"} 10\n\
        amaters_request_duration_seconds_bucket{method=\"/a/Get\",le=\"0.001\"} 10\n\
        amaters_request_duration_seconds_bucket{method=\"/a/Get\",le=\"0.01\"} 10\n\
        amaters_request_duration_seconds_bucket{method=\"/a/Get\",le=\"+Inf\"} 10\n\
        amaters_shard_entries{shard=\"0\"} 1\n";
    const AFTER: &str = "process_start_time_seconds 5\namaters_net_requests_total 110\n\
        amaters_net_method_requests_total{method=\"/a/Get\"} 110\n\
        amaters_request_duration_seconds_bucket{method=\"/a/Get\",le=\"0.001\"} 70\n\
        amaters_request_duration_seconds_bucket{method=\"/a/Get\",le=\"0.01\"} 109\n\
        amaters_request_duration_seconds_bucket{method=\"/a/Get\",le=\"+Inf\"} 110\n\
        amaters_shard_entries{shard=\"0\"} 1\n";

    fn view(before: &str, after: &str) -> View {
        View::between(&Samples::of(before), &Samples::of(after), Duration::from_secs(2))
    }

    #[test]
    fn rates_and_bounds_of_latencies_come_from_two_scrapes() {
        let view = view(BEFORE, AFTER);
        assert_eq!(view.0["requests_per_second"], 50.0);
        let method = &view.0["methods"][0];
        assert_eq!((&method["method"], &method["p50_ms"]), (&json!("Get"), &json!("≤1")));
        assert_eq!((&method["p99_ms"], &method["p999_ms"]), (&json!("≤10"), &json!(">10")));
    }

    #[test]
    fn what_is_not_measured_is_a_dash() {
        let view = view(BEFORE, AFTER);
        assert_eq!(view.0["connections"], Value::Null);
        assert_eq!(view.0["shards"][0]["gets_per_second"], Value::Null);
    }

    #[test]
    fn a_server_that_began_anew_has_no_rates_yet() {
        let view = view(BEFORE, &AFTER.replace("seconds 5", "seconds 9"));
        assert_eq!(
            (&view.0["restarted"], &view.0["requests_per_second"]),
            (&json!(true), &Value::Null)
        );
    }
}
