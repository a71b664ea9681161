//! Processes that a test or a benchmark starts: pinned, watched through `/proc`, and gone at the end
//! whatever happens.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit},
    thread::{CpuSet, sched_setaffinity},
};

/// Between two looks at something that is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running child; killed when dropped, and by the kernel when this process dies.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program on one core, or where the scheduler likes. Its output goes to `log`.
    pub fn spawn(
        program: &Path,
        args: &[&str],
        core: Option<usize>,
        log: &Path,
    ) -> io::Result<Self> {
        Self::spawn_with(program, args, &[], core, log)
    }

    /// The same, with variables of its environment.
    pub fn spawn_with(
        program: &Path,
        args: &[&str],
        environment: &[(&str, &str)],
        core: Option<usize>,
        log: &Path,
    ) -> io::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        // Each of the helpers replaces itself by the next, so the child's id is the program's.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        if let Some(core) = core {
            command.args(["taskset", "-c", &core.to_string()]);
        }
        command.arg(program).args(args).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(Self { child: command.spawn()?, log: log.to_owned() })
    }

    /// Keeps a core from falling asleep, by work that gives way to any other.
    pub fn spinner(core: usize) -> io::Result<Self> {
        let core = core.to_string();
        let spin = ["-i", "0", "taskset", "-c", &core, "sh", "-c", "while :; do :; done"];
        Self::spawn(Path::new("chrt"), &spin, None, Path::new("/dev/null"))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All output so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until the output has a line that `wanted` makes something of.
    pub fn await_line<T>(
        &mut self,
        within: Duration,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> io::Result<T> {
        let deadline = Instant::now() + within;
        loop {
            let exited = self.child.try_wait()?;
            let log = self.log();
            // The last line may be half written.
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            if let Some(found) = whole.lines().find_map(&wanted) {
                return Ok(found);
            }
            if let Some(status) = exited {
                return Err(io::Error::other(format!("it ended with {status}: {log}")));
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("no such line within {within:?}: {log}")));
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = Pid::from_raw(self.child.id() as i32).ok_or(io::ErrorKind::NotFound)?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits for the end.
    pub fn wait(&mut self, within: Duration) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// CPU time of all its threads so far, user and system.
    pub fn cpu(&self) -> Duration {
        cpu_of(self.pid())
    }

    /// Resident bytes.
    pub fn resident_bytes(&self) -> u64 {
        resident_bytes_of(self.pid())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// CPU time of all threads of a process that live, to the nanosecond.
pub fn cpu_of(pid: u32) -> Duration {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    let nanoseconds = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Resident bytes of a process; zero when it is gone.
pub fn resident_bytes_of(pid: u32) -> u64 {
    memory_of(pid).resident_bytes
}

/// Memory of a process, in bytes; zeros when it is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What is resident now.
    pub resident_bytes: u64,
    /// What of it is the process's own, and not a file's.
    pub anonymous_bytes: u64,
    /// The most that was ever resident.
    pub peak_bytes: u64,
}

/// Memory of a process.
pub fn memory_of(pid: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let bytes = |name| kibibytes(&status, name) * 1024;
    Memory {
        resident_bytes: bytes("VmRSS:"),
        anonymous_bytes: bytes("RssAnon:"),
        peak_bytes: bytes("VmHWM:"),
    }
}

/// Bytes that a process has caused to be written to a disk so far (`proc_pid_io(5)`).
pub fn written_bytes_of(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Bytes that the kernel holds in slabs for all processes: sockets and open files are among them.
pub fn slab_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    kibibytes(&text, "Slab:") * 1024
}

/// Raises this process's limit on open files as far as it may, and says how many those are.
pub fn raise_open_files() -> io::Result<usize> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.map_or(usize::MAX, |files| files as usize))
}

/// The number in a line like `VmRSS:   1234 kB`.
fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Keeps the calling thread on one core.
pub fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// A TCP port that nobody listens on right now.
pub fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
