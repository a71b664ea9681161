//! The files that `auth` and `authz` name.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use amaters_shards::auth::{GuardProblem, Source, Sources};
use zeroize::Zeroizing;

use super::{AuthSettings, JwtKey};

/// Bytes of one file.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reads all of them.
///
/// # Errors
/// All that cannot be read.
pub(super) fn read(settings: &AuthSettings) -> Result<Sources, Vec<GuardProblem>> {
    let mut problems = Vec::new();
    let mut read = |key, path: &Path| match content(path) {
        Ok(bytes) => Some(Source { key, bytes }),
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

fn content(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    // All at once: a buffer that grows leaves copies of secrets behind.
    let expected = metadata.len().min(BYTES_MAX) as usize + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected));
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {BYTES_MAX} bytes")));
    }
    Ok(bytes)
}
