//! From a key to the shard that owns it, on this reactor or on another.
//!
//! ```text
//!   call ─► partition ─► shard ─┬─ owned here ──► execute ─► Here: ready, durable later, read later
//!                               └─ elsewhere ───► mesh ────► Remote, delivered later
//! ```
//!
//! Always true: a shard is touched only by the reactor that owns it (shard modulo reactors); every
//! request sent over the mesh is answered exactly once, so a slot is freed exactly once.

pub mod condition;
pub mod coordinator;
pub mod execute;
mod lately;
pub mod merge;
mod noted;
pub mod operation;
pub mod partners;
pub mod predicate;
pub mod update;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    net::SocketAddr,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use glommio::net::AcceptedTcpStream;
use slab::Slab;

use self::{
    coordinator::Coordination,
    execute::{Outcome, execute},
    operation::{Operation, Reply},
};
use crate::{
    failure::Failure,
    limits::MESH_REQUESTS_MAX,
    mesh::Port,
    partition::Partition,
    recent::{Notes, Recent},
    storage::{Shard, Snapshots, Ticket},
    traffic::Traffic,
};

/// What the mesh carries.
pub enum Letter {
    /// Work for a shard of the receiver.
    Request { slot: u32, shard: u32, operation: Operation },
    /// The answer to such work, for the sender's slot.
    Answer { slot: u32, result: Result<Reply, Failure> },
    /// The lines of the receiver from a number on are wanted.
    Recent { slot: u32, from: u64 },
    /// An accepted connection that the receiver shall serve.
    Connection(Accepted),
}

/// A connection that was accepted, and counted in.
pub struct Accepted {
    /// The socket, of no reactor yet.
    pub socket: AcceptedTcpStream,
    /// Where it comes from.
    pub address: SocketAddr,
}

/// One reactor's way to every shard.
pub struct Router {
    partition: Partition,
    reactors: usize,
    /// The shards that this reactor owns, at `shard / reactors`.
    shards: Vec<Shard>,
    port: Port<Letter>,
    /// Those that scans of this reactor have taken.
    snapshots: Rc<Snapshots>,
    coordination: Coordination,
    slots: RefCell<Slab<Destination>>,
    /// Operations sent to other reactors since the start.
    hops: Cell<u64>,
    /// What happened lately on this reactor.
    recent: RefCell<Recent>,
    /// Which keys of these shards are asked for.
    traffic: Rc<Traffic>,
    /// Warnings of the process, if they are kept here.
    notes: Option<Notes>,
    /// Requests under way, for each reactor.
    outstanding: Vec<Cell<usize>>,
    /// Writes of others that wait for the disk, of each shard here, the oldest first.
    waiting: RefCell<Vec<VecDeque<Waiting>>>,
    /// Work of others that is answered when it is ready, in no order: reads, and what flushes and batches wait for.
    answering: RefCell<FuturesUnordered<LocalBoxFuture<'static, Answered>>>,
}

/// How a call goes on.
pub enum Call {
    /// It was refused, or its shard is here and has had its step.
    Here(Result<Outcome, Failure>),
    /// The result comes to the destination.
    Remote,
}

/// Where the answer of a remote call goes.
pub enum Destination {
    /// To the mailbox of a connection, marked with the token.
    Mailbox(Rc<Mailbox>, u32),
    /// To a future.
    Future(Rc<Awaited>),
}

/// Results for one task; delivering wakes it.
#[derive(Default)]
pub struct Mailbox {
    results: RefCell<Vec<(u32, Result<Reply, Failure>)>>,
    waker: RefCell<Option<Waker>>,
}

/// A result that a future waits for.
#[derive(Default)]
pub struct Awaited {
    result: Cell<Option<Result<Reply, Failure>>>,
    waker: Cell<Option<Waker>>,
}

/// For whom, reactor and slot, and what came of it.
type Answered = (usize, u32, Result<Reply, Failure>);

struct Waiting {
    from: usize,
    slot: u32,
    reply: Reply,
    ticket: Ticket,
}

impl Router {
    /// A router over the shards that this reactor owns, in ascending order.
    pub fn new(
        partition: Partition,
        shards: Vec<Shard>,
        port: Port<Letter>,
        reactors: usize,
        snapshots: Rc<Snapshots>,
        (recent, notes): (Recent, Option<Notes>),
        traffic: Traffic,
    ) -> Self {
        let waiting = RefCell::new(shards.iter().map(|_| VecDeque::new()).collect());
        Self {
            partition,
            traffic: Rc::new(traffic),
            reactors,
            shards,
            port,
            snapshots,
            coordination: Coordination::default(),
            slots: RefCell::new(Slab::new()),
            hops: Cell::new(0),
            recent: RefCell::new(recent),
            notes,
            outstanding: (0..reactors).map(|_| Cell::new(0)).collect(),
            waiting,
            answering: RefCell::new(FuturesUnordered::new()),
        }
    }

