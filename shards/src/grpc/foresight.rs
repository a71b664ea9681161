//! What the answers to reads that are under way will take, before anybody knows.
//!
//! A request of 60 bytes may have an answer of half a mebibyte, and a connection may have hundreds
//! under way that wait for the disk or for another reactor. Begun all at once they would overshoot
//! every bound. So each is taken to be as long as the longest of the connection's recent answers,
//! and a new connection begins with a guess that lets few begin at once: the slow start of TCP
//! (RFC 5681), in bytes.

use std::{cell::Cell, rc::Rc};

use crate::payload::{Charge, Flight};

/// The longest ciphertexts of schemes in use: the guess of a new connection.
const FIRST_BYTES: usize = 512 * 1024;
/// So many reads of a new connection may begin at once, however small its share is.
const FIRST_READS: usize = 16;
/// By which part the guess sinks with every answer. After some hundred short ones it is short.
const SINKING: usize = 32;

/// Guesses of one connection.
pub struct Foresight {
    guess: usize,
    flight: Rc<Flight>,
}

impl Foresight {
    /// Nothing under way on a connection that may hold `bytes_max`; `reactor` is shared by all
    /// connections of a reactor.
    pub fn new(bytes_max: usize, reactor: Rc<Cell<usize>>) -> Self {
        Self { guess: FIRST_BYTES.min(bytes_max / FIRST_READS), flight: Flight::new(reactor) }
    }

    /// Bytes that answers under way are taken to have.
    pub fn awaited(&self) -> usize {
        self.flight.connection()
    }

    /// A read begins; it is under way as long as the result lives.
    pub fn begin(&self) -> Charge {
        Charge::new(&self.flight, self.guess)
    }

    /// A read had an answer of so many bytes.
    pub fn learn(&mut self, bytes: usize) {
        self.guess = (self.guess - self.guess.div_ceil(SINKING)).max(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_reads_begin_at_first_and_many_when_answers_turn_out_to_be_short() {
        let reactor = Rc::new(Cell::new(7));
        let mut foresight = Foresight::new(1 << 20, Rc::clone(&reactor));
        let first = foresight.begin();
        assert_eq!((foresight.awaited(), reactor.get()), (1 << 16, 7 + (1 << 16)));
        drop(first);
        foresight.learn(100);
        for _ in 0..1000 {
            drop(foresight.begin());
            foresight.learn(100);
        }
        let short = foresight.begin();
        assert_eq!(foresight.awaited(), 100);
        drop(short);
        foresight.learn(5000);
        let long = foresight.begin();
        assert_eq!(foresight.awaited(), 5000);
        drop((long, foresight));
        assert_eq!(reactor.get(), 7);
    }
}
