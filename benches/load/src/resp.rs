//! One Redis connection of a load generator: requests pipelined, answers in order.

use std::{collections::VecDeque, rc::Rc};

use crate::{
    outbox::Outbox,
    wire::{Answer, BODY_HEAD_BYTES, Body, Flight, Script, Wire},
};

/// See the head of the file.
#[derive(Debug)]
pub struct Resp<S> {
    script: Rc<S>,
    flights: VecDeque<Flight>,
    /// A bulk answer that is half read.
    bulk: Option<Bulk>,
}

#[derive(Debug)]
struct Bulk {
    length: usize,
    read: usize,
    head: [u8; BODY_HEAD_BYTES],
    whole: Option<Vec<u8>>,
}

impl<S: Script> Resp<S> {
    /// A connection that has said nothing yet.
    pub fn new(script: Rc<S>) -> Self {
        Self { script, flights: VecDeque::new(), bulk: None }
    }

    fn answer(&mut self, outcome: Result<usize, String>, answers: &mut Vec<Answer>) {
        if let Some(flight) = self.flights.pop_front() {
            answers.push(Answer { flight, outcome });
        }
    }

    fn start_line(&mut self, line: &[u8], answers: &mut Vec<Answer>) -> Result<(), String> {
        let (Some(kind), Some(flight)) = (line.first(), self.flights.front()) else {
            return Err("an answer without a request".into());
        };
        let text = String::from_utf8_lossy(&line[1..]);
        match kind {
            b'$' if text.starts_with('-') => self.answer(Err("absent".into()), answers),
            b'$' => {
                self.bulk = Some(Bulk {
                    length: text.parse().map_err(|_| format!("a length of {text}"))?,
                    read: 0,
                    head: [0; BODY_HEAD_BYTES],
                    whole: self.script.wants_whole(flight.request).then(Vec::new),
                });
            }
            b'+' => {
                let body = Body { head: &line[1..], length: line.len() - 1, whole: None };
                let outcome = self.script.check(flight.request, &body);
                self.answer(outcome, answers);
            }
            _ => self.answer(Err(text.into_owned()), answers),
        }
        Ok(())
    }

    /// Takes what is there of a bulk answer and of the line end behind it.
    fn take_bulk(&mut self, mut bulk: Bulk, input: &[u8], answers: &mut Vec<Answer>) -> usize {
        let body = &input[..input.len().min(bulk.length.saturating_sub(bulk.read))];
        bulk.append(body);
        if bulk.read < bulk.length || input.len() < body.len() + 2 {
            self.bulk = Some(bulk);
            return body.len();
        }
        let known = Body {
            head: &bulk.head[..bulk.length.min(BODY_HEAD_BYTES)],
            length: bulk.length,
            whole: bulk.whole.as_deref(),
        };
        let request = self.flights.front().map_or(0, |flight| flight.request);
        let outcome = self.script.check(request, &known);
        self.answer(outcome, answers);
        body.len() + 2
    }
}

impl Bulk {
    fn append(&mut self, body: &[u8]) {
        if let Some(free) = self.head.get_mut(self.read..) {
            let copied = free.len().min(body.len());
            free[..copied].copy_from_slice(&body[..copied]);
        }
        self.read += body.len();
        if let Some(whole) = &mut self.whole {
            whole.extend_from_slice(body);
        }
    }
}

impl<S: Script> Wire for Resp<S> {
    fn open(&mut self, _: &mut Outbox) {}

    fn room(&self) -> usize {
        usize::MAX
    }

    fn send(&mut self, flight: Flight, out: &mut Outbox) {
        self.flights.push_back(flight);
        out.shared(self.script.request(flight.request));
    }

    fn in_flight(&self, show: &mut dyn FnMut(Flight)) {
        self.flights.iter().copied().for_each(show);
    }

    fn receive(
        &mut self,
        input: &[u8],
        _: &mut Outbox,
        answers: &mut Vec<Answer>,
    ) -> Result<usize, String> {
        let mut used = 0;
        loop {
            let left = &input[used..];
            if let Some(bulk) = self.bulk.take() {
                used += self.take_bulk(bulk, left, answers);
                if self.bulk.is_some() {
                    return Ok(used);
                }
                continue;
            }
            let Some(end) = left.windows(2).position(|pair| pair == b"\r\n") else {
                return Ok(used);
            };
            self.start_line(&left[..end], answers)?;
            used += end + 2;
        }
    }
}
