//! A disk in memory that keeps only what it promised to keep, and fails when it is told to.
//!
//! ```text
//! file   current: what a reader sees      durable: what survives for sure      pending: changes in between, in order
//! names  the same three
//!
//! sync          durable = current, pending = ∅
//! power cut     each sector of each pending write, each pending length and each pending name: kept or lost, by dice
//! process crash current stays, and so does what is pending
//! ```
//!
//! Every call has a number. A test says at which one the machine stops (a write then reaches the disk in part), or which
//! one fails and how. After a failed sync what was pending is lost for good, though readers still see it: that is what
//! Linux does. All dice come from one seed.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    rc::Rc,
};

pub use crate::dice::Dice;

use super::{Buffer, Disk, DiskError, DiskFile, DiskFuture, Memory, Opening};

/// What is written whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// A simulated disk; clones share it.
#[derive(Clone)]
pub struct SimDisk(Rc<RefCell<World>>);

/// How a machine stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The kernel lives on with all that it was given.
    Process,
    /// What was not synced is kept or lost by dice.
    Power,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// EIO.
    Io,
    /// ENOSPC.
    NoSpace,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(World {
            dice: Dice::new(seed),
            files: Vec::new(),
            names: BTreeMap::new(),
            names_durable: BTreeMap::new(),
            names_pending: Vec::new(),
            calls: 0,
            crash_at: None,
            fault_at: None,
            crashed: false,
            capacities: BTreeMap::new(),
        })))
    }

    /// Calls so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.0.borrow().calls
    }

    /// Stops the machine at the call that comes after `calls` more.
    pub fn crash_after(&self, calls: u64) {
        let mut world = self.0.borrow_mut();
        world.crash_at = Some(world.calls + calls + 1);
    }

    /// Lets the call fail that comes after `calls` more.
    pub fn fail_after(&self, calls: u64, fault: Fault) {
        let mut world = self.0.borrow_mut();
        world.fault_at = Some((world.calls + calls + 1, fault));
    }

    /// Room for all files together.
    pub fn limit(&self, capacity_bytes: u64) {
        self.limit_folder(Path::new("/"), capacity_bytes);
    }

    /// Room for all files of a folder and of those in it, as if it were a disk of its own.
    pub fn limit_folder(&self, folder: &Path, capacity_bytes: u64) {
        self.0.borrow_mut().capacities.insert(folder.to_owned(), capacity_bytes);
    }

    /// Whether the machine has stopped.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.0.borrow().crashed
    }

    /// Stops the machine if it has not stopped, and starts it again, with no faults planned.
    pub fn reboot(&self, crash: Crash) {
        self.0.borrow_mut().reboot(crash);
    }

    /// All files and their lengths.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let world = self.0.borrow();
        let length = |file: &usize| world.files[*file].current.len() as u64;
        world.names.iter().map(|(path, file)| (path.clone(), length(file))).collect()
    }

    /// Another disk with the files of this one as readers see them, all durable.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new(0);
        {
            let (from, mut to) = (self.0.borrow(), copy.0.borrow_mut());
            for (path, &file) in &from.names {
                let current = from.files[file].current.clone();
                let number = to.files.len();
                to.names.insert(path.clone(), number);
                to.files.push(File { durable: current.clone(), current, pending: Vec::new() });
            }
            to.names_durable = to.names.clone();
        }
        copy
    }

    /// Lets bits rot: changes one byte, for readers and for good.
    pub fn rot(&self, path: &Path, offset: u64, mask: u8) {
        let mut world = self.0.borrow_mut();
        let file = world.names[path];
        let file = &mut world.files[file];
        for content in [&mut file.current, &mut file.durable] {
            if let Some(byte) = content.get_mut(offset as usize) {
                *byte ^= mask;
            }
        }
    }
}

struct World {
    dice: Dice,
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    names_durable: BTreeMap<PathBuf, usize>,
    names_pending: Vec<(PathBuf, Option<usize>)>,
    calls: u64,
    crash_at: Option<u64>,
    fault_at: Option<(u64, Fault)>,
    crashed: bool,
    /// Of folders.
    capacities: BTreeMap<PathBuf, u64>,
}

#[derive(Default)]
struct File {
    current: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    /// Position in the file, the bytes of the whole write, and where in them the sector begins.
    Sector(usize, Rc<[u8]>, usize),
    Length(usize),
}

/// How the call under way goes.
enum Fate {
    Well,
    /// In part, then it ends with this.
    Badly(DiskError),
}

impl World {
    fn begin_call(&mut self) -> Result<Fate, DiskError> {
        if self.crashed {
            return Err(failed("the machine has stopped"));
        }
        self.calls += 1;
        if self.crash_at == Some(self.calls) {
            self.crashed = true;
            return Ok(Fate::Badly(failed("the machine stops")));
        }
        match self.fault_at {
            Some((call, Fault::Io)) if call == self.calls => Ok(Fate::Badly(failed("EIO"))),
            Some((call, Fault::NoSpace)) if call == self.calls => {
                Ok(Fate::Badly(DiskError::NoSpace))
            }
            _ => Ok(Fate::Well),
        }
    }

