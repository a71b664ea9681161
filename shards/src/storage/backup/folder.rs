//! Folders of backups, and the only way to them: from a root that the configuration names, down through folders that are
//! folders, never through a link and never up.
//!
//! ```text
//! text ─► root, by its words ─► openat2(beneath, no links) ─► folder, held open ─► files by name
//! ```
//!
//! Always true: a folder that is open stays the one that it was, whatever somebody does to its name; only regular files are
//! read.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

use super::BackupError;

/// Longer paths are refused before the system is asked.
const PATH_BYTES_MAX: usize = 4096;
/// Folders that are made are for their owner.
const FOLDER_MODE: u32 = 0o700;

/// Where backups may lie.
#[derive(Clone, Debug)]
pub struct Roots(Vec<Root>);

#[derive(Clone, Debug)]
struct Root {
    path: PathBuf,
    /// The key of the configuration that names it.
    key: &'static str,
}

/// A folder, open.
#[derive(Clone, Debug)]
pub struct Folder {
    shown: PathBuf,
    handle: Arc<OwnedFd>,
}

/// What a name in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
    Other,
}

impl Roots {
    /// These, each an absolute path and the key that names it; the first is where relative paths begin.
    #[must_use]
    pub fn new(roots: impl IntoIterator<Item = (PathBuf, &'static str)>) -> Self {
        Self(roots.into_iter().map(|(path, key)| Root { path, key }).collect())
    }

    /// The folder that is there under this name, and the one that it lies in.
    ///
    /// # Errors
    /// No root is above it, a link is on the way, or it is not there.
    pub fn existing(&self, text: &str) -> Result<(Folder, Folder), BackupError> {
        let (root, names) = self.place(text)?;
        let (name, above) = names.split_last().ok_or_else(|| is_a_root(&root.path))?;
        let mut parent = Folder::open(&root.path)?;
        for name in above {
            parent = parent.folder(name)?;
        }
        let folder = parent.folder(name)?;
        Ok((folder, parent))
    }

    /// The folder in which one with this name can be made, and its name there. Folders above it are made.
    ///
    /// # Errors
    /// As [`Roots::existing`], or something with that name is there and not empty.
    pub fn vacant(&self, text: &str) -> Result<(Folder, String), BackupError> {
        let (root, names) = self.place(text)?;
        let (name, above) = names.split_last().ok_or_else(|| is_a_root(&root.path))?;
        if name.ends_with(super::copy::PARTIAL) {
            let ending = super::copy::PARTIAL;
            return Err(BackupError::Refused(format!(
                "{text:?}: {ending} is for backups that are not finished"
            )));
        }
        make_all(&root.path)?;
        let mut parent = Folder::open(&root.path)?;
        for name in above {
            parent = parent.folder_or_new(name)?;
        }
        parent.check_vacant(name)?;
        Ok((parent, name.clone()))
    }

    /// The root above a path, and the names from there down.
    fn place(&self, text: &str) -> Result<(&Root, Vec<String>), BackupError> {
        let refuse = |why: &str| {
            let roots: Vec<_> = self
                .0
                .iter()
                .map(|root| format!("{} ({})", root.path.display(), root.key))
                .collect();
            let shown: String = text.chars().take(200).collect();
            BackupError::Refused(format!(
                "{shown:?} {why}; backups lie under {}",
                roots.join(" or ")
            ))
        };
        if text.is_empty() || text.len() > PATH_BYTES_MAX || text.contains('\0') {
            return Err(refuse("is no path"));
        }
        let path = Path::new(text);
        let first = self.0.first().ok_or_else(|| refuse("has no place"))?;
        let absolute = if path.is_absolute() { path.to_owned() } else { first.path.join(path) };
        let root = self.0.iter().filter(|root| absolute.starts_with(&root.path));
        let root = root.max_by_key(|root| root.path.components().count());
        let root = root.ok_or_else(|| refuse("is not under a root for backups"))?;
        let rest = absolute.strip_prefix(&root.path).unwrap_or(&absolute);
        let mut names = Vec::new();
        for component in rest.components() {
            match component {
                Component::Normal(name) => names.push(name.to_string_lossy().into_owned()),
                _ => return Err(refuse("goes up")),
            }
        }
        Ok((root, names))
    }

    /// The first of them, open; made if it is missing.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn first(&self) -> Result<Folder, BackupError> {
        let refused = || BackupError::Refused("no root for backups is configured".into());
        let root = self.0.first().ok_or_else(refused)?;
        make_all(&root.path)?;
        Folder::open(&root.path)
    }
}

