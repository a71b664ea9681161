//! A batch across shards, from its queries to one answer. `docs/explanation/transactions.md` has the protocol.
//!
//! ```text
//! shares ─► prepare, all at once ─┬─ all yes ──► committed ─► answer, and finish behind it
//!                                 ├─ a lock is in the way ─► finish ─► locks in the order of the shards ─► prepare
//!                                 └─ a no, or time is up ──► aborted ─► finish ─► error, or the condition that did not hold
//! ```
//!
//! Always true: what was begun is seen through, also when nobody waits for the answer any more; every shard that was asked
//! for locks or to prepare is told to finish.

use std::{
    cell::Cell,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{Either, join_all, select};
use glommio::timer::sleep;

use super::{
    Router,
    condition::Unmet,
    operation::{Operation, Prepare, Reply, Work},
};
use crate::{
    failure::Failure,
    storage::{Batch, BatchId, LockSet, Verdict, Writers},
};

/// What a batch does on one shard.
#[derive(Clone, Debug)]
pub struct Share {
    /// The shard.
    pub shard: u32,
    /// What it reads and writes there.
    pub locks: LockSet,
    /// Whether it may write there.
    pub writes: bool,
    /// What is to be done there.
    pub work: Work,
}

/// How a batch ended that was neither refused nor too late.
#[derive(Debug)]
pub enum Ended<T> {
    /// It was done.
    Committed(T),
    /// A condition did not hold, and nothing was changed.
    Unmet(Box<Unmet>),
}

/// The answers of a share, each with the place of its query in the batch.
pub type Answers = Vec<(usize, Reply)>;

/// When a batch must be decided, and how its client said it.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// The instant.
    pub at: Instant,
    /// The client's time for the whole call.
    pub timeout: Duration,
}

/// What the coordinators of one reactor share.
#[derive(Default)]
pub struct Coordination {
    /// Batches begun so far.
    count: Cell<u64>,
    /// Batches under way.
    running: Cell<usize>,
    /// So many batches more take their locks in order at once: the last try met one.
    contended: Cell<u32>,
}

/// Batches that do not try after one that met a lock: a try that fails has written for nothing.
const CONTENDED: u32 = 32;

impl Coordination {
    /// Batches that are not ended on all their shards.
    pub fn running(&self) -> usize {
        self.running.get()
    }
}

/// Runs the shares of a batch, in the order of their shards, as one step of all of them. `conclude` makes the result of
/// the answers of all shares, and can still refuse.
///
/// # Errors
/// What a shard or `conclude` refuses, or that time is up: nothing was changed then. Or [`Failure::Unknown`].
pub async fn run<T: 'static>(
    router: &Rc<Router>,
    shares: Vec<Share>,
    deadline: Option<Deadline>,
    conclude: impl FnOnce(Vec<Answers>) -> Result<T, Failure> + 'static,
) -> Result<Ended<T>, Failure> {
    let course = Course { router: Rc::clone(router), deadline, running: Running::begin(router) };
    see_through(course.run(shares, conclude)).await
}

/// Locks, has `find` look what there is to do on each shard, and does it: all as one step.
///
/// # Errors
/// As [`run`].
pub async fn run_found<F>(
    router: &Rc<Router>,
    locks: LockSet,
    deadline: Option<Deadline>,
    find: impl Fn(u32) -> F + 'static,
) -> Result<Vec<Answers>, Failure>
where
    F: Future<Output = Result<Option<Operation>, Failure>> + 'static,
{
    let course = Course { router: Rc::clone(router), deadline, running: Running::begin(router) };
    match see_through(course.run_found(locks, find)).await? {
        Ended::Committed(answers) => Ok(answers),
        Ended::Unmet(_) => Err(Failure::Internal("what was found has no conditions".into())),
    }
}

/// Runs to the end also when it is not waited for.
async fn see_through<T: 'static>(
    work: impl Future<Output = Result<T, Failure>> + 'static,
) -> Result<T, Failure> {
    let ended = glommio::spawn_local(work).detach().await;
    ended.unwrap_or_else(|| Err(Failure::Internal("a batch was cut short".into())))
}

