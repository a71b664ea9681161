//! An operation on the shard that owns its keys: one synchronous step, then perhaps a wait.

use std::{panic::AssertUnwindSafe, rc::Rc};

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::{FutureExt, future::LocalBoxFuture};

use super::{
    condition::{self, Unmet},
    coordinator::Answers,
    noted::{note_batch, note_value},
    operation::{Operation, Prepare, Reply, Scan, Work},
    panic_text,
    update::Change,
};
use crate::{
    failure::Failure,
    limits::{BATCH_ROWS_MAX, SCAN_STEP_BYTES_MAX, SCAN_STEP_ROWS_MAX, UNARY_ROWS_BYTES_MAX},
    storage::{Answer, LockSet, Page, PageLimit, Shard, StorageError, Ticket, Transaction, Value},
    traffic::Traffic,
    utc::unix_seconds,
};

/// What a step came to.
pub enum Outcome {
    /// The reply.
    Ready(Reply),
    /// The reply, to be given when all that it tells of is durable and visible.
    Durable(Reply, Ticket),
    /// The reply comes when the disk has been read; it may be given then.
    Later(LocalBoxFuture<'static, Result<Reply, Failure>>),
}

/// Runs one operation on `shard`, and lets `traffic` know of the keys and values that it names.
///
/// # Errors
/// What the storage or the operation itself refuses; nothing was applied then.
pub fn execute(
    shard: &Shard,
    operation: Operation,
    traffic: &Rc<Traffic>,
) -> Result<Outcome, Failure> {
    #[cfg(test)]
    crate::containment::strike_operation(&operation);
    match operation {
        Operation::Get { collection, key } => {
            let owned = || (collection.clone(), key.clone());
            Outcome::of_get(shard.get(&collection, &key), traffic, (&collection, &key), owned)
        }
        Operation::Set { collection, key, value } => {
            traffic.asked(&collection, &key, true);
            let set = shard.set(&collection, &key, value.clone());
            if matches!(set, Ok(_) | Err(StorageError::Locked)) {
                note_value(traffic, &collection, &key, Some(&value));
            }
            match set {
                Ok(ticket) => Ok(Outcome::after(Reply::Affected(1), ticket)),
                Err(StorageError::Locked) => {
                    let set = shard.set_in_turn(&collection, &key, value);
                    Outcome::of_write(set, |()| Reply::Affected(1))
                }
                Err(error) => Err(error.into()),
            }
        }
        Operation::Delete { collection, key } => {
            traffic.asked(&collection, &key, true);
            let reply = |existed| Reply::Affected(u64::from(existed));
            Outcome::of_write(shard.delete(&collection, &key), reply)
        }
        Operation::Scan(scan) => {
            if let Some(key) = scan.only_key() {
                traffic.asked(&scan.collection, key, false);
            }
            page(shard, scan)
        }
        Operation::Update { .. } => {
            Err(Failure::Internal("an update is a share of a batch".to_owned()))
        }
        Operation::Batch(work) => {
            let work = Rc::new(work);
            let (locked, done) = (Rc::clone(&work), Rc::clone(&work));
            let step = move |transaction: &mut Transaction<'_>| batch(transaction, &work);
            let answer = shard.transact(move || locks_of(&locked), step);
            let traffic = Rc::clone(traffic);
            Outcome::of_write(answer, move |step| match step {
                Step::Done(answers) => {
                    note_batch(&traffic, &done, &answers);
                    Reply::Batch(answers)
                }
                Step::Unmet(unmet) => Reply::Unmet(unmet),
            })
        }
        Operation::Lock { batch, locks } => {
            Outcome::of_read(shard.lock(&batch, locks), |()| Ok(Reply::Done))
        }
        Operation::Prepare(Prepare { batch, locks, writers, work }) => {
            if locks.is_some_and(|locks| !shard.try_lock(&batch, locks)) {
                return Ok(Outcome::Ready(Reply::Prepared(None)));
            }
            let work = Rc::new(work);
            let (done, traffic) = (Rc::clone(&work), Rc::clone(traffic));
            let step = move |transaction: &mut Transaction<'_>| self::batch(transaction, &work);
            let is_yes = |step: &Step| matches!(step, Step::Done(_));
            let prepared = shard.prepare(&batch, writers, step, is_yes);
            Outcome::of_write(prepared, move |step| match step {
                Step::Done(answers) => {
                    note_batch(&traffic, &done, &answers);
                    Reply::Prepared(Some(answers))
                }
                Step::Unmet(unmet) => Reply::Unmet(unmet),
            })
        }
        Operation::Finish { batch } => Ok(Outcome::after(Reply::Done, shard.finish(&batch)?)),
        Operation::Collections => Ok(Outcome::Ready(Reply::Names(shard.collections()))),
        Operation::Sync => Ok(Outcome::after(Reply::Done, shard.sync()?)),
        Operation::NoteCommitted(batches) => {
            Ok(Outcome::after(Reply::Done, shard.note_committed(&batches)?))
        }
    }
}

/// What a batch reads and writes on a shard, as locks.
pub fn locks_of(work: &Work) -> LockSet {
    let mut locks = LockSet::default();
    for (_, condition) in &work.conditions {
        condition.lock(&mut locks);
    }
    for (_, operation) in &work.queries {
        match operation {
            Operation::Get { collection, key } => locks.key(collection, key, false),
            Operation::Set { collection, key, .. } | Operation::Delete { collection, key } => {
                locks.key(collection, key, true);
            }
            Operation::Scan(scan) => locks.collection(&scan.collection, scan.check.is_some()),
            Operation::Update { collection, .. } => locks.collection(collection, true),
            _ => {}
        }
    }
    locks.sorted()
}

impl Outcome {
    /// Of a get of a key, of which `owned` is a copy for when the value comes later.
    pub fn of_get(
        answer: Answer<Option<Value>>,
        traffic: &Rc<Traffic>,
        (collection, key): (&str, &[u8]),
        owned: impl FnOnce() -> (ByteString, Bytes),
    ) -> Result<Self, Failure> {
        traffic.asked(collection, key, false);
        if let Answer::Now(found) = answer {
            let value = found?;
            note_value(traffic, collection, key, value.as_ref());
            return Ok(Self::Ready(Reply::Value(value)));
        }
        let (traffic, (collection, key)) = (Rc::clone(traffic), owned());
        Self::of_read(answer, move |value| {
            note_value(&traffic, &collection, &key, value.as_ref());
            Ok(Reply::Value(value))
        })
    }

