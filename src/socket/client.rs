//! The client's side: one question, one answer, within a time.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use thiserror::Error;

use super::{ANSWER_BYTES_MAX, Answer, Line, NAME, Question, read_line, through};

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum AskError {
    /// Nobody listens: no server, or one that has no socket yet or any more.
    #[error("there is no {NAME} in the data directory that somebody listens on")]
    Nobody,
    /// It is not ours to ask.
    #[error("this user may not ask the server: {0}")]
    Forbidden(io::Error),
    /// The server is there and says nothing.
    #[error("the server does not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// What came is no answer.
    #[error("the control socket: {0}")]
    Broken(String),
}

/// Asks the server of a data directory.
pub(crate) fn ask(data_dir: &Path, question: Question) -> Result<Answer, AskError> {
    let answer_max = question.answer_max();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::Nobody,
        io::ErrorKind::PermissionDenied => AskError::Forbidden(error),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::Silent(answer_max),
        _ => AskError::Broken(error.to_string()),
    };
    let line = exchange(data_dir, question, answer_max).map_err(failed)?;
    if line.is_empty() {
        return Err(AskError::Broken("the server closed it without an answer".into()));
    }
    serde_json::from_slice(&line)
        .map_err(|error| AskError::Broken(format!("no answer is understood: {error}")))
}

fn exchange(data_dir: &Path, question: Question, answer_max: Duration) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + answer_max;
    let mut stream = connect(data_dir, answer_max)?;
    stream.set_write_timeout(Some(answer_max))?;
    let mut text = serde_json::to_vec(&Line { command: question })?;
    text.push(b'\n');
    stream.write_all(&text)?;
    read_line(&stream, ANSWER_BYTES_MAX, deadline)
}

/// Connecting waits while the backlog of a server that stands still is full; its write timeout
/// bounds that.
fn connect(data_dir: &Path, within: Duration) -> io::Result<UnixStream> {
    use rustix::net::{
        self as unix, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt,
    };

    let folder = File::open(data_dir)?;
    let socket =
        unix::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(within))?;
    unix::connect(&socket, &SocketAddrUnix::new(through(&folder))?)?;
    Ok(UnixStream::from(socket))
}
