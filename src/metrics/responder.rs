//! The thread that answers over HTTP: a loop over `poll`, a few connections, each with a deadline.
//!
//! ```text
//!  accept ─► reading ──(a request is here)──► writing ──(all written)─┬─► reading again (keep-alive)
//!               │ too slow, refused, gone         │ too slow, gone    └─► closed
//!               └────────────► closed ◄───────────┘
//! ```
//!
//! Always true: at most `CONNECTIONS_MAX` connections, each with at most one head of input and one answer of output. A new
//! connection over the bound takes the place of the one that has been waiting longest.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::http::{self, HEAD_BYTES_MAX, Parsed, Request, Status};

const CONNECTIONS_MAX: usize = 64;
/// For a request to be whole, from its first byte on or from the accept; and for its answer to be read.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two requests of a connection; a scraper comes every minute or so.
const IDLE_MAX: Duration = Duration::from_secs(180);
/// After an accept that failed for want of descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(100);

/// What is answered to a request.
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

/// Answers requests.
pub(super) type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// A bound address at which nobody answers yet.
pub(super) struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Binds it.
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// With the port that was taken for 0.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A thread that answers; dropping it closes the address and all connections.
pub(super) struct Responder {
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Responder {
    /// Begins to answer.
    pub(super) fn start(door: Door, handler: Arc<Handler>) -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let wake = Arc::new(eventfd(0, flags)?);
        let told = Arc::clone(&wake);
        let thread = thread::Builder::new().name("metrics".into()).spawn(move || {
            let state = Loop { listener: door.listener, connections: Vec::new(), handler };
            state.run(&told);
        })?;
        Ok(Self { wake, thread: Some(thread) })
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        // It cannot fail: the count is far from its end.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Loop {
    listener: TcpListener,
    connections: Vec<Connection>,
    handler: Arc<Handler>,
}

impl Loop {
    fn run(mut self, wake: &OwnedFd) {
        loop {
            let now = Instant::now();
            self.connections.retain(|connection| connection.deadline > now);
            let next = self.connections.iter().map(|connection| connection.deadline).min();
            let patience = next.map(|deadline| deadline.saturating_duration_since(now));
            let Ok(ready) = self.wait(wake, patience) else {
                // Out of memory for a moment: the next look may find some.
                thread::sleep(BACK_OFF);
                continue;
            };
            if ready[0] {
                return;
            }
            let mut index = 0;
            let handler = Arc::clone(&self.handler);
            self.connections.retain_mut(|connection| {
                index += 1;
                !ready[index + 1] || connection.go_on(&*handler)
            });
            if ready[1] {
                self.accept();
            }
        }
    }

