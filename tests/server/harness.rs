//! A folder for one test, and servers in it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Longest wait for anything that should happen soon.
const PATIENCE: Duration = Duration::from_secs(30);
/// The ordinary user that root's tests turn into.
pub(crate) const NOBODY: u32 = 65_534;

/// An empty folder, the working directory of the commands of one test.
pub(crate) struct Folder {
    folder: TempDir,
    program: PathBuf,
    user: Option<u32>,
}

impl Folder {
    /// For commands of whoever runs the tests.
    pub(crate) fn new() -> Self {
        let program = env!("CARGO_BIN_EXE_amaters-server").into();
        Self { folder: tempfile::tempdir().unwrap(), program, user: None }
    }

    /// For commands of an ordinary user, who may not be able to reach the build folder.
    pub(crate) fn of_ordinary_user() -> Self {
        let mut folder = Self::new();
        if rustix::process::geteuid().is_root() {
            let program = folder.path().join("program");
            fs::copy(&folder.program, &program).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            folder.program = program;
            folder.user = Some(NOBODY);
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The program with these words, free of the environment's own settings.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words.split_ascii_whitespace());
        self.placed(command)
    }

    /// The same below a shell that lowers limits first, as in `ulimit -l 64`.
    pub(crate) fn command_after(&self, limits: &str, words: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{limits}; exec \"$0\" {words}")).arg(&self.program);
        self.placed(command)
    }

    fn placed(&self, mut command: Command) -> Command {
        command.current_dir(self.path());
        for name in ["BIND_ADDRESS", "DATA_DIR", "LOG_LEVEL", "TLS_ENABLED"] {
            command.env_remove(format!("AMATERS_{name}"));
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    /// A configuration file with a pid file and a port for metrics of its own, and more if need be.
    pub(crate) fn config(&self, server: &str, more: &str) -> PathBuf {
        let metrics = "[metrics]\nbind_address = \"127.0.0.1:0\"\n";
        let metrics = if more.contains("[metrics]") { "" } else { metrics };
        self.write("a.toml", &format!("[server]\npid_file = \"pid\"\n{server}\n{more}\n{metrics}"))
    }

    /// A server with the configuration `a.toml` on a free port.
    pub(crate) fn serve(&self) -> Server {
        Server::spawn(&mut self.command("start --config a.toml --bind 127.0.0.1:0"))
    }
}

/// Waits until it is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not so after {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Standard error of a command that must have failed with status 1, in one clear line or more.
pub(crate) fn refusal(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    text
}

/// A server that listens; killed when dropped.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    first_lines: Vec<String>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts it and waits until it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut server = Self::begun(command);
        server.first_lines = server.wait_for_all("Listening on ");
        let line = server.first_lines.pop().unwrap();
        server.address = line.rsplit(' ').next().unwrap().parse().unwrap();
        server
    }

    /// Starts it.
    pub(crate) fn begun(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        Self { child, lines, first_lines: Vec::new(), address: ([0, 0, 0, 0], 0).into() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said before it listened.
    pub(crate) fn first_lines(&self) -> &[String] {
        &self.first_lines
    }

    /// The next line that contains `text`.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        self.wait_for_all(text).pop().unwrap()
    }

    /// The next lines, up to one that contains `text`.
    pub(crate) fn wait_for_all(&mut self, text: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(deadline - Instant::now()) {
            seen.push(line);
            if seen.last().is_some_and(|line| line.contains(text)) {
                return seen;
            }
        }
        panic!("no line with {text:?} after\n{}", seen.join("\n"));
    }

    /// The lines that came and were not looked at.
    pub(crate) fn lines_so_far(&self) -> impl Iterator<Item = String> {
        self.lines.try_iter()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return status;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the server does not end");
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut rest = String::new();
        if thread::panicking() {
            rest.extend(self.lines.try_iter().map(|line| line + "\n"));
            let _ = self.child.stdout.take().map(|mut out| out.read_to_string(&mut rest));
            eprintln!("last lines of the server:\n{rest}");
        }
    }
}
