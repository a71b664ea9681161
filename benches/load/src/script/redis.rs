//! GET and SET of Redis.

use bytes::Bytes;

use super::{Encoded, KeySet, WHOLE_EVERY};
use crate::wire::{Body, Script};

/// GETs, then SETs, of a set of keys.
#[derive(Debug)]
pub struct Redis {
    keys: KeySet,
    encoded: Encoded,
}

impl Redis {
    /// Encodes the requests.
    pub fn new(keys: KeySet) -> Self {
        let encoded = Encoded::new(2 * keys.keys_count, |index, out| {
            if index < keys.keys_count {
                return put(out, &[b"GET", keys.key(index).as_bytes()]);
            }
            let index = index - keys.keys_count;
            put(out, &[b"SET", keys.key(index).as_bytes(), &keys.value(index)]);
        });
        Self { keys, encoded }
    }
}

pub(super) fn put(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

impl Script for Redis {
    fn request(&self, index: u32) -> Bytes {
        self.encoded.request(index)
    }

    fn wants_whole(&self, index: u32) -> bool {
        index.is_multiple_of(WHOLE_EVERY)
    }

    fn check(&self, index: u32, body: &Body<'_>) -> Result<usize, String> {
        if index >= self.keys.keys_count {
            return if body.head == b"OK" {
                Ok(self.keys.value_bytes)
            } else {
                Err("a SET without OK".into())
            };
        }
        match body.whole {
            Some(whole) if whole != self.keys.value(index) => Err("a wrong value".into()),
            _ if body.length != self.keys.value_bytes => {
                Err(format!("a value of {} bytes", body.length))
            }
            _ => Ok(body.length),
        }
    }
}