    /// For calls that happen whole or not at all.
    fn whole_call(&mut self) -> Result<(), DiskError> {
        match self.begin_call()? {
            Fate::Well => Ok(()),
            Fate::Badly(error) => Err(error),
        }
    }

    fn file(&self, path: &Path) -> Result<usize, DiskError> {
        self.names.get(path).copied().ok_or_else(|| failed("ENOENT"))
    }

    fn name(&mut self, path: &Path, file: Option<usize>) {
        match file {
            Some(file) => self.names.insert(path.to_owned(), file),
            None => self.names.remove(path),
        };
        self.names_pending.push((path.to_owned(), file));
    }

    fn open(&mut self, path: &Path, opening: Opening) -> Result<usize, DiskError> {
        self.whole_call()?;
        match (self.file(path), opening) {
            (Ok(file), Opening::Existing) => Ok(file),
            (Ok(file), Opening::Fresh) => {
                self.files[file].change(Change::Length(0));
                Ok(file)
            }
            (Err(error), Opening::Existing) => Err(error),
            (Err(_), Opening::Fresh) => {
                let file = self.files.len();
                self.files.push(File::default());
                self.name(path, Some(file));
                Ok(file)
            }
        }
    }

    fn write(&mut self, file: usize, position: usize, bytes: &[u8]) -> Result<(), DiskError> {
        assert!(position.is_multiple_of(super::BLOCK_BYTES), "unaligned position {position}");
        assert!(bytes.len().is_multiple_of(super::BLOCK_BYTES), "unaligned length {}", bytes.len());
        let fate = self.begin_call()?;
        let room = self.room(file);
        let bytes: Rc<[u8]> = Rc::from(bytes);
        for start in (0..bytes.len()).step_by(SECTOR_BYTES) {
            let at = position + start;
            if at + SECTOR_BYTES > room {
                return Err(DiskError::NoSpace);
            }
            if matches!(fate, Fate::Well) || self.dice.one_in(2) {
                self.files[file].change(Change::Sector(at, Rc::clone(&bytes), start));
            }
        }
        match fate {
            Fate::Well => Ok(()),
            Fate::Badly(error) => Err(error),
        }
    }

    fn resize(&mut self, file: usize, bytes: usize) -> Result<(), DiskError> {
        self.whole_call()?;
        if bytes > self.room(file) {
            return Err(DiskError::NoSpace);
        }
        self.files[file].change(Change::Length(bytes));
        Ok(())
    }

    /// How long a file may become.
    fn room(&self, file: usize) -> usize {
        let length = |file: usize| self.files[file].current.len() as u64;
        let path = self.names.iter().find(|(_, number)| **number == file).map(|(path, _)| path);
        let room_in = |(folder, capacity): (&PathBuf, &u64)| {
            path.is_some_and(|path| path.starts_with(folder)).then(|| {
                let others = self.names.iter().filter(|(path, _)| path.starts_with(folder));
                let others = others.filter(|(_, other)| **other != file);
                capacity.saturating_sub(others.map(|(_, other)| length(*other)).sum())
            })
        };
        let room = self.capacities.iter().filter_map(room_in).min().unwrap_or(u64::MAX);
        usize::try_from(room.max(length(file))).unwrap_or(usize::MAX)
    }

    /// Makes the first `changes` durable: those that were there when the call began.
    fn sync(&mut self, file: usize, changes: usize) -> Result<(), DiskError> {
        let fate = self.begin_call()?;
        let stopped = self.crashed;
        let file = &mut self.files[file];
        match fate {
            Fate::Well => {
                for change in file.pending.drain(..changes.min(file.pending.len())) {
                    change.apply(&mut file.durable);
                }
                Ok(())
            }
            Fate::Badly(error) => {
                if !stopped {
                    file.pending.clear();
                }
                Err(error)
            }
        }
    }

    fn sync_dir(&mut self, dir: &Path) -> Result<(), DiskError> {
        self.whole_call()?;
        let pending = std::mem::take(&mut self.names_pending);
        for (path, file) in pending {
            if path.parent() == Some(dir) {
                set_name(&mut self.names_durable, path, file);
            } else {
                self.names_pending.push((path, file));
            }
        }
        Ok(())
    }

