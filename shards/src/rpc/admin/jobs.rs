//! Commands about long work. A job that ends within a few seconds is answered with what came of it; another one goes on, and its
//! number is answered: existing clients take a call that lasts half a minute for one that was lost.

use std::{
    borrow::Cow,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use glommio::timer::sleep;
use serde_json::{Value, json};

use crate::{
    audit::Event,
    auth::{ServerCommand, access::Access},
    core::Core,
    failure::{Failure, without_traps},
    jobs::{Job, Outcome, State, Work},
    rpc::check,
    storage::{BackupError, Compacted, Keep, StorageError},
    utc::rfc3339,
};

/// The commands; those that begin a job stand at the places of their kinds.
pub const COMMANDS: [&str; 6] = ["BACKUP", "RESTORE", "VERIFY", "COMPACT", "JOBS", "CANCEL"];

/// How long a command waits for its job.
const WAIT: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(10);

const BACKUP_USAGE: &str = "BACKUP takes a folder, then full or incremental, then with incremental the folder of the parent";
const RESTORE_USAGE: &str = "RESTORE takes a folder, then any of replace, dry-run, collection=NAME";

/// What is asked about jobs.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    /// Begin one.
    Begin(Work),
    /// Tell of one, or of all.
    List(Option<u64>),
    /// End one.
    Cancel(u64),
}

impl Order {
    /// The command.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Begin(work) => COMMANDS[work.kind()],
            Self::List(_) => "JOBS",
            Self::Cancel(_) => "CANCEL",
        }
    }

    /// On what.
    pub fn subject(&self) -> Cow<'_, str> {
        match self {
            Self::Begin(work) => work.subject().into(),
            Self::List(None) => "".into(),
            Self::List(Some(id)) | Self::Cancel(id) => format!("job {id}").into(),
        }
    }

    /// Whether it writes files or changes the server.
    pub fn changes(&self) -> bool {
        match self {
            Self::Begin(work) => work.changes(),
            Self::List(_) => false,
            Self::Cancel(_) => true,
        }
    }

    /// Reads the words behind the command.
    ///
    /// # Errors
    /// Words that it does not take.
    pub fn parse(command: &str, words: Vec<String>) -> Result<Self, Failure> {
        let refuse = |usage: &str, word: &str| {
            Err(Failure::InvalidRequest(format!("{usage}; not {word:?}")))
        };
        let mut words = words.into_iter();
        let order = match command {
            "BACKUP" => Self::backup(&mut words)?,
            "RESTORE" => return Self::restore(words),
            "VERIFY" => Self::Begin(Work::Verify { directory: words.next() }),
            "COMPACT" => {
                let collection = words.next().filter(|word| !word.eq_ignore_ascii_case("all"));
                collection.as_deref().map(check::collection).transpose()?;
                Self::Begin(Work::Compact { collection })
            }
            "JOBS" => match words.next() {
                None => Self::List(None),
                Some(word) => match word.parse() {
                    Ok(id) => Self::List(Some(id)),
                    Err(_) => return refuse("JOBS takes the number of a job, or nothing", &word),
                },
            },
            _ => match words.next().map(|word| (word.parse(), word)) {
                Some((Ok(id), _)) => Self::Cancel(id),
                Some((Err(_), word)) => return refuse("CANCEL takes the number of a job", &word),
                None => return refuse("CANCEL takes the number of a job", ""),
            },
        };
        match words.next() {
            None => Ok(order),
            Some(word) => refuse(&format!("{command} takes fewer words"), &word),
        }
    }

    fn backup(words: &mut impl Iterator<Item = String>) -> Result<Self, Failure> {
        let refuse = |word: &str| Failure::InvalidRequest(format!("{BACKUP_USAGE}; not {word:?}"));
        let directory = words.next().ok_or_else(|| refuse(""))?;
        let incremental = match words.next().map(|word| word.to_ascii_lowercase()).as_deref() {
            None | Some("full") => false,
            Some("incremental") => true,
            Some(word) => return Err(refuse(word)),
        };
        let parent = if incremental { words.next() } else { None };
        Ok(Self::Begin(Work::Backup { directory, incremental, parent, keep: Keep::default() }))
    }

    fn restore(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let refuse = |word: &str| Failure::InvalidRequest(format!("{RESTORE_USAGE}; not {word:?}"));
        let directory = words.next().ok_or_else(|| refuse(""))?;
        let (mut replace, mut dry_run, mut collection) = (false, false, "default".to_owned());
        for word in words {
            match word.strip_prefix("collection=") {
                Some(name) => {
                    check::collection(name)?;
                    collection = name.to_owned();
                }
                None if word.eq_ignore_ascii_case("replace") => replace = true,
                None if word.eq_ignore_ascii_case("dry-run") => dry_run = true,
                None => return Err(refuse(&word)),
            }
        }
        Ok(Self::Begin(Work::Restore { directory, replace, dry_run, collection }))
    }
}

