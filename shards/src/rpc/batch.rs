//! A batch of plans, as one atomic step over as many shards as it needs, if its conditions hold.

use std::{collections::BTreeMap, rc::Rc, time::Instant};

use amaters_proto::query::Query;
use futures_util::{StreamExt as _, stream};

use super::{
    plan::{Plan, whole},
    run::read_at,
};
use crate::{
    failure::Failure,
    limits::{SNAPSHOT_LIFETIME, UNARY_ROWS_BYTES_MAX},
    router::{
        Router,
        condition::Condition,
        coordinator::{self, Answers, Deadline, Ended, Share},
        execute::{batch_answer_too_large, locks_of},
        operation::{Operation, Reply, Scan, Work},
    },
    storage::{LockSet, Page},
};

/// Checks the queries of a batch.
///
/// # Errors
/// [`Failure::Batch`].
pub fn plans(queries: Vec<Query>) -> Result<Vec<Plan>, Failure> {
    let plan = |(index, query)| {
        let failed = |cause| Failure::Batch { index, cause: Box::new(cause) };
        Plan::of(Some(query)).map_err(failed)
    };
    queries.into_iter().enumerate().map(plan).collect()
}

/// Runs plans as one atomic batch, in order.
///
/// # Errors
/// [`Failure::Batch`] and [`Failure::BatchTimeout`], where nothing was applied, or [`Failure::Unknown`].
pub async fn run(
    router: &Rc<Router>,
    plans: Vec<Plan>,
    deadline: Option<Deadline>,
) -> Result<Vec<Reply>, Failure> {
    match run_if(router, Vec::new(), plans, deadline).await? {
        Ended::Committed(replies) => Ok(replies),
        Ended::Unmet(_) => Err(Failure::Internal("a batch without conditions met none".into())),
    }
}

/// The same, if all conditions hold before the first plan.
///
/// # Errors
/// As [`run`], and [`Failure::Condition`].
pub async fn run_if(
    router: &Rc<Router>,
    conditions: Vec<Condition>,
    plans: Vec<Plan>,
    deadline: Option<Deadline>,
) -> Result<Ended<Vec<Reply>>, Failure> {
    if let Some(index) = plans.iter().position(|plan| matches!(plan, Plan::Command(_))) {
        let text = "admin commands do not belong in a batch".to_owned();
        return Err(Failure::Batch { index, cause: Box::new(Failure::InvalidRequest(text)) });
    }
    if router.shards() > 1 && conditions.is_empty() && plans.iter().all(only_reads) {
        return read(router, plans).await.map(Ended::Committed);
    }
    let windows: Vec<Window> = plans.iter().map(Window::of).collect();
    let mut shares = shares(router, conditions, plans);
    let conclude = move |answers| conclude(answers, &windows);
    match shares.len() {
        0 => Ok(Ended::Committed(Vec::new())),
        1 => on_one_shard(router, shares.remove(0), deadline, conclude).await,
        _ => {
            for share in &mut shares {
                share.locks = locks_of(&share.work);
                share.writes = share.work.queries.iter().any(|(_, operation)| writes(operation));
            }
            coordinator::run(router, shares, deadline, conclude).await
        }
    }
}

/// Queries of several shards that only read: one instant of all of them, and no locks.
async fn read(router: &Rc<Router>, plans: Vec<Plan>) -> Result<Vec<Reply>, Failure> {
    /// Queries that are under way at once: each may hold a whole answer.
    const AT_ONCE: usize = 16;

    let snapshot = Rc::new(router.snapshots().take(Instant::now()));
    let read = |(index, plan)| {
        let (router, snapshot) = (Rc::clone(router), Rc::clone(&snapshot));
        async move {
            let failed = |cause| Failure::Batch { index, cause: Box::new(cause) };
            read_at(&router, plan, &snapshot).await.map_err(failed)
        }
    };
    let mut reads = stream::iter(plans.into_iter().enumerate()).map(read).buffered(AT_ONCE);
    let (mut replies, mut bytes) = (Vec::new(), 0);
    while let Some(reply) = reads.next().await {
        let reply = reply?;
        bytes += reply.bytes();
        if bytes > UNARY_ROWS_BYTES_MAX {
            let cause = Box::new(Failure::TooLarge(batch_answer_too_large()));
            return Err(Failure::Batch { index: replies.len(), cause });
        }
        replies.push(reply);
    }
    if snapshot.is_alive() {
        Ok(replies)
    } else {
        Err(Failure::ScanTooLong { seconds: SNAPSHOT_LIFETIME.as_secs() })
    }
}

