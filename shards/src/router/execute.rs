//! An operation on the shard that owns its keys: one synchronous step, then perhaps a wait.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::{
    operation::{Operation, Reply, Scan},
    update::Change,
};
use crate::{
    failure::Failure,
    limits::{BATCH_ROWS_MAX, SCAN_STEP_BYTES_MAX, SCAN_STEP_ROWS_MAX, UNARY_ROWS_BYTES_MAX},
    storage::{Page, PageLimit, Shard, Ticket, Transaction, Value},
};

/// The reply of a step, and what must happen before it may be given.
pub struct Outcome {
    /// The answer.
    pub reply: Reply,
    /// Resolves when all that the answer tells of is durable and visible; none: it is already.
    pub ticket: Option<Ticket>,
}

/// Runs one operation on `shard`.
///
/// # Errors
/// What the storage or the operation itself refuses; nothing was applied then.
pub fn execute(shard: &Shard, operation: Operation) -> Result<Outcome, Failure> {
    match operation {
        Operation::Get { collection, key } => Ok(Reply::Value(shard.get(&collection, &key)?).now()),
        Operation::Set { collection, key, value } => {
            let ticket = shard.set(&collection, &key, value)?;
            Ok(Reply::Affected(1).after(ticket))
        }
        Operation::Delete { collection, key } => {
            let (existed, ticket) = shard.delete(&collection, &key)?;
            Ok(Reply::Affected(u64::from(existed)).after(ticket))
        }
        Operation::Scan(scan) => Ok(Reply::Page(page(shard, &scan)?).now()),
        Operation::Update { collection, keys, change } => {
            let (affected, ticket) =
                shard.transact(|transaction| update(transaction, &collection, &keys, &change))?;
            Ok(Reply::Affected(affected).after(ticket))
        }
        Operation::Batch(operations) => {
            let (replies, ticket) = shard.transact(|transaction| batch(transaction, operations))?;
            Ok(Reply::Batch(replies).after(ticket))
        }
    }
}

impl Reply {
    fn now(self) -> Outcome {
        Outcome { reply: self, ticket: None }
    }

    fn after(self, ticket: Ticket) -> Outcome {
        let ticket = (!ticket.is_done()).then_some(ticket);
        Outcome { reply: self, ticket }
    }
}

fn page(shard: &Shard, scan: &Scan) -> Result<Page, Failure> {
    let limit =
        PageLimit { rows: scan.rows_max.clamp(1, SCAN_STEP_ROWS_MAX), bytes: SCAN_STEP_BYTES_MAX };
    let mut page = shard.scan(&scan.collection, &scan.from, scan.to.as_deref(), limit)?;
    sift(&mut page, scan)?;
    Ok(page)
}

/// Drops the rows that the scan does not ask for.
fn sift(page: &mut Page, scan: &Scan) -> Result<(), Failure> {
    let now = unix_seconds();
    let mut failure = None;
    page.rows.retain_mut(|(key, value)| {
        let wanted = match (&scan.filter, &scan.check) {
            (Some(filter), _) => filter.matches(key, &value.data),
            (None, Some(change)) => {
                let changed = change.apply(key, value, now);
                value.data = Bytes::new();
                changed.map(|changed| changed.is_some())
            }
            (None, None) => Ok(true),
        };
        wanted.unwrap_or_else(|error| {
            failure.get_or_insert(error);
            false
        })
    });
    failure.map_or(Ok(()), Err)
}

fn update(
    transaction: &mut Transaction<'_>,
    collection: &str,
    keys: &[Bytes],
    change: &Change,
) -> Result<u64, Failure> {
    let now = unix_seconds();
    let mut affected = 0;
    for key in keys {
        let Some(value) = transaction.get(collection, key) else { continue };
        if let Some(changed) = change.apply(key, &value, now)? {
            transaction.set(collection, key, changed)?;
            affected += 1;
        }
    }
    Ok(affected)
}

