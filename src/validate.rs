//! `validate-config`: the checks of a start, without a start.

use std::process::ExitCode;

use crate::config::{Config, template};

/// Says that the configuration is valid, or prints its values as a file that could be used.
pub(crate) fn run(config: &Config, show: bool) -> ExitCode {
    for notice in &config.notices {
        eprintln!("{notice}");
    }
    if show {
        print!("{}", template::effective(&config.written));
    } else {
        println!("Configuration is valid");
    }
    ExitCode::SUCCESS
}
