//! The records of a connection after its handshake: a socket below, plain bytes above.
//!
//! ```text
//!   socket ─► scratch of the reactor ─► rustls ─► h2          what is over waits in `backlog`
//!   h2 ─► `held` (less than a record) ─► rustls ─► socket     nothing is sent before a flush, or 64 KiB
//! ```
//!
//! A record is as long as it may be: h2 writes the head of a frame and its payload as one piece of
//! 16 KiB and 9 bytes, which would make two records of it, so what is over begins the next record.

use std::{
    io::{self, BufRead as _, IoSlice, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::io::{AsyncRead as _, AsyncWrite as _};
use glommio::net::TcpStream;
use rustls::ServerConnection;
use tokio::io::ReadBuf;

use super::heads::Heads;

/// The records of a connection.
pub struct Records {
    session: ServerConnection,
    stream: TcpStream,
    heads: Heads,
    /// What was received and not given to rustls yet.
    backlog: Vec<u8>,
    /// Plain bytes for the next record.
    held: Vec<u8>,
    /// Plain bytes that rustls has sealed and that are not all sent.
    sealed_bytes: usize,
    /// The peer has taken bytes.
    moved: bool,
}

/// What came from the socket in a read, whether or not it had anything for h2 in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Bytes of records.
    pub bytes: usize,
    /// Records too short for the head of an HTTP/2 frame.
    pub short_records: u32,
}

/// Plain bytes of one record.
const RECORD_BYTES_MAX: usize = 16 * 1024;
/// Plain bytes that are sealed before they are sent without being asked to.
const SEALED_BYTES_MAX: usize = 64 * 1024;

impl Records {
    /// A connection whose handshake is over; `backlog` came behind it, and `heads` has seen all that came.
    pub fn new(
        mut session: ServerConnection,
        stream: TcpStream,
        heads: Heads,
        backlog: Vec<u8>,
    ) -> Self {
        // The bound is `SEALED_BYTES_MAX`, which leaves the lengths of records alone.
        session.set_buffer_limit(None);
        Self { session, stream, heads, backlog, held: Vec::new(), sealed_bytes: 0, moved: false }
    }

    /// Whether the last record is not here whole.
    pub fn is_inside_record(&self) -> bool {
        self.heads.is_inside_record()
    }

    /// Whether the peer has taken anything since this was last asked.
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Reads plain bytes; none means that the peer has closed. Each look at the socket takes as much as `scratch` holds.
    /// Pending without a waker when `budget` bytes have come that have nothing for h2 in them.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        (scratch, budget): (&mut [u8], usize),
        arrival: &mut Arrival,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let backlog = std::mem::take(&mut self.backlog);
        let mut input = &backlog[..];
        let mut closed = self.open(cx, &mut input, buffer)?;
        self.backlog = input.to_vec();
        while buffer.filled().len() == before && !closed {
            if arrival.bytes >= budget {
                return Poll::Pending;
            }
            let count = ready!(Pin::new(&mut self.stream).poll_read(cx, scratch))?;
            let mut input = &scratch[..count];
            arrival.bytes += count;
            arrival.short_records += self.heads.pass(input);
            closed = count == 0 || self.open(cx, &mut input, buffer)?;
            self.backlog.extend_from_slice(input);
        }
        Poll::Ready(Ok(()))
    }

    /// Opens records until the buffer is full or the input is used up. True when the peer has closed.
    fn open(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut &[u8],
        buffer: &mut ReadBuf<'_>,
    ) -> io::Result<bool> {
        loop {
            let closed = self.take_plain(buffer)?;
            if closed || buffer.remaining() == 0 || input.is_empty() {
                return Ok(closed);
            }
            self.session.read_tls(input)?;
            let opened = self.session.process_new_packets();
            if self.session.wants_write() {
                // An alert, or a key update that the peer asked for: without haste.
                let _ = self.poll_send(cx);
            }
            opened.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }

    fn take_plain(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
        let mut reader = self.session.reader();
        while buffer.remaining() > 0 {
            let plain = match reader.fill_buf() {
                Ok([]) => return Ok(true),
                Ok(plain) => plain,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let count = plain.len().min(buffer.remaining());
            buffer.put_slice(&plain[..count]);
            reader.consume(count);
        }
        Ok(false)
    }

    /// Takes plain bytes, as many as there is room for.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.sealed_bytes >= SEALED_BYTES_MAX {
            ready!(self.poll_send(cx))?;
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let taken = offered.min(SEALED_BYTES_MAX);
        let whole = (self.held.len() + taken) / RECORD_BYTES_MAX * RECORD_BYTES_MAX;
        let sealed = whole.saturating_sub(self.held.len());
        if whole > 0 {
            let held = std::mem::take(&mut self.held);
            let held = Some(&held[..]).filter(|held| !held.is_empty());
            let parts = held.into_iter().chain(range(slices, 0..sealed));
            self.seal(&mut parts.map(IoSlice::new).collect::<Vec<_>>())?;
        }
        range(slices, sealed..taken).for_each(|part| self.held.extend_from_slice(part));
        Poll::Ready(Ok(taken))
    }

    /// Makes records of plain bytes.
    fn seal(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut rest = parts;
        while !rest.is_empty() {
            // Less than all where the keys are used up: the next turn seals with new ones.
            let count = self.session.writer().write_vectored(rest)?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.sealed_bytes += count;
            IoSlice::advance_slices(&mut rest, count);
        }
        Ok(())
    }

    /// Sends all that was written.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            self.seal(&mut [IoSlice::new(&held)])?;
        }
        self.poll_send(cx)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            let mut socket = Socket { stream: &mut self.stream, cx };
            match self.session.write_tls(&mut socket) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => self.moved = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.sealed_bytes = 0;
        Poll::Ready(Ok(()))
    }

    /// Says goodbye, then closes.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.send_close_notify();
        ready!(self.poll_flush(cx))?;
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// A part of slices that are taken as one piece.
fn range<'a>(
    slices: &'a [IoSlice<'_>],
    range: std::ops::Range<usize>,
) -> impl Iterator<Item = &'a [u8]> {
    let mut end = 0;
    slices.iter().filter_map(move |slice| {
        let begin = end;
        end += slice.len();
        let (from, to) = (range.start.max(begin), range.end.min(end));
        (from < to).then(|| &slice[from - begin..to - begin])
    })
}

/// A socket as rustls wants it.
pub struct Socket<'a, 'b> {
    /// Where to.
    pub stream: &'a mut TcpStream,
    /// Who waits.
    pub cx: &'a mut Context<'b>,
}

impl io::Write for Socket<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match Pin::new(&mut *self.stream).poll_write_vectored(self.cx, slices) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_slices_is_cut_where_it_should_be() {
        let slices = [IoSlice::new(b"abc"), IoSlice::new(b""), IoSlice::new(b"defg")];
        for (from, to, expected) in [(0, 7, "abcdefg"), (2, 4, "cd"), (3, 3, ""), (5, 9, "fg")] {
            let parts: Vec<_> = range(&slices, from..to).collect();
            assert_eq!(parts.concat(), expected.as_bytes());
            assert!(parts.iter().all(|part| !part.is_empty()));
        }
    }
}
