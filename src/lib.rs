//! The server process: parse, check, announce, serve, drain.
//!
//! ```text
//! cli ─► config (written → checked) ─► start ─► preflight ─► directory ─► reactors (the shards crate)
//!                                        └────► control: signals, reload, report, pulse, stop
//! ```
//!
//! Exit status: 0 done · 1 refused or failed, with one line that says why · 2 a wrong command line
//! · 3 `status` of a server that is stopped · 4 `check` found damage · 70 a reactor died.

#[cfg(feature = "count-allocations")]
mod allocations;
mod check;
mod cli;
mod config;
mod control;
mod cores;
mod directory;
mod gaps;
mod instance;
mod logging;
mod pid_file;
mod preflight;
mod reload;
mod report;
mod reshard;
mod signals;
mod start;
mod status;
mod stop;
mod validate;
mod version;

use std::{error::Error, process::ExitCode};

use clap::Parser as _;

use cli::{Cli, Command};

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
        Command::Start(flags) => start::run(&source, flags.generate_config),
        Command::Stop(_) => Ok(stop::run(&source.load()?)?),
        Command::Status { format, .. } => Ok(status::run(&source.load()?, *format)),
        Command::ValidateConfig(wish) => Ok(validate::run(&source, wish)?),
        Command::Check(_) => check::run(&source.load()?),
        Command::Reshard { shards, .. } => reshard::run(&source.load()?, *shards),
        Command::Version { verbose } => Ok(version::run(*verbose)),
    }
}
