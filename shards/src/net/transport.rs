//! A socket as `h2` wants it: tokio's traits over glommio's stream or over TLS, with a budget for
//! reading, a count of control frames, and signs of life for the sweep.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures_util::io::{AsyncRead as _, AsyncWrite as _};
use glommio::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    control_frames::ControlFrames,
    registry::Vitals,
    tls::{
        opening::Opening,
        records::{Arrival, Records},
    },
};
use crate::{core::Core, limits::TURN_READ_BYTES_MAX};

/// The transport of one connection.
pub struct Transport {
    core: Rc<Core>,
    wire: Wire,
    gauge: Rc<Gauge>,
    control_frames: ControlFrames,
    /// Bytes that the next read asks for outside a long frame.
    read_bytes: usize,
    /// Bytes since the peer was last seen to make progress inside a frame.
    crawled: usize,
}

/// What bytes go through.
pub enum Wire {
    /// The socket itself.
    Plain(TcpStream),
    /// TLS over it.
    Tls(Box<Records>),
}

/// What transport and connection tell each other.
pub struct Gauge {
    /// Signs of life.
    pub vitals: Rc<Vitals>,
    /// Bytes that may still be read in this turn.
    pub budget: Cell<usize>,
    /// Set when the budget ended a turn: more bytes may be waiting.
    pub exhausted: Cell<bool>,
    /// What a peer began with on a plain socket.
    pub opening: Cell<Option<Opening>>,
    /// Set when the peer sent too many control frames; nothing more is read then.
    pub flooded: Cell<bool>,
}

/// Bytes inside one frame that count as progress: slow peers are fine, dripping ones are not.
const PROGRESS_BYTES: usize = 16 * 1024;
/// Bytes asked of the socket at once. What is asked for is zeroed first, which costs time, and
/// memory: an idle connection should not touch all of the buffer that `h2` holds for it.
const READ_BYTES_MIN: usize = 1024;
const READ_BYTES_MAX: usize = 256 * 1024;
/// A record with all that is around it. It is read to a place that all connections share.
const RECORD_READ_BYTES: usize = 17 * 1024;
/// By how much a read that was filled makes the next one longer, and a far too long one shorter.
const READ_BYTES_STEP: usize = 4;

impl Gauge {
    /// For a connection that was just accepted.
    pub fn new(vitals: Rc<Vitals>) -> Self {
        Self {
            vitals,
            budget: Cell::new(TURN_READ_BYTES_MAX),
            exhausted: Cell::new(false),
            opening: Cell::new(None),
            flooded: Cell::new(false),
        }
    }
}

impl Transport {
    /// A transport over an accepted socket.
    pub fn new(core: Rc<Core>, wire: Wire, gauge: Rc<Gauge>) -> Self {
        let per_second = core.settings.limits.control_frames_per_second_max;
        let control_frames = ControlFrames::new(per_second);
        Self { core, wire, gauge, control_frames, read_bytes: READ_BYTES_MIN, crawled: 0 }
    }

    /// Bytes worth asking for: about as many as lately came at once, or the rest of the frame.
    fn wanted(&self) -> usize {
        self.read_bytes.max(self.control_frames.payload_bytes_left()).min(READ_BYTES_MAX)
    }

    /// Bytes have come from the socket.
    fn note_arrival(&mut self, bytes: usize) {
        if bytes >= self.read_bytes {
            self.read_bytes = (self.read_bytes * READ_BYTES_STEP).min(READ_BYTES_MAX);
        } else if bytes < self.read_bytes / READ_BYTES_STEP {
            self.read_bytes = (self.read_bytes / READ_BYTES_STEP).max(READ_BYTES_MIN);
        }
        let budget = &self.gauge.budget;
        budget.set(budget.get().saturating_sub(bytes));
        self.crawled += bytes;
    }

    /// Plain bytes go to h2. More of a record or frame may be on its way.
    fn note_plain(&mut self, bytes: &[u8], now: Instant) {
        self.gauge.vitals.heard.set(now);
        self.core.counters().bytes_received.add(bytes.len() as u64);
        if !self.control_frames.received(bytes, now) {
            self.gauge.flooded.set(true);
        }
        self.note_progress(now);
    }

