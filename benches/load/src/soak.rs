//! Everything at once, for long: small and large values, ranges and filters, connections that come
//! and go, and from time to time a hostile client. Windows with and without hostility alternate, so
//! that the polite client's latencies tell what a neighbour's flood costs.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use amaters_proto::{
    aql::{QueryRequest, aql_service_client::AqlServiceClient},
    query::{FilterQuery, RangeQuery, query::Query},
    types::{ColumnRef, GtPredicate, Key, Predicate, predicate},
};
use rustix::process::Signal;

use crate::{
    connections::churn,
    drive::Load,
    hostile::{Attack, Scale},
    report::Report,
    script::{
        KeySet, Mix,
        amaters::{COLLECTION, blob, request, set},
    },
    server::Server,
    target::{Target, Work},
    watch::{POLITE, polite},
};

/// Length of a window; every other one has an attack.
const WINDOW: Duration = Duration::from_secs(10);
/// Rate of the polite client.
const POLITE_PER_SECOND: f64 = 500.0;
/// Values that the rough clients read and write.
const LARGE: [KeySet; 2] = [
    KeySet { keys_count: 200, value_bytes: 64 * 1024 },
    KeySet { keys_count: 50, value_bytes: 512 * 1024 },
];
/// The collection of values that filters can look into.
const SMALL: &str = "small";
/// The shape of the server.
const CONFIG: &str = "[server]\nmax_connections = 5000\n";

/// What half an hour told.
#[derive(Debug)]
pub struct Soaked {
    /// Latencies of the polite client in quiet windows.
    pub quiet: Report,
    /// … and while one or more connections attacked.
    pub attacked: Report,
    /// The longest that any reactor went without a turn, if the server says so.
    pub gap_max: Option<Duration>,
    /// Resident bytes at the end of the first minute and at the end.
    pub resident_bytes: (u64, u64),
}

/// Starts the server and loads it for `duration`; `say` gets a line for each window.
pub fn soak(program: &Path, duration: Duration, mut say: impl FnMut(String)) -> io::Result<Soaked> {
    let server = Server::amaters(program, None, CONFIG)?;
    let address = server.address;
    for keys in LARGE.into_iter().chain([POLITE]) {
        Target::Amaters.fill(address, keys)?;
    }
    let pid = server.process.pid();
    let (stop, troubles) = (&AtomicBool::new(false), &AtomicU64::new(0));
    let soaked = thread::scope(|scope| {
        for keys in LARGE {
            scope.spawn(move || until(stop, troubles, || large(address, keys)));
        }
        scope.spawn(move || until(stop, troubles, || scan(address)));
        scope.spawn(move || until(stop, troubles, || churn(address, pid, 2000, 50, |_, _| {})));
        let soaked = windows(&server, duration, troubles, &mut say);
        stop.store(true, Ordering::Relaxed);
        soaked
    });
    server.stop()?;
    soaked
}

/// Does it again and again; a failure is counted, and not the end.
fn until(stop: &AtomicBool, troubles: &AtomicU64, work: impl Fn() -> io::Result<()>) {
    while !stop.load(Ordering::Relaxed) {
        if work().is_err() {
            troubles.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(200));
        }
    }
}