fn is_a_root(path: &Path) -> BackupError {
    let path = path.display();
    BackupError::Refused(format!(
        "{path} is where backups lie, not one of them; name a folder in it"
    ))
}

fn make_all(path: &Path) -> Result<(), BackupError> {
    use std::os::unix::fs::DirBuilderExt as _;

    let made = std::fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
    made.map_err(|error| BackupError::io("make", path.to_owned(), error))
}

impl Folder {
    /// A folder that the operator names. Links on the way are followed: the operator has made them.
    ///
    /// # Errors
    /// It is not there, or no folder.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(CWD, path, flags, Mode::empty());
        let handle = opened.map_err(|error| BackupError::io("open", path.to_owned(), error))?;
        Ok(Self { shown: path.to_owned(), handle: Arc::new(handle) })
    }

    /// Where it is, for people.
    #[must_use]
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// Its path for calls that take one: it leads to this folder also where the name leads elsewhere by now.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_raw_fd()))
    }

    /// A path below [`Folder::path`], as people know it.
    pub(super) fn shown_of(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.path())
            .map_or_else(|_| path.to_owned(), |rest| self.shown.join(rest))
    }

    /// A folder in it.
    ///
    /// # Errors
    /// It is not there, or something else.
    pub fn folder(&self, name: &str) -> Result<Self, BackupError> {
        let handle = self.open_name(name, OFlags::DIRECTORY)?;
        Ok(Self { shown: self.shown.join(name), handle: Arc::new(handle) })
    }

    fn folder_or_new(&self, name: &str) -> Result<Self, BackupError> {
        match self.make(name) {
            Err(BackupError::Io { error, .. }) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.folder(name)
            }
            made => made,
        }
    }

    /// Makes a folder in it, which must not be there yet.
    pub(super) fn make(&self, name: &str) -> Result<Self, BackupError> {
        let mode = Mode::from_raw_mode(FOLDER_MODE);
        rustix::fs::mkdirat(&*self.handle, name, mode).map_err(self.failed("make", name))?;
        self.folder(name)
    }

    /// Opens a regular file to read it.
    pub(super) fn file(&self, name: &str) -> Result<File, BackupError> {
        let file = File::from(self.open_name(name, OFlags::NONBLOCK)?);
        let metadata = file
            .metadata()
            .map_err(|error| BackupError::io("look at", self.shown.join(name), error))?;
        if !metadata.is_file() {
            return Err(BackupError::damaged(self.shown.join(name), 0, "it is no regular file"));
        }
        Ok(file)
    }

    fn open_name(&self, name: &str, flags: OFlags) -> Result<OwnedFd, BackupError> {
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = rustix::fs::openat2(&*self.handle, name, flags, Mode::empty(), resolve);
        opened.map_err(self.failed("open", name))
    }

    /// What is in it, by name.
    pub(super) fn names(&self) -> Result<Vec<String>, BackupError> {
        let failed = |error: Errno| BackupError::io("read", self.shown.clone(), error);
        let mut names = Vec::new();
        for entry in Dir::read_from(&*self.handle).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            match name.to_str() {
                Some("." | "..") => {}
                Some(name) => names.push(name.to_owned()),
                // Not ours.
                None => names.push(name.to_string_lossy().into_owned()),
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// What a name in it is; none if it is not there.
    pub(super) fn kind(&self, name: &str) -> Result<Option<Kind>, BackupError> {
        match rustix::fs::statat(&*self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Kind::Folder,
                FileType::RegularFile => Kind::File,
                _ => Kind::Other,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("look at", name)(error)),
        }
    }

    fn check_vacant(&self, name: &str) -> Result<(), BackupError> {
        let shown = || self.shown.join(name).display().to_string();
        match self.kind(name)? {
            None => Ok(()),
            Some(Kind::Folder) if self.folder(name)?.names()?.is_empty() => Ok(()),
            Some(_) => {
                Err(BackupError::Refused(format!("{} is there already, and not empty", shown())))
            }
        }
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> Result<(), BackupError> {
        let synced = rustix::fs::fsync(&*self.handle);
        synced.map_err(|error| BackupError::io("sync", self.shown.clone(), error))
    }

    /// Gives something in it another name.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), BackupError> {
        let renamed = rustix::fs::renameat(&*self.handle, from, &*self.handle, to);
        renamed.map_err(self.failed("rename to", to))
    }

    /// Removes a folder in it that holds only files, if it is there.
    pub(super) fn remove(&self, name: &str) -> Result<(), BackupError> {
        if self.kind(name)?.is_none() {
            return Ok(());
        }
        let folder = self.folder(name)?;
        for file in folder.names()? {
            let removed = rustix::fs::unlinkat(&*folder.handle, &*file, AtFlags::empty());
            removed.map_err(folder.failed("remove", &file))?;
        }
        let removed = rustix::fs::unlinkat(&*self.handle, name, AtFlags::REMOVEDIR);
        removed.map_err(self.failed("remove", name))
    }

    fn failed(&self, what: &'static str, name: &str) -> impl FnOnce(Errno) -> BackupError + use<> {
        let path = self.shown.join(name);
        move |error| match error {
            Errno::LOOP | Errno::XDEV => BackupError::Refused(format!(
                "{}: there is a link on the way, and none is followed",
                path.display()
            )),
            error => BackupError::io(what, path, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn site() -> (tempfile::TempDir, Roots) {
        let site = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(site.path().join("root/there/deep")).unwrap();
        std::fs::create_dir_all(site.path().join("elsewhere/secret")).unwrap();
        let roots = Roots::new([(site.path().join("root"), "snapshot.dir")]);
        (site, roots)
    }

    #[test]
    fn what_lies_under_a_root_is_found_by_either_spelling() {
        let (site, roots) = site();
        let absolute = site.path().join("root/there/deep");
        for text in ["there/deep", "./there//deep/", absolute.to_str().unwrap()] {
            let (folder, parent) = roots.existing(text).unwrap();
            assert_eq!(folder.shown(), absolute);
            assert_eq!(parent.shown(), site.path().join("root/there"));
        }
        let (parent, name) = roots.vacant("new/one").unwrap();
        assert_eq!((parent.shown(), &*name), (&*site.path().join("root/new"), "one"));
        assert!(roots.vacant("there").is_err(), "it is not empty");
        roots.vacant("there/deep").unwrap();
    }

    #[test]
    fn nothing_leads_out_and_nothing_is_made_on_the_way() {
        let (site, roots) = site();
        let root = site.path().join("root");
        symlink(site.path().join("elsewhere"), root.join("link")).unwrap();
        symlink("..", root.join("up")).unwrap();
        let elsewhere = site.path().join("elsewhere/secret");
        let beside = site.path().join("root-beside");
        let long = "a/".repeat(3000);
        let name = "n".repeat(300);
        let attacks = [
            "..",
            "../elsewhere/secret",
            "there/../../elsewhere/secret",
            "link",
            "link/secret",
            "up/elsewhere/secret",
            "/etc",
            "/",
            "",
            ".",
            "a\0b",
            "/proc/self/root/etc",
            elsewhere.to_str().unwrap(),
            beside.to_str().unwrap(),
            &long,
            &name,
        ];
        let before = listing(site.path());
        for attack in attacks {
            let (found, made) = (roots.existing(attack), roots.vacant(attack));
            assert!(found.is_err(), "{attack}");
            assert!(made.is_err() || attack == name, "{attack}");
        }
        assert_eq!(listing(site.path()), before);
        let text = roots.existing("/etc").unwrap_err().to_string();
        assert!(text.contains("snapshot.dir") && text.contains(root.to_str().unwrap()), "{text}");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test may block")]
    fn only_regular_files_are_read() {
        let (site, roots) = site();
        let folder = site.path().join("root/there");
        std::fs::write(site.path().join("elsewhere/file"), "x").unwrap();
        symlink(site.path().join("elsewhere/file"), folder.join("link")).unwrap();
        rustix::fs::mknodat(
            CWD,
            folder.join("fifo"),
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let (folder, _) = roots.existing("there").unwrap();
        for name in ["link", "fifo", "deep", "../there/deep", "missing"] {
            assert!(folder.file(name).is_err(), "{name}");
        }
    }

    fn listing(path: &Path) -> Vec<PathBuf> {
        let mut all = Vec::new();
        let mut folders = vec![path.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                }
                all.push(entry.path());
            }
        }
        all.sort();
        all
    }
}
