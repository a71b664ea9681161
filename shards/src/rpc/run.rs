//! Checked work, carried out over the shards.

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::future::join_all;

use super::plan::{Plan, Rows, whole};
use crate::{
    failure::Failure,
    limits::{UNARY_ROWS_BYTES_MAX, UPDATE_ROWS_MAX},
    router::{
        Router,
        execute::row_bytes,
        merge::Merge,
        operation::{Operation, Reply, Scan},
        update::Change,
    },
    storage::{Page, Value},
    turn::give_way,
};

/// Runs a plan to its one answer.
///
/// # Errors
/// What the operation or a bound refuses.
pub async fn run(router: &Rc<Router>, plan: Plan) -> Result<Reply, Failure> {
    match plan {
        Plan::Key { collection, key, operation } => {
            router.run(router.shard_of(&collection, &key), operation).await
        }
        Plan::Rows(rows) => gather(Cursor::new(router, rows)).await,
        Plan::Update { collection, change } => update(router, collection, change).await,
        Plan::UnknownCommand => Ok(Reply::Value(None)),
    }
}

/// Runs plans as one atomic batch, in order.
///
/// # Errors
/// [`Failure::Batch`]; nothing was applied.
pub async fn run_batch(router: &Rc<Router>, plans: Vec<Plan>) -> Result<Vec<Reply>, Failure> {
    if plans.is_empty() {
        return Ok(Vec::new());
    }
    let shard = one_shard(router, &plans)?;
    let offsets: Vec<usize> = plans.iter().map(offset).collect();
    let operations = plans.into_iter().map(batched).collect();
    let Reply::Batch(mut replies) = router.run(shard, Operation::Batch(operations)).await? else {
        return Err(Failure::Internal("a batch was answered by something else".into()));
    };
    for (reply, offset) in replies.iter_mut().zip(offsets) {
        if let Reply::Page(page) = reply {
            page.rows.drain(..offset.min(page.rows.len()));
        }
    }
    Ok(replies)
}

/// Rows that a query of a batch leaves out at the beginning.
fn offset(plan: &Plan) -> usize {
    match plan {
        Plan::Rows(rows) => usize::try_from(rows.offset).unwrap_or(usize::MAX),
        _ => 0,
    }
}

/// The shard on which all of a batch happens.
fn one_shard(router: &Router, plans: &[Plan]) -> Result<u32, Failure> {
    let refuse = |index, text: String| {
        let cause = Box::new(Failure::InvalidRequest(text));
        Err(Failure::Batch { index, cause })
    };
    let mut chosen = None;
    for (index, plan) in plans.iter().enumerate() {
        match plan {
            Plan::Key { collection, key, .. } => {
                let shard = router.shard_of(collection, key);
                let first = *chosen.get_or_insert(shard);
                if first != shard {
                    return refuse(
                        index,
                        format!(
                            "its key lives on shard {shard}, those before it on shard {first}; \
                             a batch across shards is not supported"
                        ),
                    );
                }
            }
            Plan::Rows(_) | Plan::Update { .. } if router.shards() > 1 => {
                return refuse(
                    index,
                    format!(
                        "it reads all {} shards; a batch across shards is not supported",
                        router.shards()
                    ),
                );
            }
            Plan::Rows(_) | Plan::Update { .. } => {
                chosen.get_or_insert(0);
            }
            Plan::UnknownCommand => {
                return refuse(index, "admin commands do not belong in a batch".into());
            }
        }
    }
    Ok(chosen.unwrap_or(0))
}

fn batched(plan: Plan) -> Operation {
    match plan {
        Plan::Key { operation, .. } => operation,
        Plan::Rows(rows) => {
            let wanted = rows.offset.saturating_add(rows.limit);
            let rows_max = usize::try_from(wanted).unwrap_or(usize::MAX);
            Operation::Scan(Scan { rows_max, ..rows.scan })
        }
        Plan::Update { collection, change } => {
            Operation::Scan(Scan { check: Some(change), rows_max: usize::MAX, ..whole(collection) })
        }
        Plan::UnknownCommand => unreachable!("refused when the shard was chosen"),
    }
}

