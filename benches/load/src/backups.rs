//! What a backup costs, and how fast it is: sets at a fixed rate without one and beside one, its bytes a second beside those of
//! `cp` on the same disk, an incremental after some keys have changed, and a restore beside sets.
//!
//! ```text
//! load ─► sets ─► sets beside a backup ─► rounds of backup, cp, verify, restore ─► 1 % again, incremental ─► restore beside sets
//! ```
//!
//! Large values are written in no order of their keys. At most three times what is loaded lies on the disk at once.

use std::{
    fs, io,
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use amaters_proto::admin::v1::{
    BackupRequest, Job, JobState, RestoreRequest, VerifyRequest,
    admin_service_client::AdminServiceClient, job::Result as Outcome,
};
use tonic::{Response, Status, Streaming, transport::Channel};

use crate::{
    drive::{Arrival, Load},
    endure::{
        Say,
        book::{Book, Shared, Size},
        writer::Writer,
    },
    process::written_bytes_of,
    report::Report,
    script::{KeySet, Mix},
    server::{Server, data_folder_in},
    target::{Target, Work},
};

const LARGE_BYTES: usize = 64 * 1024;
const SMALL: KeySet = KeySet { keys_count: 10_000, value_bytes: 100 };
/// A server at rest writes less than this in a second.
const REST_BYTES: u64 = 1 << 20;
/// How long to wait for that.
const REST_MAX: Duration = Duration::from_secs(120);

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Values of 64 KiB, in GiB.
    pub gib: f64,
    /// Sets of 100 bytes a second, while something is measured beside them.
    pub sets_per_second: f64,
    /// How long sets are measured without a backup.
    pub quiet: Duration,
    /// How often backup, `cp`, verification and restore are measured in turn.
    pub rounds: usize,
    /// The CPU of the server's only reactor; without it, there is one for each CPU.
    pub server_core: Option<usize>,
}

/// Does it all; `say` gets a line whenever something is known.
///
/// # Errors
/// The server does not start or does not answer, or a job fails.
pub fn backups(program: &Path, folder: &Path, plan: &Plan, say: Say<'_>) -> io::Result<()> {
    let server = Server::amaters_in(program, None, &config(plan), data_folder_in(folder)?)?;
    let run = Run { plan, say, admin: Admin { address: server.address }, server };
    let book = run.load()?;
    run.sets_alone()?;
    run.sets_beside("a full backup", || run.admin.back_up("beside", false))?;
    fs::remove_dir_all(run.backup("beside"))?;
    for round in 1..=plan.rounds {
        run.round(round)?;
        fs::remove_dir_all(run.backup(&format!("full{round}")))?;
    }
    run.incremental(&book)?;
    run.sets_beside("a restore that replaces everything", || run.admin.restore("incremental"))?;
    run.server.stop().map(drop)
}

/// Its reactor has a CPU; what works beside it may have others.
fn config(plan: &Plan) -> String {
    let cores =
        plan.server_core.map_or_else(String::new, |core| format!("cores = \"{core}-{core}\"\n"));
    format!("[server]\n{cores}[storage.wal]\nsync_mode = \"interval\"\n")
}

struct Run<'a> {
    plan: &'a Plan,
    say: Say<'a>,
    admin: Admin,
    server: Server,
}

