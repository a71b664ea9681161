//! Whether the files and folders that a configuration names can be used by whoever asks.
//!
//! Nothing is made and nothing is written: what a start would make must have a folder above it that
//! takes it. A key whose switch is off is not looked at.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use crate::config::{
    Problem, Written,
    keys::{KEYS, Key, Kind},
};

/// Every file that cannot be used, in the order of the keys.
pub(crate) fn check(written: &Written) -> Vec<Problem> {
    let is_on = |switch: &str| written.is_on(switch);
    let is_meant = |key: &&'static Key| key.switched_off(&is_on).is_none();
    let problem = |key: &'static Key| {
        let why = check_key(key, written)?;
        Some(Problem::of_key(written, key.path, why))
    };
    KEYS.iter().filter(is_meant).filter_map(problem).collect()
}

/// What is wrong with the file of a key, if it names one.
fn check_key(key: &Key, written: &Written) -> Option<String> {
    let path = PathBuf::from(written.text(key.path)?);
    match (&key.kind, key.path) {
        (Kind::File, _) => check_file(&path),
        (Kind::Folder, _) => check_folder(&path),
        (_, "server.data_dir") => check_place(&path),
        (_, "storage.wal.dir") if written.text("storage.engine") == Some("lsm") => {
            check_place(&Path::new(written.text("server.data_dir")?).join(path))
        }
        // A default that cannot be written gives way.
        (_, "server.pid_file") if written.is_written(key.path) => check_parent(&path),
        (_, "logging.file_path" | "authz.audit_log_path") => check_parent(&path),
        _ => None,
    }
}

fn check_file(path: &Path) -> Option<String> {
    let readable = || {
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        File::open(path)
    };
    readable().err().map(|error| format!("cannot be read: {error}"))
}

fn check_folder(path: &Path) -> Option<String> {
    fs::read_dir(path).err().map(|error| format!("cannot be read: {error}"))
}

/// A folder that is there and can be written to, or that can be made.
fn check_place(path: &Path) -> Option<String> {
    let nearest = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    writable(nearest).err().map(|error| {
        let made = if nearest == path { "be written to" } else { "be made" };
        format!("cannot {made}: {}: {error}", nearest.display())
    })
}

/// A file in a folder that is there and can be written to.
fn check_parent(path: &Path) -> Option<String> {
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let folder = if folder.as_os_str().is_empty() { ".".into() } else { folder };
    let error = writable(&folder).err()?;
    Some(format!("cannot be written: {}: {error}", folder.display()))
}

fn writable(folder: &Path) -> io::Result<()> {
    if !fs::metadata(folder)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    /// The problems of a file with this text in an empty folder `F`.
    fn problems(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().display().to_string();
        fs::write(folder.path().join("cert"), "").unwrap();
        let path = folder.path().join("a.toml");
        fs::write(&path, text.replace("F/", &format!("{name}/"))).unwrap();
        let source = Source { file: Some(path), ..Source::default() };
        let all = check(&source.gather().written);
        all.iter().map(|problem| problem.to_string().replace(&name, "F")).collect()
    }

    #[test]
    fn what_is_there_or_can_be_made_is_right() {
        let text = "[server]\ndata_dir = \"F/a/b\"\npid_file = \"F/pid\"\n\
                    [network]\ntls_enabled = true\ntls_cert = \"F/cert\"\n";
        assert_eq!(problems(text), [""; 0]);
        assert_eq!(problems("[network]\ntls_cert = \"F/missing\""), [""; 0], "TLS is off");
    }

    #[test]
    fn each_file_that_cannot_be_used_is_named_with_its_key() {
        let text = "[server]\ndata_dir = \"F/cert/data\"\npid_file = \"F/missing/pid\"\n\
                    [network]\ntls_enabled = true\ntls_cert = \"F/missing\"\ntls_key = \"F/\"\n\
                    [auth]\nenabled = true\n[auth.mtls]\nenabled = true\nca_certs_dir = \"F/cert\"\n";
        let problems = problems(text);
        let expected = [
            "server.data_dir = \"F/cert/data\" (F/a.toml line 2): cannot be made: F/cert: ",
            "server.pid_file = \"F/missing/pid\" (F/a.toml line 3): cannot be written: F/missing: ",
            "storage.wal.dir = \"wal\" (default): cannot be made: F/cert: ",
            "network.tls_cert = \"F/missing\" (F/a.toml line 6): cannot be read: No such file",
            "network.tls_key = \"F/\" (F/a.toml line 7): cannot be read: it is not a regular file",
            "auth.mtls.ca_certs_dir = \"F/cert\" (F/a.toml line 12): cannot be read: ",
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            let start = format!("Configuration validation failed: {expected}");
            assert!(problem.starts_with(&start), "{problem}");
        }
    }
}
