//! The command line, and how its flags become a layer of the configuration.

#[cfg(test)]
mod deployed;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    config::{Assignment, Origin, Source},
    status::Form,
};

/// The file of `--generate-config` where no `--config` names one.
const GENERATED: &str = "amaters-server.toml";

/// A thread-per-core gRPC database for encrypted values.
#[derive(Debug, Parser)]
#[command(name = "amaters-server", version)]
pub(crate) struct Cli {
    /// Read this configuration file; without it, none is read.
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Warn of keys that do not exist, and leave them alone, instead of refusing them.
    #[arg(long, global = true)]
    allow_unknown: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until SIGTERM or SIGINT, in the foreground or as a daemon.
    Start(Start),
    /// Stop the server and wait until it is gone.
    Stop(Stop),
    /// Have the server read its configuration again, and print what came of it.
    Reload(Place),
    /// Say how the server is: Running (exit status 0), Stopped (3, or 1 if it did not end well),
    /// Not answering (150), Unknown (4).
    Status {
        /// How to say it.
        #[arg(short, long, value_enum, default_value = "text")]
        format: Form,
        #[command(flatten)]
        place: Place,
    },
    /// Read and check the configuration and the files that it names; exit status 1 if it is refused.
    ValidateConfig(ValidateConfig),
    /// Say whether this machine grants what the server needs; exit status 1 if it would not start.
    Doctor(Doctor),
    /// Read all files of a data directory that is not in use; exit status 4 if some are damaged.
    Check(Place),
    /// Spread the entries of a data directory that is not in use over another number of shards.
    Reshard {
        /// How many.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
        shards: u32,
        #[command(flatten)]
        place: Place,
    },
    /// Put a backup in the place of what a data directory that is not in use holds, or make one of it.
    Restore(Restore),
    /// Read every byte of a backup and of all that it rests on; exit status 4 if something is damaged.
    Verify {
        /// The folder of the backup.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Print the version.
    Version {
        /// With build profile and components.
        #[arg(long)]
        verbose: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    #[command(flatten)]
    layer: Layer,
    /// Write a default configuration file first, unless there is one: to the path of --config, or
    /// to amaters-server.toml, which is then read.
    #[arg(long)]
    pub(crate) generate_config: bool,
    /// Serve in the background; return when the server is ready or has failed.
    #[arg(long)]
    pub(crate) daemon: bool,
    /// The process that `--daemon` starts.
    #[arg(long, hide = true, conflicts_with = "daemon")]
    pub(crate) detached: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// Wait so long; by default server.shutdown_timeout_secs and 30 more.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub(crate) timeout: Option<u64>,
    /// Kill the server if it is not gone by then; what is not synced is lost as in a crash.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The folder of the backup; a chain of incrementals lies beside it.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Shards of the data directory; by default as many as it has, or one for each CPU.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) shards: Option<u32>,
    /// Throw away what the data directory holds.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Where the keys of a backup of schema version 1 go, which has no collections.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// Read and check everything, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateConfig {
    /// Print the values in force, secrets left out.
    #[arg(long)]
    pub(crate) show: bool,
    /// Print with each value which layer it comes from.
    #[arg(long, requires = "show")]
    pub(crate) origins: bool,
    /// Try also whether the addresses can be listened on.
    #[arg(long)]
    pub(crate) bind_check: bool,
    #[command(flatten)]
    layer: Layer,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    layer: Layer,
}

/// The flags that lie over the configuration of a server.
#[derive(Debug, Args)]
struct Layer {
    /// Listen here (server.bind_address).
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Log lines from this level up (logging.level).
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Reactors: how many, as 2, or on which CPUs, as 0-3,5 (server.cores).
    #[arg(long, value_name = "LIST|N")]
    cores: Option<String>,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Place {
    /// The data directory (server.data_dir).
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

impl Cli {
    /// Where this command's configuration is read from.
    pub(crate) fn source(&self) -> Source {
        let mut file = self.config.clone();
        let flags = match &self.command {
            Command::Start(start) => {
                if start.generate_config {
                    file = file.or_else(|| Some(GENERATED.into()));
                }
                start.layer.assignments()
            }
            Command::ValidateConfig(validate) => validate.layer.assignments(),
            Command::Doctor(doctor) => doctor.layer.assignments(),
            Command::Stop(stop) => stop.place.assignments(),
            Command::Restore(restore) => restore.place.assignments(),
            Command::Reload(place)
            | Command::Check(place)
            | Command::Reshard { place, .. }
            | Command::Status { place, .. } => place.assignments(),
            Command::Verify { .. } | Command::Version { .. } => Vec::new(),
        };
        Source { file, flags, allow_unknown: self.allow_unknown }
    }
}

impl Layer {
    fn assignments(&self) -> Vec<Assignment> {
        let mut all = Vec::new();
        all.extend(assigned("server.bind_address", "--bind", &self.bind));
        all.append(&mut self.place.assignments());
        all.extend(assigned("logging.level", "--log-level", &self.log_level));
        all.extend(assigned("server.cores", "--cores", &self.cores));
        all
    }
}

impl Place {
    fn assignments(&self) -> Vec<Assignment> {
        assigned("server.data_dir", "--data-dir", &self.data_dir).into_iter().collect()
    }
}

fn assigned(key: &'static str, name: &'static str, text: &Option<String>) -> Option<Assignment> {
    let text = text.clone()?;
    Some(Assignment { key, text, origin: Origin::Flag(name) })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn config_stands_before_or_after_the_command() {
        for words in [["--config", "a.toml", "start"], ["start", "--config", "a.toml"]] {
            let cli = Cli::parse_from([&["amaters-server"], &words[..]].concat());
            assert_eq!(cli.source().file, Some("a.toml".into()));
        }
    }

    #[test]
    fn flags_become_values_of_keys() {
        let words =
            "amaters-server start --bind 127.0.0.1:0 --data-dir d --cores 1 --log-level warn";
        let keys: Vec<_> = Cli::parse_from(words.split(' '))
            .source()
            .flags
            .into_iter()
            .map(|flag| (flag.key, flag.text))
            .collect();
        let expected = [
            ("server.bind_address", "127.0.0.1:0"),
            ("server.data_dir", "d"),
            ("logging.level", "warn"),
            ("server.cores", "1"),
        ];
        assert_eq!(keys, expected.map(|(key, text)| (key, text.to_owned())));
    }

    #[test]
    fn a_generated_file_is_also_read() {
        let cli = Cli::parse_from(["amaters-server", "start", "--generate-config"]);
        assert_eq!(cli.source().file, Some(GENERATED.into()));
        assert_eq!(Cli::parse_from(["amaters-server", "start"]).source().file, None);
    }
}
