//! Our server beside nghttpd, Redis and etcd: one core for the server, the other for the generator,
//! rounds in turn, so that what changes on the machine changes for both.
//!
//! `cargo bench --bench peers -- [--short] [--rounds N] [--seconds S] [--only TEXT]`; how to read
//! the table is in `docs/explanation/benchmarks.md`.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use amaters_load::{
    drive::{Load, Mark},
    process::{self, Process},
    report::Report,
    script::{KeySet, Mix, batch},
    server::{RedisLog, Server},
    target::{Target, Work},
};
use clap::Parser;

/// The generator's core.
const GENERATOR: usize = 0;
/// The server's core.
const SERVER: usize = 1;

const KIB: usize = 1024;
/// Memory for more than the 64 MiB of values that a row has.
const MEMORY: &str = "[storage]\nengine = \"memory\"\nmemtable_size_mb = 512\n";
const ALWAYS: &str = "[storage]\nengine = \"lsm\"\n[storage.wal]\nsync_mode = \"always\"\n";
const INTERVAL: &str = "[storage]\nengine = \"lsm\"\n[storage.wal]\nsync_mode = \"interval\"\n";

#[derive(Parser)]
struct Cli {
    /// One round of half a second: whether it runs, not how fast.
    #[arg(long)]
    short: bool,
    /// Rounds of each row; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measured seconds of each round.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Rows whose title has this text.
    #[arg(long)]
    only: Option<String>,
    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy)]
enum Peer {
    Nghttpd,
    Redis(RedisLog),
    Etcd,
    /// Our own server without TLS, beside itself with it.
    Plain,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Nghttpd => "nghttpd",
            Self::Redis(_) => "redis",
            Self::Etcd => "etcd",
            Self::Plain => "plain",
        }
    }

    fn target(self) -> Target {
        match self {
            Self::Nghttpd => Target::Nghttpd,
            Self::Redis(_) => Target::Redis,
            Self::Etcd => Target::Etcd,
            Self::Plain => Target::Amaters,
        }
    }

    fn start(self, program: &Path, value_bytes: usize) -> io::Result<Server> {
        match self {
            Self::Plain => Server::amaters(program, Some(SERVER), MEMORY),
            Self::Nghttpd => Server::nghttpd(SERVER, &[value_bytes]),
            Self::Redis(log) => Server::redis(SERVER, log),
            Self::Etcd => Server::etcd(SERVER),
        }
    }
}

/// One question: how do we compare in this shape of load?
struct Row {
    title: &'static str,
    config: &'static str,
    peer: Peer,
    value_bytes: usize,
    mix: Mix,
    connections: usize,
    depth: usize,
    /// Least ratio that we want.
    aim: Option<f64>,
    /// How many keys there are, if not as many as usual.
    keys_count: Option<u32>,
    /// Shards of our data directory.
    shards: usize,
    /// Ours speaks TLS, with a certificate of ECDSA P-256.
    tls: bool,
}

/// Ten writes at once over so many shards.
const fn writes_at_once(
    title: &'static str,
    config: &'static str,
    peer: Peer,
    shape: (usize, usize),
    shards: usize,
    keys_count: Option<u32>,
) -> Row {
    Row { shards, keys_count, ..row(title, config, peer, 100, Mix::Batch, shape, None) }
}

const fn row(
    title: &'static str,
    config: &'static str,
    peer: Peer,
    value_bytes: usize,
    mix: Mix,
    (connections, depth): (usize, usize),
    aim: Option<f64>,
) -> Row {
    let (keys_count, shards, tls) = (None, 1, false);
    Row { title, config, peer, value_bytes, mix, connections, depth, aim, keys_count, shards, tls }
}

/// Ours with TLS beside ours without.
const fn over_tls(
    title: &'static str,
    value_bytes: usize,
    mix: Mix,
    shape: (usize, usize),
    aim: Option<f64>,
) -> Row {
    Row { tls: true, ..row(title, MEMORY, Peer::Plain, value_bytes, mix, shape, aim) }
}

