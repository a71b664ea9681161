//! The server's side: listens, reads a question, answers, closes.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::{
        fs::FileTypeExt as _,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use rustix::{
    fs::{Mode, fchmod},
    net::{self as unix, AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
    process::geteuid,
};

use super::{
    ANSWER_BYTES_MAX, Answer, CLIENT_MAX, CONNECTIONS_MAX, Line, NAME, QUESTION_BYTES_MAX,
    Question, RELOAD_MAX, read_line, through,
};
use crate::{
    board::{Board, Phase},
    signals::Request,
};

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 16;

/// An open control socket; its name goes with it.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("cannot remove the control socket {}: {error}", self.path.display());
        }
    }
}

/// Opens the socket in a data directory that this process owns, and answers from now on.
///
/// # Errors
/// The file system takes no sockets, or there is no thread.
pub(crate) fn open(
    data_dir: &Path,
    board: &Board,
    requests: &Sender<Request>,
) -> io::Result<Socket> {
    let listener = listen(data_dir)?;
    let socket = Socket { path: data_dir.join(NAME) };
    let hall = Hall { board: board.clone(), requests: requests.clone(), busy: Arc::default() };
    thread::Builder::new().name("socket".into()).spawn(move || hall.receive(&listener))?;
    Ok(socket)
}

/// Private from the first moment: the socket's own mode is that of its name.
fn listen(data_dir: &Path) -> io::Result<UnixListener> {
    let folder = File::open(data_dir)?;
    let path = through(&folder);
    match fs::symlink_metadata(&path) {
        // Who owns the data directory owns what an earlier server left there.
        Ok(found) if found.file_type().is_socket() => fs::remove_file(&path)?,
        Ok(_) => return Err(io::Error::other("something that is no socket has its name")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket =
        unix::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    unix::bind(&socket, &SocketAddrUnix::new(&path)?)?;
    unix::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

/// What every answer needs.
#[derive(Clone)]
struct Hall {
    board: Board,
    requests: Sender<Request>,
    /// Connections that are being answered.
    busy: Arc<AtomicUsize>,
}

impl Hall {
    fn receive(&self, listener: &UnixListener) {
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => self.welcome(stream),
                Err(error) => {
                    tracing::warn!("control socket: {error}");
                    // Out of files, most likely: not at full speed until some are closed.
                    thread::sleep(CLIENT_MAX);
                }
            }
        }
    }

    fn welcome(&self, stream: UnixStream) {
        if self.busy.fetch_add(1, Relaxed) >= CONNECTIONS_MAX {
            self.busy.fetch_sub(1, Relaxed);
            // Closed without a word.
            return;
        }
        let hall = self.clone();
        let spawned = thread::Builder::new().name("socket".into()).spawn(move || {
            if let Err(error) = hall.talk(&stream) {
                tracing::debug!("control socket: {error}");
            }
            hall.busy.fetch_sub(1, Relaxed);
        });
        if let Err(error) = spawned {
            self.busy.fetch_sub(1, Relaxed);
            tracing::warn!("control socket: cannot start a thread: {error}");
        }
    }

    fn talk(&self, stream: &UnixStream) -> io::Result<()> {
        stream.set_write_timeout(Some(CLIENT_MAX))?;
        let caller = unix::sockopt::socket_peercred(stream)?.uid;
        let answer = if caller == geteuid() || caller.is_root() {
            question(stream).map_or_else(Answer::Error, |question| self.answer(question))
        } else {
            Answer::Error("only the user that the server runs as may ask, and root".into())
        };
        let mut text = serde_json::to_vec(&answer)?;
        text.push(b'\n');
        if text.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
        let mut stream = stream;
        stream.write_all(&text)
    }

    fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Status => Answer::Status(Box::new(self.board.status())),
            Question::Reload => self.reload(),
        }
    }

    fn reload(&self) -> Answer {
        match self.board.status().phase {
            Phase::Serving => {}
            Phase::Starting => return Answer::Error("the server is still starting".into()),
            Phase::Stopping => return Answer::Error("the server is stopping".into()),
        }
        let (report, reported) = bounded(1);
        // Without a receiver the server is ending; then nobody reports either.
        let _ = self.requests.send(Request::Reload(Some(report)));
        match reported.recv_timeout(RELOAD_MAX) {
            Ok(report) => Answer::Reload(report),
            Err(RecvTimeoutError::Disconnected) => {
                Answer::Error("the server is stopping and does not reload any more".into())
            }
            Err(RecvTimeoutError::Timeout) => Answer::Error(format!(
                "the reload has not ended after {} s; `amaters-server status` and the log tell how it ends",
                RELOAD_MAX.as_secs()
            )),
        }
    }
}

