//! Secrets of the process: who else may read the files that hold them, and dumps of its memory.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{
    Origin, Written,
    keys::{self, KEYS},
};

/// Keys whose files hold secrets, but for `network.tls_key`: that is looked at whenever it is read.
const FILES: [&str; 2] = ["auth.jwt.secret_file", "auth.api_key.keys_file"];

/// A line for each file with a secret in use that every user of the machine may read.
pub(crate) fn exposed(written: &Written) -> Vec<String> {
    let named = FILES.iter().filter(|path| is_in_use(written, path));
    let named = named.filter_map(|path| Some((*path, PathBuf::from(written.text(path)?))));
    let here = KEYS.iter().filter(|key| key.secret).filter_map(|key| {
        match &written.entry(key.path)?.origin {
            Origin::File { path, .. } => Some((key.path, path.clone())),
            _ => None,
        }
    });
    let files: BTreeSet<_> = named.chain(here).collect();
    let told = |(key, path): (&str, PathBuf)| {
        open_to_all(key, &path, fs::metadata(&path).ok()?.permissions().mode())
    };
    files.into_iter().filter_map(told).collect()
}

/// A line about the file of a key, if every user of the machine may read it.
pub(crate) fn open_to_all(key: &str, path: &Path, mode: u32) -> Option<String> {
    let (path, mode) = (path.display(), mode & 0o7777);
    (mode & 0o004 != 0).then(|| {
        format!("{key}: every user of this machine may read {path} (mode {mode:04o}); chmod o-rwx {path}")
    })
}

fn is_in_use(written: &Written, path: &str) -> bool {
    let key = keys::find(path);
    key.is_some_and(|key| key.switch.is_none_or(|switch| written.is_on(switch)))
}

/// Where keys and tokens are in memory, the kernel writes none of it to a file when the process dies. Who wants a dump for
/// once raises the limit again: `prlimit --core=unlimited --pid PID`.
pub(crate) fn refuse_dumps(written: &Written) {
    if !written.is_on("network.tls_enabled") && !written.is_on("auth.enabled") {
        return;
    }
    let limit = Rlimit { current: Some(0), ..getrlimit(Resource::Core) };
    if let Err(error) = setrlimit(Resource::Core, limit) {
        tracing::debug!("dumps of memory stay allowed: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    #[test]
    fn a_secret_that_everybody_may_read_is_told_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let text = format!(
            "[auth]\nenabled = true\nmethods = [\"jwt\"]\n[auth.jwt]\nenabled = true\nsecret = \"hunter2\"\n\
             secret_file = \"{}\"\n[auth.api_key]\nkeys_file = \"{}\"\n",
            path("key").display(),
            path("keys").display()
        );
        for (name, text) in [("a.toml", text.as_str()), ("key", ""), ("keys", "")] {
            fs::write(path(name), text).unwrap();
        }
        let modes = |mode| {
            for name in ["a.toml", "key", "keys"] {
                fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
            }
        };
        let source = Source { file: Some(path("a.toml")), ..Source::default() };
        let written = source.gather().written;
        modes(0o640);
        assert_eq!(exposed(&written), [""; 0]);
        modes(0o644);
        let told = exposed(&written);
        // Nobody asks for API keys, so theirs is in no use.
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("auth.jwt.secret: every user") && told[0].contains("a.toml"));
        assert!(told[1].starts_with("auth.jwt.secret_file: ") && told[1].contains("(mode 0644)"));
        assert!(!told.join("").contains("hunter2"));
    }
}