/// Does what is asked.
///
/// # Errors
/// What the job or its words refuse.
pub async fn run(core: &Rc<Core>, access: &Access, order: Order) -> Result<Value, Failure> {
    let (jobs, name) = (&core.process.jobs, order.name());
    let unknown =
        |id| Failure::InvalidRequest(format!("job {id} is not known: JOBS lists those that are"));
    match order {
        Order::Begin(work) => {
            let job = jobs.submit(work, false)?;
            let begun = Instant::now();
            while !job.has_ended() && begun.elapsed() < WAIT {
                sleep(LOOK).await;
            }
            let has_ended = job.has_ended();
            let answer = answer(&job)?;
            if !has_ended {
                let command = ServerCommand { name, subject: job.work.subject() };
                let failed = access.failure_of(command);
                follow(core, job, failed);
            }
            Ok(answer)
        }
        Order::List(None) => {
            Ok(json!({ "jobs": jobs.list().iter().map(|job| shown(job)).collect::<Vec<_>>() }))
        }
        Order::List(Some(id)) => {
            let job = jobs.find(id).ok_or_else(|| unknown(id))?;
            Ok(json!({ "jobs": [shown(&job)] }))
        }
        Order::Cancel(id) => {
            let job = jobs.find(id).ok_or_else(|| unknown(id))?;
            job.control.cancel();
            Ok(json!({ "jobs": [shown(&job)], "status": "cancelling" }))
        }
    }
}

/// Records that a job has failed for which nobody waits any more.
pub fn follow(core: &Rc<Core>, job: Arc<Job>, failed: Event) {
    const LOOK: Duration = Duration::from_millis(200);

    let core = Rc::clone(core);
    glommio::spawn_local(async move {
        while !job.has_ended() {
            sleep(LOOK).await;
        }
        if let Some(Err(error)) = job.result() {
            let _ = core.record(|| failed.now().error(error.to_string()));
        }
    })
    .detach();
}

/// What came of a job, or how far it is, with the fields of its command.
fn answer(job: &Arc<Job>) -> Result<Value, Failure> {
    let mut fields = match (job.result(), &job.work) {
        (Some(Err(error)), _) => return Err(error.clone().into()),
        (Some(Ok(outcome)), _) => of_outcome(job, outcome),
        (None, work) => of_progress(job, work),
    };
    fields["job_id"] = json!(job.id);
    Ok(fields)
}

