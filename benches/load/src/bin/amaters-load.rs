//! Command line of the load generator.

use std::{io, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use amaters_load::{
    backups, connections,
    drive::{Arrival, Load},
    endure::{Plan, endure},
    handshakes::{Handshakes, Version},
    process, reloads,
    script::{KeySet, Mix},
    soak,
    target::{Target, Work},
};
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Loads a server and says what came of it")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Core of the generator; the server should have another.
    #[arg(long, global = true)]
    core: Option<usize>,
}

#[derive(Subcommand)]
enum Command {
    /// Gets, sets or both, in a closed loop or at a fixed rate; with the token in `AMATERS_TOKEN`, if there is one.
    Run(Run),
    /// Opens idle connections and says what each costs the server.
    Idle {
        /// Where the server listens.
        address: SocketAddr,
        /// Its process id.
        #[arg(long)]
        pid: u32,
        /// How many.
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
    },
    /// Opens and closes connections and says what they leave behind.
    Churn {
        /// Where the server listens.
        address: SocketAddr,
        /// Its process id.
        #[arg(long)]
        pid: u32,
        /// How many in all.
        #[arg(long, default_value_t = 1_000_000)]
        connections: usize,
        /// How many at once.
        #[arg(long, default_value_t = 100)]
        at_once: usize,
    },
    /// Shakes hands over TLS, again and again, with whatever certificate is shown.
    Handshakes {
        /// Where the server listens.
        address: SocketAddr,
        /// Its process id.
        #[arg(long)]
        pid: u32,
        /// TLS 1.2 and not 1.3.
        #[arg(long)]
        tls12: bool,
        /// With a ticket of the connection before.
        #[arg(long)]
        resume: bool,
        /// Clients at once.
        #[arg(long, default_value_t = 16)]
        clients: usize,
        /// For how long.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
    },
    /// Starts a server and does everything to it at once.
    Soak {
        /// The server.
        program: PathBuf,
        /// How long.
        #[arg(long, default_value_t = 30.0)]
        minutes: f64,
    },
    /// Starts a server, loads it with and without reloads, and says what they cost the requests. On
    /// two CPUs: `--core 0 --server-core 1`.
    Reloads {
        /// The server.
        program: PathBuf,
        /// How many.
        #[arg(long, default_value_t = 100)]
        count: usize,
        /// Core of the server.
        #[arg(long)]
        server_core: Option<usize>,
    },
    /// Starts a server and measures its backups beside `cp`, and what they cost the requests of others. It takes three times
    /// the room of what is loaded. On two CPUs: `--server-core 1`, and no `--core`, which the server would inherit.
    Backups(Backups),
    /// Starts a server with little memory, gives it far more data, kills it, and looks whether all
    /// is there. On two CPUs: `--core 0 --server-core 1`.
    Endure(Endure),
}

#[derive(Args)]
struct Backups {
    /// The server.
    program: PathBuf,
    /// A folder on the disk that is meant.
    folder: PathBuf,
    /// Values of 64 KiB, in GiB.
    #[arg(long, default_value_t = 10.0)]
    gib: f64,
    /// Sets of 100 bytes a second, while something is measured beside them.
    #[arg(long, default_value_t = 5000.0)]
    sets: f64,
    /// How long sets are measured without a backup.
    #[arg(long, default_value_t = 15.0)]
    seconds: f64,
    /// How often backup, `cp`, verification and restore are measured in turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// CPU of the server's only reactor; without it, there is one for each CPU.
    #[arg(long)]
    server_core: Option<usize>,
}

#[derive(Args)]
struct Endure {
    /// The server.
    program: PathBuf,
    /// A folder on the disk that is meant.
    folder: PathBuf,
    /// Values of 64 KiB, in GiB.
    #[arg(long, default_value_t = 20.0)]
    gib: f64,
    /// Values of 100 bytes, in millions.
    #[arg(long, default_value_t = 50.0)]
    millions: f64,
    /// Memory that the server's configuration adds up to.
    #[arg(long, default_value_t = 256)]
    memory_mib: u64,
    /// Longest time to load each of the two.
    #[arg(long, default_value_t = 3600.0)]
    load_seconds: f64,
    /// Longest time to wait for compaction.
    #[arg(long, default_value_t = 600.0)]
    rest_seconds: f64,
    /// Measured time of gets, alone and beside sets.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Gets a second.
    #[arg(long, default_value_t = 2000.0)]
    gets: f64,
    /// Sets a second.
    #[arg(long, default_value_t = 20_000.0)]
    sets: f64,
    /// Keys that are looked at after the crash.
    #[arg(long, default_value_t = 20_000)]
    sample: u32,
    /// Core of the server.
    #[arg(long)]
    server_core: Option<usize>,
    /// A try: a hundredth of the data, and less time.
    #[arg(long)]
    short: bool,
}

