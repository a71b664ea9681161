//! The configuration file: profiles, and settings that lie under all of them.
//!
//! ```toml
//! profile = "prod"                     # the profile if nobody names one
//!
//! [defaults]                           # for every profile that does not say
//! collection = "users"
//!
//! [profiles.prod]
//! address = "https://db.example:7878"
//! token_file = "prod.token"            # a name without / at its beginning is beside this file; ~/ is the home
//! ```

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{failure::Failure, given::cannot_read, settings::Layer};

/// Where the file is, below the folder of configurations.
const FILE: &str = "amaters/cli.toml";

/// What the file says.
#[derive(Default)]
pub(crate) struct Profiles {
    written: Written,
    path: PathBuf,
    home: Option<PathBuf>,
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    profile: Option<String>,
    defaults: Layer,
    profiles: BTreeMap<String, Layer>,
}

impl Profiles {
    /// Reads the file that is named, which must be there, or the usual one, if it is there.
    pub(crate) fn read(
        named: Option<PathBuf>,
        env: &impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let home = env("HOME").map(PathBuf::from);
        let configurations = env("XDG_CONFIG_HOME").map(PathBuf::from);
        let usual = configurations.or_else(|| Some(home.as_ref()?.join(".config")));
        let usual = usual.map(|folder| folder.join(FILE));
        let must_exist = named.is_some();
        let Some(path) = named.or(usual) else {
            return Ok(Self::default());
        };
        let folder = path.parent().map(Path::to_owned);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {
                return Ok(Self { folder, ..Self::default() });
            }
            Err(error) => return Err(cannot_read(&path, &error)),
        };
        let written = toml::from_str(&text).map_err(|error| wrong(&path, &text, &error))?;
        let profiles = Self { written, path, home, folder };
        profiles.warn_of_readers();
        Ok(profiles)
    }

    /// The settings of a profile over those of all.
    pub(crate) fn layer(self, name: Option<&str>) -> Result<Layer, Failure> {
        let base = self.placed(self.written.defaults.clone());
        let Some(name) = name.or(self.written.profile.as_deref()) else {
            return Ok(base);
        };
        let Some(profile) = self.written.profiles.get(name) else {
            let known: Vec<_> = self.written.profiles.keys().map(String::as_str).collect();
            let place = self.path.display();
            let text = match known.as_slice() {
                [] if self.path.as_os_str().is_empty() => {
                    format!("there is no profile {name:?}: there is no configuration file")
                }
                [] => format!("there is no profile {name:?}: {place} has none"),
                known => {
                    format!("there is no profile {name:?} in {place}, but {}", known.join(", "))
                }
            };
            return Err(Failure::usage(text));
        };
        Ok(self.placed(profile.clone()).over(base))
    }

    /// The files that a layer names, wherever the command is called.
    fn placed(&self, layer: Layer) -> Layer {
        let place = |path: Option<PathBuf>| {
            let path = path?;
            Some(match (path.strip_prefix("~"), &self.home, &self.folder) {
                (Ok(rest), Some(home), _) => home.join(rest),
                (_, _, Some(folder)) => folder.join(path),
                _ => path,
            })
        };
        Layer {
            token_file: place(layer.token_file),
            api_key_file: place(layer.api_key_file),
            tls_ca: place(layer.tls_ca),
            tls_cert: place(layer.tls_cert),
            tls_key: place(layer.tls_key),
            ..layer
        }
    }

    fn warn_of_readers(&self) {
        let has_secret = |layer: &Layer| layer.token.is_some() || layer.api_key.is_some();
        let Written { defaults, profiles, .. } = &self.written;
        let mode = fs::metadata(&self.path).map(|metadata| metadata.permissions().mode());
        let others = mode.is_ok_and(|mode| mode & 0o077 != 0);
        if others && (has_secret(defaults) || profiles.values().any(has_secret)) {
            let path = self.path.display();
            eprintln!("warning: {path} has secrets, and others may read it; chmod 600 {path}");
        }
    }
}

/// Refuses without the line, which may hold a secret.
fn wrong(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    let message = error.message();
    Failure::usage(format!("{} line {line}: {message}", path.display()))
}
