//! The command line, and how its flags become a layer of the configuration.

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
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve in the foreground until SIGTERM or SIGINT.
    Start(Start),
    /// Stop the server and wait until it is gone.
    Stop(Place),
    /// Say whether the server is Running (exit status 0) or Stopped (3).
    Status {
        /// How to say it.
        #[arg(short, long, value_enum, default_value = "text")]
        format: Form,
        #[command(flatten)]
        place: Place,
    },
    /// Read and check the configuration; exit status 1 if it is refused.
    ValidateConfig {
        /// Print the values in force, each with its origin.
        #[arg(long)]
        show: bool,
    },
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
    /// Print the version.
    Version {
        /// With build profile and components.
        #[arg(long)]
        verbose: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Start {
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
    /// Write a default configuration file first, unless there is one: to the path of --config, or
    /// to amaters-server.toml, which is then read.
    #[arg(long)]
    pub(crate) generate_config: bool,
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
        let mut flags = Vec::new();
        let mut take = |key, name, value: &Option<String>| {
            let assigned =
                |text: &String| Assignment { key, text: text.clone(), origin: Origin::Flag(name) };
            flags.extend(value.as_ref().map(assigned));
        };
        match &self.command {
            Command::Start(start) => {
                take("server.bind_address", "--bind", &start.bind);
                take("server.data_dir", "--data-dir", &start.place.data_dir);
                take("logging.level", "--log-level", &start.log_level);
                take("server.cores", "--cores", &start.cores);
                if start.generate_config {
                    file = file.or_else(|| Some(GENERATED.into()));
                }
            }
            Command::Stop(place)
            | Command::Check(place)
            | Command::Reshard { place, .. }
            | Command::Status { place, .. } => {
                take("server.data_dir", "--data-dir", &place.data_dir);
            }
            Command::ValidateConfig { .. } | Command::Version { .. } => {}
        }
        Source { file, flags }
    }
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
