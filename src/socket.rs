//! The control socket: how commands ask the server that runs.
//!
//! ```text
//! <data_dir>/control.sock, 0600           one question and one answer a connection
//!
//! client:  {"command":"status"}\n         at most QUESTION_BYTES_MAX
//! server:  {"status":{…}}\n               at most ANSWER_BYTES_MAX
//! ```
//!
//! Only the user that the server runs as, and root, are answered. Who sends nothing for a while is
//! left. The threads here never touch a reactor: status is read from the board, so that it is
//! answered, and truthful, also when the control thread hangs; a reload is asked of that thread.

mod client;
mod server;

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

pub(crate) use self::{
    client::{AskError, ask},
    server::{Socket, open},
};
use crate::{board::Status, reload::ReloadReport};

/// Name of the socket in the data directory.
pub(crate) const NAME: &str = "control.sock";

const QUESTION_BYTES_MAX: usize = 4096;
/// A report names each key at most once, with two values that are shown shortened.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Connections that are answered at once.
const CONNECTIONS_MAX: usize = 8;
/// How long a client may take to say its question or to take its answer.
const CLIENT_MAX: Duration = Duration::from_secs(2);
/// How long the server may take to reload; a file system that hangs is not waited for.
const RELOAD_MAX: Duration = Duration::from_secs(30);
/// How long a client waits for any other answer, before the server counts as one that hangs.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// The line of a client.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    command: Question,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Question {
    /// How the server is.
    Status,
    /// Read the configuration again, and say what came of it.
    Reload,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// How the server is.
    Status(Box<Status>),
    /// What came of a reload.
    Reload(ReloadReport),
    /// The question was not understood, or cannot be answered, for this reason.
    Error(String),
}

impl Question {
    fn answer_max(self) -> Duration {
        match self {
            Self::Status => ANSWER_MAX,
            Self::Reload => RELOAD_MAX + ANSWER_MAX,
        }
    }
}

/// The socket's path through an open folder: a path of its own may be longer than the 107 bytes that
/// the address of a socket has room for.
fn through(folder: &File) -> PathBuf {
    Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(NAME)
}

/// A line with its end, however slowly it comes, until `deadline`; without its end where the stream
/// ends before, or `bytes_max` are full.
fn read_line(stream: &UnixStream, bytes_max: usize, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(bytes_max as u64));
    while !line.ends_with(b"\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let piece = reader.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(piece.len(), |end| end + 1);
        line.extend_from_slice(&piece[..count]);
        reader.consume(count);
    }
    Ok(line)
}
