//! The event loop of the generator: one thread, many connections, honest latencies.
//!
//! - Closed loop: each connection keeps `depth` requests on their way; the next is sent when an
//!   answer comes. Shows what a server can do, hides how long requests wait when it stalls.
//! - Open loop: requests are due at a fixed rate, whether or not the server keeps up, and latency
//!   counts from when a request was due. A stall is seen by every request that it delayed.

use std::{
    collections::VecDeque,
    fs,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::{
    outbox::Outbox,
    report::Report,
    secure::Socket,
    wire::{Answer, Flight, Wire},
};

/// Read at once; half a megabyte of answer takes two system calls.
const READ_BYTES: usize = 256 * 1024;
/// Longest sleep, so that ends of intervals are seen.
const SLEEP_MAX: Duration = Duration::from_millis(5);
/// The last of a wait is spun: sleeps end at whole milliseconds, and late.
const SPIN: Duration = Duration::from_millis(1);
/// How long a server may take to say its first word.
const OPENING_MAX: Duration = Duration::from_secs(10);
/// How long without any answer before a run is given up; longer than the deadline of a request, so
/// that a server that stands still is heard to say so.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrival {
    /// When an earlier one is answered.
    Closed,
    /// At this rate.
    Open {
        /// Requests a second over all connections.
        per_second: f64,
    },
    /// At this rate, but what is due in one millisecond is sent together, so that the generator
    /// sleeps in between: for load beside which something else is measured from the same core.
    Bursts {
        /// Requests a second over all connections.
        per_second: f64,
    },
}

/// The shape of a run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Connections.
    pub connections: usize,
    /// Most requests on their way on each.
    pub depth: usize,
    /// When requests are sent.
    pub arrival: Arrival,
    /// Time before the measured interval.
    pub warmup: Duration,
    /// The measured interval; the run also ends when the requests do.
    pub measured: Duration,
    /// Over TLS.
    pub tls: bool,
}

impl Load {
    /// A closed loop of `connections` × `depth`.
    pub fn closed(connections: usize, depth: usize, measured: Duration) -> Self {
        let warmup = measured.mul_f64(0.2).min(Duration::from_secs(1));
        Self { connections, depth, arrival: Arrival::Closed, warmup, measured, tls: false }
    }
}

/// The borders of the measured interval, for who wants to look at the server there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It begins.
    Begin,
    /// It ends.
    End,
}

/// Runs a load and reports the measured interval. `next` says which request comes next, and `None`
/// when there are no more.
pub fn run<W: Wire>(
    address: SocketAddr,
    load: &Load,
    wire: impl FnMut() -> W,
    next: impl FnMut() -> Option<u32>,
    mark: impl FnMut(Mark),
) -> io::Result<Report> {
    let mut driver = Driver::connect(address, load, wire, next)?;
    driver.run(mark)?;
    Ok(driver.report)
}

struct Driver<W, N> {
    load: Load,
    poll: Poll,
    connections: Vec<Connection<W>>,
    next: N,
    /// `next` has said that there are no more.
    exhausted: bool,
    /// Open loop: requests that were due when no connection had room.
    backlog: VecDeque<Flight>,
    /// Open loop: connection whose turn it is.
    turn: usize,
    in_flight: usize,

    started: Instant,
    measured_from_ns: u64,
    measuring: bool,
    answered_last: Instant,
    /// The last good answer of the measured interval.
    answered_well: Option<Instant>,
    report: Report,

    buffer: Vec<u8>,
    answers: Vec<Answer>,
}

struct Connection<W> {
    socket: Socket,
    wire: W,
    out: Outbox,
    /// Start of a piece whose end has not come.
    carry: Vec<u8>,
    in_flight: usize,
}