    /// The shard that owns a key.
    pub fn shard_of(&self, collection: &str, key: &[u8]) -> u32 {
        self.partition.shard(collection, key)
    }

    /// How many shards there are.
    pub fn shards(&self) -> u32 {
        self.partition.shards()
    }

    /// The shard itself, where this reactor owns it.
    pub fn local(&self, shard: u32) -> Option<&Shard> {
        let (index, owner) = (shard as usize / self.reactors, shard as usize % self.reactors);
        (owner == self.port.index()).then(|| &self.shards[index])
    }

    /// The shards that this reactor owns.
    pub fn local_shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Which keys of these shards are asked for.
    pub fn traffic(&self) -> &Rc<Traffic> {
        &self.traffic
    }

    /// Which reactor this is.
    fn reactor(&self) -> usize {
        self.port.index()
    }

    /// Operations sent to other reactors since the start.
    pub fn hops(&self) -> u64 {
        self.hops.get()
    }

    /// Those of them that are not answered yet.
    pub fn hops_under_way(&self) -> usize {
        self.outstanding.iter().map(Cell::get).sum()
    }

    /// The batches across shards that this reactor coordinates.
    pub fn coordination(&self) -> &Coordination {
        &self.coordination
    }

    /// The snapshots of this reactor.
    pub fn snapshots(&self) -> &Rc<Snapshots> {
        &self.snapshots
    }

    /// Runs an operation where its shard lives. `destination` is asked for only when that is on
    /// another reactor.
    pub fn call(
        &self,
        shard: u32,
        operation: Operation,
        destination: impl FnOnce() -> Destination,
    ) -> Call {
        if let Some(local) = self.local(shard) {
            return Call::Here(execute(local, operation, &self.traffic));
        }
        let owner = shard as usize % self.reactors;
        // Without the end of a batch its locks would be held for ever.
        let must_go = matches!(operation, Operation::Finish { .. });
        let slot = match self.address(owner, destination, must_go) {
            Ok(slot) => slot,
            Err(failure) => return Call::Here(Err(failure)),
        };
        self.hops.set(self.hops.get() + 1);
        self.port.post(owner, Letter::Request { slot, shard, operation });
        Call::Remote
    }

    /// The same, for those who can wait.
    ///
    /// # Errors
    /// What the operation refuses.
    pub async fn run(&self, shard: u32, operation: Operation) -> Result<Reply, Failure> {
        let awaited = Rc::new(Awaited::default());
        match self.call(shard, operation, || Destination::Future(Rc::clone(&awaited))) {
            Call::Here(outcome) => match outcome? {
                Outcome::Ready(reply) => Ok(reply),
                Outcome::Durable(reply, ticket) => {
                    ticket.await?;
                    Ok(reply)
                }
                Outcome::Later(later) => later.await,
            },
            Call::Remote => poll_fn(|cx| awaited.poll(cx)).await,
        }
    }

    /// What happened lately on this reactor.
    pub fn recent(&self) -> &RefCell<Recent> {
        &self.recent
    }

    /// A slot for the answer to a letter to another reactor, which must then be posted.
    fn address(
        &self,
        to: usize,
        destination: impl FnOnce() -> Destination,
        must_go: bool,
    ) -> Result<u32, Failure> {
        let outstanding = &self.outstanding[to];
        if outstanding.get() >= MESH_REQUESTS_MAX && !must_go {
            return Err(Failure::Overloaded(format!(
                "{MESH_REQUESTS_MAX} requests are under way to reactor {to}"
            )));
        }
        outstanding.set(outstanding.get() + 1);
        Ok(self.slots.borrow_mut().insert(destination()) as u32)
    }

    /// Gives a connection to reactor `to`.
    pub fn hand_over(&self, to: usize, connection: Accepted) {
        self.port.post(to, Letter::Connection(connection));
    }

    /// Sends what was posted in this turn; polled by a task of its own.
    pub fn poll_flush(&self, cx: &mut Context<'_>) {
        self.port.poll_flush(cx);
    }

