//! From a query on the wire to checked work: what is asked, of which shard, within which bounds.

use std::sync::Arc;

use amaters_proto::{
    query::{self, FilterQuery, Query, RangeQuery, UpdateQuery},
    types::Key,
};
use bytes::Bytes;
use bytestring::ByteString;

use super::{admin::Command, check};
use crate::{
    failure::Failure,
    limits::{KEY_BYTES_MAX, SCAN_STEP_ROWS_MAX},
    router::{
        operation::{Operation, Scan},
        predicate::Predicate,
        update::Change,
    },
};

/// Checked work.
#[derive(Debug)]
pub enum Plan {
    /// An operation on one key.
    Key { collection: ByteString, key: Bytes, operation: Operation },
    /// Rows of all shards, in key order.
    Rows(Rows),
    /// A change of all rows that match.
    Update { collection: ByteString, change: Arc<Change> },
    /// A command of the admin protocol.
    Command(Command),
}

/// Rows of all shards, in key order.
#[derive(Debug)]
pub struct Rows {
    /// What each shard is asked.
    pub scan: Scan,
    /// Rows to leave out at the beginning.
    pub offset: u64,
    /// Rows to give, at most.
    pub limit: u64,
}

impl Plan {
    /// Checks a query.
    ///
    /// # Errors
    /// What is missing, malformed or over a bound.
    pub fn of(query: Option<Query>) -> Result<Self, Failure> {
        use query::query::Query as Kind;

        let kind = query.and_then(|query| query.query).ok_or(Failure::MissingField("query"))?;
        match kind {
            Kind::Get(get) => {
                let (collection, key) = place(get.collection, get.key)?;
                check::key(&key)?;
                if key.starts_with(check::ADMIN_PREFIX) {
                    return Command::parse(&key[check::ADMIN_PREFIX.len()..]).map(Self::Command);
                }
                let operation = Operation::Get { collection: collection.clone(), key: key.clone() };
                Ok(Self::Key { collection, key, operation })
            }
            Kind::Set(set) => {
                let (collection, key) = place(set.collection, set.key)?;
                check::key_to_write(&key)?;
                let value = check::blob(set.value)?;
                let operation =
                    Operation::Set { collection: collection.clone(), key: key.clone(), value };
                Ok(Self::Key { collection, key, operation })
            }
            Kind::Delete(delete) => {
                let (collection, key) = place(delete.collection, delete.key)?;
                check::key_to_write(&key)?;
                let operation =
                    Operation::Delete { collection: collection.clone(), key: key.clone() };
                Ok(Self::Key { collection, key, operation })
            }
            Kind::Range(range) => range_plan(range).map(Self::Rows),
            Kind::Filter(filter) => filter_plan(filter).map(Self::Rows),
            Kind::Update(update) => update_plan(update),
        }
    }
}

impl Rows {
    /// Rows that the scan must show at least, before offset and limit are done with.
    fn rows_max(offset: u64, limit: u64) -> usize {
        let wanted = offset.saturating_add(limit).min(SCAN_STEP_ROWS_MAX as u64);
        wanted as usize
    }
}

fn range_plan(range: RangeQuery) -> Result<Rows, Failure> {
    let collection = collection(range.collection)?;
    let from = bound(range.start, "start")?;
    let to = bound(range.end, "end")?;
    let limit = range.limit.map_or(u64::MAX, u64::from);
    let rows_max = Rows::rows_max(0, limit);
    let scan = Scan { from, to: Some(to), rows_max, ..whole(collection) };
    Ok(Rows { scan, offset: 0, limit })
}

fn filter_plan(query: FilterQuery) -> Result<Rows, Failure> {
    let collection = collection(query.collection)?;
    let predicate = query.predicate.ok_or(Failure::MissingField("predicate"))?;
    let filter = Some(Arc::new(Predicate::compile(predicate)?));
    let scan = Scan { filter, ..whole(collection) };
    let offset = query.offset.map_or(0, u64::from);
    Ok(Rows { scan, offset, limit: query.limit.map_or(u64::MAX, u64::from) })
}

fn update_plan(update: UpdateQuery) -> Result<Plan, Failure> {
    let collection = collection(update.collection)?;
    let change = Change::compile(update.predicate, update.updates, check::blob)?;
    Ok(Plan::Update { collection, change: Arc::new(change) })
}

/// A scan of a whole collection.
pub fn whole(collection: ByteString) -> Scan {
    Scan {
        collection,
        from: Bytes::new(),
        to: None,
        rows_max: SCAN_STEP_ROWS_MAX,
        filter: None,
        epoch: None,
        check: None,
    }
}

