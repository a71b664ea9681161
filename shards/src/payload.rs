//! The bytes of one answer on their way into HTTP/2: short pieces of our own, and values as they
//! lie in memory. Nothing large is copied to join them.

use std::{cell::Cell, collections::VecDeque, io::IoSlice, rc::Rc};

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes from which a value is sent from where it lies; below, copying is cheaper.
const SLICE_BYTES_MIN: usize = 1024;

/// An answer: slices, one after the other. Dropped when its last byte is written, which returns
/// its charge.
///
/// Always true: `first` is empty only when the rest is.
#[derive(Default)]
pub struct Payload {
    first: Bytes,
    second: Bytes,
    rest: VecDeque<Bytes>,
    bytes: usize,
    charge: Option<Charge>,
}

impl Payload {
    /// The same answer, counted in `flight` until it is written.
    pub fn charged(mut self, flight: &Rc<Flight>) -> Self {
        self.charge = Some(Charge::new(flight, self.bytes));
        self
    }

    /// All of it in one piece.
    pub fn contiguous(mut self) -> Bytes {
        self.copy_to_bytes(self.bytes)
    }

    /// Puts another behind it.
    pub fn append(&mut self, mut other: Self) {
        let slices = [std::mem::take(&mut other.first), std::mem::take(&mut other.second)];
        slices.into_iter().chain(other.rest).for_each(|slice| self.push(slice));
    }

    fn push(&mut self, slice: Bytes) {
        self.bytes += slice.len();
        if slice.is_empty() {
        } else if self.first.is_empty() {
            self.first = slice;
        } else if self.second.is_empty() {
            self.second = slice;
        } else {
            self.rest.push_back(slice);
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self { bytes: bytes.len(), first: bytes, ..Self::default() }
    }
}

impl Buf for Payload {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        &self.first
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = [&self.first, &self.second].into_iter().chain(&self.rest);
        let filled = parts.filter(|part| !part.is_empty()).zip(slices);
        filled.map(|(part, slice)| *slice = IoSlice::new(part)).count()
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.bytes, "advanced past the end of an answer");
        self.bytes -= count;
        let mut left = count;
        while left >= self.first.len() && !self.first.is_empty() {
            left -= self.first.len();
            self.first = std::mem::take(&mut self.second);
            self.second = self.rest.pop_front().unwrap_or_default();
        }
        self.first.advance(left);
    }
}

/// Builds a [`Payload`]: what is short goes into a buffer shared by many answers.
pub struct Writer<'a> {
    scratch: &'a mut BytesMut,
    payload: Payload,
}

impl<'a> Writer<'a> {
    /// Begins an answer. `scratch` must be empty; its allocation is used up answer by answer.
    pub fn new(scratch: &'a mut BytesMut) -> Self {
        debug_assert!(scratch.is_empty());
        Self { scratch, payload: Payload::default() }
    }

    /// The buffer for what is short; `bytes` more fit without another allocation.
    pub fn buffer(&mut self, bytes: usize) -> &mut BytesMut {
        /// Room for some hundred small answers.
        const SCRATCH_BYTES: usize = 32 * 1024;

        if self.scratch.capacity() - self.scratch.len() < bytes {
            self.scratch.reserve(bytes.max(SCRATCH_BYTES));
        }
        self.scratch
    }

    /// Appends a value: short ones are copied, long ones are sent from where they lie.
    pub fn put_value(&mut self, value: &Bytes) {
        if value.len() < SLICE_BYTES_MIN {
            self.buffer(value.len()).put_slice(value);
        } else {
            let short = self.scratch.split().freeze();
            self.payload.push(short);
            self.payload.push(value.clone());
        }
    }

    /// The answer.
    pub fn finish(mut self) -> Payload {
        let short = self.scratch.split().freeze();
        self.payload.push(short);
        self.payload
    }
}

/// Bytes of requests and answers in flight, of one connection and of its reactor.
pub struct Flight {
    connection: Cell<usize>,
    reactor: Rc<Cell<usize>>,
}

impl Flight {
    /// Nothing in flight; `reactor` is shared by all connections of a reactor.
    pub fn new(reactor: Rc<Cell<usize>>) -> Rc<Self> {
        Rc::new(Self { connection: Cell::new(0), reactor })
    }

    /// Bytes in flight on the connection.
    pub fn connection(&self) -> usize {
        self.connection.get()
    }
}

/// Bytes counted in a [`Flight`] for as long as this lives.
pub struct Charge {
    flight: Rc<Flight>,
    bytes: usize,
}

impl Charge {
    /// Counts `bytes` in.
    pub fn new(flight: &Rc<Flight>, bytes: usize) -> Self {
        let mut charge = Self { flight: Rc::clone(flight), bytes: 0 };
        charge.grow(bytes);
        charge
    }

    /// Counts `bytes` more.
    pub fn grow(&mut self, bytes: usize) {
        self.set(self.bytes + bytes);
    }

    /// Counts `bytes` from now on.
    pub fn set(&mut self, bytes: usize) {
        let Flight { connection, reactor } = &*self.flight;
        connection.set(connection.get() - self.bytes + bytes);
        reactor.set(reactor.get() - self.bytes + bytes);
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(values: &[&'static [u8]]) -> Payload {
        let mut payload = Payload::default();
        values.iter().for_each(|value| payload.push(Bytes::from_static(value)));
        payload
    }

    #[test]
    fn bytes_come_out_in_order_however_they_are_taken() {
        for step in 1..=16 {
            let mut payload = payload(&[b"one", b"", b"two", b"three", b"four"]);
            let mut taken = Vec::new();
            while payload.has_remaining() {
                let count = payload.remaining().min(step);
                taken.extend_from_slice(&payload.copy_to_bytes(count));
            }
            assert_eq!(taken, b"onetwothreefour");
        }
        let mut slices = [IoSlice::new(&[]); 8];
        let mut payload = payload(&[b"one", b"two", b"three"]);
        assert_eq!(payload.chunks_vectored(&mut slices), 3);
        payload.advance(4);
        assert_eq!(payload.chunk(), b"wo");
    }

    #[test]
    fn long_values_are_not_copied_and_short_ones_share_a_buffer() {
        let mut scratch = BytesMut::new();
        let long = Bytes::from(vec![7; SLICE_BYTES_MIN]);
        let mut writer = Writer::new(&mut scratch);
        writer.buffer(4).put_slice(b"head");
        writer.put_value(&Bytes::from_static(b"short"));
        writer.put_value(&long);
        writer.buffer(4).put_slice(b"tail");
        let payload = writer.finish();
        assert_eq!(payload.second.as_ptr(), long.as_ptr());
        let mut whole = b"headshort".to_vec();
        whole.extend_from_slice(&long);
        whole.extend_from_slice(b"tail");
        assert_eq!(payload.contiguous(), whole);
    }

    #[test]
    fn a_charge_lasts_as_long_as_its_payload() {
        let flight = Flight::new(Rc::default());
        let payload = payload(&[b"head", b"data"]).charged(&flight);
        assert_eq!((flight.connection(), flight.reactor.get()), (8, 8));
        let mut other = Charge::new(&flight, 100);
        other.grow(10);
        other.set(2);
        assert_eq!((flight.connection(), flight.reactor.get()), (10, 10));
        drop(payload);
        assert_eq!((flight.connection(), flight.reactor.get()), (2, 2));
        drop(other);
        assert_eq!((flight.connection(), flight.reactor.get()), (0, 0));
    }
}
