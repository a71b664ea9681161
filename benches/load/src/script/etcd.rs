//! Range and Put of etcd, of whose messages these few fields are enough.

use bytes::Bytes;

use super::{Encoded, KeySet, grpc_message, put_grpc};
use crate::wire::{Body, Script};

/// The method of reads.
pub const RANGE_PATH: &str = "/etcdserverpb.KV/Range";
/// The method of writes.
pub const PUT_PATH: &str = "/etcdserverpb.KV/Put";

/// `RangeRequest` and `PutRequest` begin alike.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KeyAndValue {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// Ranges over one key, then puts, of a set of keys. A connection has one path, so a run is of one
/// kind.
#[derive(Debug)]
pub struct Etcd {
    keys: KeySet,
    encoded: Encoded,
}

impl Etcd {
    /// Encodes the requests.
    pub fn new(keys: KeySet) -> Self {
        let encoded = Encoded::new(2 * keys.keys_count, |index, out| {
            let key = keys.key(index % keys.keys_count).into_bytes();
            let write = index >= keys.keys_count;
            let value = if write { keys.value(index - keys.keys_count) } else { Vec::new() };
            put_grpc(out, &KeyAndValue { key, value });
        });
        Self { keys, encoded }
    }
}

impl Script for Etcd {
    fn request(&self, index: u32) -> Bytes {
        self.encoded.request(index)
    }

    fn wants_whole(&self, _: u32) -> bool {
        false
    }

    fn check(&self, index: u32, body: &Body<'_>) -> Result<usize, String> {
        grpc_message(body)?;
        // Beyond the value an answer has a header and revisions; without it, only those.
        if index < self.keys.keys_count && body.length < self.keys.value_bytes {
            return Err("absent".into());
        }
        Ok(self.keys.value_bytes)
    }
}