fn of_outcome(job: &Job, outcome: &Outcome) -> Value {
    let seconds = job.duration().as_secs_f64();
    match outcome {
        Outcome::Backup(backup) => {
            let kind = if backup.parent.is_some() { "incremental" } else { "full" };
            json!({
                "status": "success",
                "path": backup.directory,
                "key_count": backup.keys,
                "byte_count": backup.bytes,
                "kind": kind,
                "backup_id": backup.id,
                "parent_id": backup.parent,
                "created_at": rfc3339(backup.created_at_ms),
                "size_bytes": backup.size_bytes,
                "backup_type": kind,
                "compression": "none",
                "deletion_count": backup.deletions,
                "duration_seconds": seconds,
            })
        }
        Outcome::Restore(restore) => json!({
            "status": if restore.dry_run { "checked" } else { "success" },
            "restored": if restore.dry_run { 0 } else { restore.keys },
            "schema_version": restore.schema_version,
            "keys_restored": if restore.dry_run { 0 } else { restore.keys },
            "bytes_restored": if restore.dry_run { 0 } else { restore.bytes },
            "keys_checked": restore.keys,
            "bytes_checked": restore.bytes,
            "backups": restore.backups,
            "dry_run": restore.dry_run,
            "duration_seconds": seconds,
            "errors": [],
        }),
        Outcome::Verify(found) => json!({
            "status": "success",
            "ok": found.damages_total == 0,
            "checked": found.keys,
            "verified_keys": found.keys,
            "verified_bytes": found.bytes,
            "verified_files": found.files,
            "corrupted_keys": found.damages_total,
            "missing_keys": 0,
            "checksum_errors": found.damages_total,
            "duration_seconds": seconds,
            "errors": found.damages,
        }),
        Outcome::Compact(compacted) => of_compaction(job, compacted, "success"),
    }
}

fn of_compaction(job: &Job, compacted: &Compacted, status: &str) -> Value {
    let Work::Compact { collection } = &job.work else { return Value::Null };
    json!({
        "status": status,
        "collection": collection.as_deref().unwrap_or("all"),
        "flushed": compacted.flushed > 0,
        "sstables_compacted": compacted.tables_merged,
        "bytes_reclaimed": compacted.bytes_before.saturating_sub(compacted.bytes_after),
        "duration_seconds": job.duration().as_secs_f64(),
        "new_sstable_count": compacted.tables_after,
    })
}

/// Nothing here looks like a success.
fn of_progress(job: &Job, work: &Work) -> Value {
    let (keys, bytes, _) = job.control.progress();
    let seconds = job.duration().as_secs_f64();
    let note = format!("still running as job {0}: JOBS {0} tells how far it is", job.id);
    match work {
        Work::Backup { directory, incremental, .. } => {
            let kind = if *incremental { "incremental" } else { "full" };
            json!({
                "status": "running",
                "path": directory,
                "key_count": keys,
                "byte_count": bytes,
                "kind": kind,
                "backup_id": format!("job-{}", job.id),
                "created_at": rfc3339(job.created_at_ms),
                "size_bytes": 0,
                "backup_type": kind,
                "compression": "none",
                "duration_seconds": seconds,
            })
        }
        Work::Restore { .. } => json!({
            "status": "running",
            "restored": 0,
            "schema_version": 0,
            "keys_restored": 0,
            "bytes_restored": 0,
            "duration_seconds": seconds,
            "errors": [note],
        }),
        Work::Verify { .. } => json!({
            "status": "running",
            "ok": false,
            "checked": keys,
            "verified_keys": keys,
            "corrupted_keys": 0,
            "missing_keys": 0,
            "checksum_errors": 0,
            "duration_seconds": seconds,
            "errors": [note],
        }),
        Work::Compact { .. } => of_compaction(job, &Compacted::default(), "running"),
    }
}

/// A job as `JOBS` shows it.
fn shown(job: &Job) -> Value {
    let (keys, bytes, bytes_total) = job.control.progress();
    let (started, ended) = job.times();
    let time = |at: Option<u64>| at.map(rfc3339);
    let mut shown = json!({
        "id": job.id,
        "kind": Work::KINDS[job.work.kind()],
        "subject": job.work.subject(),
        "state": state(job.state()),
        "step": if job.has_ended() { "" } else { job.step() },
        "scheduled": job.scheduled,
        "created_at": rfc3339(job.created_at_ms),
        "started_at": time(started),
        "ended_at": time(ended),
        "duration_seconds": job.duration().as_secs_f64(),
        "keys": keys,
        "bytes": bytes,
        "bytes_total": bytes_total,
    });
    match job.result() {
        Some(Ok(outcome)) => shown["result"] = of_outcome(job, outcome),
        Some(Err(error)) => shown["message"] = json!(error.to_string()),
        None => {}
    }
    shown
}

