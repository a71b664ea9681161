//! Bytes that wait for a socket: small ones gathered, large ones by reference, written together.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Write},
};

use bytes::{Buf as _, Bytes};

/// Pieces that one system call takes.
const SLICES_MAX: usize = 64;
/// Below this a copy is cheaper than one more slice.
const SHARED_BYTES_MIN: usize = 2048;

/// What a connection has yet to write, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Text of all `Part::Inline`; `written` of it is gone.
    inline: Vec<u8>,
    written: usize,
    parts: VecDeque<Part>,
}

#[derive(Debug)]
enum Part {
    /// So many bytes of `inline`.
    Inline(usize),
    Shared(Bytes),
}

impl Outbox {
    /// Whether all has been written.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Appends what `write` puts into the buffer.
    #[inline]
    pub fn inline(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.inline.len();
        write(&mut self.inline);
        let added = self.inline.len() - before;
        match self.parts.back_mut() {
            Some(Part::Inline(length)) => *length += added,
            _ => self.parts.push_back(Part::Inline(added)),
        }
    }

    /// Appends bytes, by reference if they are many.
    #[inline]
    pub fn shared(&mut self, bytes: Bytes) {
        if bytes.len() < SHARED_BYTES_MIN {
            self.inline(|out| out.extend_from_slice(&bytes));
        } else {
            self.parts.push_back(Part::Shared(bytes));
        }
    }

    /// Writes until all is gone (`true`) or the socket takes no more (`false`).
    pub fn write_to(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        while !self.parts.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.slices(&mut slices);
            match socket.write_vectored(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.inline.clear();
        self.written = 0;
        Ok(true)
    }

    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let mut inline = &self.inline[self.written..];
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            *slice = IoSlice::new(match part {
                Part::Inline(length) => {
                    let (head, rest) = inline.split_at(*length);
                    inline = rest;
                    head
                }
                Part::Shared(bytes) => bytes,
            });
        }
        self.parts.len().min(SLICES_MAX)
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(part) = self.parts.front_mut() {
            let length = match part {
                Part::Inline(length) => *length,
                Part::Shared(bytes) => bytes.len(),
            };
            let taken = length.min(written);
            match part {
                Part::Inline(length) => {
                    *length -= taken;
                    self.written += taken;
                }
                Part::Shared(bytes) => bytes.advance(taken),
            }
            written -= taken;
            if taken < length {
                return;
            }
            self.parts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes seven bytes at a time, and every third time none.
    struct Reluctant {
        taken: Vec<u8>,
        calls: usize,
    }

    impl Write for Reluctant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls.is_multiple_of(3) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let taken = bytes.len().min(7);
            self.taken.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn pieces_leave_in_order_through_a_reluctant_socket() {
        let large = Bytes::from(vec![b'x'; SHARED_BYTES_MIN]);
        let mut outbox = Outbox::default();
        let mut socket = Reluctant { taken: Vec::new(), calls: 0 };
        outbox.inline(|out| out.extend_from_slice(b"head"));
        outbox.shared(large.clone());
        assert!(!outbox.write_to(&mut socket).expect("only a pause"));
        outbox.inline(|out| out.extend_from_slice(b"middle"));
        outbox.shared(Bytes::from_static(b"tail"));
        while !outbox.write_to(&mut socket).expect("only pauses") {}
        assert_eq!(socket.taken, [&b"head"[..], &large, b"middletail"].concat());
        assert!(outbox.is_empty());
    }
}
