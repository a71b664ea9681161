//! What the service manager is told, with a socket in its place; and a watchdog that a reactor without a turn is not fed for.

use std::{
    fs,
    net::TcpStream,
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::harness::{Folder, Server};

/// Longest wait for anything that should happen soon.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service manager.
struct Manager(UnixDatagram);

impl Manager {
    /// A server that it starts with a watchdog of so many microseconds.
    fn start(folder: &Folder, watchdog_micros: u32) -> (Self, Server) {
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = folder.command("start --config a.toml --bind 127.0.0.1:0");
        command.env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", watchdog_micros.to_string());
        (Self(socket), Server::spawn(command.env_remove("WATCHDOG_PID")))
    }

    /// The next message that begins so.
    fn hear(&self, begin: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut others = Vec::new();
        while Instant::now() < deadline {
            let message = self.message().unwrap_or_default();
            if message.starts_with(begin) {
                return message;
            }
            others.push(message);
        }
        panic!("no {begin:?} among {others:?}");
    }

    fn message(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        let count = self.0.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..count]).into_owned())
    }

    /// All messages that wait.
    fn waiting(&self) -> Vec<String> {
        self.0.set_nonblocking(true).unwrap();
        let messages = std::iter::from_fn(|| self.message()).collect();
        self.0.set_nonblocking(false).unwrap();
        messages
    }
}

/// One thread of a process, stopped as a debugger stops it, while the others go on; until it is dropped.
struct Stopped(i32);

impl Stopped {
    #[expect(unsafe_code, reason = "ptrace stops one thread, a signal stops all")]
    fn thread(tid: i32) -> Self {
        let no = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: these requests read and write no memory of ours but the status.
        unsafe {
            assert_eq!(libc::ptrace(libc::PTRACE_SEIZE, tid, no, no), 0, "PTRACE_SEIZE");
            assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, tid, no, no), 0, "PTRACE_INTERRUPT");
            let mut status = 0;
            assert_eq!(libc::waitpid(tid, &raw mut status, libc::__WALL), tid);
        }
        Self(tid)
    }
}

impl Drop for Stopped {
    #[expect(unsafe_code, reason = "see Stopped::thread")]
    fn drop(&mut self) {
        let no = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: the request reads and writes no memory of ours.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, no, no) };
    }
}

/// The thread of a reactor.
fn reactor(pid: u32) -> i32 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| task.unwrap());
    let name = |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap();
    let mut reactors = tasks.filter(|task| name(task).starts_with("reactor"));
    let task = reactors.next().expect("a thread is called reactor");
    task.file_name().to_str().unwrap().parse().unwrap()
}

#[test]
fn the_watchdog_is_fed_only_while_every_reactor_moves() {
    let folder = Folder::new();
    folder.config("cores = 1", "");
    let (manager, mut server) = Manager::start(&folder, 400_000);
    manager.hear("READY=1\nSTATUS=serving on 127.0.0.1:");
    manager.hear("WATCHDOG=1");
    manager.hear("WATCHDOG=1");

    let stopped = Stopped::thread(reactor(server.pid()));
    server.wait_for("reactor 0 has made no turn for");
    manager.waiting();
    // The control thread goes on all the while.
    for _ in 0..3 {
        server.signal(Signal::USR1);
        server.wait_for("reactor 0: turns ");
    }
    let messages = manager.waiting();
    assert!(!messages.iter().any(|message| message.starts_with("WATCHDOG")), "{messages:?}");
    drop(stopped);
    manager.hear("WATCHDOG=1");
}

#[test]
fn reload_and_stop_are_announced() {
    let folder = Folder::new();
    folder.config("", "");
    let (manager, mut server) = Manager::start(&folder, 30_000_000);
    manager.hear("READY=1");
    server.signal(Signal::HUP);
    let reload = manager.hear("RELOADING=1\n");
    let micros = reload.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(micros.unwrap().parse::<u64>().unwrap() > 0, "{reload}");
    manager.hear("READY=1\n");
    // A connection that is there keeps the drain waiting.
    let guest = TcpStream::connect(server.address).unwrap();
    server.signal(Signal::TERM);
    manager.hear("STOPPING=1\n");
    manager.hear("EXTEND_TIMEOUT_USEC=");
    drop(guest);
    assert_eq!(server.end().code(), Some(0));
}
