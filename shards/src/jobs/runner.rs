//! The thread that leads jobs.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{Job, Jobs, Outcome, State, Work, errand::Reach};
use crate::{
    partition::Partition,
    storage::{BackupError, SCHEDULED, Source, newest_scheduled, sweep, work_quietly},
    utc::{rfc3339, unix_time},
};

/// How often a thread that waits looks around.
pub(super) const LOOK: Duration = Duration::from_millis(5);

/// What a job does at the moment.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Stage {
    Waiting,
    Preparing,
    Copying,
    Finishing,
    Reading,
    Switching,
    Merging,
}

impl Stage {
    const NAMES: [&str; 7] =
        ["waiting", "preparing", "copying", "finishing", "reading", "switching", "merging"];

    pub(crate) fn name(number: u8) -> &'static str {
        Self::NAMES.get(usize::from(number)).copied().unwrap_or_default()
    }
}

/// Leads jobs until it is stopped.
pub(crate) struct Runner {
    pub(super) jobs: Arc<Jobs>,
    pub(super) reach: Arc<Reach>,
    pub(super) partition: Partition,
    pub(super) directory_id: u64,
    /// Where decisions are written; none where nothing outlives the process.
    pub(super) data_dir: Option<PathBuf>,
}

impl Runner {
    pub(crate) fn new(
        jobs: Arc<Jobs>,
        reach: Arc<Reach>,
        (partition, directory_id): (Partition, u64),
        data_dir: Option<PathBuf>,
    ) -> Self {
        Self { jobs, reach, partition, directory_id, data_dir }
    }

