//! Counts how a call ends: answered, failed, or dropped because nobody waits for it any more.

use std::{rc::Rc, time::Instant};

use super::method::Method;
use crate::{core::Core, counters::End, recent::RequestLine};

/// A call that is under way.
pub struct Meter {
    core: Rc<Core>,
    method: Method,
    line: RequestLine,
    arrived: Instant,
    ended: bool,
}

impl Meter {
    /// For a call whose bytes arrived then.
    pub fn new(core: &Rc<Core>, method: Method, line: RequestLine, arrived: Instant) -> Self {
        Self { core: Rc::clone(core), method, line, arrived, ended: false }
    }

    /// When its bytes arrived.
    pub fn arrived(&self) -> Instant {
        self.arrived
    }

    /// More is known of the call now.
    pub fn name(&mut self, line: RequestLine) {
        self.line = line;
    }

    /// The call has ended so.
    pub fn end(mut self, end: End) {
        self.ended = true;
        self.core.ended(Some(self.method), self.line, self.arrived, end);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if !self.ended {
            self.core.counters().method(Some(self.method)).given_up.add(1);
        }
    }
}
