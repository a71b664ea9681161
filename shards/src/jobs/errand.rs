//! Work that is sent to reactors from another thread.

use std::{rc::Rc, sync::Arc};

use crossbeam_channel::{Receiver, Sender};
use futures_util::future::LocalBoxFuture;

use crate::{core::Core, pulse::Beat};

type Begin = Box<dyn FnOnce(Rc<Core>) -> LocalBoxFuture<'static, ()> + Send>;

/// What a reactor is to do, as a task of its own.
pub struct Errand(Begin);

impl Errand {
    /// The task.
    pub(crate) fn begin(self, core: Rc<Core>) -> LocalBoxFuture<'static, ()> {
        (self.0)(core)
    }
}

/// The way to all reactors.
pub(crate) struct Reach(Vec<(Sender<Errand>, Arc<Beat>)>);

impl Reach {
    /// A way to reactors with these beats, and for each of them where it finds its errands.
    pub(crate) fn new(beats: impl Iterator<Item = Arc<Beat>>) -> (Self, Vec<Receiver<Errand>>) {
        let ways = beats.map(|beat| {
            let (sender, receiver) = crossbeam_channel::unbounded();
            ((sender, beat), receiver)
        });
        let (ways, receivers) = ways.unzip();
        (Self(ways), receivers)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Has one reactor do something. One that is gone drops it, and who waits for something out of it sees that.
    pub(crate) fn send<F: Future<Output = ()> + 'static>(
        &self,
        reactor: usize,
        work: impl FnOnce(Rc<Core>) -> F + Send + 'static,
    ) {
        let (sender, beat) = &self.0[reactor];
        let _ = sender.send(Errand(Box::new(move |core| Box::pin(work(core)))));
        beat.wake();
    }
}