fn batch(
    transaction: &mut Transaction<'_>,
    operations: Vec<Operation>,
) -> Result<Vec<Reply>, Failure> {
    let mut bytes_left = UNARY_ROWS_BYTES_MAX;
    let mut rows_left = BATCH_ROWS_MAX;
    let step = |(index, operation)| {
        one_of_batch(transaction, operation, &mut rows_left)
            .and_then(|reply| {
                bytes_left = bytes_left
                    .checked_sub(reply.bytes())
                    .ok_or_else(|| Failure::TooLarge(batch_answer_too_large()))?;
                Ok(reply)
            })
            .map_err(|cause| Failure::Batch { index, cause: Box::new(cause) })
    };
    operations.into_iter().enumerate().map(step).collect()
}

/// `rows_left` is what the batch may still look at in scans and updates.
fn one_of_batch(
    transaction: &mut Transaction<'_>,
    operation: Operation,
    rows_left: &mut usize,
) -> Result<Reply, Failure> {
    Ok(match operation {
        Operation::Get { collection, key } => Reply::Value(transaction.get(&collection, &key)),
        Operation::Set { collection, key, value } => {
            transaction.set(&collection, &key, value)?;
            Reply::Affected(1)
        }
        Operation::Delete { collection, key } => {
            Reply::Affected(u64::from(transaction.delete(&collection, &key)?))
        }
        Operation::Scan(scan) => {
            let page = scan_whole(transaction, &scan, rows_left)?;
            match &scan.check {
                None => Reply::Page(page),
                Some(change) => {
                    let keys: Vec<Bytes> = page.rows.into_iter().map(|(key, _)| key).collect();
                    Reply::Affected(update(transaction, &scan.collection, &keys, change)?)
                }
            }
        }
        Operation::Update { .. } | Operation::Batch(_) => {
            return Err(Failure::Internal("a batch holds only simple operations".into()));
        }
    })
}

/// A scan inside a transaction: it cannot give way between pages, so its size is bounded.
fn scan_whole(
    transaction: &Transaction<'_>,
    scan: &Scan,
    rows_left: &mut usize,
) -> Result<Page, Failure> {
    let wanted_all = scan.filter.is_none() && scan.check.is_none();
    let rows_max = if wanted_all { scan.rows_max } else { usize::MAX };
    let limit = PageLimit { rows: rows_max.min(*rows_left + 1), bytes: UNARY_ROWS_BYTES_MAX };
    let mut page = transaction.scan(&scan.collection, &scan.from, scan.to.as_deref(), limit);
    // A page has a row also where none is wanted.
    page.rows.truncate(rows_max);
    if page.rows.len() > *rows_left || (page.rows.len() < rows_max && page.next.is_some()) {
        return Err(Failure::TooLarge(format!(
            "the queries of a batch look at no more than {BATCH_ROWS_MAX} rows together, and each \
             at {UNARY_ROWS_BYTES_MAX} bytes; ask outside a batch, in parts"
        )));
    }
    *rows_left -= page.rows.len();
    sift(&mut page, scan)?;
    page.rows.truncate(scan.rows_max);
    Ok(page)
}

impl Reply {
    /// Bytes of keys and values in the reply.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Value(value) => value.as_ref().map_or(0, |value| value.data.len()),
            Self::Affected(_) => 0,
            Self::Page(page) => page.rows.iter().map(row_bytes).sum(),
            Self::Batch(replies) => replies.iter().map(Self::bytes).sum(),
        }
    }
}

/// Bytes that a row takes in an answer, near enough for bounds: key, data, metadata and tags.
pub fn row_bytes((key, value): &(Bytes, Value)) -> usize {
    const METADATA_AND_TAGS_BYTES: usize = 64;
    key.len() + value.data.len() + METADATA_AND_TAGS_BYTES
}

fn batch_answer_too_large() -> String {
    format!("the answers of a batch are bounded to {UNARY_ROWS_BYTES_MAX} bytes; split the batch")
}

/// Now, in seconds since the Unix epoch: the unit of `created_at`.
pub fn unix_seconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