    /// Of an operation that changes nothing.
    pub fn of_read<T: 'static>(
        answer: Answer<T>,
        reply: impl FnOnce(T) -> Result<Reply, Failure> + 'static,
    ) -> Result<Self, Failure> {
        match answer {
            Answer::Now(result) => Ok(Self::Ready(reply(result?)?)),
            Answer::Later(later) => Ok(Self::later(async move { reply(later.await?) })),
        }
    }

    /// Of an operation that changes something, and waits for its ticket.
    fn of_write<T: 'static, E: 'static>(
        answer: Answer<(T, Ticket), E>,
        reply: impl FnOnce(T) -> Reply + 'static,
    ) -> Result<Self, Failure>
    where
        Failure: From<E>,
    {
        match answer {
            Answer::Now(result) => {
                let (result, ticket) = result?;
                Ok(Self::after(reply(result), ticket))
            }
            Answer::Later(later) => Ok(Self::later(async move {
                let (result, ticket) = later.await?;
                ticket.await?;
                Ok(reply(result))
            })),
        }
    }

    fn after(reply: Reply, ticket: Ticket) -> Self {
        if ticket.is_done() { Self::Ready(reply) } else { Self::Durable(reply, ticket) }
    }

    /// A panic on the way is an internal error of this one request.
    fn later(work: impl Future<Output = Result<Reply, Failure>> + 'static) -> Self {
        let contained = AssertUnwindSafe(work).catch_unwind().map(|result| {
            result.unwrap_or_else(|panic| Err(Failure::Internal(panic_text(panic.as_ref()))))
        });
        Self::Later(Box::pin(contained))
    }
}

fn page(shard: &Shard, scan: Scan) -> Result<Outcome, Failure> {
    let limit =
        PageLimit { rows: scan.rows_max.clamp(1, SCAN_STEP_ROWS_MAX), bytes: SCAN_STEP_BYTES_MAX };
    let (from, to) = (&scan.from, scan.to.as_deref());
    let answer = shard.scan_at(&scan.collection, from, to, limit, scan.epoch);
    Outcome::of_read(answer, move |mut page| {
        sift(&mut page, &scan)?;
        Ok(Reply::Page(page))
    })
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
    for key in keys {
        // What lies on the disk is read all at once, before anything is changed.
        let _ = transaction.get(collection, key);
    }
    transaction.check_here()?;
    let now = unix_seconds();
    let mut affected = 0;
    for key in keys {
        let Some(value) = transaction.get(collection, key)? else { continue };
        if let Some(changed) = change.apply(key, &value, now)? {
            transaction.set(collection, key, changed)?;
            affected += 1;
        }
    }
    Ok(affected)
}

