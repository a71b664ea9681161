//! `validate-config`: the checks of a start, without a start.
//!
//! ```text
//! layers ─► values, rules ─► files that are named ─► TLS credentials ─► addresses, if asked for ─► all problems at once
//! ```

mod addresses;
mod files;
mod tls;

use std::process::ExitCode;

pub(crate) use self::{
    addresses::check as check_addresses, files::check as check_files, tls::check as check_tls,
    tls::problem as tls_problem,
};

use crate::{
    auth::Made,
    cli::ValidateConfig,
    config::{Config, Refusal, Source, template},
    secrets,
    tls::Loaded,
};

/// Says that the configuration is valid, or prints its values as a file that could be used.
pub(crate) fn run(source: &Source, wish: &ValidateConfig) -> Result<ExitCode, Refusal> {
    let (config, notices) = check(source, wish.bind_check)?;
    notices.iter().for_each(|notice| eprintln!("{notice}"));
    for notice in config.notices.iter().chain(&secrets::exposed(&config.written)) {
        eprintln!("{notice}");
    }
    if wish.show {
        print!("{}", template::effective(&config.written, wish.origins));
    } else {
        println!("Configuration is valid");
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration, if a start would find nothing wrong with it either.
/// With what is right, but not good.
fn check(source: &Source, with_addresses: bool) -> Result<(Config, Vec<String>), Refusal> {
    let mut problems = files::check(&source.gather().written);
    let (loaded, mut notices) = (source.load(), Vec::new());
    // A file that cannot be read was named already.
    if let (Ok(config), true) = (&loaded, problems.is_empty()) {
        match Made::of(config) {
            Ok(made) => notices.extend(made.notices),
            Err(Refusal(wrong)) => problems.extend(wrong),
        }
        match tls::check(config) {
            Ok(loaded) => notices.extend(loaded.iter().flat_map(Loaded::warnings)),
            Err(problem) => problems.push(problem),
        }
    }
    if let (Ok(config), true) = (&loaded, with_addresses) {
        let tried = addresses::check(config);
        tried.notes.iter().for_each(|note| eprintln!("{note}"));
        problems.extend(tried.problems);
    }
    match loaded {
        Ok(config) if problems.is_empty() => Ok((config, notices)),
        Ok(_) => Err(Refusal(problems)),
        Err(Refusal(mut all)) => {
            all.append(&mut problems);
            Err(Refusal(all))
        }
    }
}