/// A collection and a key in it.
///
/// # Errors
/// [`Failure::MissingField`], and what is wrong with the name.
pub fn place(name: String, key: Option<Key>) -> Result<(ByteString, Bytes), Failure> {
    let key = key.ok_or(Failure::MissingField("key"))?.data;
    Ok((collection(name)?, key))
}

fn collection(name: String) -> Result<ByteString, Failure> {
    check::collection(&name)?;
    Ok(ByteString::from(name))
}

/// A border of a range: any bytes up to the longest key, and one more so that it can lie behind it.
fn bound(key: Option<Key>, name: &'static str) -> Result<Bytes, Failure> {
    let key = key.ok_or(Failure::MissingField(name))?.data;
    if key.len() > KEY_BYTES_MAX + 1 {
        return Err(Failure::Key(format!(
            "the {name} of the range has {} bytes; up to {} are allowed",
            key.len(),
            KEY_BYTES_MAX + 1
        )));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;
    use amaters_proto::{
        aql::QueryRequest,
        types::{self, predicate::Predicate as Wire, update::Operation as Step},
    };
    use prost::Message;

    use super::*;
    use crate::storage::Value;

    fn blob(data: &'static [u8]) -> Option<types::CipherBlob> {
        Some(types::CipherBlob { data: Bytes::from_static(data), metadata: None })
    }

    fn predicate(wire: Wire) -> Option<types::Predicate> {
        Some(types::Predicate { predicate: Some(wire) })
    }

    /// Requests of the kinds that are not of one key.
    fn seeds() -> Vec<Vec<u8>> {
        let key = |text: &'static str| Some(Key { data: Bytes::from_static(text.as_bytes()) });
        let boxed = |wire| predicate(wire).map(Box::new);
        let greater = || Wire::Gt(types::GtPredicate { column: None, value: blob(b"\x05") });
        let equal = || Wire::Eq(types::EqPredicate { column: None, value: blob(b"\0\x07") });
        let not = types::NotPredicate { predicate: boxed(equal()) };
        let not = boxed(Wire::Not(Box::new(not)));
        let both = types::AndPredicate { left: boxed(greater()), right: not };
        let both = boxed(Wire::And(Box::new(both)));
        let either = types::OrPredicate { left: both, right: boxed(equal()) };
        let either = Wire::Or(Box::new(either));
        let update = |operation| types::Update { operation: Some(operation) };
        let updates = vec![
            update(Step::Add(types::AddUpdate { column: None, value: blob(b"\x01\x02") })),
            update(Step::Mul(types::MulUpdate { column: None, value: blob(b"\x03\x04") })),
            update(Step::Set(types::SetUpdate { column: None, value: blob(b"\x05\x06") })),
        ];
        let collection = || "collection".to_owned();
        let kinds = [
            query::query::Query::Range(RangeQuery {
                collection: collection(),
                start: key("a"),
                end: key("z"),
                limit: Some(10),
            }),
            query::query::Query::Filter(FilterQuery {
                collection: collection(),
                predicate: predicate(either.clone()),
                limit: None,
                offset: Some(3),
            }),
            query::query::Query::Update(UpdateQuery {
                collection: collection(),
                predicate: predicate(either),
                updates,
            }),
        ];
        let request = |kind| QueryRequest {
            query: Some(Query { query: Some(kind) }),
            ..QueryRequest::default()
        };
        kinds.map(|kind| request(kind).encode_to_vec()).to_vec()
    }

    /// A request is refused in words, or becomes work within its bounds that looks at rows without a panic.
    #[test]
    fn fuzz_requests() {
        let values = [&b""[..], b"\x07", b"\x01\x02", &[0xff; 64], &[1; 65]];
        let values = values.map(|data| Value {
            data: Bytes::from_static(data),
            meta: crate::storage::Meta::default(),
        });
        Campaign::new("requests", seeds()).run(|bytes| {
            let request = QueryRequest::decode(bytes).map_err(|error| error.to_string())?;
            let plan = Plan::of(request.query).map_err(|failure| failure.to_string())?;
            let mut matches = 0;
            match &plan {
                Plan::Rows(Rows { scan, .. }) => {
                    assert!(scan.rows_max <= SCAN_STEP_ROWS_MAX);
                    let filter = scan.filter.as_deref();
                    let found = |filter: &Predicate| {
                        let all = values.iter().map(|value| filter.matches(b"key", &value.data));
                        all.flatten().filter(|matches| *matches).count()
                    };
                    matches = filter.map_or(0, found);
                }
                Plan::Update { change, .. } => {
                    for value in &values {
                        let changed = change.apply(b"key", value, 1_700_000_000);
                        matches += usize::from(changed.is_ok_and(|changed| changed.is_some()));
                    }
                }
                Plan::Key { .. } | Plan::Command(_) => {}
            }
            Ok(matches as u64)
        });
    }
}
