//! Messages as clients send them, in few words.

use std::time::{SystemTime, UNIX_EPOCH};

use amaters_proto::{
    aql::{BatchRequest, QueryRequest},
    query::{
        DeleteQuery, FilterQuery, GetQuery, KeyValue, Query, RangeQuery, SetQuery, UpdateQuery,
        query::Query as Kind,
    },
    types::{
        AddUpdate, AndPredicate, CipherBlob, CipherMetadata, ColumnRef, EqPredicate, GtPredicate,
        GtePredicate, Key, LtPredicate, LtePredicate, MulUpdate, NotPredicate, OrPredicate,
        Predicate, SetUpdate, Update, Version, predicate::Predicate as Condition,
        update::Operation,
    },
};
use bytes::Bytes;

/// The version that existing clients send.
pub(crate) const VERSION: Version = Version { major: 0, minor: 2, patch: 0 };

/// A request with everything that existing clients put into it.
pub(crate) fn request(asked: impl Into<Asked>) -> QueryRequest {
    QueryRequest {
        query: Some(asked.into().0),
        request_id: Some("6f1c2d3e".into()),
        timeout_ms: Some(30_000),
        transaction_id: None,
        version: Some(VERSION),
    }
}

/// The same for a batch.
pub(crate) fn batch_request(queries: Vec<Query>) -> BatchRequest {
    BatchRequest {
        queries,
        request_id: Some("7a8b9c0d".into()),
        timeout_ms: Some(60_000),
        isolation_level: 0,
        version: Some(VERSION),
    }
}

/// A value with the metadata that a client computes.
pub(crate) fn blob(data: impl Into<Bytes>) -> CipherBlob {
    let data = data.into();
    let metadata = CipherMetadata {
        size: data.len() as u64,
        compression: 0,
        checksum: crc32fast::hash(&data),
        created_at: unix_seconds(),
        version: None,
    };
    CipherBlob { data, metadata: Some(metadata) }
}

/// A value of a client that computes nothing.
pub(crate) fn bare(data: impl Into<Bytes>) -> CipherBlob {
    CipherBlob { data: data.into(), metadata: None }
}

pub(crate) fn unix_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

pub(crate) fn key(data: impl AsRef<[u8]>) -> Option<Key> {
    Some(Key { data: Bytes::copy_from_slice(data.as_ref()) })
}

pub(crate) fn get(collection: &str, name: impl AsRef<[u8]>) -> Query {
    of(Kind::Get(GetQuery { collection: collection.into(), key: key(name) }))
}

pub(crate) fn set(collection: &str, name: impl AsRef<[u8]>, value: CipherBlob) -> Query {
    let collection = collection.into();
    of(Kind::Set(SetQuery { collection, key: key(name), value: Some(value) }))
}

pub(crate) fn delete(collection: &str, name: impl AsRef<[u8]>) -> Query {
    of(Kind::Delete(DeleteQuery { collection: collection.into(), key: key(name) }))
}

/// Keys in `[start, end)`.
pub(crate) fn range(
    collection: &str,
    start: impl AsRef<[u8]>,
    end: impl AsRef<[u8]>,
) -> RangeQuery {
    RangeQuery { collection: collection.into(), start: key(start), end: key(end), limit: None }
}

/// Every key, as clients ask for it.
pub(crate) fn everything(collection: &str) -> RangeQuery {
    range(collection, "", [0xff; 16])
}

pub(crate) fn filter(collection: &str, predicate: Predicate) -> FilterQuery {
    let predicate = Some(predicate);
    FilterQuery { collection: collection.into(), predicate, limit: None, offset: None }
}

pub(crate) fn update(collection: &str, predicate: Predicate, updates: Vec<Update>) -> Query {
    let predicate = Some(predicate);
    of(Kind::Update(UpdateQuery { collection: collection.into(), predicate, updates }))
}

pub(crate) fn of(kind: Kind) -> Query {
    Query { query: Some(kind) }
}

impl From<RangeQuery> for Asked {
    fn from(range: RangeQuery) -> Self {
        Self(of(Kind::Range(range)))
    }
}

impl From<FilterQuery> for Asked {
    fn from(filter: FilterQuery) -> Self {
        Self(of(Kind::Filter(filter)))
    }
}

impl From<Query> for Asked {
    fn from(query: Query) -> Self {
        Self(query)
    }
}

/// Anything that can be asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked(pub(crate) Query);

/// Values have no columns; clients name one all the same.
fn column() -> Option<ColumnRef> {
    Some(ColumnRef { name: "value".into() })
}

fn operand(data: impl AsRef<[u8]>) -> Option<CipherBlob> {
    Some(blob(Bytes::copy_from_slice(data.as_ref())))
}

fn condition(predicate: Condition) -> Predicate {
    Predicate { predicate: Some(predicate) }
}

pub(crate) fn eq(data: impl AsRef<[u8]>) -> Predicate {
    condition(Condition::Eq(EqPredicate { column: column(), value: operand(data) }))
}

pub(crate) fn gt(data: impl AsRef<[u8]>) -> Predicate {
    condition(Condition::Gt(GtPredicate { column: column(), value: operand(data) }))
}

pub(crate) fn lt(data: impl AsRef<[u8]>) -> Predicate {
    condition(Condition::Lt(LtPredicate { column: column(), value: operand(data) }))
}

pub(crate) fn gte(data: impl AsRef<[u8]>) -> Predicate {
    condition(Condition::Gte(GtePredicate { column: column(), value: operand(data) }))
}

pub(crate) fn lte(data: impl AsRef<[u8]>) -> Predicate {
    condition(Condition::Lte(LtePredicate { column: column(), value: operand(data) }))
}

pub(crate) fn and(left: Predicate, right: Predicate) -> Predicate {
    let (left, right) = (Some(Box::new(left)), Some(Box::new(right)));
    condition(Condition::And(Box::new(AndPredicate { left, right })))
}

pub(crate) fn or(left: Predicate, right: Predicate) -> Predicate {
    let (left, right) = (Some(Box::new(left)), Some(Box::new(right)));
    condition(Condition::Or(Box::new(OrPredicate { left, right })))
}

pub(crate) fn not(inner: Predicate) -> Predicate {
    condition(Condition::Not(Box::new(NotPredicate { predicate: Some(Box::new(inner)) })))
}

/// True of every plain value.
pub(crate) fn any() -> Predicate {
    gte("")
}

pub(crate) fn replace(data: impl AsRef<[u8]>) -> Update {
    change(Operation::Set(SetUpdate { column: column(), value: operand(data) }))
}

pub(crate) fn add(data: impl AsRef<[u8]>) -> Update {
    change(Operation::Add(AddUpdate { column: column(), value: operand(data) }))
}

pub(crate) fn mul(data: impl AsRef<[u8]>) -> Update {
    change(Operation::Mul(MulUpdate { column: column(), value: operand(data) }))
}

fn change(operation: Operation) -> Update {
    Update { operation: Some(operation) }
}

/// Bytes that look like a ciphertext: no two places alike, the same for the same seed.
pub(crate) fn ciphertext(bytes: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut data = Vec::with_capacity(bytes + 8);
    while data.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.extend_from_slice(&state.to_le_bytes());
    }
    data.truncate(bytes);
    data.into()
}

/// The keys of rows, as text.
pub(crate) fn keys(rows: &[KeyValue]) -> Vec<String> {
    let text = |row: &KeyValue| String::from_utf8(row.key.clone().unwrap().data.to_vec()).unwrap();
    rows.iter().map(text).collect()
}