/// Keeps count of a batch until all its shards have finished it.
struct Running(Rc<Router>);

/// One batch on its way.
struct Course {
    router: Rc<Router>,
    deadline: Option<Deadline>,
    running: Running,
}

/// How all votes together turned out.
enum Votes {
    Yes(Vec<Answers>),
    /// A lock was in the way.
    Busy,
    /// A condition did not hold.
    Unmet(Box<Unmet>),
    No(Failure),
}

impl Course {
    async fn run<T>(
        self,
        shares: Vec<Share>,
        conclude: impl FnOnce(Vec<Answers>) -> Result<T, Failure>,
    ) -> Result<Ended<T>, Failure> {
        let contended = &self.router.coordination().contended;
        if contended.get() == 0 {
            let batch = self.batch();
            match self.prepare(&batch, &shares, true).await {
                Votes::Busy => contended.set(CONTENDED),
                votes => return self.decide(batch, Told::of(&shares), votes, conclude).await,
            }
            batch.verdict.abort();
            finish(&self.router, &batch, &Told::of(&shares)).await?;
        } else {
            contended.set(contended.get() - 1);
        }
        let batch = self.batch();
        let votes = match self.lock(&batch, &shares).await {
            Ok(()) => self.prepare(&batch, &shares, false).await,
            Err(failure) => Votes::No(failure),
        };
        self.decide(batch, Told::of(&shares), votes, conclude).await
    }

    async fn run_found<F>(
        self,
        locks: LockSet,
        find: impl Fn(u32) -> F,
    ) -> Result<Ended<Vec<Answers>>, Failure>
    where
        F: Future<Output = Result<Option<Operation>, Failure>>,
    {
        let share = |shard| {
            let (locks, work) = (locks.clone(), Work::default());
            Share { shard, locks, writes: false, work }
        };
        let mut shares: Vec<Share> = (0..self.router.shards()).map(share).collect();
        let batch = self.batch();
        let found = async {
            self.lock(&batch, &shares).await?;
            let found = join_all(shares.iter().map(|share| find(share.shard)));
            let found = self.in_time(found).await.ok_or_else(|| self.time_is_up())?;
            found.into_iter().collect::<Result<Vec<_>, Failure>>()
        };
        let votes = match found.await {
            Err(failure) => Votes::No(failure),
            Ok(found) => {
                for (share, operation) in shares.iter_mut().zip(found) {
                    share.writes = operation.is_some();
                    share.work.queries.extend(operation.map(|operation| (0, operation)));
                }
                self.prepare(&batch, &shares, false).await
            }
        };
        self.decide(batch, Told::of(&shares), votes, Ok).await
    }

    fn batch(&self) -> Arc<Batch> {
        Arc::new(Batch { id: self.router.next_batch_id(), verdict: Verdict::default() })
    }

    /// Takes the locks of one shard after the other: whoever waits holds those of lower shards only.
    async fn lock(&self, batch: &Arc<Batch>, shares: &[Share]) -> Result<(), Failure> {
        for share in shares {
            let (batch, locks) = (Arc::clone(batch), share.locks.clone());
            let lock = self.router.run(share.shard, Operation::Lock { batch, locks });
            self.in_time(lock).await.ok_or_else(|| self.time_is_up())??;
        }
        Ok(())
    }

    async fn prepare(&self, batch: &Arc<Batch>, shares: &[Share], with_locks: bool) -> Votes {
        let writers = shares.iter().filter(|share| share.writes).map(|share| share.shard);
        let writers: Writers = writers.collect();
        let ask = |share: &Share| {
            let prepare = Prepare {
                batch: Arc::clone(batch),
                locks: with_locks.then(|| share.locks.clone()),
                writers: share.writes.then(|| Arc::clone(&writers)),
                work: share.work.clone(),
            };
            self.router.run(share.shard, Operation::Prepare(prepare))
        };
        let Some(votes) = self.in_time(join_all(shares.iter().map(ask))).await else {
            return Votes::No(self.time_is_up());
        };
        let mut answers = Vec::with_capacity(votes.len());
        let (mut no, mut unmet) = (None, None::<Box<Unmet>>);
        for vote in votes {
            match vote {
                Ok(Reply::Prepared(Some(replies))) => answers.push(replies),
                Ok(Reply::Unmet(found)) => {
                    let is_first = unmet.as_ref().is_none_or(|first| found.index < first.index);
                    unmet = if is_first { Some(found) } else { unmet };
                }
                Ok(Reply::Prepared(None)) => no = no.or(Some(Votes::Busy)),
                Ok(_) => {
                    let text = "a batch was answered by something else";
                    no = Some(Votes::No(Failure::Internal(text.into())));
                }
                Err(failure) => no = Some(Votes::No(failure)),
            }
        }
        // That one was locked and durable when it was looked at; nothing else has to be known.
        let unmet = unmet.map(Votes::Unmet);
        unmet.or(no).unwrap_or(Votes::Yes(answers))
    }

