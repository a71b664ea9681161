//! From `auth` and `authz` of the configuration, and the files that they name, to the guard of the reactors.
//!
//! ```text
//! settings, files ─► sources ─► guard ─► published
//!                       ▲ read at the start, by a reload, and every 10 s: what is wrong changes nothing
//! ```

mod files;
mod keeper;

use std::path::PathBuf;

use amaters_shards::auth::GuardSettings;
use zeroize::Zeroizing;

pub(crate) use self::keeper::{Keeper, Made};

/// What the configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthSettings {
    /// All but the contents of files.
    pub(crate) guard: GuardSettings,
    /// By what tokens are verified, if they are.
    pub(crate) jwt_key: Option<JwtKey>,
    /// `auth.api_key.keys_file`, if keys are taken.
    pub(crate) api_keys: Option<PathBuf>,
    /// `authz.roles_file`
    pub(crate) roles: Option<PathBuf>,
    /// `authz.policies_file`
    pub(crate) policies: Option<PathBuf>,
}

/// By what tokens are verified.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum JwtKey {
    /// `auth.jwt.secret`
    Secret(Zeroizing<String>),
    /// What this key names.
    File(&'static str, PathBuf),
}

impl std::fmt::Debug for JwtKey {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("(secret)"),
            Self::File(_, path) => path.fmt(f),
        }
    }
}
