//! Command line of the hostile client: attacks a server, and shows what a polite one sees meanwhile.

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use amaters_load::{
    hostile::{Attack, Scale},
    process,
    target::Target,
    watch::{POLITE, watch},
};
use clap::Parser;

#[derive(Parser)]
struct Cli {
    /// Where the server listens.
    address: SocketAddr,
    /// Its process id, to look at its memory.
    #[arg(long)]
    pid: u32,
    /// Which attacks; without any, all.
    #[arg(value_enum)]
    attacks: Vec<Attack>,
    /// How long each goes on if the server lets it.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Connections that flood, one after the other.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Connections of the attack by idle ones.
    #[arg(long, default_value_t = 20_000)]
    idle: usize,
    /// Rate of the polite client.
    #[arg(long, default_value_t = 500.0)]
    polite: f64,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("amaters-hostile: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> io::Result<()> {
    process::raise_open_files()?;
    Target::Amaters.fill(cli.address, POLITE)?;
    let attacks = if cli.attacks.is_empty() { &Attack::ALL[..] } else { &cli.attacks };
    let duration = Duration::from_secs_f64(cli.seconds);
    let scale =
        Scale { duration, connections: cli.connections, idle: cli.idle, ..Scale::default() };
    for attack in attacks {
        let (outcome, seen) =
            watch(cli.address, cli.pid, cli.polite, duration + Duration::from_secs(1), || {
                attack.run(cli.address, &scale)
            })?;
        println!("{attack:?}: {outcome}");
        println!("  polite client: {}", seen.polite);
        println!(
            "  server: {} MiB before, at most {} MiB",
            seen.resident_before_bytes >> 20,
            seen.resident_peak_bytes >> 20,
        );
    }
    Ok(())
}
