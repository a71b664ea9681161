//! The files that credentials are made of, read whole, within bounds.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{LoadError, TlsSettings};
use crate::whole_file::{self, WholeFile};

/// Bytes of a certificate, a key or an authority; the longest chains have a tenth of it.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of all lists of revoked certificates: some hundred thousand entries.
const REVOCATIONS_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Files of a folder of authorities.
const FOLDER_FILES_MAX: usize = 1024;
/// What the name of an authority's file ends in.
const ENDINGS: [&str; 2] = ["pem", "crt"];

/// A file that was read.
pub(crate) struct Named {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// All files of one set of credentials.
pub(crate) struct Contents {
    pub(crate) certificate: Named,
    pub(crate) key: Named,
    /// The permissions of the key's file.
    pub(crate) key_mode: u32,
    pub(crate) authorities: Vec<Named>,
    pub(crate) revocations: Option<Named>,
}

/// Reads all that the settings name.
pub(crate) fn read(settings: &TlsSettings) -> Result<Contents, LoadError> {
    let certificate = read_file(&settings.certificate, FILE_BYTES_MAX)?.0;
    let (key, key_mode) = read_file(&settings.key, FILE_BYTES_MAX)?;
    let (mut authorities, mut revocations) = (Vec::new(), None);
    if let Some(client) = &settings.client {
        authorities.extend(client.authorities.clone());
        if let Some(folder) = &client.folder {
            authorities.extend(authorities_of(folder)?);
        }
        revocations = client.revocations.as_deref();
    }
    let read_authority = |path: PathBuf| Ok(read_file(&path, FILE_BYTES_MAX)?.0);
    let read_revocations = |path| Ok(read_file(path, REVOCATIONS_BYTES_MAX)?.0);
    Ok(Contents {
        certificate,
        key,
        key_mode,
        authorities: authorities.into_iter().map(read_authority).collect::<Result<_, _>>()?,
        revocations: revocations.map(read_revocations).transpose()?,
    })
}

/// With its mode.
fn read_file(path: &Path, bytes_max: u64) -> Result<(Named, u32), LoadError> {
    let WholeFile { bytes, mode } = whole_file::read(path, bytes_max)
        .map_err(|error| LoadError::new(path, format!("cannot be read: {error}")))?;
    Ok((Named { path: path.to_owned(), bytes }, mode))
}

/// The files of a folder of authorities, by name.
fn authorities_of(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let wrong = |why: String| LoadError::new(folder, why);
    let mut paths = Vec::new();
    let entries = fs::read_dir(folder);
    for entry in entries.map_err(|error| wrong(format!("cannot be read: {error}")))? {
        let path = entry.map_err(|error| wrong(format!("cannot be read: {error}")))?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            paths.push(path);
        }
        if paths.len() > FOLDER_FILES_MAX {
            return Err(wrong(format!("it holds more than {FOLDER_FILES_MAX} authorities")));
        }
    }
    if paths.is_empty() {
        return Err(wrong("it holds no authority: a file named *.pem or *.crt".into()));
    }
    paths.sort_unstable();
    Ok(paths)
}

impl Contents {
    /// Tells one set of contents from another.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let single = [&self.certificate, &self.key];
        for file in single.into_iter().chain(&self.authorities).chain(&self.revocations) {
            hash.update((file.bytes.len() as u64).to_le_bytes());
            hash.update(&file.bytes[..]);
        }
        hash.finalize().into()
    }
}