    fn reboot(&mut self, crash: Crash) {
        (self.crashed, self.crash_at, self.fault_at) = (false, None, None);
        if crash == Crash::Process {
            return;
        }
        // How much survives: nothing, all, or some.
        let luck = self.dice.below(4);
        let dice = &mut self.dice;
        let mut kept = || match luck {
            0 => false,
            1 => true,
            _ => dice.one_in(2),
        };
        for (path, file) in std::mem::take(&mut self.names_pending) {
            if kept() {
                set_name(&mut self.names_durable, path, file);
            }
        }
        self.names = self.names_durable.clone();
        for file in &mut self.files {
            for change in std::mem::take(&mut file.pending) {
                if kept() {
                    change.apply(&mut file.durable);
                }
            }
            file.current.clone_from(&file.durable);
        }
    }
}

impl File {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.pending.push(change);
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Length(length) => content.resize(*length, 0),
            Self::Sector(position, bytes, start) => {
                let end = position + SECTOR_BYTES;
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*position..end].copy_from_slice(&bytes[*start..start + SECTOR_BYTES]);
            }
        }
    }
}

fn set_name(names: &mut BTreeMap<PathBuf, usize>, path: PathBuf, file: Option<usize>) {
    match file {
        Some(file) => names.insert(path, file),
        None => names.remove(&path),
    };
}

fn failed(message: &str) -> DiskError {
    DiskError::Failed { errno: None, message: message.to_owned() }
}

/// A call that takes a moment, as calls on disks do.
fn later<'a, T: 'a>(step: impl FnOnce() -> Result<T, DiskError> + 'a) -> DiskFuture<'a, T> {
    Box::pin(async move {
        let mut waited = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut waited, true) {
                return std::task::Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
        step()
    })
}

impl Disk for SimDisk {
    fn create_dir_all<'a>(&'a self, _path: &'a Path) -> DiskFuture<'a, ()> {
        later(|| self.0.borrow_mut().whole_call())
    }

    fn list<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, Vec<String>> {
        later(move || {
            let mut world = self.0.borrow_mut();
            world.whole_call()?;
            let names = world.names.keys().filter(|name| name.parent() == Some(path));
            let names = names.filter_map(|name| name.file_name());
            Ok(names.map(|name| name.to_string_lossy().into_owned()).collect())
        })
    }

    fn open<'a>(&'a self, path: &'a Path, opening: Opening) -> DiskFuture<'a, Rc<dyn DiskFile>> {
        later(move || {
            let file = self.0.borrow_mut().open(path, opening)?;
            Ok(Rc::new(SimFile { world: Rc::clone(&self.0), file }) as Rc<dyn DiskFile>)
        })
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()> {
        later(move || self.0.borrow_mut().sync_dir(path))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> DiskFuture<'a, ()> {
        later(move || {
            let mut world = self.0.borrow_mut();
            world.whole_call()?;
            let file = world.file(from)?;
            world.name(from, None);
            world.name(to, Some(file));
            Ok(())
        })
    }

    fn remove<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()> {
        later(move || {
            let mut world = self.0.borrow_mut();
            world.whole_call()?;
            world.file(path)?;
            world.name(path, None);
            Ok(())
        })
    }

    fn helped(&self) -> Rc<dyn Disk> {
        Rc::new(self.clone())
    }
}

struct SimFile {
    world: Rc<RefCell<World>>,
    file: usize,
}

impl DiskFile for SimFile {
    fn buffer(&self, bytes: usize) -> Buffer {
        Buffer::new(Heap(vec![0xa5; bytes]))
    }

    fn write_at(&self, position: u64, buffer: Buffer) -> DiskFuture<'_, ()> {
        later(move || self.world.borrow_mut().write(self.file, position as usize, &buffer))
    }

    fn sync(&self) -> DiskFuture<'_, ()> {
        let changes = self.world.borrow().files[self.file].pending.len();
        later(move || self.world.borrow_mut().sync(self.file, changes))
    }

    fn read_at(&self, position: u64, bytes: usize) -> DiskFuture<'_, Vec<u8>> {
        later(move || {
            let mut world = self.world.borrow_mut();
            world.whole_call()?;
            let content = &world.files[self.file].current;
            let start = content.len().min(position as usize);
            Ok(content[start..content.len().min(start + bytes)].to_vec())
        })
    }

    fn allocate(&self, bytes: u64) -> DiskFuture<'_, ()> {
        later(move || {
            let length = self.world.borrow().files[self.file].current.len();
            self.world.borrow_mut().resize(self.file, length.max(bytes as usize))
        })
    }

    fn truncate(&self, bytes: u64) -> DiskFuture<'_, ()> {
        later(move || self.world.borrow_mut().resize(self.file, bytes as usize))
    }

    fn size(&self) -> DiskFuture<'_, u64> {
        later(|| {
            let mut world = self.world.borrow_mut();
            world.whole_call()?;
            Ok(world.files[self.file].current.len() as u64)
        })
    }

    fn close(&self) -> DiskFuture<'_, ()> {
        later(|| self.world.borrow_mut().whole_call())
    }
}

struct Heap(Vec<u8>);

impl Memory for Heap {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
