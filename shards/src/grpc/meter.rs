//! Counts how a call ends: answered, failed, or dropped because nobody waits for it any more.

use std::{rc::Rc, time::Instant};

use super::method::Method;
use crate::{core::Core, counters::End};

/// A call that is under way.
pub struct Meter {
    core: Rc<Core>,
    method: Method,
    arrived: Instant,
    ended: bool,
}

impl Meter {
    /// For a call whose bytes arrived then.
    pub fn new(core: &Rc<Core>, method: Method, arrived: Instant) -> Self {
        Self { core: Rc::clone(core), method, arrived, ended: false }
    }

    /// When its bytes arrived.
    pub fn arrived(&self) -> Instant {
        self.arrived
    }

    /// The call has ended so.
    pub fn end(mut self, end: End) {
        self.ended = true;
        self.core.ended(Some(self.method), self.arrived, end);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if !self.ended {
            self.core.counters().method(Some(self.method)).given_up.add(1);
        }
    }
}
