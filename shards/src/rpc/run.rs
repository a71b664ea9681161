//! Checked work, carried out over the shards.

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use bytestring::ByteString;

use super::plan::{Plan, Rows, whole};
use crate::{
    failure::Failure,
    limits::{UNARY_ROWS_BYTES_MAX, UPDATE_ROWS_MAX},
    router::{
        Router,
        coordinator::{self, Deadline},
        execute::row_bytes,
        merge::Merge,
        operation::{Operation, Reply, Scan},
        update::Change,
    },
    storage::{LockSet, Page, Snapshot, Value},
    turn::give_way,
};

/// Runs a plan to its one answer. `deadline` is for what has to be undone when time is up.
///
/// # Errors
/// What the operation or a bound refuses.
pub async fn run(
    router: &Rc<Router>,
    plan: Plan,
    deadline: Option<Deadline>,
) -> Result<Reply, Failure> {
    match plan {
        Plan::Key { collection, key, operation } => {
            router.run(router.shard_of(&collection, &key), operation).await
        }
        Plan::Rows(rows) => gather(Cursor::new(router, rows)).await,
        Plan::Update { collection, change } => update(router, collection, change, deadline).await,
        // Whoever takes commands answers them without a plan to run.
        Plan::Command(_) => Err(Failure::Internal("an admin command came to the shards".into())),
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

    /// The same of an instant that others read too.
    fn at(router: &Rc<Router>, rows: Rows, snapshot: &Rc<Snapshot>) -> Self {
        let merge = Merge::at(Rc::clone(router), rows.scan, snapshot);
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
        let row = self.merge.next().await?;
        if self.limit == 0 {
            self.merge.end();
        }
        Ok(row)
    }
}

/// Reads one instant.
///
/// # Errors
/// What a shard or a bound refuses, or what does not only read.
pub async fn read_at(
    router: &Rc<Router>,
    plan: Plan,
    snapshot: &Rc<Snapshot>,
) -> Result<Reply, Failure> {
    match plan {
        Plan::Rows(rows) => gather(Cursor::at(router, rows, snapshot)).await,
        Plan::Key { collection, key, operation: Operation::Get { .. } } => {
            let shard = router.shard_of(&collection, &key);
            let behind = Bytes::from([&key[..], &[0]].concat());
            let epoch = Some(snapshot.epoch());
            let mut scan =
                Scan { from: key, to: Some(behind), rows_max: 1, epoch, ..whole(collection) };
            loop {
                let reply = router.run(shard, Operation::Scan(scan.clone())).await?;
                let Reply::Page(mut page) = reply else {
                    return Err(Failure::Internal("a scan was answered by something else".into()));
                };
                match (page.rows.pop(), page.next) {
                    (Some((_, value)), _) => return Ok(Reply::Value(Some(value))),
                    (None, Some(next)) => scan.from = next,
                    (None, None) => return Ok(Reply::Value(None)),
                }
            }
        }
        _ => Err(Failure::Internal("a read of an instant cannot write".into())),
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

/// Changes the rows that match, of all shards as one step: while their collection is locked, all rows are looked at and the
/// change is tried on each; only when none refuses it is it applied.
async fn update(
    router: &Rc<Router>,
    collection: ByteString,
    change: Arc<Change>,
    deadline: Option<Deadline>,
) -> Result<Reply, Failure> {
    let mut locks = LockSet::default();
    locks.collection(&collection, true);
    let at = Rc::clone(router);
    let find = move |shard| {
        let (router, collection, change) =
            (Rc::clone(&at), collection.clone(), Arc::clone(&change));
        async move {
            let keys = matching(&router, shard, &collection, &change).await?;
            Ok((!keys.is_empty()).then_some(Operation::Update { collection, keys, change }))
        }
    };
    let answers = coordinator::run_found(router, locks, deadline, find).await.map_err(alone)?;
    let affected = |reply| if let Reply::Affected(rows) = reply { rows } else { 0 };
    Ok(Reply::Affected(answers.into_iter().flatten().map(|(_, reply)| affected(reply)).sum()))
}

/// The failure of a query that was no batch to its client.
fn alone(failure: Failure) -> Failure {
    match failure {
        Failure::Batch { cause, .. } => *cause,
        failure => failure,
    }
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