const REDIS: Peer = Peer::Redis(RedisLog::None);
const SECONDLY: Peer = Peer::Redis(RedisLog::EverySecond);
const LARGE: (usize, usize) = (8, 4);

const ROWS: &[Row] = &[
    row("GET 100 B, 8x32", MEMORY, Peer::Nghttpd, 100, Mix::Get, (8, 32), Some(0.5)),
    row("GET 100 B, 8x32", MEMORY, REDIS, 100, Mix::Get, (8, 32), None),
    row("GET 100 B, 64x1", MEMORY, REDIS, 100, Mix::Get, (64, 1), Some(0.9)),
    row("GET 100 B, 64x1", MEMORY, Peer::Nghttpd, 100, Mix::Get, (64, 1), None),
    row("SET 100 B, 8x32", MEMORY, REDIS, 100, Mix::Set, (8, 32), None),
    row("SET 100 B, 64x1", MEMORY, REDIS, 100, Mix::Set, (64, 1), None),
    row("GET 64 KiB, 8x4", MEMORY, REDIS, 64 * KIB, Mix::Get, LARGE, Some(0.8)),
    row("GET 64 KiB, 8x4", MEMORY, Peer::Nghttpd, 64 * KIB, Mix::Get, LARGE, None),
    row("SET 64 KiB, 8x4", MEMORY, REDIS, 64 * KIB, Mix::Set, LARGE, None),
    row("GET 512 KiB, 8x4", MEMORY, REDIS, 512 * KIB, Mix::Get, LARGE, None),
    row("GET 512 KiB, 8x4", MEMORY, Peer::Nghttpd, 512 * KIB, Mix::Get, LARGE, None),
    row("SET 512 KiB, 8x4", MEMORY, REDIS, 512 * KIB, Mix::Set, LARGE, None),
    over_tls("GET 100 B, 8x32, TLS", 100, Mix::Get, (8, 32), Some(0.8)),
    over_tls("GET 100 B, 64x1, TLS", 100, Mix::Get, (64, 1), None),
    over_tls("SET 100 B, 8x32, TLS", 100, Mix::Set, (8, 32), None),
    over_tls("GET 64 KiB, 8x4, TLS", 64 * KIB, Mix::Get, LARGE, None),
    over_tls("SET 64 KiB, 8x4, TLS", 64 * KIB, Mix::Set, LARGE, None),
    row("GET 100 B, 8x32, lsm", INTERVAL, Peer::Nghttpd, 100, Mix::Get, (8, 32), None),
    row("SET 100 B, 8x32, interval", INTERVAL, SECONDLY, 100, Mix::Set, (8, 32), None),
    row("SET 100 B, 8x32, durable", ALWAYS, Peer::Etcd, 100, Mix::Set, (8, 32), Some(3.0)),
    row(
        "SET 100 B, 8x32, durable",
        ALWAYS,
        Peer::Redis(RedisLog::Always),
        100,
        Mix::Set,
        (8, 32),
        None,
    ),
    writes_at_once("10 SETs, 8x8, interval", INTERVAL, SECONDLY, (8, 8), 1, None),
    writes_at_once("the same, 4 shards", INTERVAL, SECONDLY, (8, 8), 4, None),
    writes_at_once("10 SETs, 8x8, durable", ALWAYS, Peer::Etcd, (8, 8), 1, None),
    writes_at_once("the same, 4 shards", ALWAYS, Peer::Etcd, (8, 8), 4, None),
    writes_at_once("10 hot SETs, 1 shard", ALWAYS, Peer::Etcd, (64, 1), 1, Some(batch::WRITES)),
    writes_at_once("10 hot SETs, 4 shards", ALWAYS, Peer::Etcd, (64, 1), 4, Some(batch::WRITES)),
];

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> io::Result<()> {
    process::pin(GENERATOR)?;
    let _awake = [Process::spinner(GENERATOR)?, Process::spinner(SERVER)?];
    println!(
        "{:<28} {:<8} {:>9} {:>9} {:>6} {:>5}  {:>13} {:>13} {:>17} {:>11} {:>5}",
        "row",
        "peer",
        "ours",
        "peer's",
        "ratio",
        "aim",
        "ours p50/p99",
        "peer p50/p99",
        "µs CPU ours/peer",
        "alloc/req",
        "gen %"
    );
    let mut failed = false;
    for row in ROWS {
        let title = format!("{} {}", row.title, row.peer.name());
        if cli.only.as_ref().is_some_and(|only| !title.contains(only.as_str())) {
            continue;
        }
        // One row that cannot be measured should not cost the others.
        if let Err(error) = row.measure(cli) {
            println!("{title:<37} {error}");
            failed = true;
        }
    }
    if failed { Err(io::Error::other("some rows were not measured")) } else { Ok(()) }
}

