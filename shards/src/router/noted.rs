//! What [`Traffic`] is told of operations: the keys that they name, and how long their values are.

use super::{
    coordinator::Answers,
    operation::{Operation, Reply, Work},
};
use crate::{storage::Value, traffic::Traffic};

/// A value of this key was read or written.
pub fn note_value(traffic: &Traffic, collection: &str, key: &[u8], value: Option<&Value>) {
    if let Some(value) = value {
        traffic.moved(collection, key, value.data.len());
    }
}

/// What a batch has asked for: told once, when it has been done or, of its share of a shard, prepared:
/// its steps may be tried more often.
pub fn note_batch(traffic: &Traffic, work: &Work, answers: &Answers) {
    for ((_, operation), (_, reply)) in work.queries.iter().zip(answers) {
        match (operation, reply) {
            (Operation::Get { collection, key }, Reply::Value(value)) => {
                traffic.asked(collection, key, false);
                note_value(traffic, collection, key, value.as_ref());
            }
            (Operation::Set { collection, key, value }, _) => {
                traffic.asked(collection, key, true);
                note_value(traffic, collection, key, Some(value));
            }
            (Operation::Delete { collection, key }, _) => traffic.asked(collection, key, true),
            _ => {}
        }
    }
}
