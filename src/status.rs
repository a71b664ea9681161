//! `status`: whether the server of this configuration runs, for people and for scripts.

use std::process::ExitCode;

use serde_json::json;

use crate::{config::Config, instance};

/// The status that LSB gives a service that does not run.
const EXIT_STOPPED: u8 = 3;

/// How the answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// One word.
    Text,
    /// One object.
    Json,
}

/// Prints `Running` (and exits with 0) or `Stopped` (3).
pub(crate) fn run(config: &Config, form: Form) -> ExitCode {
    let found = instance::find(config);
    let word = if found.is_some() { "Running" } else { "Stopped" };
    match form {
        Form::Text => println!("{word}"),
        Form::Json => {
            let data_dir = found.as_ref().map_or(&config.data_dir, |found| &found.data_dir);
            println!(
                "{}",
                json!({
                    "status": word,
                    "running": found.is_some(),
                    "pid": found.as_ref().map(|found| found.pid),
                    "data_dir": data_dir.to_string_lossy(),
                    "version": env!("CARGO_PKG_VERSION"),
                })
            );
        }
    }
    if found.is_some() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_STOPPED) }
}