/// One server in one round.
struct Sample {
    report: Report,
    cpu_us: f64,
}

impl Row {
    fn measure(&self, cli: &Cli) -> io::Result<()> {
        let program = program("AMATERS_SERVER")
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_amaters-server")));
        let work = self.work(cli);
        let plain = Work { load: Load { tls: false, ..work.load }, ..work };
        let ours = self.ours(&program)?;
        let peer = self.peer.start(&program, self.value_bytes)?;
        Target::Amaters.fill_with(ours.address, work.keys, self.tls)?;
        self.peer.target().fill(peer.address, work.keys)?;
        let rounds = if cli.short { 1 } else { cli.rounds };
        let mut samples = Vec::new();
        for _ in 0..rounds {
            let ours = sample(Target::Amaters, &ours, &work)?;
            samples.push((ours, sample(self.peer.target(), &peer, &plain)?));
        }
        drop(peer);
        ours.stop()?;
        let allocations = match program_counting() {
            Some(program) => Some(self.allocations(&program, &work)?),
            None => None,
        };
        self.print(&samples, allocations);
        Ok(())
    }

    /// Our server, on a data directory of its own with as many shards as the row wants.
    fn ours(&self, program: &Path) -> io::Result<Server> {
        let certificate = tempfile::tempdir()?;
        let config = match self.tls {
            true => format!("{}{}", self.config, tls_config(certificate.path())?),
            false => self.config.to_owned(),
        };
        let server = Server::amaters(program, Some(SERVER), &config)?;
        if self.shards == 1 {
            return Ok(server);
        }
        let data_dir = server.data_dir();
        let folder = server.stop()?;
        let mut reshard = Command::new(program);
        reshard.args(["reshard", "--shards", &self.shards.to_string(), "--data-dir"]);
        let output = reshard.arg(data_dir).output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Server::amaters_in(program, Some(SERVER), &config, folder)
    }

    fn work(&self, cli: &Cli) -> Work {
        let seconds = if cli.short { 0.5 } else { cli.seconds };
        let mut keys = KeySet::of_values(self.value_bytes);
        if cli.short || matches!(self.peer, Peer::Etcd) {
            keys.keys_count = keys.keys_count.min(10_000);
        }
        keys.keys_count = self.keys_count.unwrap_or(keys.keys_count);
        let load = Load::closed(self.connections, self.depth, Duration::from_secs_f64(seconds));
        let load = Load { tls: self.tls, ..load };
        Work { keys, mix: self.mix, load }
    }

    /// Allocations for each request, from a server that counts them (and is slower for it).
    fn allocations(&self, program: &Path, work: &Work) -> io::Result<f64> {
        let mut server = self.ours(program)?;
        Target::Amaters.fill_with(server.address, work.keys, self.tls)?;
        let mut work = *work;
        work.load.warmup = Duration::ZERO;
        let before = server.allocations()?.count;
        let report = Target::Amaters.measure(server.address, &work, |_| {})?;
        let during = server.allocations()?.count - before;
        server.stop()?;
        Ok(during as f64 / report.answered as f64)
    }

