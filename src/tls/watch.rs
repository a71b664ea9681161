//! Waits until something may have happened to files, wherever their names lead.
//!
//! Watched are folders, not files: a file that is replaced takes its watch with it. For each name these are
//! the folders of every symbolic link on the way, and that of the file at its end, so that a swap of
//! Kubernetes' `..data` is seen as well as a rename. Of a folder that is not there, the nearest above it is
//! watched until it comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};

/// As many links as the system follows.
const LINKS_MAX: usize = 40;

/// What a wait has ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Something may have happened to a file.
    Touched,
    /// Somebody rang.
    Rung,
    /// It was time.
    Due,
}

/// Folders under watch, and a bell.
pub(super) struct Watch {
    inotify: OwnedFd,
    bell: Arc<OwnedFd>,
    /// By watch descriptor: names that matter, or all.
    folders: BTreeMap<i32, Names>,
}

/// Wakes whoever waits.
#[derive(Clone, Debug)]
pub(super) struct Bell(Arc<OwnedFd>);

/// Names of a folder that matter; none means all.
type Names = Option<BTreeSet<OsString>>;

impl Bell {
    pub(super) fn ring(&self) {
        // Fails only when it has been rung 2^64 times and nobody listened.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}

impl Watch {
    /// Nothing is watched yet.
    pub(super) fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self { inotify, bell: Arc::new(bell), folders: BTreeMap::new() })
    }

    pub(super) fn bell(&self) -> Bell {
        Bell(Arc::clone(&self.bell))
    }

    /// Watches what leads to these files, and to whatever lies in these folders, as it is now. To be
    /// called before they are read, so that nothing happens unseen in between.
    pub(super) fn renew(&mut self, files: &[&Path], folders: &[&Path]) -> io::Result<()> {
        let mut wanted = BTreeMap::<PathBuf, Names>::new();
        files.iter().for_each(|file| follow(file, &mut wanted));
        for folder in folders {
            follow(folder, &mut wanted);
            wanted.insert(folder.to_path_buf(), None);
        }
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::DELETE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let (mut watched, mut result) = (BTreeMap::<i32, Names>::new(), Ok(()));
        for (folder, names) in wanted {
            match inotify::add_watch(&self.inotify, &folder, flags) {
                Ok(descriptor) => {
                    // Two paths may lead to one folder.
                    let known = watched.entry(descriptor).or_insert(Some(BTreeSet::new()));
                    *known = known.take().zip(names).map(|(mut known, mut more)| {
                        known.append(&mut more);
                        known
                    });
                }
                // It went a moment ago; that is seen in the folder above it.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(error) => result = Err(error.into()),
            }
        }
        for descriptor in self.folders.keys().filter(|known| !watched.contains_key(known)) {
            // It may have gone with its folder.
            let _ = inotify::remove_watch(&self.inotify, *descriptor);
        }
        self.folders = watched;
        result
    }

    /// Waits for at most so long.
    pub(super) fn wait(&self, patience: Duration) -> Woken {
        let mut sources = [
            PollFd::new(&self.inotify, PollFlags::IN),
            PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN),
        ];
        let patience = Timespec::try_from(patience).ok();
        if let Err(error) = poll(&mut sources, patience.as_ref()) {
            // A signal; anything else would come again at once.
            if error != Errno::INTR {
                std::thread::sleep(Duration::from_millis(100));
            }
            return Woken::Due;
        }
        let [touched, rung] = sources.map(|source| !source.revents().is_empty());
        if rung {
            let mut count = [0; 8];
            let _ = rustix::io::read(&*self.bell, &mut count);
            return Woken::Rung;
        }
        if touched && self.drain() { Woken::Touched } else { Woken::Due }
    }

    /// Reads all events; says whether one of them matters.
    fn drain(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let (mut events, mut matters) = (Reader::new(&self.inotify, &mut buffer), false);
        while let Ok(event) = events.next() {
            let is_lost = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            matters |= is_lost || self.matters(event.wd(), name);
        }
        matters
    }

    fn matters(&self, descriptor: i32, name: Option<&OsStr>) -> bool {
        match (self.folders.get(&descriptor), name) {
            // Watched until a moment ago.
            (None, _) => false,
            // The folder itself; or any name is of interest.
            (Some(_), None) | (Some(None), _) => true,
            (Some(Some(names)), Some(name)) => names.contains(name),
        }
    }
}

