//! What must be true before a batch is done: looked at in the step that does it, under its locks, before its first query.
//!
//! ```text
//! lengths of all values ─► within the bound? ─► data that are not in memory are read ─► first that does not hold, or none
//! ```

use bytes::Bytes;
use bytestring::ByteString;
use sha2::{Digest as _, Sha256};

use crate::{
    failure::Failure,
    limits::CONDITION_DATA_BYTES_MAX,
    storage::{LockSet, Transaction},
    turn::give_way,
};

/// SHA-256 of the data of a value.
pub type Digest = [u8; 32];

/// What must be true of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The collection.
    pub collection: ByteString,
    /// The key.
    pub key: Bytes,
    /// What must be there.
    pub expected: Expected,
}

/// What must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No value.
    Absent,
    /// Any value.
    Present,
    /// A value whose data have this digest.
    Data(Digest),
}

/// A condition that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Its place in the request.
    pub index: usize,
    /// The condition.
    pub condition: Condition,
    /// What was there: the digest of a value, or none.
    pub found: Option<Digest>,
}

/// The digest of some data.
pub fn digest(data: &[u8]) -> Digest {
    Sha256::digest(data).into()
}

/// The same of data that may be long: others get their turn between two pieces.
pub async fn digest_in_turns(data: &[u8]) -> Digest {
    /// About 0.7 ms where the processor knows SHA-256 (measured).
    const PIECE_BYTES: usize = 1024 * 1024;

    let mut hasher = Sha256::new();
    for (index, piece) in data.chunks(PIECE_BYTES).enumerate() {
        if index > 0 {
            give_way().await;
        }
        hasher.update(piece);
    }
    hasher.finalize().into()
}

impl Condition {
    /// What is read for it.
    pub fn lock(&self, locks: &mut LockSet) {
        locks.key(&self.collection, &self.key, false);
    }

    /// Whether what is there has to be read to tell, or to be told of; `there` says whether something is.
    fn wants_data(&self, there: bool) -> bool {
        there && self.expected != Expected::Present
    }
}

/// Asks for all that the conditions want to know, so that what lies on the disk is read at once.
///
/// # Errors
/// What lies on the disk, or the bound on what is read.
pub fn prefetch(
    transaction: &mut Transaction<'_>,
    conditions: &[(usize, Condition)],
) -> Result<(), Failure> {
    let mut lengths = Vec::with_capacity(conditions.len());
    for (_, Condition { collection, key, .. }) in conditions {
        // What is missing is asked for together.
        lengths.push(transaction.data_bytes(collection, key));
    }
    transaction.check_here()?;
    let mut bytes_left = CONDITION_DATA_BYTES_MAX;
    for ((index, condition), length) in conditions.iter().zip(lengths) {
        let failed = |cause| Failure::Condition { index: *index, cause: Box::new(cause) };
        let length = length.map_err(|error| failed(error.into()))?;
        if !condition.wants_data(length.is_some()) {
            continue;
        }
        let left = bytes_left.checked_sub(length.unwrap_or(0));
        bytes_left = left.ok_or_else(|| {
            failed(Failure::TooLarge(format!(
                "the values that the conditions of a batch look at have at most \
                 {CONDITION_DATA_BYTES_MAX} bytes together on a shard, these have more; use fewer \
                 conditions in one batch"
            )))
        })?;
        let _ = transaction.get(&condition.collection, &condition.key);
    }
    Ok(transaction.check_here()?)
}

/// The first condition that does not hold; to be asked before anything is written.
///
/// # Errors
/// What the disk says.
pub fn first_unmet(
    transaction: &mut Transaction<'_>,
    conditions: &[(usize, Condition)],
) -> Result<Option<Unmet>, Failure> {
    for (index, condition) in conditions {
        let Condition { collection, key, expected } = condition;
        let failed = |cause| Failure::Condition { index: *index, cause: Box::new(cause) };
        let there = transaction.has(collection, key).map_err(|error| failed(error.into()))?;
        let mut found = None;
        if condition.wants_data(there) {
            let value = transaction.get(collection, key).map_err(|error| failed(error.into()))?;
            found = value.map(|value| digest(&value.data));
        }
        let holds = match expected {
            Expected::Absent => !there,
            Expected::Present => there,
            Expected::Data(expected) => found.as_ref() == Some(expected),
        };
        if !holds {
            return Ok(Some(Unmet { index: *index, condition: condition.clone(), found }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second example of FIPS 180-4, as published by NIST: clients compute the same.
    #[test]
    fn the_digest_is_the_sha_256_that_everybody_has() {
        let hex: String = digest(b"abc").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
