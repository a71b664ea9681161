//! The short way in for the three queries that make up nearly all traffic: a get, a set or a
//! delete of one key, read from the wire without building a message.
//!
//! It takes only what it is sure of: each field at most once, no unknown fields, no surprises.
//! Anything else it leaves to prost and `rpc/plan.rs`, which also find the words for what is
//! wrong. The tests hold the two to the same reading.

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    check,
    fields::{Fields, Wire},
};
use crate::{
    auth::{Action, Keys, Target, access::Access},
    core::Core,
    failure::Failure,
    recent::{self, RequestLine},
    router::{Call, Destination, Router, execute::Outcome, operation::Operation},
    storage::Meta,
};

/// A query of one key, borrowed from its message.
#[derive(Debug, PartialEq, Eq)]
pub struct Simple<'a> {
    /// To be given back.
    pub request_id: Option<&'a [u8]>,
    /// Milliseconds that the client gives the call.
    pub timeout_ms: Option<u32>,
    version_major: Option<u32>,
    collection: &'a str,
    key: &'a [u8],
    verb: Verb<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum Verb<'a> {
    Get,
    Set { data: &'a [u8], meta: Option<Meta> },
    Delete,
}

impl<'a> Simple<'a> {
    /// Reads a `QueryRequest`; none when it is anything but an ordinary query of one key.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let mut query = None;
        let mut request_id = None;
        let mut timeout_ms = None;
        let mut version_major = None;
        let mut transaction_id = None;
        let mut fields = Fields(message);
        while let Some(field) = fields.next()? {
            match field {
                (1, Wire::Bytes(bytes)) => once(&mut query, bytes)?,
                (2, Wire::Bytes(bytes)) => once(&mut request_id, std::str::from_utf8(bytes).ok()?)?,
                (3, Wire::Number(number)) => once(&mut timeout_ms, number as u32)?,
                (4, Wire::Bytes(bytes)) => {
                    once(&mut transaction_id, std::str::from_utf8(bytes).ok()?)?;
                }
                (5, Wire::Bytes(bytes)) => once(&mut version_major, version_major_of(bytes)?)?,
                _ => return None,
            }
        }
        // A transaction id means something that this path does not know.
        if transaction_id.is_some_and(|id| !id.is_empty()) {
            return None;
        }
        let mut fields = Fields(query?);
        let (Some((kind, Wire::Bytes(body))), None) = (fields.next()?, fields.next()?) else {
            return None;
        };
        let (collection, key, verb) = match kind {
            1 => {
                let (collection, key, _) = entry(body, false)?;
                // A command is no ordinary query.
                if key.starts_with(check::ADMIN_PREFIX) {
                    return None;
                }
                (collection, key, Verb::Get)
            }
            2 => {
                let (collection, key, value) = entry(body, true)?;
                let (data, meta) = blob(value?)?;
                (collection, key, Verb::Set { data, meta })
            }
            3 => {
                let (collection, key, _) = entry(body, false)?;
                (collection, key, Verb::Delete)
            }
            _ => return None,
        };
        let request_id = request_id.map(str::as_bytes);
        Some(Self { request_id, timeout_ms, version_major, collection, key, verb })
    }

    /// What is asked for, in few bytes.
    pub fn line(&self) -> RequestLine {
        let verb = match self.verb {
            Verb::Get => recent::Verb::Get,
            Verb::Set { .. } => recent::Verb::Set,
            Verb::Delete => recent::Verb::Delete,
        };
        RequestLine::new(verb, self.key)
    }

    /// Whether the query changes anything.
    pub fn is_write(&self) -> bool {
        self.verb != Verb::Get
    }

    /// Checks and begins the query. `message` is what it was read from.
    pub fn begin(
        &self,
        core: &Core,
        access: &Access,
        message: &Bytes,
        destination: impl FnOnce() -> Destination,
    ) -> Call {
        let allowed = self.check().and_then(|()| self.authorize(core, access));
        match allowed {
            Err(failure) => Call::Here(Err(failure)),
            Ok(()) => self.run(&core.router, message, destination),
        }
    }

    fn check(&self) -> Result<(), Failure> {
        check::version(self.version_major)?;
        check::collection(self.collection)?;
        match self.verb {
            Verb::Get => check::key(self.key),
            Verb::Set { .. } | Verb::Delete => check::key_to_write(self.key),
        }
    }

    fn authorize(&self, core: &Core, access: &Access) -> Result<(), Failure> {
        let action = if self.is_write() { Action::Write } else { Action::Read };
        let keys = Keys::One(self.key);
        access.check(core, action, Target::Entries { collection: self.collection, keys })
    }

    fn run(
        &self,
        router: &Router,
        message: &Bytes,
        destination: impl FnOnce() -> Destination,
    ) -> Call {
        let shard = router.shard_of(self.collection, self.key);
        let (collection, key) = (self.collection, self.key);
        if matches!(self.verb, Verb::Get)
            && let Some(local) = router.local(shard)
        {
            #[cfg(test)]
            crate::containment::strike(collection);
            let owned = || (ByteString::from(collection), message.slice_ref(key));
            let found = local.get(collection, key);
            let outcome = Outcome::of_get(found, router.traffic(), (collection, key), owned);
            return Call::Here(outcome);
        }
        let operation = |message: &Bytes| {
            // The name was checked to be UTF-8 when it was read.
            let collection = ByteString::from(collection);
            let key = message.slice_ref(key);
            Ok(match self.verb {
                Verb::Get => Operation::Get { collection, key },
                Verb::Delete => Operation::Delete { collection, key },
                Verb::Set { data, meta } => {
                    let value = check::value(message.slice_ref(data), meta)?;
                    Operation::Set { collection, key, value }
                }
            })
        };
        match operation(message) {
            Err(failure) => Call::Here(Err(failure)),
            Ok(operation) => router.call(shard, operation, destination),
        }
    }
}

