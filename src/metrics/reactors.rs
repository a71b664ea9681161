//! Metrics of requests and connections: as sums under the names of the guide, and for each reactor.
//!
//! Always true within one scrape: a sum is that of the values that are shown for the reactors.

use amaters_shards::{
    Counters, LATENCY_BOUNDS_NANOS, Latencies, Method, MethodCounters, Watch, throttle::Limit,
};

use super::exposition::{Exposition, Kind};

/// Bounds of `amaters_net_rtt`, in milliseconds.
const ROUND_TRIP_BOUNDS_MILLIS: [u64; 7] = [1, 5, 10, 50, 100, 500, 1000];
/// The label of requests that name no method of ours.
const STRANGER: &str = "other";

/// What one reactor stands at, read once.
struct Reading {
    /// In the order of [`Method::ALL`], then those of no method.
    methods: Vec<MethodReading>,
    connections: usize,
    numbers: [u64; NUMBERS.len()],
}

/// What one method stands at.
#[derive(Clone, Copy, Default)]
struct MethodReading {
    begun: u64,
    failed: u64,
    given_up: u64,
    latencies: Latencies,
}

/// A number of a reactor: name without its beginning, kind, meaning, and where it is.
type Number = (&'static str, Kind, &'static str, fn(&Counters) -> u64);

/// `amaters_reactor_…`; those with a name of the guide have their sum there, the others under `amaters_…`.
const NUMBERS: &[Number] = &[
    ("bytes_sent", Kind::Counter, "Bytes written to connections.", |c| c.bytes_sent.get()),
    ("bytes_received", Kind::Counter, "Bytes read from connections.", |c| c.bytes_received.get()),
    ("connections_accepted", Kind::Counter, "Connections accepted.", |c| {
        c.connections_accepted.get()
    }),
    (
        "connections_refused",
        Kind::Counter,
        "Connections closed at once because server.max_connections were open.",
        |c| c.connections_refused.get(),
    ),
    (
        "connections_refused_by_address",
        Kind::Counter,
        "Connections closed at once because their address had limits.connections_per_address open.",
        |c| c.connections_refused_by_address.get(),
    ),
    (
        "connections_cut",
        Kind::Counter,
        "Connections closed because they sent too many control frames or stood still.",
        |c| c.connections_cut.get(),
    ),
    ("tls_unexpected", Kind::Counter, "Clients that began with TLS where none is spoken.", |c| {
        c.tls_unexpected.get()
    }),
    (
        "tls_handshakes_under_way",
        Kind::Gauge,
        "TLS handshakes that have a place (limits.handshakes_max).",
        |c| c.tls_under_way.get(),
    ),
    ("tls_handshakes_waiting", Kind::Gauge, "TLS handshakes that wait for a place.", |c| {
        c.tls_waiting.get()
    }),
    (
        "principals_admitted",
        Kind::Counter,
        "Principals recognised, once for each connection and credential.",
        |c| c.principals_admitted.get(),
    ),
    (
        "credentials_refused",
        Kind::Counter,
        "Requests refused because credentials were wrong or missing.",
        |c| c.credentials_refused.get(),
    ),
    (
        "requests_denied",
        Kind::Counter,
        "Queries and commands refused because their principal may not.",
        |c| c.requests_denied.get(),
    ),
    ("hops", Kind::Counter, "Operations sent to shards of other reactors.", |c| c.hops.get()),
    ("hops_under_way", Kind::Gauge, "Hops that are not answered yet.", |c| c.hops_under_way.get()),
    ("in_flight_bytes", Kind::Gauge, "Bytes of requests and answers in flight.", |c| {
        c.in_flight_bytes.get()
    }),
    ("turns", Kind::Counter, "Steps of work; stands still when the reactor does.", |c| {
        c.turns.get()
    }),
];

/// Writes them.
pub(super) fn write(out: &mut Exposition, watch: &Watch) {
    let connections = watch.connections();
    let counters = watch.counters().iter().zip(connections);
    let readings: Vec<_> = counters.map(|(counters, open)| Reading::of(counters, open)).collect();
    let mut sum = vec![MethodReading::default(); Method::ALL.len() + 1];
    for reading in &readings {
        sum.iter_mut().zip(&reading.methods).for_each(|(sum, more)| sum.add(more));
    }
    let mut all = MethodReading::default();
    sum.iter().for_each(|method| all.add(method));

    requests(out, &all);
    round_trips(out, &sum);
    methods(out, &sum);
    numbers(out, &readings);
    for_each_reactor(out, &readings);
    limited(out, watch);
    let open: usize = readings.iter().map(|reading| reading.connections).sum();
    out.single(Kind::Gauge, "amaters_connections", "Open connections.", open);
    let help = "Open connections that are allowed (server.max_connections).";
    out.single(Kind::Gauge, "amaters_connections_max", help, watch.connections_max());
}

fn requests(out: &mut Exposition, all: &MethodReading) {
    out.single(Kind::Counter, "amaters_net_requests", "Total gRPC requests.", all.begun);
    let help = "Total gRPC requests that ended in an error, in-band or in the status.";
    out.single(Kind::Counter, "amaters_net_errors", help, all.failed);
    let help = "Total gRPC requests whose client went before the end.";
    out.single(Kind::Counter, "amaters_net_given_up", help, all.given_up);
    let help = "Currently active gRPC requests.";
    out.single(Kind::Gauge, "amaters_net_active_requests", help, all.active());
}

/// Over all reactors.
fn limited(out: &mut Exposition, watch: &Watch) {
    let help = "Requests that were refused because of a limit, by its key.";
    let mut family = out.family(Kind::Counter, "amaters_net_requests_limited", help);
    for limit in Limit::ALL {
        let count: u64 = watch.counters().iter().map(|c| c.limited(limit).get()).sum();
        family.sample(&[("limit", limit.key())], count);
    }
}