/// The rows of a plan, one after the other.
pub struct Cursor {
    merge: Merge,
    offset: u64,
    limit: u64,
}

impl Cursor {
    /// Begins; nothing is read until the first row is asked for.
    pub fn new(router: &Rc<Router>, rows: Rows) -> Self {
        let merge = Merge::new(Rc::clone(router), rows.scan);
        Self { merge, offset: rows.offset, limit: rows.limit }
    }

    /// The next row; none at the end.
    ///
    /// # Errors
    /// What a shard refuses.
    pub async fn next(&mut self) -> Result<Option<(Bytes, Value)>, Failure> {
        if self.limit == 0 {
            return Ok(None);
        }
        while self.offset > 0 {
            if self.merge.next().await?.is_none() {
                self.limit = 0;
                return Ok(None);
            }
            self.offset -= 1;
        }
        self.limit -= 1;
        self.merge.next().await
    }
}

async fn gather(mut cursor: Cursor) -> Result<Reply, Failure> {
    let mut rows = Vec::new();
    let mut bytes = 0;
    while let Some(row) = cursor.next().await? {
        bytes += row_bytes(&row);
        if bytes > UNARY_ROWS_BYTES_MAX {
            return Err(Failure::TooLarge(format!(
                "the rows exceed the {UNARY_ROWS_BYTES_MAX} bytes of one answer; use \
                 ExecuteStream, or a limit"
            )));
        }
        rows.push(row);
    }
    Ok(Reply::Page(Page { rows, next: None }))
}

/// Changes the rows that match, in two passes: all rows of all shards are looked at and the
/// change is tried on each, and only when none refuses it is it applied, atomically on each shard.
async fn update(
    router: &Rc<Router>,
    collection: ByteString,
    change: Arc<Change>,
) -> Result<Reply, Failure> {
    let find = |shard| matching(router, shard, &collection, &change);
    let found = join_all((0..router.shards()).map(find)).await;
    let found = found.into_iter().collect::<Result<Vec<_>, Failure>>()?;
    let apply =
        found.into_iter().zip(0..).filter(|(keys, _)| !keys.is_empty()).map(|(keys, shard)| {
            let (collection, change) = (collection.clone(), Arc::clone(&change));
            router.run(shard, Operation::Update { collection, keys, change })
        });
    let mut affected = 0;
    for reply in join_all(apply).await {
        match reply? {
            Reply::Affected(rows) => affected += rows,
            _ => return Err(Failure::Internal("an update was answered by something else".into())),
        }
    }
    Ok(Reply::Affected(affected))
}

/// The keys of one shard whose rows the change applies to.
async fn matching(
    router: &Rc<Router>,
    shard: u32,
    collection: &ByteString,
    change: &Arc<Change>,
) -> Result<Vec<Bytes>, Failure> {
    let mut keys = Vec::new();
    let mut from = Some(Bytes::new());
    while let Some(start) = from {
        let check = Some(Arc::clone(change));
        let scan = Scan { check, from: start, ..whole(collection.clone()) };
        let Reply::Page(page) = router.run(shard, Operation::Scan(scan)).await? else {
            return Err(Failure::Internal("a scan was answered by something else".into()));
        };
        keys.extend(page.rows.into_iter().map(|(key, _)| key));
        if keys.len() > UPDATE_ROWS_MAX {
            return Err(Failure::TooLarge(format!(
                "the update matches more than {UPDATE_ROWS_MAX} rows of one shard; narrow the \
                 predicate"
            )));
        }
        from = page.next;
        // A page of a shard at home came at once; others want to be served between two pages.
        give_way().await;
    }
    Ok(keys)
}
