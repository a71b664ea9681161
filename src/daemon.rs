//! `start --daemon`: the server in the background, and a command that ends when it serves or has
//! failed.
//!
//! ```text
//! start --daemon ──── spawns ────► start --detached: a session of its own, no terminal
//!   │  standard error is that of the command, so that a failure is told there
//!   ◄──── "ready ADDRESS" ───────┤ standard input, a socket between the two
//!   ends with 0                  └ then standard streams lead nowhere, unless to a file or a socket
//! ```
//!
//! The program is started again rather than forked: a fork of a process with threads is fragile.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    os::{
        fd::OwnedFd,
        unix::{
            fs::FileTypeExt as _,
            net::UnixStream,
            process::{CommandExt as _, ExitStatusExt as _},
        },
    },
    process::{Command, ExitCode, Stdio},
};

use rustix::{io::fcntl_dupfd_cloexec, process::setsid, stdio, thread::set_name};

use crate::logging;

const FLAG: &str = "--daemon";
/// The same flag, for the process that serves.
const DETACHED: &str = "--detached";

/// Starts this very command in the background, and waits until it serves or has failed.
///
/// # Errors
/// The process cannot be made.
pub(crate) fn begin() -> io::Result<ExitCode> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut words = env::args_os();
    let name = words.next().unwrap_or_else(|| "amaters-server".into());
    let detached = |word: OsString| if word == FLAG { DETACHED.into() } else { word };
    let mut child = Command::new("/proc/self/exe")
        .arg0(name)
        .args(words.map(detached))
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    // The command above is dropped: only the child can write now, so its end is seen.
    let mut line = String::new();
    let read = BufReader::new(ours).read_line(&mut line);
    if let (Ok(_), Some(address)) = (&read, line.trim_end().strip_prefix("ready ")) {
        println!("Running as process {}, listening on {address}", child.id());
        return Ok(ExitCode::SUCCESS);
    }
    // It has said why on standard error, unless it was killed.
    let status = child.wait()?;
    if let Some(signal) = status.signal() {
        eprintln!("the server was ended by signal {signal} while it started");
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, Into::into))
}

/// The side of the process that serves.
#[derive(Debug)]
pub(crate) struct Herald(UnixStream);

/// Leaves the session and the terminal of whoever started this process.
///
/// # Errors
/// It was not started by `start --daemon`.
pub(crate) fn detach() -> io::Result<Herald> {
    let channel = UnixStream::from(fcntl_dupfd_cloexec(io::stdin(), 3)?);
    channel.peer_addr().map_err(|_| {
        io::Error::other(format!("{DETACHED} is not for people: use `start {FLAG}`"))
    })?;
    stdio::dup2_stdin(File::open("/dev/null")?)?;
    setsid()?;
    // It was run by way of a link of that name: `exe` is what `ps` and `ss` would show.
    set_name(c"amaters-server")?;
    Ok(Herald(channel))
}

impl Herald {
    /// Tells whoever started the daemon that it serves, and leaves the standard streams.
    ///
    /// `has_log_file`: log lines are kept elsewhere too.
    ///
    /// # Errors
    /// The streams cannot be left.
    pub(crate) fn ready(mut self, address: SocketAddr, has_log_file: bool) -> io::Result<()> {
        let is_kept = is_kept(&io::stderr());
        if !is_kept && !has_log_file {
            tracing::warn!(
                "the log of this daemon leads nowhere from here on: set logging.file_enabled and \
                 logging.file_path, or direct standard error to a file"
            );
        }
        logging::flush();
        let nowhere = File::options().write(true).open("/dev/null")?;
        if !is_kept {
            stdio::dup2_stderr(&nowhere)?;
        }
        stdio::dup2_stdout(&nowhere)?;
        // Whoever started it may have gone: it serves all the same.
        let _ = writeln!(self.0, "ready {address}");
        Ok(())
    }
}

/// Whether a stream may stay: it is a file or the journal. A terminal would be written to by a
/// stranger, and a reader of a pipe would wait for its end.
fn is_kept(stream: &io::Stderr) -> bool {
    let kind = || File::from(fcntl_dupfd_cloexec(stream, 3)?).metadata();
    kind().is_ok_and(|data| data.file_type().is_file() || data.file_type().is_socket())
}