#[derive(Args)]
struct Run {
    /// Where the server listens.
    address: SocketAddr,
    /// What it speaks.
    #[arg(long, value_enum, default_value = "amaters")]
    target: Target,
    /// Share of requests that read.
    #[arg(long, default_value_t = 1.0)]
    reads: f64,
    /// Connections.
    #[arg(long, short, default_value_t = 8)]
    connections: usize,
    /// Requests on their way on each connection.
    #[arg(long, short = 'm', default_value_t = 32)]
    depth: usize,
    /// Requests a second; without it, as many as are answered.
    #[arg(long)]
    rate: Option<f64>,
    /// Bytes of each value.
    #[arg(long, default_value_t = 100)]
    value_bytes: usize,
    /// Keys; by default as many as make 64 MiB, at most 100,000.
    #[arg(long)]
    keys: Option<u32>,
    /// Measured time.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Speak TLS, and take whatever certificate is shown.
    #[arg(long)]
    tls: bool,
    /// Take it that the keys are there.
    #[arg(long)]
    filled: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let pinned = cli.core.map_or(Ok(()), process::pin);
    let ready = pinned.and_then(|()| process::raise_open_files());
    let done = ready.and_then(|_| match &cli.command {
        Command::Run(run) => run.run(),
        Command::Idle { address, pid, connections } => {
            connections::idle(*address, *pid, *connections).map(|idle| println!("{idle}"))
        }
        Command::Churn { address, pid, connections, at_once } => {
            connections::churn(*address, *pid, *connections, *at_once, |count, bytes| {
                println!("{count:>9} connections, {:>8} KiB resident", bytes / 1024);
            })
        }
        &Command::Handshakes { address, pid, tls12, resume, clients, seconds } => {
            let version = if tls12 { Version::Tls12 } else { Version::Tls13 };
            let duration = Duration::from_secs_f64(seconds);
            let handshakes = Handshakes { version, resume, clients, duration };
            handshakes.run(address, pid).map(|shaken| println!("{shaken}"))
        }
        Command::Soak { program, minutes } => {
            let duration = Duration::from_secs_f64(minutes * 60.0);
            soak::soak(program, duration, |line| println!("{line}")).map(|soaked| {
                println!("quiet: {}", soaked.quiet);
                println!("attacked: {}", soaked.attacked);
                println!("longest gap: {:?}", soaked.gap_max);
                println!("resident bytes, early and late: {:?}", soaked.resident_bytes);
            })
        }
        Command::Reloads { program, count, server_core } => {
            reloads::reloads(program, *server_core, *count).map(|measured| println!("{measured}"))
        }
        Command::Backups(given) => given.run(),
        Command::Endure(given) => given.run(),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("amaters-load: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Backups {
    fn run(&self) -> io::Result<()> {
        let plan = backups::Plan {
            gib: self.gib,
            sets_per_second: self.sets,
            quiet: Duration::from_secs_f64(self.seconds),
            rounds: self.rounds,
            server_core: self.server_core,
        };
        backups::backups(&self.program, &self.folder, &plan, &|line: &str| println!("{line}"))
    }
}

impl Endure {
    fn plan(&self) -> Plan {
        let seconds = |seconds: f64, short: f64| {
            Duration::from_secs_f64(if self.short { seconds.min(short) } else { seconds })
        };
        let scale = if self.short { 0.01 } else { 1.0 };
        Plan {
            gib: self.gib * scale,
            millions: self.millions * scale,
            memory_mib: self.memory_mib,
            load_max: seconds(self.load_seconds, 60.0),
            rest_max: seconds(self.rest_seconds, 30.0),
            settle: seconds(10.0, 2.0),
            measured: seconds(self.seconds, 5.0),
            gets_per_second: self.gets,
            sets_per_second: self.sets,
            sample: self.sample,
            server_core: self.server_core,
        }
    }

    fn run(&self) -> io::Result<()> {
        let say = |line: &str| println!("{line}");
        println!("{}", endure(&self.program, &self.folder, &self.plan(), &say)?);
        Ok(())
    }
}

impl Run {
    fn run(&self) -> io::Result<()> {
        let mut keys = KeySet::of_values(self.value_bytes);
        keys.keys_count = self.keys.unwrap_or(keys.keys_count);
        let mix = match self.reads {
            share if share >= 1.0 => Mix::Get,
            share if share <= 0.0 => Mix::Set,
            share => Mix::Mixed(share),
        };
        let mut load =
            Load::closed(self.connections, self.depth, Duration::from_secs_f64(self.seconds));
        if let Some(per_second) = self.rate {
            load.arrival = Arrival::Open { per_second };
        }
        load.tls = self.tls;
        if !self.filled {
            self.target.fill_with(self.address, keys, self.tls)?;
        }
        println!("{}", self.target.measure(self.address, &Work { keys, mix, load }, |_| {})?);
        Ok(())
    }
}