/// What a batch came to on a shard.
enum Step {
    Done(Answers),
    /// A condition did not hold; nothing was written.
    Unmet(Box<Unmet>),
}

fn batch(transaction: &mut Transaction<'_>, work: &Work) -> Result<Step, Failure> {
    if !work.conditions.is_empty() {
        condition::prefetch(transaction, &work.conditions)?;
        if let Some(unmet) = condition::first_unmet(transaction, &work.conditions)? {
            return Ok(Step::Unmet(Box::new(unmet)));
        }
    }
    for (_, operation) in &work.queries {
        // What lies on the disk is read all at once, before anything is changed.
        let _ = match operation {
            Operation::Get { collection, key } => transaction.get(collection, key).map(drop),
            Operation::Delete { collection, key } => transaction.has(collection, key).map(drop),
            _ => Ok(()),
        };
    }
    transaction.check_here()?;
    let mut bytes_left = UNARY_ROWS_BYTES_MAX;
    let mut rows_left = BATCH_ROWS_MAX;
    let step = |(index, operation): &(usize, Operation)| {
        one_of_batch(transaction, operation, &mut rows_left)
            .and_then(|reply| {
                bytes_left = bytes_left
                    .checked_sub(reply.bytes())
                    .ok_or_else(|| Failure::TooLarge(batch_answer_too_large()))?;
                Ok((*index, reply))
            })
            .map_err(|cause| Failure::Batch { index: *index, cause: Box::new(cause) })
    };
    Ok(Step::Done(work.queries.iter().map(step).collect::<Result<_, _>>()?))
}

/// `rows_left` is what the batch may still look at in scans and updates.
fn one_of_batch(
    transaction: &mut Transaction<'_>,
    operation: &Operation,
    rows_left: &mut usize,
) -> Result<Reply, Failure> {
    #[cfg(test)]
    crate::containment::strike_operation(operation);
    Ok(match operation {
        Operation::Get { collection, key } => Reply::Value(transaction.get(collection, key)?),
        Operation::Set { collection, key, value } => {
            transaction.set(collection, key, value.clone())?;
            Reply::Affected(1)
        }
        Operation::Delete { collection, key } => {
            Reply::Affected(u64::from(transaction.delete_for_good(collection, key)?))
        }
        Operation::Scan(scan) => {
            let page = scan_whole(transaction, scan, rows_left)?;
            match &scan.check {
                None => Reply::Page(page),
                Some(change) => {
                    let keys: Vec<Bytes> = page.rows.into_iter().map(|(key, _)| key).collect();
                    Reply::Affected(update(transaction, &scan.collection, &keys, change)?)
                }
            }
        }
        Operation::Update { collection, keys, change } => {
            Reply::Affected(update(transaction, collection, keys, change)?)
        }
        _ => return Err(Failure::Internal("a batch holds only simple operations".into())),
    })
}

/// A scan inside a transaction: it cannot give way between pages, so its size is bounded.
fn scan_whole(
    transaction: &mut Transaction<'_>,
    scan: &Scan,
    rows_left: &mut usize,
) -> Result<Page, Failure> {
    let wanted_all = scan.filter.is_none() && scan.check.is_none();
    let rows_max = if wanted_all { scan.rows_max } else { usize::MAX };
    let limit = PageLimit { rows: rows_max.min(*rows_left + 1), bytes: UNARY_ROWS_BYTES_MAX };
    let mut page = transaction.scan(&scan.collection, &scan.from, scan.to.as_deref(), limit)?;
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
            Self::Affected(_)
            | Self::Unmet(_)
            | Self::Done
            | Self::Names(_)
            | Self::Recent(_)
            | Self::Prepared(None) => 0,
            Self::Page(page) => page.rows.iter().map(row_bytes).sum(),
            Self::Batch(answers) | Self::Prepared(Some(answers)) => {
                answers.iter().map(|(_, reply)| reply.bytes()).sum()
            }
        }
    }
}

/// Bytes that a row takes in an answer, near enough for bounds: key, data, metadata and tags.
pub fn row_bytes((key, value): &(Bytes, Value)) -> usize {
    const METADATA_AND_TAGS_BYTES: usize = 64;
    key.len() + value.data.len() + METADATA_AND_TAGS_BYTES
}

/// What a client is told whose batch answers too much.
pub fn batch_answer_too_large() -> String {
    format!("the answers of a batch are bounded to {UNARY_ROWS_BYTES_MAX} bytes; split the batch")
}