/// One step and one record of one shard.
async fn on_one_shard(
    router: &Rc<Router>,
    share: Share,
    deadline: Option<Deadline>,
    conclude: impl FnOnce(Vec<Answers>) -> Result<Vec<Reply>, Failure>,
) -> Result<Ended<Vec<Reply>>, Failure> {
    if let Some(Deadline { timeout, .. }) =
        deadline.filter(|deadline| deadline.at <= Instant::now())
    {
        return Err(Failure::BatchTimeout { millis: timeout.as_millis() as u64 });
    }
    match router.run(share.shard, Operation::Batch(share.work)).await? {
        Reply::Batch(answers) => conclude(vec![answers]).map(Ended::Committed),
        Reply::Unmet(unmet) => Ok(Ended::Unmet(unmet)),
        _ => Err(Failure::Internal("a batch was answered by something else".into())),
    }
}

/// What each shard has to do, in the order of the shards: keys go to one, rows to all.
fn shares(router: &Router, conditions: Vec<Condition>, plans: Vec<Plan>) -> Vec<Share> {
    let mut shares: BTreeMap<u32, Share> = BTreeMap::new();
    let new = |shard| {
        let (locks, work) = (LockSet::default(), Work::default());
        move || Share { shard, locks, writes: false, work }
    };
    for (index, condition) in conditions.into_iter().enumerate() {
        let shard = router.shard_of(&condition.collection, &condition.key);
        let share = shares.entry(shard).or_insert_with(new(shard));
        share.work.conditions.push((index, condition));
    }
    let mut add = |shard, index, operation| {
        shares.entry(shard).or_insert_with(new(shard)).work.queries.push((index, operation));
    };
    for (index, plan) in plans.into_iter().enumerate() {
        let operation = match plan {
            Plan::Key { collection, key, operation } => {
                add(router.shard_of(&collection, &key), index, operation);
                continue;
            }
            Plan::Rows(rows) => {
                let wanted = rows.offset.saturating_add(rows.limit);
                let rows_max = usize::try_from(wanted).unwrap_or(usize::MAX);
                Operation::Scan(Scan { rows_max, ..rows.scan })
            }
            Plan::Update { collection, change } => {
                let check = Some(change);
                Operation::Scan(Scan { check, rows_max: usize::MAX, ..whole(collection) })
            }
            Plan::Command(_) => continue,
        };
        for shard in 0..router.shards() {
            add(shard, index, operation.clone());
        }
    }
    shares.into_values().collect()
}

fn only_reads(plan: &Plan) -> bool {
    match plan {
        Plan::Key { operation, .. } => !writes(operation),
        Plan::Rows(_) => true,
        Plan::Update { .. } | Plan::Command(_) => false,
    }
}

fn writes(operation: &Operation) -> bool {
    match operation {
        Operation::Get { .. } => false,
        Operation::Scan(scan) => scan.check.is_some(),
        _ => true,
    }
}

/// Which rows of those that all shards found a query is answered with.
struct Window {
    offset: usize,
    limit: usize,
}

impl Window {
    fn of(plan: &Plan) -> Self {
        let (offset, limit) = match plan {
            Plan::Rows(rows) => (rows.offset, rows.limit),
            _ => (0, u64::MAX),
        };
        let number = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Self { offset: number(offset), limit: number(limit) }
    }

    fn cut(&self, page: &mut Page) {
        // The rows of each shard are in order: sorting merges them.
        page.rows.sort_by(|(left, _), (right, _)| left.cmp(right));
        page.rows.drain(..self.offset.min(page.rows.len()));
        page.rows.truncate(self.limit);
    }
}

/// One reply for each query, from the answers of all shards; still in time to refuse the batch.
fn conclude(answers: Vec<Answers>, windows: &[Window]) -> Result<Vec<Reply>, Failure> {
    let mut replies: Vec<Option<Reply>> = windows.iter().map(|_| None).collect();
    for (index, reply) in answers.into_iter().flatten() {
        match (&mut replies[index], reply) {
            (Some(Reply::Affected(sum)), Reply::Affected(rows)) => *sum += rows,
            (Some(Reply::Page(all)), Reply::Page(page)) => all.rows.extend(page.rows),
            (place, reply) => *place = Some(reply),
        }
    }
    let mut bytes_left = UNARY_ROWS_BYTES_MAX;
    let whole = |(index, (reply, window)): (usize, (Option<Reply>, &Window))| {
        let failed = |cause| Failure::Batch { index, cause: Box::new(cause) };
        let mut reply =
            reply.ok_or_else(|| failed(Failure::Internal("no shard answered".into())))?;
        if let Reply::Page(page) = &mut reply {
            window.cut(page);
        }
        let left = bytes_left.checked_sub(reply.bytes());
        bytes_left = left.ok_or_else(|| failed(Failure::TooLarge(batch_answer_too_large())))?;
        Ok(reply)
    };
    replies.into_iter().zip(windows).enumerate().map(whole).collect()
}
