//! How reactors talk: one queue for each ordered pair of reactors, letters in batches.
//!
//! ```text
//!   reactor a                                           reactor b
//!   post ──► outbox for b ──(once a turn)──► queue a→b ──► inbox task ──► …
//!                                    └── one wake ──►┘
//! ```
//!
//! A letter costs a push; a batch costs one send and at most one wake of the other core, which is
//! what makes hops affordable. The queues have no bound of their own: every letter is a request
//! that its sender counts against `limits::MESH_REQUESTS_MAX` until the reply is back, the reply
//! to such a request, or an accepted connection, which `connections_max` bounds.
//!
//! Always true: letters of one pair arrive in the order in which they were posted.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use atomic_waker::AtomicWaker;
use crossbeam_channel::{Receiver, Sender};

/// One reactor's end of the mesh.
pub struct Port<L> {
    index: usize,
    outboxes: RefCell<Vec<Vec<L>>>,
    /// True while an outbox holds letters that the flusher was told of.
    posted: Cell<bool>,
    flusher: RefCell<Option<Waker>>,
    senders: Vec<Sender<Vec<L>>>,
    receivers: Vec<Receiver<Vec<L>>>,
    doors: Arc<[AtomicWaker]>,
}

/// The ports of a mesh over `reactors` reactors, in order; each goes to its own thread.
pub fn ports<L: Send>(reactors: usize) -> Vec<Port<L>> {
    let doors: Arc<[AtomicWaker]> = (0..reactors).map(|_| AtomicWaker::new()).collect();
    let mut senders: Vec<Vec<_>> = (0..reactors).map(|_| Vec::new()).collect();
    let mut receivers: Vec<Vec<_>> = (0..reactors).map(|_| Vec::new()).collect();
    for from in senders.iter_mut() {
        for to in receivers.iter_mut() {
            let (sender, receiver) = crossbeam_channel::unbounded();
            from.push(sender);
            to.push(receiver);
        }
    }
    senders
        .into_iter()
        .zip(receivers)
        .enumerate()
        .map(|(index, (senders, receivers))| Port {
            index,
            outboxes: RefCell::new((0..reactors).map(|_| Vec::new()).collect()),
            posted: Cell::new(false),
            flusher: RefCell::new(None),
            senders,
            receivers,
            doors: Arc::clone(&doors),
        })
        .collect()
}

impl<L> Port<L> {
    /// Which reactor this is.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Puts a letter into the outbox for reactor `to`; it leaves when this turn's work is done.
    pub fn post(&self, to: usize, letter: L) {
        self.outboxes.borrow_mut()[to].push(letter);
        if !self.posted.replace(true)
            && let Some(flusher) = self.flusher.borrow().as_ref()
        {
            flusher.wake_by_ref();
        }
    }

    /// Sends what was posted; to be polled by a task of its own, for ever.
    pub fn poll_flush(&self, cx: &mut Context<'_>) {
        let mut flusher = self.flusher.borrow_mut();
        match &mut *flusher {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        self.posted.set(false);
        for (to, outbox) in self.outboxes.borrow_mut().iter_mut().enumerate() {
            if outbox.is_empty() {
                continue;
            }
            let room = outbox.len();
            let batch = std::mem::replace(outbox, Vec::with_capacity(room));
            // The other end is gone only when its reactor died, which ends the process.
            if self.senders[to].send(batch).is_ok() {
                self.doors[to].wake();
            }
        }
    }

    /// The next batch and the reactor it came from.
    pub fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<(usize, Vec<L>)> {
        if let Some(batch) = self.try_receive() {
            return Poll::Ready(batch);
        }
        self.doors[self.index].register(cx.waker());
        // A batch may have come between the look and the registration.
        self.try_receive().map_or(Poll::Pending, Poll::Ready)
    }

    fn try_receive(&self) -> Option<(usize, Vec<L>)> {
        let receive =
            |(from, queue): (usize, &Receiver<Vec<L>>)| Some((from, queue.try_recv().ok()?));
        self.receivers.iter().enumerate().find_map(receive)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker;

    use super::*;

    #[test]
    fn letters_of_a_turn_travel_as_one_batch_in_order() {
        let ports = ports::<u32>(2);
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        for letter in 0..5 {
            ports[0].post(1, letter);
        }
        assert!(ports[1].poll_receive(&mut cx).is_pending());
        ports[0].poll_flush(&mut cx);
        assert_eq!(ports[1].poll_receive(&mut cx), Poll::Ready((0, vec![0, 1, 2, 3, 4])));
        assert!(ports[1].poll_receive(&mut cx).is_pending());
        assert!(ports[0].poll_receive(&mut cx).is_pending());
    }
}