    /// Reads the letters of other reactors and answers what is durable; polled by a task of its
    /// own. `connection` takes the connections that arrive.
    pub fn poll_inbox(&self, cx: &mut Context<'_>, connection: &mut dyn FnMut(Accepted)) {
        /// Batches read before others get their turn.
        const BATCHES_MAX: usize = 16;

        for _ in 0..BATCHES_MAX {
            let Poll::Ready((from_reactor, letters)) = self.port.poll_receive(cx) else {
                return self.poll_waiting(cx);
            };
            for letter in letters {
                match letter {
                    Letter::Request { slot, shard, operation } => {
                        self.serve(from_reactor, slot, shard, operation);
                    }
                    Letter::Answer { slot, result } => self.deliver(from_reactor, slot, result),
                    Letter::Recent { slot, from } => {
                        let result = Ok(Reply::Recent(self.own_recent(from)));
                        self.port.post(from_reactor, Letter::Answer { slot, result });
                    }
                    Letter::Connection(accepted) => connection(accepted),
                }
            }
        }
        self.poll_waiting(cx);
        cx.waker().wake_by_ref();
    }

    fn serve(&self, from: usize, slot: u32, shard: u32, operation: Operation) {
        // Writes may wait for a flush, and that for these.
        let overtakes = matches!(
            operation,
            Operation::Sync | Operation::NoteCommitted(_) | Operation::Finish { .. }
        );
        let result = match self.local(shard) {
            None => Err(Failure::Internal(format!("shard {shard} does not live here"))),
            Some(local) => match contained(|| execute(local, operation, &self.traffic)) {
                Err(failure) => Err(failure),
                Ok(Outcome::Ready(reply)) => Ok(reply),
                Ok(Outcome::Durable(reply, ticket)) if overtakes => {
                    let durable = ticket.map(move |durable| {
                        (from, slot, durable.map(|()| reply).map_err(Failure::from))
                    });
                    return self.answering.borrow_mut().push(Box::pin(durable));
                }
                Ok(Outcome::Durable(reply, ticket)) => {
                    let waiting = Waiting { from, slot, reply, ticket };
                    let index = shard as usize / self.reactors;
                    return self.waiting.borrow_mut()[index].push_back(waiting);
                }
                Ok(Outcome::Later(later)) => {
                    let read = later.map(move |result| (from, slot, result));
                    return self.answering.borrow_mut().push(Box::pin(read));
                }
            },
        };
        self.port.post(from, Letter::Answer { slot, result });
    }

    /// Answers the work for which the disk has been read, and that whose bytes are durable. Tickets of the writes of one shard
    /// resolve in order, so the first of them that is pending ends the look at that shard.
    fn poll_waiting(&self, cx: &mut Context<'_>) {
        let mut answering = self.answering.borrow_mut();
        while let Poll::Ready(Some((from, slot, result))) = answering.poll_next_unpin(cx) {
            self.port.post(from, Letter::Answer { slot, result });
        }
        for waiting in self.waiting.borrow_mut().iter_mut() {
            while let Some(first) = waiting.front() {
                let Poll::Ready(durable) = first.ticket.poll(cx) else { break };
                let Some(Waiting { from, slot, reply, .. }) = waiting.pop_front() else { break };
                let result = durable.map(|()| reply).map_err(Failure::from);
                self.port.post(from, Letter::Answer { slot, result });
            }
        }
    }

    fn deliver(&self, from: usize, slot: u32, result: Result<Reply, Failure>) {
        let outstanding = &self.outstanding[from];
        outstanding.set(outstanding.get() - 1);
        match self.slots.borrow_mut().remove(slot as usize) {
            Destination::Mailbox(mailbox, token) => mailbox.deliver(token, result),
            Destination::Future(awaited) => awaited.deliver(result),
        }
    }
}

/// Runs `step` so that a panic in it is an internal error of this one request.
///
/// A step that panics has staged nothing: the storage discards the transaction.
///
/// # Errors
/// What the step returns, or [`Failure::Internal`] with the text of the panic.
pub fn contained<T>(step: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(step))
        .unwrap_or_else(|panic| Err(Failure::Internal(panic_text(panic.as_ref()))))
}

/// What a panic said.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").to_owned()
}

impl Mailbox {
    /// Takes one result, in no particular order, or leaves a waker.
    pub fn take(&self, cx: &mut Context<'_>) -> Option<(u32, Result<Reply, Failure>)> {
        let result = self.results.borrow_mut().pop();
        if result.is_none() {
            let mut waker = self.waker.borrow_mut();
            match &mut *waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        result
    }

    fn deliver(&self, token: u32, result: Result<Reply, Failure>) {
        self.results.borrow_mut().push((token, result));
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl Awaited {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Reply, Failure>> {
        match self.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                self.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }

    fn deliver(&self, result: Result<Reply, Failure>) {
        self.result.set(Some(result));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
