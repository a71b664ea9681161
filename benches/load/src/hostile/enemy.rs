//! A connection that writes what it likes and reads only to learn what the server thinks of it.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

use crate::{
    frames::{self, Head},
    hpack::{Decoder, literal_block},
};

/// How long to wait when the socket takes and gives nothing.
const PAUSE: Duration = Duration::from_micros(200);

/// See the head of the file.
#[derive(Debug)]
pub struct Enemy {
    socket: TcpStream,
    input: Vec<u8>,
    decoder: Decoder,
    /// Code and text of a GOAWAY.
    pub goaway: Option<String>,
    /// Last RST_STREAM or `grpc-status`.
    pub stream_end: Option<String>,
    /// Streams that the server ended, in whatever way.
    pub streams_ended: u64,
    /// The server's settings have come.
    pub settled: bool,
    /// The server has closed or reset the connection.
    pub closed: bool,
    next_stream: u32,
}

impl Enemy {
    /// Connects and says nothing.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        Self::over(socket)
    }

    /// Connects from `127.0.0.host`, so that the ports of one address are no limit.
    pub fn connect_from(host: u8, address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), 0).into())?;
        socket.connect_timeout(&address.into(), Duration::from_secs(5))?;
        Self::over(socket.into())
    }

    fn over(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            input: Vec::new(),
            decoder: Decoder::default(),
            goaway: None,
            stream_end: None,
            streams_ended: 0,
            settled: false,
            closed: false,
            next_stream: 1,
        })
    }

    /// Connects and does as HTTP/2 asks: preface, settings, and the answer to the server's.
    pub fn greet(address: SocketAddr, settings: &[(u16, u32)]) -> io::Result<Self> {
        let mut enemy = Self::connect(address)?;
        enemy.open(settings);
        Ok(enemy)
    }

    /// Preface, settings, and the answer to the server's.
    pub fn open(&mut self, settings: &[(u16, u32)]) {
        let mut hello = frames::PREFACE.to_vec();
        frames::put_settings(&mut hello, settings);
        frames::put(&mut hello, frames::SETTINGS, frames::ACK, 0, &[]);
        self.push(&hello, Instant::now() + Duration::from_secs(5));
    }

    /// Writes all, reading meanwhile; false when the server has ended it or the time is over.
    pub fn push(&mut self, mut bytes: &[u8], deadline: Instant) -> bool {
        while !bytes.is_empty() && !self.closed {
            match self.socket.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if Instant::now() > deadline {
                        return false;
                    }
                    self.drain();
                    thread::sleep(PAUSE);
                }
                Err(_) => self.closed = true,
            }
        }
        !self.closed && self.goaway.is_none()
    }

    /// Reads what is there and forgets all but the server's verdicts.
    pub fn drain(&mut self) {
        let mut buffer = [0; 64 * 1024];
        while !self.closed {
            match self.socket.read(&mut buffer) {
                Ok(0) => self.closed = true,
                Ok(read) => {
                    self.input.extend_from_slice(&buffer[..read]);
                    self.take_frames();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.closed = true,
            }
        }
    }

    /// Reads until `done` or the time is over; false in the latter case.
    pub fn await_that(&mut self, deadline: Instant, done: impl Fn(&Self) -> bool) -> bool {
        loop {
            self.drain();
            if done(self) {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Whether the server wants no more of this connection.
    pub fn is_ended(&self) -> bool {
        self.closed || self.goaway.is_some()
    }

    /// What the server said last.
    pub fn verdict(&self) -> Option<String> {
        let closed = self.closed.then(|| "closed without a word".to_owned());
        self.goaway.clone().or_else(|| self.stream_end.clone()).or(closed)
    }

    /// Appends the HEADERS of a call; the stream's number.
    pub fn put_call(&mut self, out: &mut Vec<u8>, more: &[(&str, &str)]) -> u32 {
        let mut fields = vec![
            (":method", "POST"),
            (":scheme", "http"),
            (":path", crate::script::amaters::PATH),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ];
        fields.extend_from_slice(more);
        let stream = self.next_stream;
        self.next_stream += 2;
        frames::put(out, frames::HEADERS, frames::END_HEADERS, stream, &literal_block(&fields));
        stream
    }

    /// Closes by RST: no port stays occupied.
    pub fn reset(self) {
        let _ = Socket::from(self.socket).set_linger(Some(Duration::ZERO));
    }

    fn take_frames(&mut self) {
        let mut used = 0;
        while let Some(head) = Head::parse(&self.input[used..]) {
            let start = used + frames::HEAD_BYTES;
            let Some(payload) = self.input.get(start..start + head.length) else { break };
            let code =
                |payload: &[u8]| payload.first_chunk().map_or(0, |code| u32::from_be_bytes(*code));
            match head.kind {
                frames::GOAWAY => {
                    let text = String::from_utf8_lossy(payload.get(8..).unwrap_or_default());
                    let code = code(payload.get(4..).unwrap_or_default());
                    self.goaway = Some(format!("GOAWAY {code} {text}"));
                }
                frames::SETTINGS => self.settled = true,
                frames::RST_STREAM => {
                    self.stream_end = Some(format!("RST_STREAM {}", code(payload)));
                    self.streams_ended += 1;
                }
                frames::HEADERS => {
                    let block = frames::without_padding(head, payload).unwrap_or_default();
                    let heading = self.decoder.decode(block).unwrap_or_default();
                    if let Some(status) = heading.grpc_status {
                        self.stream_end = Some(format!("grpc-status {status}"));
                    }
                    self.streams_ended += u64::from(head.has(frames::END_STREAM));
                }
                _ => {}
            }
            used = start + head.length;
        }
        self.input.drain(..used);
    }
}
