//! Where a configuration is read from, kept so that a reload can read it again.

use std::{env, fs, path::PathBuf};

use super::{
    Config,
    refusal::{Problem, Refusal},
    written::{Assignment, File, Origin, Written},
};

/// Variables of the environment, and their keys.
const VARIABLES: [(&str, &str); 4] = [
    ("AMATERS_BIND_ADDRESS", "server.bind_address"),
    ("AMATERS_DATA_DIR", "server.data_dir"),
    ("AMATERS_LOG_LEVEL", "logging.level"),
    ("AMATERS_TLS_ENABLED", "network.tls_enabled"),
];

/// The layers above the defaults: a file, if one was named, the environment and the flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// The file; without one, none is looked for.
    pub(crate) file: Option<PathBuf>,
    /// Flags of the command line, already as values of keys.
    pub(crate) flags: Vec<Assignment>,
}

impl Source {
    /// Reads all layers and checks them.
    pub(crate) fn load(&self) -> Result<Config, Refusal> {
        let file = self.file.as_ref().map(|path| {
            let text = fs::read_to_string(path);
            text.map(|text| File { path: path.clone(), text }).map_err(|error| {
                Problem::unreadable(format_args!("cannot read {}", path.display()), error)
            })
        });
        let mut above = environment()?;
        above.extend_from_slice(&self.flags);
        Config::check(Written::gather(file.transpose()?.as_ref(), &above)?)
    }
}

fn environment() -> Result<Vec<Assignment>, Problem> {
    let mut assignments = Vec::new();
    for (name, key) in VARIABLES {
        if let Some(value) = env::var_os(name) {
            let text = value.into_string().map_err(|_| {
                Problem::unreadable(format_args!("environment {name}"), "not UTF-8")
            })?;
            assignments.push(Assignment { key, text, origin: Origin::Environment(name) });
        }
    }
    Ok(assignments)
}
