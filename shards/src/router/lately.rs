//! What happened lately, asked of all reactors: letters of their own, because lines belong to no shard.

use std::{future::poll_fn, rc::Rc, time::Instant};

use super::{Awaited, Destination, Letter, Router, operation::Reply};
use crate::{
    failure::Failure,
    recent::{Notes, Share},
};

impl Router {
    /// Takes the warnings that wait; to be called regularly.
    pub fn tick_recent(&self, now: Instant) {
        let mut recent = self.recent.borrow_mut();
        recent.set_clock(now);
        for note in self.notes.iter().flat_map(Notes::take) {
            recent.note(note.text, note.unix_millis, now);
        }
    }

    /// What happened lately, on all reactors: their lines from a number on.
    ///
    /// # Errors
    /// Too much is under way to a reactor.
    pub async fn all_recent(&self, from: u64) -> Result<Vec<Share>, Failure> {
        let mut shares = vec![self.own_recent(from)];
        for reactor in (0..self.reactors).filter(|reactor| *reactor != self.reactor()) {
            let awaited = Rc::new(Awaited::default());
            let slot = self.address(reactor, || Destination::Future(Rc::clone(&awaited)), false)?;
            self.port.post(reactor, Letter::Recent { slot, from });
            match poll_fn(|cx| awaited.poll(cx)).await? {
                Reply::Recent(share) => shares.push(share),
                _ => return Err(Failure::Internal("lines were asked for".into())),
            }
        }
        Ok(shares)
    }

    /// The same of this reactor alone.
    pub(super) fn own_recent(&self, from: u64) -> Share {
        let now = Instant::now();
        self.tick_recent(now);
        self.recent.borrow_mut().since(from, now)
    }
}