/// The question of a client: one line, soon.
fn question(stream: &UnixStream) -> Result<Question, String> {
    let line = read_line(stream, QUESTION_BYTES_MAX, Instant::now() + CLIENT_MAX);
    parse(&line.map_err(|error| format!("no question came: {error}"))?)
}

fn parse(line: &[u8]) -> Result<Question, String> {
    let Some(line) = line.strip_suffix(b"\n") else {
        return Err(format!("a question is one line of at most {QUESTION_BYTES_MAX} bytes"));
    };
    let line: Line = serde_json::from_slice(line)
        .map_err(|error| format!("no question is understood: {error}"))?;
    Ok(line.command)
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::unix::fs::PermissionsExt as _, time::Duration};

    use super::{super::ask, *};
    use crate::telemetry::Telemetry;

    fn opened(folder: &Path) -> (Socket, Board, crossbeam_channel::Receiver<Request>) {
        let board = Board::new(Arc::new(Telemetry::new()), folder.to_owned(), 2, vec![0, 1]);
        board.serves(([127, 0, 0, 1], 7878).into());
        let (sender, receiver) = crossbeam_channel::unbounded();
        (open(folder, &board, &sender).unwrap(), board, receiver)
    }

    #[test]
    fn status_is_answered_and_the_name_goes_with_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        // Longer than the address of a socket can be.
        let deep = folder.path().join("d".repeat(100)).join("e".repeat(100));
        fs::create_dir_all(&deep).unwrap();
        let (socket, board, _requests) = opened(&deep);
        let mode = fs::metadata(deep.join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let Answer::Status(status) = ask(&deep, Question::Status).unwrap() else { panic!() };
        assert_eq!(*status, board.status());
        drop(socket);
        assert!(!deep.join(NAME).exists());
    }

    #[test]
    fn what_a_killed_server_left_is_replaced_and_a_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(folder.path().join(NAME)).unwrap());
        let (socket, _board, _requests) = opened(folder.path());
        ask(folder.path(), Question::Status).unwrap();
        drop(socket);
        fs::write(folder.path().join(NAME), "precious").unwrap();
        let error = listen(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no socket"), "{error}");
        assert_eq!(fs::read(folder.path().join(NAME)).unwrap(), b"precious");
    }

    #[test]
    fn a_reload_of_a_server_that_ends_is_no_success() {
        let folder = tempfile::tempdir().unwrap();
        let (_socket, board, requests) = opened(folder.path());
        drop(requests);
        for phase in ["serving", "stopping"] {
            assert_eq!(serde_json::to_value(board.status().phase).unwrap(), phase);
            let answer = ask(folder.path(), Question::Reload).unwrap();
            let told = matches!(answer, Answer::Error(ref why) if why.contains("stopping"));
            assert!(told, "{answer:?}");
            board.stops();
        }
    }

    #[test]
    fn nonsense_is_answered_with_an_error_and_an_endless_line_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (_socket, _board, _requests) = opened(folder.path());
        for nonsense in ["\n", "{\"command\":\"rm\"}\n", "{\"command\":\"status\",\"x\":1}\n"] {
            let mut stream = UnixStream::connect(folder.path().join(NAME)).unwrap();
            stream.write_all(nonsense.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("{\"error\":\""), "{nonsense} {answer}");
        }
        let mut stream = UnixStream::connect(folder.path().join(NAME)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // Refused before all is taken; then writing may fail.
        let _ = stream.write_all(&vec![b' '; 64 * 1024]);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"{\"status\""));
        ask(folder.path(), Question::Status).unwrap();
    }

    #[test]
    fn those_who_say_nothing_do_not_keep_the_others_out_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let (_socket, _board, _requests) = opened(folder.path());
        let connect = || UnixStream::connect(folder.path().join(NAME)).unwrap();
        let silent: Vec<_> = (0..2 * CONNECTIONS_MAX).map(|_| connect()).collect();
        // Those beyond the bound were closed; the others are after CLIENT_MAX.
        let answered = (0..100).any(|_| {
            thread::sleep(CLIENT_MAX / 20);
            ask(folder.path(), Question::Status).is_ok()
        });
        assert!(answered);
        drop(silent);
    }

    #[test]
    fn a_question_with_any_byte_changed_is_refused_or_the_same() {
        for question in [Question::Status, Question::Reload] {
            let mut right = serde_json::to_vec(&Line { command: question }).unwrap();
            right.push(b'\n');
            assert_eq!(parse(&right), Ok(question));
            for at in 0..right.len() {
                assert!(parse(&right[..at]).is_err());
                for byte in 0..=u8::MAX {
                    let mut changed = right.clone();
                    changed[at] = byte;
                    let parsed = parse(&changed);
                    assert!(parsed == Ok(question) && byte == right[at] || parsed.is_err());
                }
            }
        }
    }
}