/// The round trips that have an end of their own: calls of one request and one answer.
fn round_trips(out: &mut Exposition, methods: &[MethodReading]) {
    let mut unary = Latencies::default();
    for (method, reading) in Method::ALL.into_iter().zip(methods) {
        if method.is_unary() {
            unary.merge(&reading.latencies);
        }
    }
    let mut counts = [0; ROUND_TRIP_BOUNDS_MILLIS.len() + 1];
    let bounds = LATENCY_BOUNDS_NANOS.into_iter().chain([u64::MAX]);
    for (bound, count) in bounds.zip(unary.counts) {
        let fits = |millis: &u64| bound <= millis * 1_000_000;
        let place = ROUND_TRIP_BOUNDS_MILLIS.iter().position(fits);
        counts[place.unwrap_or(ROUND_TRIP_BOUNDS_MILLIS.len())] += count;
    }
    let bounds = ROUND_TRIP_BOUNDS_MILLIS.map(|millis| millis as f64);
    let help = "Time from the arrival of a unary request to its answer, in milliseconds.";
    out.family(Kind::Histogram, "amaters_net_rtt", help).histogram(
        &[],
        &bounds,
        &counts,
        unary.sum as f64 / 1e6,
    );
}

fn methods(out: &mut Exposition, methods: &[MethodReading]) {
    let paths = || Method::ALL.into_iter().map(Method::path).chain([STRANGER]);
    let help = "gRPC requests by method.";
    let mut family = out.family(Kind::Counter, "amaters_net_method_requests", help);
    for (path, reading) in paths().zip(methods) {
        family.sample(&[("method", path)], reading.begun);
    }
    let help = "gRPC requests that ended in an error, by method.";
    let mut family = out.family(Kind::Counter, "amaters_net_method_errors", help);
    for (path, reading) in paths().zip(methods) {
        family.sample(&[("method", path)], reading.failed);
    }
    let help = "Time from the arrival of a request to its end, by method.";
    let mut family = out.family(Kind::Histogram, "amaters_request_duration_seconds", help);
    for (path, reading) in paths().zip(methods) {
        let Latencies { counts, sum } = reading.latencies;
        family.histogram(&[("method", path)], &seconds(), &counts, sum as f64 / 1e9);
    }
}

/// The bounds of latencies, as metrics say them.
pub(super) fn seconds() -> [f64; LATENCY_BOUNDS_NANOS.len()] {
    LATENCY_BOUNDS_NANOS.map(|nanos| nanos as f64 / 1e9)
}

fn numbers(out: &mut Exposition, readings: &[Reading]) {
    for (index, (name, kind, help, _)) in NUMBERS.iter().enumerate() {
        // A sum of turns says nothing.
        if *name != "turns" {
            let sum: u64 = readings.iter().map(|reading| reading.numbers[index]).sum();
            let of_guide = matches!(*name, "bytes_sent" | "bytes_received");
            let name = format!("amaters_{}{name}", if of_guide { "net_" } else { "" });
            out.single(*kind, &name, help, sum);
        }
        let mut family = out.family(*kind, &format!("amaters_reactor_{name}"), help);
        for (reactor, reading) in readings.iter().enumerate() {
            family.sample(&[("reactor", &reactor.to_string())], reading.numbers[index]);
        }
    }
}

fn for_each_reactor(out: &mut Exposition, readings: &[Reading]) {
    type Value = fn(&Reading) -> u64;
    let families: [(&str, Kind, &str, Value); 4] = [
        ("requests", Kind::Counter, "gRPC requests.", |reading| reading.sum(|m| m.begun)),
        ("errors", Kind::Counter, "gRPC requests that ended in an error.", |reading| {
            reading.sum(|method| method.failed)
        }),
        ("active_requests", Kind::Gauge, "Currently active gRPC requests.", |reading| {
            reading.sum(MethodReading::active)
        }),
        ("connections", Kind::Gauge, "Open connections.", |reading| reading.connections as u64),
    ];
    for (name, kind, help, value) in families {
        let mut family = out.family(kind, &format!("amaters_reactor_{name}"), help);
        for (reactor, reading) in readings.iter().enumerate() {
            family.sample(&[("reactor", &reactor.to_string())], value(reading));
        }
    }
}

impl Reading {
    fn of(counters: &Counters, connections: usize) -> Self {
        let methods = Method::ALL.into_iter().map(Some).chain([None]);
        let methods = methods.map(|method| MethodReading::of(counters.method(method))).collect();
        let mut numbers = [0; NUMBERS.len()];
        for (number, (_, _, _, read)) in numbers.iter_mut().zip(NUMBERS) {
            *number = read(counters);
        }
        Self { methods, connections, numbers }
    }

    fn sum(&self, value: impl Fn(&MethodReading) -> u64) -> u64 {
        self.methods.iter().map(value).sum()
    }
}

impl MethodReading {
    fn of(counters: &MethodCounters) -> Self {
        // The ends first: what begins meanwhile is active, and never are there more ends than beginnings.
        let latencies = counters.latencies.read();
        let (failed, given_up) = (counters.failed.get(), counters.given_up.get());
        Self { begun: counters.begun.get(), failed, given_up, latencies }
    }

    fn add(&mut self, more: &Self) {
        self.begun += more.begun;
        self.failed += more.failed;
        self.given_up += more.given_up;
        self.latencies.merge(&more.latencies);
    }

    fn active(&self) -> u64 {
        self.begun.saturating_sub(self.latencies.count() + self.given_up)
    }
}
