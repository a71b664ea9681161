//! Long work of the server, by `amaters.admin.v1.AdminService`, or by admin commands where a server does not answer that: it is
//! begun, watched, and ended early by Ctrl-C.
//!
//! A job goes on without its client only with `--detach`. Done is what the server says is done: where its last word does not
//! come, that is what is said.

pub(super) mod by_key;
mod shown;

use amaters_proto::admin::v1::{
    BackupRequest, CancelJobRequest, CompactRequest, Job, JobState, ListJobsRequest,
    RestoreRequest, VerifyRequest, WatchJobRequest, admin_service_client::AdminServiceClient,
};
use clap::{Args, Subcommand};
use tonic::{Code, Response, Status, Streaming, transport::Channel};

use super::{
    Session,
    connection::Connection,
    failure::{Failure, Kind},
    interrupt,
    output::Form,
    progress::Progress,
};

/// What begins a job.
#[derive(Clone, Copy, Debug, Args)]
struct Detach {
    /// Return at once, and let the server go on; `jobs watch` shows how far it is.
    #[arg(long)]
    detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The folder, which the server makes: below its folder for backups, or absolute below one that its configuration allows.
    #[arg(value_name = "DIR")]
    dir: String,
    /// Only what changed since the backup before.
    #[arg(long)]
    incremental: bool,
    /// The backup before, instead of the newest beside DIR.
    #[arg(
        long,
        value_name = "DIR",
        requires = "incremental",
        default_value = "",
        hide_default_value = true
    )]
    parent: String,
    #[command(flatten)]
    detach: Detach,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The folder of the backup, as the server sees it.
    #[arg(value_name = "DIR")]
    dir: String,
    /// Remove everything else; otherwise keys that are not in the backup stay.
    #[arg(long)]
    replace: bool,
    /// Read and check everything, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Of a backup of the public AmateRS server, which knows no collections: where its keys go, by default "default".
    #[arg(long, value_name = "COLLECTION", default_value = "", hide_default_value = true)]
    into: String,
    #[command(flatten)]
    detach: Detach,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The folder of a backup; without it, the server reads its own files.
    #[arg(value_name = "DIR", default_value = "", hide_default_value = true)]
    dir: String,
    #[command(flatten)]
    detach: Detach,
}

#[derive(Debug, Args)]
pub(crate) struct Compact {
    /// Only this collection; without it, all.
    #[arg(value_name = "COLLECTION", default_value = "", hide_default_value = true)]
    of: String,
    #[command(flatten)]
    detach: Detach,
}

#[derive(Debug, Args)]
pub(crate) struct Jobs {
    #[command(subcommand)]
    command: Option<JobsCommand>,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// Print the jobs that wait, run, or have ended lately, as jobs alone does.
    List,
    /// Watch a job until it ends; Ctrl-C leaves it as it is.
    Watch {
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// End a job before its time.
    Cancel {
        #[arg(value_name = "ID")]
        id: u64,
    },
}

/// What Ctrl-C does to the job that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnInterrupt {
    Cancel,
    Leave,
}

/// The stub of the service.
pub(super) fn stub(connection: &Connection) -> AdminServiceClient<Channel> {
    AdminServiceClient::new(connection.channel())
}

impl Backup {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let request = BackupRequest {
            directory: self.dir.clone(),
            incremental: self.incremental,
            parent: self.parent.clone(),
            detach: self.detach.detach,
        };
        let connection = session.connection().await?.clone();
        let answer = stub(&connection).backup(connection.call(request, None)).await;
        let kind = if self.incremental { "incremental" } else { "full" };
        let parent = Some(self.parent.clone()).filter(|parent| !parent.is_empty());
        let words = [self.dir.clone(), kind.into()].into_iter().chain(parent).collect();
        begun(session, &connection, answer, ("BACKUP", words), self.detach).await
    }
}

impl Restore {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let request = RestoreRequest {
            directory: self.dir.clone(),
            replace: self.replace,
            dry_run: self.dry_run,
            collection: self.into.clone(),
            detach: self.detach.detach,
        };
        let connection = session.connection().await?.clone();
        let answer = stub(&connection).restore(connection.call(request, None)).await;
        let into = (!self.into.is_empty()).then(|| format!("collection={}", self.into));
        let options = [
            self.replace.then(|| "replace".to_owned()),
            self.dry_run.then(|| "dry-run".to_owned()),
            into,
        ];
        let words =
            std::iter::once(self.dir.clone()).chain(options.into_iter().flatten()).collect();
        begun(session, &connection, answer, ("RESTORE", words), self.detach).await
    }
}

impl Verify {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let request = VerifyRequest { directory: self.dir.clone(), detach: self.detach.detach };
        let connection = session.connection().await?.clone();
        let answer = stub(&connection).verify(connection.call(request, None)).await;
        let words = Some(self.dir.clone()).filter(|dir| !dir.is_empty()).into_iter().collect();
        begun(session, &connection, answer, ("VERIFY", words), self.detach).await
    }
}

impl Compact {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let request = CompactRequest { collection: self.of.clone(), detach: self.detach.detach };
        let connection = session.connection().await?.clone();
        let answer = stub(&connection).compact(connection.call(request, None)).await;
        let words = Some(self.of.clone()).filter(|of| !of.is_empty()).into_iter().collect();
        begun(session, &connection, answer, ("COMPACT", words), self.detach).await
    }
}