impl<W: Wire, N: FnMut() -> Option<u32>> Driver<W, N> {
    fn connect(
        address: SocketAddr,
        load: &Load,
        mut wire: impl FnMut() -> W,
        next: N,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(load.connections);
        for index in 0..load.connections {
            let socket = std::net::TcpStream::connect_timeout(&address, OPENING_MAX)?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            let mut socket = TcpStream::from_std(socket);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut socket, Token(index), interest)?;
            let mut connection = Connection {
                socket: Socket::new(socket, load.tls)?,
                wire: wire(),
                out: Outbox::default(),
                carry: Vec::new(),
                in_flight: 0,
            };
            connection.wire.open(&mut connection.out);
            connections.push(connection);
        }
        Ok(Self {
            load: *load,
            poll,
            connections,
            next,
            exhausted: false,
            backlog: VecDeque::new(),
            turn: 0,
            in_flight: 0,
            started: Instant::now(),
            measured_from_ns: 0,
            measuring: false,
            answered_last: Instant::now(),
            answered_well: None,
            report: Report::empty(),
            buffer: vec![0; READ_BYTES],
            answers: Vec::new(),
        })
    }

    fn run(&mut self, mut mark: impl FnMut(Mark)) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        self.open(&mut events)?;
        self.started = Instant::now();
        self.answered_last = self.started;
        if self.load.arrival == Arrival::Closed {
            for index in 0..self.connections.len() {
                self.refill(index)?;
            }
        }
        let mut due = 0;
        let mut busy_before = 0;
        loop {
            let now = self.now_ns();
            if !self.measuring && now >= self.load.warmup.as_nanos() as u64 {
                self.measuring = true;
                self.measured_from_ns = now;
                busy_before = thread_cpu_ns();
                mark(Mark::Begin);
            }
            let end = self.measured_from_ns + self.load.measured.as_nanos() as u64;
            if self.measuring && now >= end || self.exhausted && self.in_flight == 0 {
                break;
            }
            let sleep = self.send_due(&mut due)?;
            self.poll.poll(&mut events, Some(sleep))?;
            self.take_events(&events)?;
            if self.in_flight > 0 && self.answered_last.elapsed() > SILENCE_MAX {
                return Err(io::Error::other("no answer for too long"));
            }
        }
        self.report.elapsed = Duration::from_nanos(self.now_ns() - self.measured_from_ns);
        mark(Mark::End);
        let busy = (thread_cpu_ns() - busy_before) as f64;
        self.report.generator_busy = busy / self.report.elapsed.as_nanos() as f64;
        self.count_unfinished();
        Ok(())
    }

    /// Waits until every connection may send.
    fn open(&mut self, events: &mut Events) -> io::Result<()> {
        let deadline = Instant::now() + OPENING_MAX;
        while self.connections.iter().any(|connection| connection.wire.room() == 0) {
            if Instant::now() > deadline {
                return Err(io::Error::other("the server does not open its side"));
            }
            self.poll.poll(events, Some(SLEEP_MAX))?;
            self.take_events(events)?;
        }
        Ok(())
    }

    fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// Open loop: sends what is due and says how long there is nothing to send.
    fn send_due(&mut self, due: &mut u64) -> io::Result<Duration> {
        let (per_second, spin) = match self.load.arrival {
            Arrival::Closed => return Ok(SLEEP_MAX),
            Arrival::Open { per_second } => (per_second, SPIN),
            Arrival::Bursts { per_second } => (per_second, Duration::ZERO),
        };
        let mut touched = [false; 1024];
        loop {
            let since_ns = (*due as f64 / per_second * 1e9) as u64;
            let now = self.now_ns();
            if since_ns > now {
                self.flush_touched(&touched)?;
                let sleep = Duration::from_nanos(since_ns - now).saturating_sub(spin);
                // A whole number of milliseconds, as the system sleeps: with a spin less than is
                // left, without one more.
                let rest = u64::from(spin.is_zero());
                return Ok(Duration::from_millis(sleep.as_millis() as u64 + rest).min(SLEEP_MAX));
            }
            *due += 1;
            let Some(request) = (self.next)() else {
                self.exhausted = true;
                self.flush_touched(&touched)?;
                return Ok(SLEEP_MAX);
            };
            let flight = Flight { request, since_ns };
            match self.connection_with_room() {
                Some(index) => {
                    self.send(index, flight);
                    touched[index % touched.len()] = true;
                }
                None => self.backlog.push_back(flight),
            }
        }
    }

    fn flush_touched(&mut self, touched: &[bool]) -> io::Result<()> {
        for (index, connection) in self.connections.iter_mut().enumerate() {
            if touched[index % touched.len()] {
                connection.flush()?;
            }
        }
        Ok(())
    }

    fn connection_with_room(&mut self) -> Option<usize> {
        for _ in 0..self.connections.len() {
            self.turn = (self.turn + 1) % self.connections.len();
            if self.room(self.turn) > 0 {
                return Some(self.turn);
            }
        }
        None
    }

    fn room(&self, index: usize) -> usize {
        let connection = &self.connections[index];
        self.load.depth.saturating_sub(connection.in_flight).min(connection.wire.room())
    }

    fn send(&mut self, index: usize, flight: Flight) {
        let connection = &mut self.connections[index];
        connection.wire.send(flight, &mut connection.out);
        connection.in_flight += 1;
        self.in_flight += 1;
    }

    /// Sends as many requests as there is room for, then writes.
    fn refill(&mut self, index: usize) -> io::Result<()> {
        let room = self.room(index);
        if self.load.arrival == Arrival::Closed {
            let since_ns = self.now_ns();
            for _ in 0..room {
                let Some(request) = (self.next)() else {
                    self.exhausted = true;
                    break;
                };
                self.send(index, Flight { request, since_ns });
            }
        } else {
            for _ in 0..room.min(self.backlog.len()) {
                if let Some(flight) = self.backlog.pop_front() {
                    self.send(index, flight);
                }
            }
        }
        self.connections[index].flush()
    }

    fn take_events(&mut self, events: &Events) -> io::Result<()> {
        for event in events {
            let index = event.token().0;
            if event.is_readable() {
                self.read(index)?;
                if !self.answers.is_empty() {
                    self.take_answers(index);
                    self.refill(index)?;
                    continue;
                }
            }
            self.connections[index].flush()?;
        }
        Ok(())
    }

    /// Reads until the socket is empty; answers gather in `self.answers`.
    fn read(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        loop {
            let carried = connection.carry.len();
            if self.buffer.len() < carried + READ_BYTES {
                self.buffer.resize(carried + READ_BYTES, 0);
            }
            self.buffer[..carried].copy_from_slice(&connection.carry);
            let read = match connection.socket.read(&mut self.buffer[carried..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let input = &self.buffer[..carried + read];
            let used = connection
                .wire
                .receive(input, &mut connection.out, &mut self.answers)
                .map_err(io::Error::other)?;
            connection.carry.clear();
            connection.carry.extend_from_slice(&input[used..]);
            // A short read emptied the socket; what comes later is a new event.
            if read < self.buffer.len() - carried {
                return Ok(());
            }
        }
    }

    fn take_answers(&mut self, index: usize) {
        let now = self.now_ns();
        self.answered_last = Instant::now();
        for answer in self.answers.drain(..) {
            self.connections[index].in_flight -= 1;
            self.in_flight -= 1;
            if !self.measuring {
                if let Err(what) = answer.outcome {
                    self.report.fail(format!("{what} (before the measured interval)"));
                }
                continue;
            }
            match answer.outcome {
                Ok(value_bytes) => {
                    let before = self.answered_well.replace(self.answered_last);
                    let gap = before.map_or(Duration::ZERO, |before| self.answered_last - before);
                    self.report.gap_max = self.report.gap_max.max(gap);
                    self.report.answered += 1;
                    self.report.value_bytes += value_bytes as u64;
                }
                Err(what) => self.report.fail(what),
            }
            self.report.record(now - answer.flight.since_ns);
        }
    }

    /// Requests that were due and never answered count with the time that they have waited.
    fn count_unfinished(&mut self) {
        if self.load.arrival == Arrival::Closed {
            return;
        }
        let end = self.now_ns();
        let mut waiting = std::mem::take(&mut self.backlog);
        for connection in &self.connections {
            connection.wire.in_flight(&mut |flight| waiting.push_back(flight));
        }
        for flight in &waiting {
            self.report.record(end - flight.since_ns);
        }
        self.report.unfinished = waiting.len() as u64;
    }
}

impl<W> Connection<W> {
    fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.out.write_to(&mut self.socket)?;
        }
        self.socket.flush()
    }
}

/// CPU time of this thread so far.
fn thread_cpu_ns() -> u64 {
    fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0)
}