fn windows(
    server: &Server,
    duration: Duration,
    troubles: &AtomicU64,
    say: &mut impl FnMut(String),
) -> io::Result<Soaked> {
    let started = Instant::now();
    let mut attacks = Attack::ALL.into_iter().cycle();
    let mut soaked = Soaked {
        quiet: Report::empty(),
        attacked: Report::empty(),
        gap_max: None,
        resident_bytes: (0, 0),
    };
    let mut hostile = false;
    while started.elapsed() < duration {
        let attack = if hostile { attacks.next() } else { None };
        let (report, outcome) = thread::scope(|scope| {
            let polite = scope.spawn(|| polite(server.address, POLITE_PER_SECOND, WINDOW));
            let scale = Scale { duration: WINDOW, idle: 6000, ..Scale::default() };
            let outcome = attack.map(|attack| attack.run(server.address, &scale));
            (polite.join(), outcome)
        });
        let report = report.map_err(|_| io::Error::other("the polite client panicked"))??;
        let resident = server.process.resident_bytes();
        server.process.signal(Signal::USR1)?;
        thread::sleep(Duration::from_millis(50));
        soaked.gap_max = soaked.gap_max.max(longest_gap(&server.process.log()));
        say(format!(
            "{:>5.0} s, {} MiB, longest gap {:?}, {} troubles, {}: {report}{}",
            started.elapsed().as_secs_f64(),
            resident >> 20,
            soaked.gap_max,
            troubles.load(Ordering::Relaxed),
            attack.map_or_else(|| "quiet".into(), |attack| format!("{attack:?}")),
            outcome.map_or_else(String::new, |outcome| match outcome {
                Ok(outcome) => format!("\n        {outcome}"),
                Err(error) => format!("\n        {error}"),
            }),
        ));
        if soaked.resident_bytes.0 == 0 && started.elapsed() > Duration::from_secs(60) {
            soaked.resident_bytes.0 = resident;
        }
        soaked.resident_bytes.1 = resident;
        let side = if hostile { &mut soaked.attacked } else { &mut soaked.quiet };
        side.add(&report);
        hostile = !hostile;
    }
    Ok(soaked)
}

fn large(address: SocketAddr, keys: KeySet) -> io::Result<()> {
    let load = Load { warmup: Duration::ZERO, ..Load::closed(2, 2, WINDOW) };
    let report =
        Target::Amaters.measure(address, &Work { keys, mix: Mix::Mixed(0.7), load }, |_| {})?;
    if report.failed() > 0 { Err(io::Error::other(report.to_string())) } else { Ok(()) }
}

/// Ranges and filters over a client that is not ours.
fn scan(address: SocketAddr) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(scan_with(address)).map_err(|error| io::Error::other(error.to_string()))
}

async fn scan_with(address: SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
    let mut client = AqlServiceClient::connect(format!("http://{address}")).await?;
    for index in 0..100u8 {
        client.execute_query(request(set(SMALL, vec![index], vec![index; 8]))).await?;
    }
    for _ in 0..20 {
        client.execute_query(range(Some(50))).await?;
        client.execute_query(filter(20)).await?;
        let mut stream = client.execute_stream(range(None)).await?.into_inner();
        while stream.message().await?.is_some() {}
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn range(limit: Option<u32>) -> QueryRequest {
    let key = |text: String| Some(Key { data: text.into() });
    request(Query::Range(RangeQuery {
        collection: COLLECTION.into(),
        start: key(POLITE.key(0)),
        end: key(POLITE.key(POLITE.keys_count)),
        limit,
    }))
}

fn filter(limit: u32) -> QueryRequest {
    let column = Some(ColumnRef { name: "value".into() });
    let greater = GtPredicate { column, value: Some(blob(vec![1])) };
    let predicate = Some(Predicate { predicate: Some(predicate::Predicate::Gt(greater)) });
    let collection = SMALL.into();
    request(Query::Filter(FilterQuery { collection, predicate, limit: Some(limit), offset: None }))
}

/// From lines like `reactor 0: turns 12, longest gap 3.5 ms`.
fn longest_gap(log: &str) -> Option<Duration> {
    let gaps = log.lines().filter_map(|line| {
        let (_, rest) = line.split_once("longest gap ")?;
        let milliseconds: f64 = rest.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_secs_f64(milliseconds / 1e3))
    });
    gaps.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_of_all_reactors_is_found() {
        let log =
            "INFO reactor 0: turns 12, longest gap 3.5 ms\nreactor 1: turns 9, longest gap 7 ms";
        assert_eq!(longest_gap(log), Some(Duration::from_millis(7)));
        assert_eq!(longest_gap("nothing"), None);
    }
}
