//! The server process: parse, check, announce, serve, drain.
//!
//! ```text
//! cli ─► config (written → checked) ─► start ─► preflight ─► directory ─► reactors (the shards crate)
//!                                        │ daemon                             ▲
//!                                        └────► control: signals, reload, report, pulse, stop
//!                                                  │ board                ▲
//!        status, reload ◄──── control socket ◄─────┴── questions ─────────┘
//! ```
//!
//! Exit status: 0 done · 1 refused or failed, with lines that say why; for `status`: it did not end
//! well · 2 a wrong command line · 3 the server does not run · 4 `check` or `verify` found damage; for `status`:
//! it cannot be told · 70 a reactor died · 150 the server runs and does not answer.

#[cfg(feature = "count-allocations")]
mod allocations;
mod audit;
mod auth;
mod board;
mod check;
#[cfg(test)]
mod checked_in;
mod cli;
#[cfg(feature = "cli")]
pub mod client;
mod config;
mod control;
mod cores;
mod daemon;
mod directory;
mod doctor;
mod gaps;
mod health;
mod instance;
mod line_file;
mod logging;
mod metrics;
mod notify;
mod pid_file;
mod preflight;
mod reload;
mod report;
mod reshard;
mod restore;
mod secrets;
mod signals;
mod socket;
mod start;
mod status;
mod stop;
mod telemetry;
mod tls;
mod unix_time;
mod validate;
mod verify;
mod version;
mod whole_file;

use std::{error::Error, process::ExitCode};

use clap::Parser as _;

use cli::{Cli, Command};

pub use config::Refusal;
pub use reload::{Change, Outcome, ReloadReport, ReloadableConfig};
pub use tls::{TlsOutcome, TlsReport};

/// Does what the command line says.
pub fn main() -> ExitCode {
    let code = run(&Cli::parse()).unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    });
    logging::flush();
    code
}

fn run(cli: &Cli) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let source = cli.source();
    match &cli.command {
        Command::Start(wish) => start::run(source, wish),
        Command::Stop(wish) => Ok(stop::run(&source.place()?, wish)?),
        Command::Reload(_) => Ok(reload::command::run(&source.place()?)),
        Command::Status { format, .. } => Ok(status::run(&source, *format)),
        Command::ValidateConfig(wish) => Ok(validate::run(&source, wish)?),
        Command::Doctor(_) => Ok(doctor::run(&source)),
        Command::Check(_) => check::run(&source.load()?),
        Command::Reshard { shards, .. } => reshard::run(&source.load()?, *shards),
        Command::Restore(wish) => restore::run(&source.load()?, wish),
        Command::Verify { folder } => verify::run(folder),
        Command::Version { verbose } => Ok(version::run(*verbose)),
    }
}