    fn print(&self, samples: &[(Sample, Sample)], allocations: Option<f64>) {
        let value = |sample: &Sample| self.value(&sample.report);
        let ratio = median(samples.iter().map(|(ours, peer)| value(ours) / value(peer)));
        let ours = Side::of(samples.iter().map(|(ours, _)| ours), value);
        let peer = Side::of(samples.iter().map(|(_, peer)| peer), value);
        let verdict = match self.aim {
            Some(aim) if ratio < aim => "MISS",
            Some(_) => "met",
            None => "",
        };
        println!(
            "{:<28} {:<8} {:>9} {:>9} {:>6.2} {:>5}  {:>13} {:>13} {:>17} {:>11} {:>5} {}",
            self.title,
            self.peer.name(),
            self.shown(ours.value),
            self.shown(peer.value),
            ratio,
            self.aim.map_or_else(String::new, |aim| format!("{aim}")),
            format!("{:.0}/{:.0}", ours.p50, ours.p99),
            format!("{:.0}/{:.0}", peer.p50, peer.p99),
            format!("{:.2}/{:.2}", ours.cpu_us, peer.cpu_us),
            allocations.map_or_else(|| "-".into(), |count| format!("{count:.1}")),
            format!("{:.0}", ours.generator.max(peer.generator) * 100.0),
            verdict,
        );
        let each = |side: fn(&(Sample, Sample)) -> &Sample| {
            let all: Vec<_> = samples.iter().map(|pair| self.shown(value(side(pair)))).collect();
            all.join(" ")
        };
        println!(
            "{:<28} rounds: ours {} | peer {}",
            "",
            each(|pair| &pair.0),
            each(|pair| &pair.1)
        );
    }

    /// Requests a second for small values, gigabytes for large ones.
    fn value(&self, report: &Report) -> f64 {
        if self.is_large() { report.gigabytes_per_second() } else { report.per_second() }
    }

    fn is_large(&self) -> bool {
        self.value_bytes >= 16 * KIB
    }

    fn shown(&self, value: f64) -> String {
        if self.is_large() { format!("{value:.2}GB/s") } else { format!("{:.1}k/s", value / 1e3) }
    }
}

/// A certificate in a folder, and the keys that serve it. The server reads it when it starts.
fn tls_config(folder: &Path) -> io::Result<String> {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let signed = signed.map_err(io::Error::other)?;
    let (certificate, key) = (folder.join("server.crt"), folder.join("server.key"));
    fs::write(&certificate, signed.cert.pem())?;
    fs::write(&key, signed.signing_key.serialize_pem())?;
    Ok(format!(
        "[network]\ntls_enabled = true\ntls_cert = \"{}\"\ntls_key = \"{}\"\n",
        certificate.display(),
        key.display()
    ))
}

/// Medians of one side of a row.
struct Side {
    value: f64,
    p50: f64,
    p99: f64,
    cpu_us: f64,
    generator: f64,
}

impl Side {
    fn of<'a>(
        samples: impl Iterator<Item = &'a Sample> + Clone,
        value: impl Fn(&Sample) -> f64,
    ) -> Self {
        Self {
            value: median(samples.clone().map(value)),
            p50: median(samples.clone().map(|sample| sample.report.latency_us(0.5))),
            p99: median(samples.clone().map(|sample| sample.report.latency_us(0.99))),
            cpu_us: median(samples.clone().map(|sample| sample.cpu_us)),
            generator: median(samples.map(|sample| sample.report.generator_busy)),
        }
    }
}

fn sample(target: Target, server: &Server, work: &Work) -> io::Result<Sample> {
    let mut cpu = [Duration::ZERO; 2];
    let report = target.measure(server.address, work, |mark| match mark {
        Mark::Begin => cpu[0] = server.process.cpu(),
        Mark::End => cpu[1] = server.process.cpu(),
    })?;
    if report.failed() > 0 || report.answered == 0 {
        return Err(io::Error::other(format!("{target:?} failed requests: {report}")));
    }
    let cpu_us = (cpu[1] - cpu[0]).as_secs_f64() * 1e6 / report.answered as f64;
    Ok(Sample { report, cpu_us })
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn program(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from)
}

/// A build of our server that counts its allocations.
fn program_counting() -> Option<PathBuf> {
    program("AMATERS_SERVER_COUNTING")
}
