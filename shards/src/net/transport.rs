//! A socket as `h2` wants it: tokio's traits over glommio's stream, with a budget for reading,
//! a count of control frames, and signs of life for the sweep.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use futures_util::io::{AsyncRead as _, AsyncWrite as _};
use glommio::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{control_frames::ControlFrames, registry::Vitals};
use crate::{core::Core, limits::TURN_READ_BYTES_MAX};

/// The transport of one connection.
pub struct Transport {
    core: Rc<Core>,
    stream: TcpStream,
    gauge: Rc<Gauge>,
    control_frames: ControlFrames,
    /// Bytes that the next read asks for outside a long frame.
    read_bytes: usize,
    /// Bytes since the peer was last seen to make progress inside a frame.
    crawled: usize,
}

/// What transport and connection tell each other.
pub struct Gauge {
    /// Signs of life.
    pub vitals: Rc<Vitals>,
    /// Bytes that may still be read in this turn.
    pub budget: Cell<usize>,
    /// Set when the budget ended a turn: more bytes may be waiting.
    pub exhausted: Cell<bool>,
    /// Set when the peer sent too many control frames; nothing more is read then.
    pub flooded: Cell<bool>,
}

/// Bytes inside one frame that count as progress: slow peers are fine, dripping ones are not.
const PROGRESS_BYTES: usize = 16 * 1024;
/// Bytes asked of the socket at once. What is asked for is zeroed first, which costs time, and
/// memory: an idle connection should not touch all of the buffer that `h2` holds for it.
const READ_BYTES_MIN: usize = 1024;
const READ_BYTES_MAX: usize = 256 * 1024;
/// By how much a read that was filled makes the next one longer, and a far too long one shorter.
const READ_BYTES_STEP: usize = 4;

impl Gauge {
    /// For a connection that was just accepted.
    pub fn new(vitals: Rc<Vitals>) -> Self {
        Self {
            vitals,
            budget: Cell::new(TURN_READ_BYTES_MAX),
            exhausted: Cell::new(false),
            flooded: Cell::new(false),
        }
    }
}

impl Transport {
    /// A transport over an accepted socket.
    pub fn new(core: Rc<Core>, stream: TcpStream, gauge: Rc<Gauge>) -> Self {
        let per_second = core.settings.limits.control_frames_per_second_max;
        let control_frames = ControlFrames::new(per_second);
        Self { core, stream, gauge, control_frames, read_bytes: READ_BYTES_MIN, crawled: 0 }
    }

    /// Bytes worth asking for: about as many as lately came at once, or the rest of the frame.
    fn wanted(&self) -> usize {
        self.read_bytes.max(self.control_frames.payload_bytes_left()).min(READ_BYTES_MAX)
    }

    fn note_read(&mut self, bytes: &[u8]) {
        if bytes.len() >= self.read_bytes {
            self.read_bytes = (self.read_bytes * READ_BYTES_STEP).min(READ_BYTES_MAX);
        } else if bytes.len() < self.read_bytes / READ_BYTES_STEP {
            self.read_bytes = (self.read_bytes / READ_BYTES_STEP).max(READ_BYTES_MIN);
        }
        let Gauge { vitals, budget, flooded, .. } = &*self.gauge;
        let now = Instant::now();
        budget.set(budget.get() - bytes.len());
        vitals.heard.set(now);
        self.core.counters().bytes_received.add(bytes.len() as u64);
        if !self.control_frames.received(bytes, now) {
            flooded.set(true);
        }
        self.crawled += bytes.len();
        if !self.control_frames.is_inside_frame() {
            vitals.stuck_reading.set(None);
            self.crawled = 0;
        } else if vitals.stuck_reading.get().is_none() || self.crawled >= PROGRESS_BYTES {
            vitals.stuck_reading.set(Some(now));
            self.crawled = 0;
        }
    }

    fn note_write(&mut self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let stuck = &self.gauge.vitals.stuck_writing;
        match &result {
            Poll::Ready(Ok(bytes)) => {
                stuck.set(None);
                self.core.counters().bytes_sent.add(*bytes as u64);
                self.control_frames.sent(*bytes);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => stuck.set(stuck.get().or_else(|| Some(Instant::now()))),
        }
        result
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let budget = self.gauge.budget.get();
        if budget == 0 || self.gauge.flooded.get() {
            // The turn of the connection goes on from here: no waker is left.
            self.gauge.exhausted.set(true);
            return Poll::Pending;
        }
        let wanted = buffer.remaining().min(budget).min(self.wanted());
        let space = buffer.initialize_unfilled_to(wanted);
        match Pin::new(&mut self.stream).poll_read(cx, space) {
            Poll::Ready(Ok(count)) => {
                self.note_read(&space[..count]);
                buffer.advance(count);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note_write(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note_write(result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