/// Adds the folders in which names stand that lead to `path`.
fn follow(path: &Path, wanted: &mut BTreeMap<PathBuf, Names>) {
    let mut want = |folder: &Path, name: &OsStr| {
        let names = wanted.entry(folder.to_owned()).or_insert_with(|| Some(BTreeSet::new()));
        names.iter_mut().for_each(|names| _ = names.insert(name.to_owned()));
    };
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let (mut folder, mut rest) = (PathBuf::new(), path.components());
        let link = loop {
            let Some(part) = rest.next() else { return };
            let Component::Normal(name) = part else {
                folder.push(part);
                continue;
            };
            let place = folder.join(name);
            let is_last = rest.clone().next().is_none();
            match std::fs::read_link(&place) {
                Ok(target) => {
                    want(&folder, name);
                    break folder.join(target).join(rest.as_path());
                }
                Err(_) if is_last || !place.exists() => {
                    want(&folder, name);
                    return;
                }
                Err(_) => folder = place,
            }
        };
        path = link;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, time::Instant};

    use super::*;

    struct Site {
        folder: tempfile::TempDir,
        watch: Watch,
    }

    impl Site {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), watch: Watch::new().unwrap() }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn renew(&mut self, name: &str) {
            let path = self.path(name);
            self.watch.renew(&[&path], &[]).unwrap();
        }

        fn is_touched(&self) -> bool {
            let end = Instant::now() + Duration::from_millis(200);
            while Instant::now() < end {
                if self.watch.wait(Duration::from_millis(20)) == Woken::Touched {
                    return true;
                }
            }
            false
        }
    }

    #[test]
    fn every_way_to_change_a_file_is_seen_and_its_neighbours_are_not() {
        let mut site = Site::new();
        fs::write(site.path("cert"), "1").unwrap();
        site.renew("cert");
        fs::write(site.path("cert"), "2").unwrap();
        assert!(site.is_touched(), "written in place");
        fs::write(site.path("new"), "3").unwrap();
        assert!(!site.is_touched(), "a neighbour");
        fs::rename(site.path("new"), site.path("cert")).unwrap();
        assert!(site.is_touched(), "renamed over");
        fs::remove_file(site.path("cert")).unwrap();
        assert!(site.is_touched(), "removed");
    }

    #[test]
    fn swaps_of_links_on_the_way_are_seen() {
        let mut site = Site::new();
        for version in ["v1", "v2"] {
            fs::create_dir(site.path(version)).unwrap();
            fs::write(site.path(version).join("cert"), version).unwrap();
        }
        symlink("v1", site.path("..data")).unwrap();
        symlink("..data/cert", site.path("cert")).unwrap();
        site.renew("cert");
        fs::write(site.path("v1/cert"), "new").unwrap();
        assert!(site.is_touched(), "the file at the end");
        symlink("v2", site.path("..data_tmp")).unwrap();
        fs::rename(site.path("..data_tmp"), site.path("..data")).unwrap();
        assert!(site.is_touched(), "the link");
        site.renew("cert");
        fs::write(site.path("v2/cert"), "new").unwrap();
        assert!(site.is_touched(), "the file at the new end");
        fs::write(site.path("v1/cert"), "old").unwrap();
        assert!(!site.is_touched(), "the file at the old end");
    }

    #[test]
    fn a_folder_that_goes_and_comes_back_is_seen() {
        let mut site = Site::new();
        fs::create_dir_all(site.path("a/b")).unwrap();
        fs::write(site.path("a/b/cert"), "1").unwrap();
        site.renew("a/b/cert");
        fs::remove_dir_all(site.path("a")).unwrap();
        assert!(site.is_touched());
        site.renew("a/b/cert");
        fs::create_dir(site.path("a")).unwrap();
        assert!(site.is_touched());
        site.renew("a/b/cert");
        fs::create_dir(site.path("a/b")).unwrap();
        assert!(site.is_touched());
        site.renew("a/b/cert");
        fs::write(site.path("a/b/cert"), "2").unwrap();
        assert!(site.is_touched());
    }

    #[test]
    fn links_in_a_circle_end() {
        let mut site = Site::new();
        symlink("b", site.path("a")).unwrap();
        symlink("a", site.path("b")).unwrap();
        site.renew("a");
        fs::remove_file(site.path("b")).unwrap();
        assert!(site.is_touched());
    }

    #[test]
    fn a_bell_wakes_and_is_heard_once() {
        let site = Site::new();
        site.watch.bell().ring();
        site.watch.bell().ring();
        assert_eq!(site.watch.wait(Duration::from_secs(10)), Woken::Rung);
        assert_eq!(site.watch.wait(Duration::ZERO), Woken::Due);
    }
}
