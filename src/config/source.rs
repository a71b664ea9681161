//! Where a configuration is read from, kept so that a reload can read it again.

use std::{env, ffi::OsString, path::PathBuf};

use super::{
    Config,
    file::File,
    refusal::{Problem, Refusal},
    written::{Assignment, Gathered, Origin},
};

/// Variables of the environment, and their keys.
const VARIABLES: [(&str, &str); 5] = [
    ("AMATERS_BIND_ADDRESS", "server.bind_address"),
    ("AMATERS_DATA_DIR", "server.data_dir"),
    ("AMATERS_LOG_LEVEL", "logging.level"),
    ("AMATERS_TLS_ENABLED", "network.tls_enabled"),
    ("AMATERS_JWT_SECRET", "auth.jwt.secret"),
];

/// The layers above the defaults: a file, if one was named, the environment and the flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// The file; without one, none is looked for.
    pub(crate) file: Option<PathBuf>,
    /// Flags of the command line, already as values of keys.
    pub(crate) flags: Vec<Assignment>,
    /// Keys that do not exist are told of and otherwise left alone.
    pub(crate) allow_unknown: bool,
}

impl Source {
    /// Reads all layers and checks them.
    pub(crate) fn load(&self) -> Result<Config, Refusal> {
        Config::check(self.gather())
    }

    /// Reads all layers.
    pub(crate) fn gather(&self) -> Gathered {
        let mut unreadable = Vec::new();
        let file = self.file.as_deref().map(File::read);
        let file = file.and_then(|file| file.map_err(|problem| unreadable.push(problem)).ok());
        let mut above = environment(&mut unreadable);
        above.extend_from_slice(&self.flags);
        let mut gathered = Gathered::new(file.as_ref(), &above);
        gathered.is_unread |= self.file.is_some() && file.is_none();
        gathered.problems.splice(..0, unreadable);
        if !self.allow_unknown {
            gathered.problems.append(&mut gathered.unknown);
        }
        gathered
    }
}

fn environment(unreadable: &mut Vec<Problem>) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    for (name, key) in VARIABLES {
        match env::var_os(name).map(OsString::into_string) {
            None => {}
            Some(Ok(text)) => {
                assignments.push(Assignment { key, text, origin: Origin::Environment(name) });
            }
            Some(Err(_)) => {
                let place = format_args!("{key} (environment {name})");
                unreadable.push(Problem::unreadable(place, "is not UTF-8"));
            }
        }
    }
    assignments
}
