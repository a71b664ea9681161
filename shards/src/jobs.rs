//! Long work that operators ask for: backups, restores, checks, compaction. One job runs at a time, in the order in which they
//! came; a thread of its own leads it, and reactors do what touches their shards.
//!
//! ```text
//! who asks ─► Jobs::submit ─► queue, bounded ─► runner ─┬─ errands ─► reactors ─► background threads
//!   ▲                                                   └─ reading of backups, on a quiet thread
//!   └──────── Job: state, progress, outcome ◄───────────┘
//! ```
//!
//! Always true: a job ends as exactly one of done, failed, cancelled; what it holds in the server, it lets go of before.

mod backup;
mod compact;
mod errand;
mod restore;
mod runner;
mod schedule;
mod verify;

pub use errand::Errand;
pub(crate) use errand::Reach;
pub(crate) use runner::{Runner, Stage};
pub use schedule::{NoTime, Schedule, When};

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::{
    storage::{BackupError, Compacted, Control, Keep, Roots},
    utc::unix_millis,
};

/// Jobs that may wait.
const WAITING_MAX: usize = 16;
/// Jobs that have ended and are remembered.
const REMEMBERED_MAX: usize = 64;

/// What a job is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Writes a backup.
    Backup {
        /// Its folder.
        directory: String,
        /// Only what has changed.
        incremental: bool,
        /// Since this one; otherwise since the newest beside it.
        parent: Option<String>,
        /// What is thrown away beside it afterwards.
        keep: Keep,
    },
    /// Reads a backup into the shards.
    Restore {
        /// Its folder.
        directory: String,
        /// Everything else goes.
        replace: bool,
        /// Only looks whether it could be read.
        dry_run: bool,
        /// Where the keys of version 1 go.
        collection: String,
    },
    /// Reads a backup, or all files of the shards.
    Verify {
        /// The folder of the backup.
        directory: Option<String>,
    },
    /// Merges tables.
    Compact {
        /// Of this collection only.
        collection: Option<String>,
    },
}

/// What a job came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A backup.
    Backup(Backup),
    /// A restore.
    Restore(Restore),
    /// A check.
    Verify(Verify),
    /// A compaction.
    Compact(Compacted),
}

/// A backup that was written.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Its folder, absolute.
    pub directory: String,
    /// Its id.
    pub id: String,
    /// What it rests on.
    pub parent: Option<String>,
    /// When it was begun: milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// Values in it.
    pub keys: u64,
    /// Keys of the parent that are gone.
    pub deletions: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Bytes of its files.
    pub size_bytes: u64,
    /// Backups that were thrown away.
    pub removed: usize,
}

/// A backup that was restored.
#[derive(Clone, Copy, Debug)]
pub struct Restore {
    /// Of the backup.
    pub schema_version: u32,
    /// Values.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Folders that were read.
    pub backups: u32,
    /// Nothing was changed.
    pub dry_run: bool,
}

/// What was looked at.
#[derive(Clone, Debug, Default)]
pub struct Verify {
    /// Entries.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Files.
    pub files: u64,
    /// What is wrong, the first thousand.
    pub damages: Vec<String>,
    /// How much is wrong.
    pub damages_total: u64,
}

/// How a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Others come first.
    Waiting,
    /// It is at work.
    Running,
    /// It has an outcome.
    Done,
    /// It has none, and says why.
    Failed,
    /// Somebody asked for its end.
    Cancelled,
}

/// One job.
#[derive(Debug)]
pub struct Job {
    /// Its number, from 1 in each process.
    pub id: u64,
    /// What it is to do.
    pub work: Work,
    /// Begun by the schedule.
    pub scheduled: bool,
    /// How far it is, and its end.
    pub control: Arc<Control>,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    started_at_ms: AtomicU64,
    ended_at_ms: AtomicU64,
    state: AtomicU8,
    stage: AtomicU8,
    result: OnceLock<Result<Outcome, BackupError>>,
}

/// All jobs of the process; reactors and the control thread ask here.
#[derive(Debug)]
pub struct Jobs {
    queue: Sender<Arc<Job>>,
    /// The newest first.
    list: ArcSwap<Vec<Arc<Job>>>,
    next: AtomicU64,
    /// Bytes a second for backups and checks; 0: as fast as it goes.
    rate: AtomicU64,
    stopping: AtomicBool,
    schedule: ArcSwapOption<Schedule>,
    /// Where backups may lie.
    roots: Roots,
    /// What became of jobs since the start.
    pub totals: Totals,
}

/// What became of jobs since the start: written by the runner.
#[derive(Debug, Default)]
pub struct Totals {
    /// Unix seconds of the last backup that was finished.
    pub backup_at: AtomicU64,
    /// How long it took, in milliseconds.
    pub backup_millis: AtomicU64,
    /// Bytes of its files.
    pub backup_bytes: AtomicU64,
    /// For each kind of work: done, failed, cancelled.
    pub ended: [[AtomicU64; 3]; 4],
}

impl Work {
    /// Kinds, each at the place that is its number.
    pub const KINDS: [&str; 4] = ["backup", "restore", "verify", "compact"];

    /// Its place among the kinds.
    #[must_use]
    pub fn kind(&self) -> usize {
        match self {
            Self::Backup { .. } => 0,
            Self::Restore { .. } => 1,
            Self::Verify { .. } => 2,
            Self::Compact { .. } => 3,
        }
    }

    /// Whether it writes files or changes the server.
    #[must_use]
    pub fn changes(&self) -> bool {
        !matches!(self, Self::Verify { directory: None })
    }