    /// Which of the wake, the listener and the connections are ready.
    fn wait(&self, wake: &OwnedFd, patience: Option<Duration>) -> io::Result<Vec<bool>> {
        let mut fds =
            vec![PollFd::new(wake, PollFlags::IN), PollFd::new(&self.listener, PollFlags::IN)];
        for connection in &self.connections {
            let flags = if connection.is_writing() { PollFlags::OUT } else { PollFlags::IN };
            fds.push(PollFd::from_borrowed_fd(connection.stream.as_fd(), flags));
        }
        // One millisecond more, so that a deadline has passed when the wait ends.
        let patience = patience.map(|patience| patience + Duration::from_millis(1));
        let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect())
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if stream.set_nonblocking(true).is_err() {
                        continue;
                    }
                    if self.connections.len() == CONNECTIONS_MAX {
                        self.dismiss();
                    }
                    self.connections.push(Connection::new(stream));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    thread::sleep(BACK_OFF);
                    return;
                }
            }
        }
    }

    /// Gives up the connection that has been waiting longest.
    fn dismiss(&mut self) {
        let oldest = self.connections.iter().enumerate().min_by_key(|(_, one)| one.since);
        if let Some((index, _)) = oldest {
            self.connections.swap_remove(index);
        }
    }
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    /// Nothing is read after the answer that is being written.
    closing: bool,
    /// Since when it has done what it does now.
    since: Instant,
    deadline: Instant,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        let now = Instant::now();
        Self {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            closing: false,
            since: now,
            deadline: now + PATIENCE,
        }
    }

    fn is_writing(&self) -> bool {
        self.written < self.output.len()
    }

    /// Reads, answers and writes as far as that goes; false when the connection is over.
    fn go_on(&mut self, handler: &Handler) -> bool {
        if !self.is_writing() && !self.read() {
            return false;
        }
        loop {
            if self.is_writing() && !self.write() {
                return false;
            }
            if self.is_writing() {
                return true;
            }
            if self.closing {
                return false;
            }
            match http::parse(&self.input) {
                Parsed::Partial => return true,
                Parsed::Request(request, length) => {
                    self.input.drain(..length);
                    let Answer { status, content_type, body } = handler(&request);
                    let how = (request.head_only, request.keep_alive);
                    self.begin(http::answer(status, content_type, &body, how));
                    self.closing = !request.keep_alive;
                }
                Parsed::Refused(status) => {
                    let body = format!("{}\n", status.line());
                    let kind = "text/plain; charset=utf-8";
                    self.begin(http::answer(status, kind, &body, (false, false)));
                    self.closing = true;
                }
            }
        }
    }

    /// Reads what is here; false at the end of the stream.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 2048];
        while self.input.len() < HEAD_BYTES_MAX {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => {
                    if self.input.is_empty() {
                        self.restart(PATIENCE);
                    }
                    self.input.extend_from_slice(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn begin(&mut self, output: Vec<u8>) {
        self.output = output;
        self.written = 0;
        self.restart(PATIENCE);
    }

    /// Writes what the peer takes; false when it is gone.
    fn write(&mut self) -> bool {
        while self.is_writing() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(0) => return false,
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        self.output = Vec::new();
        self.written = 0;
        self.restart(if self.input.is_empty() { IDLE_MAX } else { PATIENCE });
        true
    }

    fn restart(&mut self, patience: Duration) {
        self.since = Instant::now();
        self.deadline = self.since + patience;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};

    use super::*;

    fn echo() -> (Responder, SocketAddr) {
        let door = Door::open(([127, 0, 0, 1], 0).into()).unwrap();
        let address = door.address();
        let handler = |request: &Request| Answer {
            status: Status::Ok,
            content_type: "text/plain",
            body: request.path.repeat(100_000),
        };
        (Responder::start(door, Arc::new(handler)).unwrap(), address)
    }

    fn body_bytes(stream: &mut BufReader<TcpStream>) -> usize {
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if let Some(count) = line.strip_prefix("Content-Length: ") {
                length = count.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        assert!(body.chunks(2).all(|piece| piece == b"/a"));
        length
    }

    #[test]
    fn requests_that_come_together_are_answered_in_turn_however_long_the_answers() {
        let (_responder, address) = echo();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&b"GET /a HTTP/1.1\r\n\r\n".repeat(5)).unwrap();
        let mut stream = BufReader::new(stream);
        for _ in 0..5 {
            assert_eq!(body_bytes(&mut stream), 200_000);
        }
    }

    #[test]
    fn a_crowd_of_silent_connections_keeps_nobody_out() {
        let (_responder, address) = echo();
        let silent: Vec<_> =
            (0..3 * CONNECTIONS_MAX).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /a HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!(body_bytes(&mut BufReader::new(stream)), 200_000);
        drop(silent);
    }

    #[test]
    fn dropping_it_closes_the_port_and_the_connections() {
        let (responder, address) = echo();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /a").unwrap();
        drop(responder);
        assert!(TcpStream::connect(address).is_err());
        // Closed or reset, but not open.
        assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)));
    }

    #[test]
    fn nonsense_is_refused_and_the_connection_ends() {
        let (_responder, address) = echo();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"nonsense\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
    }
}