fn state(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Running => "running",
        State::Done => "done",
        State::Failed => "failed",
        State::Cancelled => "cancelled",
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Storage(error @ StorageError::Corrupt { .. }) => Self::Storage(error),
            BackupError::Damaged { .. } => Self::Damaged(without_traps(&error.to_string())),
            error => Self::InvalidRequest(without_traps(&error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::is_stumbled_over;

    fn parsed(text: &str) -> Result<Order, String> {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let command = words.remove(0);
        Order::parse(&command, words).map_err(|failure| failure.to_string())
    }

    #[test]
    fn orders_are_read_with_words_that_may_be_left_out() {
        let backup = |incremental, parent: Option<&str>| {
            let (directory, parent) = ("d".to_owned(), parent.map(str::to_owned));
            let keep = Keep::default();
            Ok(Order::Begin(Work::Backup { directory, incremental, parent, keep }))
        };
        assert_eq!(parsed("BACKUP d"), backup(false, None));
        assert_eq!(parsed("BACKUP d FULL"), backup(false, None));
        assert_eq!(parsed("BACKUP d incremental"), backup(true, None));
        assert_eq!(parsed("BACKUP d incremental p"), backup(true, Some("p")));
        let restore = |replace, dry_run, collection: &str| {
            let (directory, collection) = ("d".to_owned(), collection.to_owned());
            Ok(Order::Begin(Work::Restore { directory, replace, dry_run, collection }))
        };
        assert_eq!(parsed("RESTORE d"), restore(false, false, "default"));
        assert_eq!(parsed("RESTORE d Replace dry-run collection=c"), restore(true, true, "c"));
        let compact = |collection: Option<&str>| {
            Ok(Order::Begin(Work::Compact { collection: collection.map(str::to_owned) }))
        };
        assert_eq!(parsed("COMPACT"), compact(None));
        assert_eq!(parsed("COMPACT ALL"), compact(None));
        assert_eq!(parsed("COMPACT c"), compact(Some("c")));
        assert_eq!(parsed("VERIFY"), Ok(Order::Begin(Work::Verify { directory: None })));
        assert_eq!(parsed("JOBS 3"), Ok(Order::List(Some(3))));
        assert_eq!(parsed("CANCEL 3"), Ok(Order::Cancel(3)));
        for wrong in [
            "BACKUP",
            "BACKUP d half",
            "BACKUP d full p",
            "RESTORE",
            "RESTORE d merge",
            "RESTORE d collection=",
            "COMPACT a b",
            "VERIFY a b",
            "JOBS x",
            "CANCEL",
            "CANCEL x",
        ] {
            let text = parsed(wrong).unwrap_err();
            assert!(!is_stumbled_over(&text), "{wrong}: {text}");
        }
    }

    #[test]
    fn only_what_writes_or_opens_what_it_is_told_is_an_order() {
        for (text, changes) in [
            ("BACKUP d", true),
            ("RESTORE d", true),
            ("VERIFY d", true),
            ("VERIFY", false),
            ("COMPACT", true),
            ("JOBS", false),
            ("CANCEL 1", true),
        ] {
            assert_eq!(parsed(text).unwrap().changes(), changes, "{text}");
        }
    }

    #[test]
    fn words_that_clients_stumble_over_are_kept_apart_wherever_they_come_from() {
        let text = "/backups/Connection-timeout/x: cannot open: connection refused, connection";
        let safe = without_traps(text);
        assert!(!is_stumbled_over(&safe), "{safe}");
        assert_eq!(without_traps("/a/b is damaged"), "/a/b is damaged");
    }
}
