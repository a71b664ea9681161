//! Compaction as a loop: what the pickers decide is carried out, one plan at a time.
//!
//! ```text
//! version ─► shape ─► plan ─┬─ a move: nothing is read or written ──┐
//!    ▲                      └─ a job on the background thread ──────┴─► manifest ─► one step: the new version
//!    └────────────────────────────────────────────────────────────────────────────────┘
//! ```

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, select};

use super::{
    StorageError,
    background::{self, Lost, Urgency},
    compaction::{Job, JobError, Plan, Pressure, Shape, pick},
    shard::Inner,
    store::Store,
    table::{BuilderOptions, TableMeta},
    ticket::Ticket,
    version::DataFile,
};

/// After a failure that may pass; doubled with each that follows.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Whoever gives a slot back may be on another reactor and tells nobody; merges take seconds.
const SLOT_WAIT: Duration = Duration::from_millis(50);

/// Runs until the shard is closed.
pub(super) async fn run(inner: &Inner, store: &Store) {
    let mut retry = RETRY;
    while !inner.has_ended() {
        let turn = store.merging.lock().await;
        let shape = look(inner);
        let plan = pick(&shape, &inner.policy.borrow());
        let Some(plan) = plan else {
            drop(turn);
            inner.merges.wait().await;
            continue;
        };
        let slot = if plan.is_move { None } else { inner.slots.take() };
        if slot.is_none() && !plan.is_move {
            drop(turn);
            inner.pause(&inner.merges, SLOT_WAIT).await;
            continue;
        }
        let merged = carry_out(inner, store, &plan).await;
        drop((slot, turn));
        inner.state.borrow_mut().merge_failed = merged.as_ref().err().cloned();
        match merged {
            Ok(()) => retry = RETRY,
            Err(StorageError::Closed { .. }) => return,
            Err(error) => {
                tracing::warn!("shard {}: tables were not merged: {error}", store.shard);
                inner.pause(&inner.merges, retry).await;
                retry = (retry * 2).min(RETRY_MAX);
            }
        }
        inner.tidy.raise();
    }
}

/// Looks at the tables, and tells the commit loop how far merging is behind.
pub(super) fn look(inner: &Inner) -> Shape {
    let shape = Shape::of(&inner.state.borrow().view.version, Vec::new());
    inner.pressure.set(Pressure::of(&shape, &inner.policy.borrow()));
    inner.work.raise();
    shape
}

pub(super) async fn carry_out(
    inner: &Inner,
    store: &Store,
    plan: &Plan,
) -> Result<(), StorageError> {
    // As long as this is held, its files stay.
    let version = inner.state.borrow().view.version.clone();
    let inputs = plan.input_metas(&version);
    let outputs =
        if plan.is_move { inputs.concat() } else { timed(inner, store, plan, inputs).await? };
    let written = if plan.is_move { 0 } else { outputs.iter().map(|meta| meta.bytes).sum() };
    let numbers: Vec<u64> = outputs.iter().map(|meta| meta.number).collect();
    let edit = plan.edit(store.take_number(), outputs);
    let committed = store.commit(inner, edit, |state, _| state.merged(plan.bytes, written)).await;
    if let Err(error) = &committed
        && !plan.is_move
    {
        for number in numbers {
            store.discard(DataFile::Table(number), error).await;
        }
    }
    drop(version);
    store.sweep().await;
    committed
}

/// Writes the outputs of a plan, and counts the time that it takes, also in vain.
async fn timed(
    inner: &Inner,
    store: &Store,
    plan: &Plan,
    inputs: Vec<Vec<TableMeta>>,
) -> Result<Vec<TableMeta>, StorageError> {
    let begun = inner.clock.now();
    let outputs = merge(inner, store, plan, inputs).await;
    inner.state.borrow_mut().stats.merge_time += inner.clock.now() - begun;
    outputs
}

/// Writes the outputs of a plan.
async fn merge(
    inner: &Inner,
    store: &Store,
    plan: &Plan,
    inputs: Vec<Vec<TableMeta>>,
) -> Result<Vec<TableMeta>, StorageError> {
    let job = Job {
        dir: store.dir.clone(),
        directory_id: store.directory_id,
        shard: store.shard,
        inputs,
        older: plan.older.clone(),
        table_bytes: plan.table_bytes,
        numbers: store.take_numbers(plan.numbers_max()),
        options: BuilderOptions::default(),
    };
    let work = move |desk: background::Desk| async move { job.run(&desk).await };
    let done = background::run(&*store.background, Urgency::Compaction, work);
    let closed = || StorageError::Closed { shard: store.shard };
    match select(pin!(done), Ticket::new(&inner.ending)).await {
        Either::Left((Ok(Ok(done)), _)) => Ok(done.outputs),
        Either::Left((Ok(Err(JobError::Storage(error))), _)) => Err(error),
        Either::Left((Err(Lost::Panicked(cause)), _)) => Err(StorageError::Background { cause }),
        Either::Left((Ok(Err(JobError::GivenUp(_))) | Err(Lost::Stopped), _)) => Err(closed()),
        // Dropping the work gives it up.
        Either::Right(_) => Err(closed()),
    }
}