    /// Begins to take jobs.
    pub(crate) fn start(self, queue: Receiver<Arc<Job>>) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("jobs".into()).spawn(move || self.run(&queue))
    }

    fn run(&self, queue: &Receiver<Arc<Job>>) {
        let mut habit = Habit::default();
        loop {
            match queue.recv_timeout(Duration::from_millis(100)) {
                Ok(job) => self.lead(&job),
                Err(RecvTimeoutError::Timeout) if !self.jobs.is_stopping() => {
                    self.follow(&mut habit);
                }
                Err(_) => return,
            }
        }
    }

    /// Asks for a backup if the schedule wants one.
    fn follow(&self, habit: &mut Habit) {
        let now = unix_time().as_secs();
        let Some(schedule) = self.jobs.schedule() else { return };
        // The folder is looked at once a minute at most.
        if habit.looked.is_some_and(|looked| now.saturating_sub(looked) < 60)
            && !schedule.when.is_due(habit.last, habit.tried, now)
        {
            return;
        }
        habit.looked = Some(now);
        let newest = self.jobs.roots().first().and_then(|folder| {
            sweep(&folder)?;
            newest_scheduled(&folder, self.directory_id)
        });
        let newest = match newest {
            Ok(newest) => newest,
            Err(error) => {
                habit.tried = Some(now);
                return tracing::error!("no scheduled backup: {error}");
            }
        };
        habit.last = newest.map(|(at, _)| at).or(habit.last);
        if !schedule.when.is_due(habit.last, habit.tried, now) {
            return;
        }
        habit.tried = Some(now);
        let incremental = newest.is_some_and(|(_, length)| length < schedule.full_every);
        let work = Work::Backup {
            directory: format!("{SCHEDULED}{}", stamp(now)),
            incremental,
            parent: None,
            keep: schedule.keep,
        };
        if let Err(error) = self.jobs.submit(work, true) {
            tracing::error!("no scheduled backup: {error}");
        }
    }

    fn lead(&self, job: &Arc<Job>) {
        let (kind, subject) = (Work::KINDS[job.work.kind()], job.work.subject());
        let result = if job.control.is_cancelled() {
            Err(BackupError::Cancelled)
        } else {
            job.begin();
            tracing::info!("job {}: {kind} of {subject} begins", job.id);
            self.work(job)
        };
        if let Ok(Outcome::Backup(backup)) = &result {
            let totals = &self.jobs.totals;
            totals.backup_at.store(backup.created_at_ms / 1000, Relaxed);
            totals.backup_millis.store(job.duration().as_millis() as u64, Relaxed);
            totals.backup_bytes.store(backup.size_bytes, Relaxed);
        }
        let why = result.as_ref().err().map(ToString::to_string);
        let state = job.end(result);
        let counts = &self.jobs.totals.ended[job.work.kind()];
        let took = job.duration();
        match state {
            State::Failed => {
                counts[1].fetch_add(1, Relaxed);
                let why = why.unwrap_or_default();
                tracing::error!(
                    "job {}: {kind} of {subject} failed after {took:.1?}: {why}",
                    job.id
                );
            }
            State::Cancelled => {
                counts[2].fetch_add(1, Relaxed);
                let when = match took {
                    Duration::ZERO => "before it began".to_owned(),
                    took => format!("after {took:.1?}"),
                };
                tracing::warn!("job {}: {kind} of {subject} was cancelled {when}", job.id);
            }
            _ => {
                counts[0].fetch_add(1, Relaxed);
                tracing::info!("job {}: {kind} of {subject} is done after {took:.1?}", job.id);
            }
        }
    }

    fn work(&self, job: &Arc<Job>) -> Result<Outcome, BackupError> {
        match &job.work {
            Work::Backup { directory, incremental, parent, keep } => self
                .back_up(job, directory, (*incremental, parent.as_deref()), *keep)
                .map(Outcome::Backup),
            Work::Restore { directory, replace, dry_run, collection } => {
                let restored = self.restore(job, directory, (*replace, *dry_run), collection);
                restored.map(Outcome::Restore)
            }
            Work::Verify { directory: Some(directory) } => {
                self.verify(job, directory).map(Outcome::Verify)
            }
            Work::Verify { directory: None } => self.inspect(job).map(Outcome::Verify),
            Work::Compact { collection } => {
                self.compact(job, collection.clone()).map(Outcome::Compact)
            }
        }
    }

    pub(super) fn source(&self) -> Source {
        let (seed, shards) = (self.partition.seed(), self.partition.shards());
        Source { directory_id: self.directory_id, seed, shards }
    }

    /// Takes what reactors send until `enough` says so. Whoever waits is not too fast meanwhile.
    pub(super) fn gather<T>(
        &self,
        job: &Job,
        receiver: &Receiver<T>,
        mut take: impl FnMut(T) -> Result<bool, BackupError>,
    ) -> Result<(), BackupError> {
        loop {
            job.control.tick();
            match receiver.recv_timeout(LOOK) {
                Ok(item) => {
                    if take(item)? {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(BackupError::Refused("a reactor did not end its part".into()));
                }
            }
        }
    }
}

/// What is known of scheduled backups, in seconds since the Unix epoch.
#[derive(Default)]
struct Habit {
    /// When the last one was begun.
    last: Option<u64>,
    /// When one was last asked for.
    tried: Option<u64>,
    /// When the folder was last looked at.
    looked: Option<u64>,
}

/// A time as a part of a name.
fn stamp(seconds: u64) -> String {
    let text = rfc3339(1000 * seconds);
    let digits: String =
        text.chars().take(19).filter(|sign| *sign != '-' && *sign != ':').collect();
    format!("{digits}Z")
}

/// Does work that blocks and takes long on a thread of the lowest priority.
pub(super) fn quietly<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, BackupError> {
    thread::scope(|scope| {
        let quiet = thread::Builder::new().name("jobs-quiet".into()).spawn_scoped(scope, || {
            work_quietly();
            work()
        });
        let quiet = quiet.map_err(|error| BackupError::Refused(format!("no thread: {error}")))?;
        quiet.join().map_err(|panic| {
            let text = crate::router::panic_text(panic.as_ref());
            BackupError::Refused(format!("it panicked: {text}"))
        })
    })
}
