//! Requests as the server wants them.

use std::time::{Duration, SystemTime};

use amaters_proto::{
    aql::{BatchRequest, QueryRequest},
    query::{
        DeleteQuery, FilterQuery, GetQuery, Query, RangeQuery, SetQuery, UpdateQuery,
        query::Query as Kind,
    },
    types::{CipherBlob, CipherMetadata, Key, Predicate, Update, Version},
};
use bytes::Bytes;

use crate::unix_time;

/// The protocol that this client speaks.
pub(crate) const VERSION: Version = Version { major: 0, minor: 2, patch: 0 };
/// Behind every key that there can be: they have at most 65,536 bytes.
const END_BYTES: usize = 65_537;

/// A value with the metadata of one that is made now.
pub(crate) fn blob(data: Bytes) -> CipherBlob {
    let metadata = CipherMetadata {
        size: data.len() as u64,
        compression: 0,
        checksum: crc32fast::hash(&data),
        created_at: i64::try_from(unix_time::seconds(SystemTime::now())).unwrap_or(i64::MAX),
        version: None,
    };
    CipherBlob { data, metadata: Some(metadata) }
}

pub(crate) fn request(query: Query, timeout: Option<Duration>) -> QueryRequest {
    QueryRequest {
        query: Some(query),
        request_id: None,
        timeout_ms: timeout.map(millis),
        transaction_id: None,
        version: Some(VERSION),
    }
}

pub(crate) fn batch(queries: Vec<Query>, timeout: Option<Duration>) -> BatchRequest {
    BatchRequest {
        queries,
        request_id: None,
        timeout_ms: timeout.map(millis),
        isolation_level: 0,
        version: Some(VERSION),
    }
}

/// A time as requests say it.
pub(crate) fn millis(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)
}

fn key(data: Bytes) -> Option<Key> {
    Some(Key { data })
}

fn of(kind: Kind) -> Query {
    Query { query: Some(kind) }
}

pub(crate) fn get(collection: &str, name: Bytes) -> Query {
    of(Kind::Get(GetQuery { collection: collection.into(), key: key(name) }))
}

pub(crate) fn set(collection: &str, name: Bytes, value: CipherBlob) -> Query {
    of(Kind::Set(SetQuery { collection: collection.into(), key: key(name), value: Some(value) }))
}

pub(crate) fn delete(collection: &str, name: Bytes) -> Query {
    of(Kind::Delete(DeleteQuery { collection: collection.into(), key: key(name) }))
}

pub(crate) fn filter(
    collection: &str,
    predicate: Predicate,
    limit: Option<u32>,
    offset: Option<u32>,
) -> Query {
    let (collection, predicate) = (collection.into(), Some(predicate));
    of(Kind::Filter(FilterQuery { collection, predicate, limit, offset }))
}

pub(crate) fn update(collection: &str, predicate: Predicate, updates: Vec<Update>) -> Query {
    let (collection, predicate) = (collection.into(), Some(predicate));
    of(Kind::Update(UpdateQuery { collection, predicate, updates }))
}

/// Keys from one up to another.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) start: Bytes,
    pub(crate) end: Bytes,
}

impl Span {
    /// All keys that begin so.
    pub(crate) fn of_prefix(prefix: Bytes) -> Self {
        let kept = prefix.iter().rposition(|byte| *byte != 0xff);
        let end = match kept {
            Some(last) => {
                let mut end = prefix[..=last].to_vec();
                end[last] += 1;
                end.into()
            }
            None => Bytes::from_static(&[0xff; END_BYTES]),
        };
        Self { start: prefix, end }
    }

    /// What lies behind a key.
    pub(crate) fn behind(&self, key: &[u8]) -> Self {
        Self { start: [key, &[0]].concat().into(), end: self.end.clone() }
    }

    pub(crate) fn query(&self, collection: &str, limit: Option<u32>) -> Query {
        let (start, end) = (key(self.start.clone()), key(self.end.clone()));
        of(Kind::Range(RangeQuery { collection: collection.into(), start, end, limit }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_range() {
        for (prefix, end) in
            [(&b"user:"[..], &b"user;"[..]), (b"a\xff\xff", b"b"), (b"\x00", b"\x01")]
        {
            let span = Span::of_prefix(Bytes::from_static(prefix));
            assert_eq!((&span.start[..], &span.end[..]), (prefix, end));
        }
        for open in [&b""[..], b"\xff\xff"] {
            assert_eq!(Span::of_prefix(Bytes::from_static(open)).end, vec![0xff; END_BYTES]);
        }
    }

    #[test]
    fn a_value_has_the_metadata_of_its_bytes() {
        let metadata = blob(Bytes::from_static(b"123456789")).metadata.unwrap();
        assert_eq!((metadata.size, metadata.checksum), (9, 0xcbf4_3926));
        assert!(metadata.created_at > 1_700_000_000);
    }
}
