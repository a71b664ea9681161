//! Ten writes that count together: a batch of ours, `MSET` of Redis, a transaction of etcd.

use amaters_proto::{
    aql::{BatchRequest, BatchResponse, IsolationLevel, batch_response},
    query::{Query, query_result},
    types::Version,
};
use bytes::Bytes;
use prost::Message as _;

use super::{
    Encoded, KeySet, WHOLE_EVERY,
    amaters::{self, COLLECTION},
    etcd::KeyAndValue,
    grpc_message, put_grpc, redis,
};
use crate::wire::{Body, Script};

/// Writes of a batch.
pub const WRITES: u32 = 10;
/// The method of our batches.
pub const AMATERS_PATH: &str = "/amaters.aql.AqlService/ExecuteBatch";
/// The method of etcd's transactions.
pub const ETCD_PATH: &str = "/etcdserverpb.KV/Txn";

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Our own.
    Amaters,
    /// Redis.
    Redis,
    /// etcd.
    Etcd,
}

/// As many batches as keys: that of a number writes its key and nine others, spread over all.
#[derive(Debug)]
pub struct Batches {
    dialect: Dialect,
    bytes: usize,
    encoded: Encoded,
}

/// `TxnRequest` of etcd without a condition: what is done on success.
#[derive(Clone, PartialEq, prost::Message)]
struct Transaction {
    #[prost(message, repeated, tag = "2")]
    success: Vec<Operation>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Operation {
    #[prost(message, optional, tag = "2")]
    put: Option<KeyAndValue>,
}

impl Batches {
    /// Encodes the requests.
    pub fn new(dialect: Dialect, keys: KeySet) -> Self {
        let encoded = Encoded::new(keys.keys_count, |number, out| {
            let written = written(keys, number);
            match dialect {
                Dialect::Amaters => put_grpc(out, &batch(keys, written)),
                Dialect::Etcd => put_grpc(out, &transaction(keys, written)),
                Dialect::Redis => mset(out, keys, written),
            }
        });
        Self { dialect, bytes: keys.value_bytes * WRITES as usize, encoded }
    }
}

impl Script for Batches {
    fn request(&self, index: u32) -> Bytes {
        self.encoded.request(index)
    }

    fn wants_whole(&self, index: u32) -> bool {
        self.dialect == Dialect::Amaters && index.is_multiple_of(WHOLE_EVERY)
    }

    fn check(&self, _: u32, body: &Body<'_>) -> Result<usize, String> {
        match self.dialect {
            Dialect::Redis if body.head != b"OK" => return Err("an MSET without OK".into()),
            Dialect::Redis => {}
            Dialect::Etcd => check_etcd(body)?,
            Dialect::Amaters => {
                amaters::result_of(body)?;
                body.whole.map_or(Ok(()), check_whole)?;
            }
        }
        Ok(self.bytes)
    }
}

/// The keys that a batch writes.
fn written(keys: KeySet, number: u32) -> impl Iterator<Item = u32> {
    let step = (keys.keys_count / WRITES).max(1);
    (0..WRITES).map(move |place| (number + place * step) % keys.keys_count)
}

fn batch(keys: KeySet, written: impl Iterator<Item = u32>) -> BatchRequest {
    let query = |key| amaters::set(COLLECTION, keys.key(key), keys.value(key));
    BatchRequest {
        queries: written.map(|key| Query { query: Some(query(key)) }).collect(),
        request_id: Some("8d7e2c1a-5b0f-4c39-9f6e-0a4b3c2d1e0f".into()),
        timeout_ms: Some(30_000),
        isolation_level: IsolationLevel::IsolationSerializable as i32,
        version: Some(Version { major: 0, minor: 2, patch: 0 }),
    }
}

fn transaction(keys: KeySet, written: impl Iterator<Item = u32>) -> Transaction {
    let put = |key| KeyAndValue { key: keys.key(key).into_bytes(), value: keys.value(key) };
    let operation = |key| Operation { put: Some(put(key)) };
    Transaction { success: written.map(operation).collect() }
}

fn mset(out: &mut Vec<u8>, keys: KeySet, written: impl Iterator<Item = u32>) {
    let pairs: Vec<_> = written.map(|key| (keys.key(key), keys.value(key))).collect();
    let mut words: Vec<&[u8]> = vec![b"MSET"];
    words.extend(pairs.iter().flat_map(|(key, value)| [key.as_bytes(), value]));
    redis::put(out, &words);
}

/// `TxnResponse`: a header, then `succeeded` as field 2.
fn check_etcd(body: &Body<'_>) -> Result<(), String> {
    let mut fields = super::Fields(grpc_message(body)?);
    let header_bytes = fields.enter(1).ok_or("a transaction without a header")?;
    match fields.0.get(header_bytes..) {
        Some([0x10, 1, ..]) => Ok(()),
        _ => Err("a transaction without success".into()),
    }
}

fn check_whole(body: &[u8]) -> Result<(), String> {
    let answer = BatchResponse::decode(&body[5..]).map_err(|error| error.to_string())?;
    let Some(batch_response::Response::Results(results)) = answer.response else {
        return Err("no results".into());
    };
    let is_success = |result: &amaters_proto::query::QueryResult| {
        matches!(result.result, Some(query_result::Result::Success(_)))
    };
    let count = results.results.iter().filter(|result| is_success(result)).count();
    if count == WRITES as usize { Ok(()) } else { Err(format!("{count} successes")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_writes_ten_keys_and_each_of_a_set_of_ten() {
        for keys_count in [10, 57, 1000] {
            let keys = KeySet { keys_count, value_bytes: 1 };
            for number in 0..keys_count {
                let mut all: Vec<u32> = written(keys, number).collect();
                assert_eq!(all[0], number);
                all.sort_unstable();
                all.dedup();
                assert_eq!(all.len(), 10);
                assert!(all[9] < keys_count);
            }
        }
    }

    #[test]
    fn etcd_says_whether_a_transaction_succeeded() {
        let check = |message: &[u8]| {
            let mut body = vec![0, 0, 0, 0, message.len() as u8];
            body.extend_from_slice(message);
            check_etcd(&Body { head: &body, length: body.len(), whole: None })
        };
        assert_eq!(check(&[0x0a, 2, 0x18, 5, 0x10, 1, 0x1a, 0]), Ok(()));
        assert!(check(&[0x0a, 2, 0x18, 5, 0x1a, 0]).is_err());
        assert!(check(&[0x10, 1]).is_err());
    }
}