/// Collection, key and, for a set, the value of a query.
type Entry<'a> = (&'a str, &'a [u8], Option<&'a [u8]>);

fn entry(body: &[u8], with_value: bool) -> Option<Entry<'_>> {
    let (mut collection, mut key, mut value) = (None, None, None);
    let mut fields = Fields(body);
    while let Some(field) = fields.next()? {
        match field {
            (1, Wire::Bytes(bytes)) => once(&mut collection, std::str::from_utf8(bytes).ok()?)?,
            (2, Wire::Bytes(bytes)) => once(&mut key, key_data(bytes)?)?,
            (3, Wire::Bytes(bytes)) if with_value => once(&mut value, bytes)?,
            _ => return None,
        }
    }
    Some((collection.unwrap_or_default(), key?, value))
}

fn key_data(body: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields(body);
    match (fields.next()?, fields.next()?) {
        (None, None) => Some(&[]),
        (Some((1, Wire::Bytes(data))), None) => Some(data),
        _ => None,
    }
}

fn blob(body: &[u8]) -> Option<(&[u8], Option<Meta>)> {
    let (mut data, mut meta) = (None, None);
    let mut fields = Fields(body);
    while let Some(field) = fields.next()? {
        match field {
            (1, Wire::Bytes(bytes)) => once(&mut data, bytes)?,
            (2, Wire::Bytes(bytes)) => once(&mut meta, metadata(bytes)?)?,
            _ => return None,
        }
    }
    Some((data.unwrap_or_default(), meta))
}

fn metadata(body: &[u8]) -> Option<Meta> {
    let mut numbers = [None; 6];
    let mut fields = Fields(body);
    while let Some((field, wire)) = fields.next()? {
        let Wire::Number(number) = wire else { return None };
        once(numbers.get_mut(field as usize).filter(|_| field > 0)?, number)?;
    }
    let [_, size, compression, checksum, created_at, version] = numbers;
    Some(Meta {
        size: size.unwrap_or_default(),
        compression: compression.unwrap_or_default() as u32,
        checksum: checksum.unwrap_or_default() as u32,
        created_at: created_at.unwrap_or_default() as i64,
        version: version.map(|version| version as u32),
    })
}

fn version_major_of(body: &[u8]) -> Option<u32> {
    let mut numbers = [None; 4];
    let mut fields = Fields(body);
    while let Some((field, wire)) = fields.next()? {
        let Wire::Number(number) = wire else { return None };
        once(numbers.get_mut(field as usize).filter(|_| field > 0)?, number)?;
    }
    Some(numbers[1].unwrap_or_default() as u32)
}