    fn note_progress(&mut self, now: Instant) {
        let stuck = &self.gauge.vitals.stuck_reading;
        let is_inside_record = match &self.wire {
            Wire::Plain(_) => false,
            Wire::Tls(records) => records.is_inside_record(),
        };
        if !is_inside_record && !self.control_frames.is_inside_frame() {
            stuck.set(None);
            self.crawled = 0;
        } else if stuck.get().is_none() || self.crawled >= PROGRESS_BYTES {
            stuck.set(Some(now));
            self.crawled = 0;
        }
    }

    /// The peer takes what is sent.
    fn note_taken(&self) {
        self.gauge.vitals.stuck_writing.set(None);
    }

    /// The peer takes no more, but perhaps it took a part.
    fn note_waiting(&mut self) {
        let moved = match &mut self.wire {
            Wire::Plain(_) => false,
            Wire::Tls(records) => records.take_moved(),
        };
        let stuck = &self.gauge.vitals.stuck_writing;
        if moved || stuck.get().is_none() {
            stuck.set(Some(Instant::now()));
        }
    }

    fn note_sent(&mut self, bytes: usize) {
        self.core.counters().bytes_sent.add(bytes as u64);
        self.control_frames.sent(bytes);
    }

    /// Reads a plain socket.
    fn poll_read_plain(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wanted = buffer.remaining().min(self.gauge.budget.get()).min(self.wanted());
        let Wire::Plain(stream) = &mut self.wire else { unreachable!("asked for a plain socket") };
        let space = buffer.initialize_unfilled_to(wanted);
        let count = ready!(Pin::new(stream).poll_read(cx, space))?;
        if self.gauge.opening.get().is_none() {
            self.gauge.opening.set(Some(Opening::of(&space[..count])));
        }
        self.note_arrival(count);
        self.note_plain(&space[..count], Instant::now());
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }

    /// Reads records.
    fn poll_read_tls(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (budget, before) = (self.gauge.budget.get(), buffer.filled().len());
        let wanted = self.wanted().max(RECORD_READ_BYTES).min(budget);
        let Wire::Tls(records) = &mut self.wire else { unreachable!("asked for records") };
        let mut arrival = Arrival::default();
        let result = self.core.handshakes.with_scratch(|scratch| {
            let scratch = &mut scratch[..wanted];
            records.poll_read(cx, buffer, (scratch, budget), &mut arrival)
        });
        let Arrival { bytes, short_records } = arrival;
        if records.take_moved() {
            self.note_taken();
        }
        if bytes > 0 {
            self.note_arrival(bytes);
        }
        if !self.control_frames.charge(short_records) {
            self.gauge.flooded.set(true);
        }
        let plain = &buffer.filled()[before..];
        if !plain.is_empty() {
            self.note_plain(plain, Instant::now());
        } else if bytes > 0 {
            self.note_progress(Instant::now());
            if bytes >= budget && result.is_pending() {
                self.gauge.exhausted.set(true);
            }
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
        match self.wire {
            Wire::Plain(_) => self.poll_read_plain(cx, buffer),
            Wire::Tls(_) => self.poll_read_tls(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Wire::Tls(records) => records.poll_write(cx, slices),
        };
        match (&result, &self.wire) {
            (Poll::Ready(Ok(bytes)), wire) => {
                // Records are taken from us, not by the peer yet.
                if matches!(wire, Wire::Plain(_)) {
                    self.note_taken();
                }
                self.note_sent(*bytes);
            }
            (Poll::Ready(Err(_)), _) => {}
            (Poll::Pending, _) => self.note_waiting(),
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = match &mut self.wire {
            Wire::Plain(stream) => return Pin::new(stream).poll_flush(cx),
            Wire::Tls(records) => records.poll_flush(cx),
        };
        match result {
            Poll::Ready(_) => self.note_taken(),
            Poll::Pending => self.note_waiting(),
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_close(cx),
            Wire::Tls(records) => records.poll_close(cx),
        }
    }
}