impl Run<'_> {
    fn backup(&self, name: &str) -> std::path::PathBuf {
        self.server.data_dir().join("snapshots").join(name)
    }

    fn load(&self) -> io::Result<Shared> {
        let count = (self.plan.gib * (1u64 << 30) as f64 / LARGE_BYTES as f64).max(100.0) as u32;
        let large = KeySet { keys_count: count, value_bytes: LARGE_BYTES };
        let book = Shared::new(Book::new(large, SMALL));
        let report = Writer::fast(self.server.address, true).write(&book, |book| {
            (!book.ledger(Size::Large).is_loaded()).then(|| book.issue(Size::Large))
        })?;
        (self.say)(&format!("loaded: {report}"));
        Target::Amaters.fill(self.server.address, SMALL)?;
        self.rest();
        Ok(book)
    }

    /// Waits until the server has stopped writing, or for long enough.
    fn rest(&self) {
        let (begun, pid) = (Instant::now(), self.server.process.pid());
        let mut before = written_bytes_of(pid);
        while begun.elapsed() < REST_MAX {
            thread::sleep(Duration::from_secs(1));
            let written = written_bytes_of(pid);
            if written - before < REST_BYTES {
                return;
            }
            before = written;
        }
    }

    fn sets(&self, goes_on: impl Fn() -> bool) -> io::Result<Report> {
        let load = Load {
            connections: 8,
            depth: 64,
            arrival: Arrival::Bursts { per_second: self.plan.sets_per_second },
            warmup: Duration::ZERO,
            measured: Duration::from_secs(24 * 3600),
            tls: false,
        };
        let work = Work { keys: SMALL, mix: Mix::Set, load };
        Target::Amaters.measure_while(self.server.address, &work, goes_on)
    }

    fn sets_alone(&self) -> io::Result<()> {
        let until = Instant::now() + self.plan.quiet;
        let report = self.sets(|| Instant::now() < until)?;
        (self.say)(&format!("sets with nothing beside them: {report}"));
        Ok(())
    }

    fn sets_beside(
        &self,
        what: &str,
        job: impl FnOnce() -> io::Result<Job> + Send,
    ) -> io::Result<()> {
        let is_over = AtomicBool::new(false);
        let (report, job) = thread::scope(|scope| {
            let done = scope.spawn(|| {
                thread::sleep(Duration::from_secs(1));
                let job = job();
                thread::sleep(Duration::from_millis(500));
                is_over.store(true, Relaxed);
                job
            });
            let report = self.sets(|| !is_over.load(Relaxed));
            // A panic there is one here.
            (report, done.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        (self.say)(&format!("{what}, beside sets: {}", speed(&job?)));
        (self.say)(&format!("sets beside it: {}", report?));
        Ok(())
    }

    /// Backup, `cp`, verification and restore, one after the other.
    fn round(&self, round: usize) -> io::Result<()> {
        let name = format!("full{round}");
        self.rest();
        let backup = self.admin.back_up(&name, false)?;
        let copied = self.cp(&name)?;
        self.forget_files();
        let verified = self.admin.verify(&name)?;
        self.forget_files();
        let restored = self.admin.restore(&name)?;
        let ratio = |job: &Job| copied.as_secs_f64() / seconds(job);
        (self.say)(&format!(
            "round {round}: cp and sync {:.2} s; backup {}, {:.2} of cp; verify {}; restore {}, {:.2} of cp",
            copied.as_secs_f64(),
            speed(&backup),
            ratio(&backup),
            speed(&verified),
            speed(&restored),
            ratio(&restored),
        ));
        Ok(())
    }

    /// Copies the files of a backup, to the disk.
    fn cp(&self, name: &str) -> io::Result<Duration> {
        let copy = self.server.folder().join("copy");
        self.forget_files();
        let begun = Instant::now();
        run("cp", &[Path::new("-r"), &self.backup(name), &copy])?;
        run("sync", &[Path::new("-f"), &copy])?;
        let took = begun.elapsed();
        fs::remove_dir_all(copy)?;
        Ok(took)
    }

    /// Has the kernel forget what it keeps of files, so that all begin alike. Only root can.
    fn forget_files(&self) {
        let forgotten = run("sync", &[]).and_then(|()| fs::write("/proc/sys/vm/drop_caches", "1"));
        if let Err(error) = forgotten {
            (self.say)(&format!("files stay in the kernel's memory: {error}"));
        }
    }

    fn incremental(&self, book: &Shared) -> io::Result<()> {
        // Restored values are new ones.
        self.admin.back_up("parent", false)?;
        let mut left = book.open().ledger(Size::Large).issued() / 100;
        Writer::fast(self.server.address, true).write(book, |book| {
            left = left.checked_sub(1)?;
            Some(book.issue(Size::Large))
        })?;
        self.rest();
        let job = self.admin.back_up("incremental", true)?;
        if let Some(Outcome::Backup(backup)) = &job.result {
            (self.say)(&format!(
                "incremental after 1 % was written again: {} bytes of files for {} bytes of {} keys, in {:.2} s",
                backup.size_bytes,
                backup.bytes,
                backup.keys,
                seconds(&job)
            ));
        }
        Ok(())
    }
}

fn run(program: &str, words: &[&Path]) -> io::Result<()> {
    let status = Command::new(program).args(words).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{program}: {status}"))) }
}

/// How long a job was at work.
fn seconds(job: &Job) -> f64 {
    let took = job.ended_at_ms.unwrap_or(0) - job.started_at_ms.unwrap_or(0);
    took.max(1) as f64 / 1000.0
}

/// Bytes and time of a job.
fn speed(job: &Job) -> String {
    let bytes = match &job.result {
        Some(Outcome::Backup(backup)) => backup.size_bytes,
        Some(Outcome::Restore(restored)) => restored.bytes,
        Some(Outcome::Verify(verified)) => verified.bytes,
        _ => 0,
    };
    let seconds = seconds(job);
    format!("{seconds:.2} s, {:.0} MiB/s", bytes as f64 / seconds / (1u64 << 20) as f64)
}

/// Has jobs done.
struct Admin {
    address: SocketAddr,
}

type Client = AdminServiceClient<Channel>;
type Watched = Result<Response<Streaming<Job>>, Status>;

impl Admin {
    fn back_up(&self, directory: &str, incremental: bool) -> io::Result<Job> {
        let request =
            BackupRequest { directory: directory.into(), incremental, ..Default::default() };
        self.lead(async |client| client.backup(request).await)
    }

    fn verify(&self, directory: &str) -> io::Result<Job> {
        let request = VerifyRequest { directory: directory.into(), ..Default::default() };
        self.lead(async |client| client.verify(request).await)
    }

    /// In the place of everything that is there.
    fn restore(&self, directory: &str) -> io::Result<Job> {
        let request =
            RestoreRequest { directory: directory.into(), replace: true, ..Default::default() };
        self.lead(async |client| client.restore(request).await)
    }

    /// Follows a job to its end.
    fn lead(&self, begin: impl AsyncFnOnce(&mut Client) -> Watched) -> io::Result<Job> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ended = runtime.block_on(async {
            let address = format!("http://{}", self.address);
            let mut client = Client::connect(address).await.map_err(io::Error::other)?;
            let mut jobs = begin(&mut client).await.map_err(io::Error::other)?.into_inner();
            let mut last = None;
            while let Some(job) = jobs.message().await.map_err(io::Error::other)? {
                last = Some(job);
            }
            Ok::<_, io::Error>(last)
        })?;
        match ended {
            Some(job) if job.state() == JobState::Done => Ok(job),
            other => Err(io::Error::other(format!("a job did not end well: {other:?}"))),
        }
    }
}