/// Puts a field where none was seen before.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.is_none().then(|| *place = Some(value))
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;
    use amaters_proto::{
        aql::QueryRequest,
        query::{self, DeleteQuery, GetQuery, Query, SetQuery},
        types::{CipherBlob, CipherMetadata, Key, Version},
    };
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    /// What prost makes of the same bytes, in the terms of this file.
    fn read_by_prost(
        message: &[u8],
    ) -> Option<(String, Vec<u8>, Option<CipherBlob>, &'static str)> {
        let request = QueryRequest::decode(message).ok()?;
        Some(match request.query?.query? {
            query::query::Query::Get(get) => (get.collection, get.key?.data.to_vec(), None, "get"),
            query::query::Query::Set(set) => {
                (set.collection, set.key?.data.to_vec(), Some(set.value?), "set")
            }
            query::query::Query::Delete(delete) => {
                (delete.collection, delete.key?.data.to_vec(), None, "delete")
            }
            _ => return None,
        })
    }

    fn assert_same_reading(message: &[u8]) {
        let Some(simple) = Simple::parse(message) else { return };
        let request = QueryRequest::decode(message).unwrap();
        assert_eq!(request.request_id.as_deref().map(str::as_bytes), simple.request_id);
        assert_eq!(request.timeout_ms, simple.timeout_ms);
        assert_eq!(request.version.map(|version| version.major), simple.version_major);
        let (collection, key, value, verb) = read_by_prost(message).unwrap();
        assert_eq!((collection.as_str(), &key[..]), (simple.collection, simple.key));
        match simple.verb {
            Verb::Get => assert_eq!(verb, "get"),
            Verb::Delete => assert_eq!(verb, "delete"),
            Verb::Set { data, meta } => {
                assert_eq!(verb, "set");
                let value = value.unwrap();
                assert_eq!(value.data, data);
                assert_eq!(value.metadata.is_some(), meta.is_some());
                if let (Some(theirs), Some(ours)) = (value.metadata, meta) {
                    assert_eq!(theirs.size, ours.size);
                    assert_eq!(theirs.compression, ours.compression as i32);
                    assert_eq!(theirs.checksum, ours.checksum);
                    assert_eq!(theirs.created_at, ours.created_at);
                    assert_eq!(theirs.version, ours.version);
                }
            }
        }
    }

    prop_compose! {
        fn request()(
            verb in 0..3, collection: String, key: Vec<u8>, data: Vec<u8>,
            meta: Option<(u64, u32, i64, Option<u32>)>, id: Option<String>,
            timeout_ms: Option<u32>, major: Option<u32>,
        ) -> QueryRequest {
            let key = Some(Key { data: key.into() });
            let metadata = meta.map(|(size, checksum, created_at, version)| CipherMetadata {
                size, compression: 0, checksum, created_at, version,
            });
            let value = Some(CipherBlob { data: data.into(), metadata });
            let query = match verb {
                0 => query::query::Query::Get(GetQuery { collection, key }),
                1 => query::query::Query::Set(SetQuery { collection, key, value }),
                _ => query::query::Query::Delete(DeleteQuery { collection, key }),
            };
            QueryRequest {
                query: Some(Query { query: Some(query) }),
                request_id: id,
                timeout_ms,
                transaction_id: None,
                version: major.map(|major| Version { major, minor: 2, patch: 0 }),
            }
        }
    }

    proptest! {
        #[test]
        fn what_clients_send_takes_the_short_way(request in request()) {
            let message = request.encode_to_vec();
            prop_assert!(Simple::parse(&message).is_some());
            assert_same_reading(&message);
        }

        #[test]
        fn damaged_messages_are_read_as_prost_reads_them_or_left_alone(
            request in request(), place: usize, byte: u8, cut: usize,
        ) {
            let mut message = request.encode_to_vec();
            let length = message.len();
            message[place % length] = byte;
            assert_same_reading(&message);
            assert_same_reading(&message[..cut % length]);
        }
    }

    /// Accepted is what takes the short way; all of it prost reads in the same way.
    #[test]
    fn fuzz_simple_requests() {
        let key = || Some(Key { data: Bytes::from_static(b"key") });
        let collection = || "collection".to_owned();
        let metadata = CipherMetadata {
            size: 300,
            compression: 1,
            checksum: 77,
            created_at: -5,
            version: Some(2),
        };
        let value = CipherBlob { data: Bytes::from_static(b"data"), metadata: Some(metadata) };
        let queries = [
            query::query::Query::Get(GetQuery { collection: collection(), key: key() }),
            query::query::Query::Delete(DeleteQuery { collection: collection(), key: key() }),
            query::query::Query::Set(SetQuery {
                collection: collection(),
                key: key(),
                value: Some(value),
            }),
        ];
        let request = |query| QueryRequest {
            query: Some(Query { query: Some(query) }),
            request_id: Some("8d7e2c1a".into()),
            timeout_ms: Some(30_000),
            transaction_id: None,
            version: Some(Version { major: 0, minor: 2, patch: 0 }),
        };
        let seeds = queries.map(|query| request(query).encode_to_vec());
        Campaign::new("simple requests", seeds.to_vec()).run(|bytes| {
            assert_same_reading(bytes);
            let simple = Simple::parse(bytes).ok_or("left to prost")?;
            simple.check().map_err(|failure| failure.to_string())?;
            Ok(simple.key.len() as u64)
        });
    }

    #[test]
    fn what_is_out_of_the_ordinary_is_left_to_prost() {
        let get = GetQuery { collection: "c".into(), key: None };
        let query = Some(Query { query: Some(query::query::Query::Get(get)) });
        let request = QueryRequest { query, ..Default::default() };
        assert_eq!(Simple::parse(&request.encode_to_vec()), None);
        assert_eq!(Simple::parse(&[]), None);
        let with_id = QueryRequest { transaction_id: Some("t".into()), ..request };
        assert_eq!(Simple::parse(&with_id.encode_to_vec()), None);
    }
}
