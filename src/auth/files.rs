//! The files that `auth` and `authz` name.

use std::path::Path;

use amaters_shards::auth::{GuardProblem, Source, Sources};
use zeroize::Zeroizing;

use super::{AuthSettings, JwtKey};
use crate::whole_file::{self, WholeFile};

/// Bytes of one file.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reads all of them.
///
/// # Errors
/// All that cannot be read.
pub(super) fn read(settings: &AuthSettings) -> Result<Sources, Vec<GuardProblem>> {
    let mut problems = Vec::new();
    let mut read = |key, path: &Path| match whole_file::read(path, BYTES_MAX) {
        Ok(WholeFile { bytes, .. }) => Some(Source { key, bytes }),
        Err(error) => {
            problems.push(GuardProblem { key, why: format!("cannot be read: {error}") });
            None
        }
    };
    let jwt = match &settings.jwt_key {
        None => None,
        Some(JwtKey::Secret(secret)) => {
            let bytes = Zeroizing::new(secret.as_bytes().to_vec());
            Some(Source { key: "auth.jwt.secret", bytes })
        }
        Some(JwtKey::File(key, path)) => read(key, path),
    };
    let mut named = |key, path: &Option<_>| path.as_deref().and_then(|path| read(key, path));
    let api_keys = named("auth.api_key.keys_file", &settings.api_keys);
    let roles = named("authz.roles_file", &settings.roles);
    let policies = named("authz.policies_file", &settings.policies);
    let sources = Sources { jwt, api_keys, roles, policies };
    if problems.is_empty() { Ok(sources) } else { Err(problems) }
}