impl Jobs {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let connection = session.connection().await?.clone();
        let (mut stub, timeout) = (stub(&connection), Some(connection.timeout()));
        match self.command {
            None | Some(JobsCommand::List) => {
                let request = connection.call(ListJobsRequest {}, timeout);
                let jobs = match stub.list_jobs(request).await {
                    Ok(answer) => answer.into_inner().jobs,
                    Err(status) if is_unknown(&status) => {
                        return by_key::list(session, &connection).await;
                    }
                    Err(status) => return Err(status.into()),
                };
                session.output.list(&shown::COLUMNS, jobs.iter().map(shown::object).collect())
            }
            Some(JobsCommand::Watch { id }) => {
                let request = connection.call(WatchJobRequest { id }, None);
                match stub.watch_job(request).await {
                    Ok(answer) => {
                        follow(session, &connection, answer.into_inner(), OnInterrupt::Leave).await
                    }
                    Err(status) if is_unknown(&status) => {
                        by_key::watch(session, &connection, id).await
                    }
                    Err(status) => Err(status.into()),
                }
            }
            Some(JobsCommand::Cancel { id }) => {
                let request = connection.call(CancelJobRequest { id }, timeout);
                match stub.cancel_job(request).await {
                    Ok(answer) => {
                        let job = answer.into_inner();
                        session.output.say(&shown::line(&job), &shown::object(&job))
                    }
                    Err(status) if is_unknown(&status) => {
                        by_key::cancel(session, &connection, id).await
                    }
                    Err(status) => Err(status.into()),
                }
            }
        }
    }
}

/// Whether a server does not answer the service.
pub(super) fn is_unknown(status: &Status) -> bool {
    status.code() == Code::Unimplemented
}

async fn begun(
    session: &Session,
    connection: &Connection,
    answer: Result<Response<Streaming<Job>>, Status>,
    words: (&str, Vec<String>),
    detach: Detach,
) -> Result<(), Failure> {
    let mut stream = match answer {
        Ok(answer) => answer.into_inner(),
        Err(status) if is_unknown(&status) => {
            return by_key::begin(session, connection, words, detach.detach).await;
        }
        Err(status) => return Err(status.into()),
    };
    if !detach.detach {
        return follow(session, connection, stream, OnInterrupt::Cancel).await;
    }
    match stream.message().await? {
        Some(job) => session.output.say(&shown::line(&job), &shown::object(&job)),
        None => Err(Failure::nonsense("a job without a word about it")),
    }
}

/// Watches a job to its end.
async fn follow(
    session: &Session,
    connection: &Connection,
    mut stream: Streaming<Job>,
    on_interrupt: OnInterrupt,
) -> Result<(), Failure> {
    let mut progress = Progress::new(None, "keys");
    let mut interrupted = Box::pin(interrupt());
    let mut last: Option<Job> = None;
    let ended = loop {
        let next = tokio::select! {
            next = stream.message() => next,
            () = &mut interrupted => {
                progress.clear();
                return Err(stopped(connection, last.as_ref(), on_interrupt).await);
            }
        };
        match next {
            Ok(Some(job)) => {
                let done = job.progress.clone().unwrap_or_default();
                progress.set_part(&done.step, done.keys, done.bytes, done.bytes_total);
                last = Some(job);
            }
            Ok(None) => break Ok(()),
            Err(status) => break Err(Failure::from(status)),
        }
    };
    progress.clear();
    match (last, ended) {
        (Some(job), _) if has_ended(&job) => finish(session, &job),
        (last, Err(failure)) => Err(unknown(failure, last.as_ref())),
        (_, Ok(())) => Err(Failure::nonsense("a job whose end was not told")),
    }
}

fn has_ended(job: &Job) -> bool {
    matches!(job.state(), JobState::Done | JobState::Failed | JobState::Cancelled)
}

/// Tells how a job has ended; what has failed or has found damage is a failure.
fn finish(session: &Session, job: &Job) -> Result<(), Failure> {
    if job.state() != JobState::Done {
        if session.output.form != Form::Table {
            session.output.show(&shown::object(job))?;
        }
        // For people that is all there is to say.
        return Err(Failure::refused(shown::line(job)));
    }
    session.output.say(&shown::line(job), &shown::object(job))?;
    match shown::damages(job) {
        0 => Ok(()),
        count => Err(Failure::refused(format!("{count} damages were found"))),
    }
}

/// The connection broke, and what became of the job is not known here.
fn unknown(failure: Failure, last: Option<&Job>) -> Failure {
    let Some(job) = last else {
        return failure;
    };
    let text = format!(
        "{}\nhow job {} has ended is not known here; `amaters-cli jobs` says",
        failure.text, job.id
    );
    Failure { text, ..failure }
}

/// Ctrl-C: the job is cancelled, and what the server says about that is what is told.
async fn stopped(connection: &Connection, job: Option<&Job>, on_interrupt: OnInterrupt) -> Failure {
    let interrupted = |text: String| Failure::new(Kind::Interrupted, text);
    let Some(job) = job else {
        return interrupted("interrupted before the server said anything".into());
    };
    if on_interrupt == OnInterrupt::Leave {
        return interrupted(format!("interrupted; job {} goes on", job.id));
    }
    let request = connection.call(CancelJobRequest { id: job.id }, Some(connection.timeout()));
    match stub(connection).cancel_job(request).await {
        Ok(answer) if has_ended(answer.get_ref()) => {
            interrupted(format!("interrupted: {}", shown::line(answer.get_ref())))
        }
        Ok(_) => interrupted(format!("interrupted; job {} is being cancelled", job.id)),
        Err(status) => interrupted(format!(
            "interrupted, and job {} could not be cancelled: {}",
            job.id,
            Failure::from(status)
        )),
    }
}