    /// On what.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Backup { directory, .. } | Self::Restore { directory, .. } => directory,
            Self::Verify { directory } => directory.as_deref().unwrap_or("the server's own files"),
            Self::Compact { collection } => collection.as_deref().unwrap_or("all collections"),
        }
    }
}

impl Jobs {
    /// No jobs yet, and where the runner takes them from.
    pub(crate) fn new(roots: Roots, rate: u64) -> (Arc<Self>, Receiver<Arc<Job>>) {
        let (queue, received) = crossbeam_channel::bounded(WAITING_MAX);
        let this = Self {
            queue,
            list: ArcSwap::default(),
            next: AtomicU64::new(1),
            rate: AtomicU64::new(rate),
            stopping: AtomicBool::new(false),
            schedule: ArcSwapOption::empty(),
            roots,
            totals: Totals::default(),
        };
        (Arc::new(this), received)
    }

    /// Has work done, after what was asked for before.
    ///
    /// # Errors
    /// Too many wait, or the server stops.
    pub fn submit(&self, work: Work, scheduled: bool) -> Result<Arc<Job>, BackupError> {
        if self.is_stopping() {
            return Err(BackupError::Refused("the server is stopping".into()));
        }
        let rate = if matches!(work, Work::Restore { .. }) { 0 } else { self.rate.load(Relaxed) };
        let job = Arc::new(Job {
            id: self.next.fetch_add(1, Relaxed),
            work,
            scheduled,
            control: Control::new(rate),
            created_at_ms: unix_millis(),
            started_at_ms: AtomicU64::new(0),
            ended_at_ms: AtomicU64::new(0),
            state: AtomicU8::new(State::Waiting as u8),
            stage: AtomicU8::new(Stage::Waiting as u8),
            result: OnceLock::new(),
        });
        match self.queue.try_send(Arc::clone(&job)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return Err(BackupError::Refused(format!(
                    "{WAITING_MAX} jobs wait already; cancel some, or ask later"
                )));
            }
            Err(TrySendError::Disconnected(_)) => {
                return Err(BackupError::Refused("the server is stopping".into()));
            }
        }
        self.list.rcu(|list| remember(list, &job));
        Ok(job)
    }

    /// Those that wait, run, or have ended lately; the newest first.
    #[must_use]
    pub fn list(&self) -> Arc<Vec<Arc<Job>>> {
        self.list.load_full()
    }

    /// The job with this number.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<Arc<Job>> {
        self.list.load().iter().find(|job| job.id == id).cloned()
    }

    /// Changes `snapshot.rate_mb_per_second` for jobs to come.
    pub fn set_rate(&self, bytes: u64) {
        self.rate.store(bytes, Relaxed);
    }

    /// Takes backups by itself from now on, or does not.
    pub fn set_schedule(&self, schedule: Option<Schedule>) {
        self.schedule.store(schedule.map(Arc::new));
    }

    /// Whether it does.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.schedule.load().is_some()
    }

    pub(crate) fn schedule(&self) -> Option<Arc<Schedule>> {
        self.schedule.load_full()
    }

    /// Where backups may lie.
    #[must_use]
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Ends what runs and what waits; no more is taken.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Relaxed);
        self.list.load().iter().filter(|job| !job.has_ended()).for_each(|job| job.control.cancel());
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }
}

fn remember(list: &[Arc<Job>], job: &Arc<Job>) -> Vec<Arc<Job>> {
    let mut ended = 0;
    let is_kept = |job: &&Arc<Job>| {
        ended += usize::from(job.has_ended());
        ended <= REMEMBERED_MAX
    };
    [job].into_iter().chain(list.iter().filter(is_kept)).cloned().collect()
}

impl Job {
    /// How it is.
    #[must_use]
    pub fn state(&self) -> State {
        match self.state.load(Relaxed) {
            0 => State::Waiting,
            1 => State::Running,
            2 => State::Done,
            3 => State::Failed,
            _ => State::Cancelled,
        }
    }

    /// Whether nothing more happens to it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state(), State::Done | State::Failed | State::Cancelled)
    }

    /// What it does at the moment, in a word.
    #[must_use]
    pub fn step(&self) -> &'static str {
        Stage::name(self.stage.load(Relaxed))
    }

    /// What came of it, once it has ended.
    #[must_use]
    pub fn result(&self) -> Option<&Result<Outcome, BackupError>> {
        self.result.get().filter(|_| self.has_ended())
    }

    /// When it began and ended: milliseconds since the Unix epoch.
    #[must_use]
    pub fn times(&self) -> (Option<u64>, Option<u64>) {
        let time = |at: &AtomicU64| Some(at.load(Relaxed)).filter(|at| *at > 0);
        (time(&self.started_at_ms), time(&self.ended_at_ms))
    }

    /// How long it has been at work.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let (started, ended) = self.times();
        let Some(started) = started else { return Duration::ZERO };
        Duration::from_millis(ended.unwrap_or_else(unix_millis).saturating_sub(started))
    }

    pub(crate) fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Relaxed);
    }

    pub(crate) fn begin(&self) {
        self.started_at_ms.store(unix_millis(), Relaxed);
        self.state.store(State::Running as u8, Relaxed);
    }

    /// Ends it, and tells how.
    pub(crate) fn end(&self, result: Result<Outcome, BackupError>) -> State {
        let state = match &result {
            Ok(_) => State::Done,
            Err(BackupError::Cancelled) => State::Cancelled,
            Err(_) => State::Failed,
        };
        self.ended_at_ms.store(unix_millis(), Relaxed);
        let _ = self.result.set(result);
        self.state.store(state as u8, std::sync::atomic::Ordering::Release);
        state
    }
}