    async fn decide<T>(
        self,
        batch: Arc<Batch>,
        to: Told,
        votes: Votes,
        conclude: impl FnOnce(Vec<Answers>) -> Result<T, Failure>,
    ) -> Result<Ended<T>, Failure> {
        let answer = match votes {
            Votes::Yes(answers) => match conclude(answers) {
                Ok(result) => {
                    self.commit(batch, to);
                    return Ok(Ended::Committed(result));
                }
                Err(failure) => Err(failure),
            },
            Votes::Unmet(unmet) => Ok(Ended::Unmet(unmet)),
            Votes::No(failure) => Err(failure),
            Votes::Busy => Err(Failure::Internal("locks that are held were in the way".into())),
        };
        batch.verdict.abort();
        finish(&self.router, &batch, &to).await?;
        answer
    }

    /// From here on all readers see it. The shards are told behind the answer.
    fn commit(self, batch: Arc<Batch>, to: Told) {
        let Self { router, running, .. } = self;
        batch.verdict.commit(router.snapshots().epochs());
        let told = async move {
            // What a shard cannot be told now, its log tells at the next start.
            let _ = finish(&router, &batch, &to).await;
            drop(running);
        };
        glommio::spawn_local(told).detach();
    }

    /// Waits no longer than the deadline allows.
    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let Some(deadline) = self.deadline else { return Some(work.await) };
        let left = deadline.at.saturating_duration_since(Instant::now());
        match select(pin!(work), pin!(sleep(left))).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(_) => None,
        }
    }

    fn time_is_up(&self) -> Failure {
        let timeout = self.deadline.map_or(Duration::ZERO, |deadline| deadline.timeout);
        Failure::BatchTimeout { millis: timeout.as_millis() as u64 }
    }
}

impl Running {
    fn begin(router: &Rc<Router>) -> Self {
        let running = &router.coordination().running;
        running.set(running.get() + 1);
        Self(Rc::clone(router))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let running = &self.0.coordination().running;
        running.set(running.get() - 1);
    }
}

/// The shards to be told, and whether the batch may write there.
struct Told(Vec<(u32, bool)>);

impl Told {
    fn of(shares: &[Share]) -> Self {
        Self(shares.iter().map(|share| (share.shard, share.writes)).collect())
    }
}

/// Tells shards that the verdict is set; ready when all that must be logged for it is.
async fn finish(router: &Rc<Router>, batch: &Arc<Batch>, to: &Told) -> Result<(), Failure> {
    let tell = |(shard, _): &(u32, bool)| {
        router.run(*shard, Operation::Finish { batch: Arc::clone(batch) })
    };
    let told = join_all(to.0.iter().map(tell)).await;
    // One writer is enough to undo the whole batch: by its abort record, or by a part that it will never have.
    let mut failure = None;
    for (told, (_, writes)) in told.into_iter().zip(&to.0) {
        match told {
            Ok(_) if *writes => return Ok(()),
            Ok(_) => {}
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(()), |cause| Err(Failure::Unknown(cause.to_string())))
}

impl Router {
    fn next_batch_id(&self) -> BatchId {
        let count = &self.coordination().count;
        count.set(count.get() + 1);
        let process = self.snapshots().epochs().process();
        BatchId { process, number: (self.reactor() as u64) << 48 | count.get() }
    }
}
