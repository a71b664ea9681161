//! Steps as queries, and answers as what steps found.

use amaters_proto::query::{
    FilterQuery, KeyValue, query::Query as Kind, query_result::Result as Outcome,
};

use super::{
    call::{ABSENT, GARBAGE, Key, PLAIN, Step, Version, collection, key_of, name},
    plan::{Manner, Plan},
};
use crate::{
    torture::{
        client::{Client, Trouble, range},
        value::{value, version_of},
    },
    wire::queries::{self, add, any, blob, eq, gte, replace},
};

/// Milliseconds that a hurried batch has: some are in time.
const HURRY_MS: u32 = 4;

/// Asks what was planned, and fills in what it found.
pub(super) async fn ask(client: &Client, plan: &mut Plan) -> Result<(), Trouble> {
    let Plan { manner, steps } = plan;
    match (*manner, &mut steps[..]) {
        (Manner::Batch { is_hurried }, steps) => {
            let queries = steps.iter().map(query).collect();
            let results = client.batch_within(is_hurried.then_some(HURRY_MS), queries).await?;
            assert_eq!(results.len(), steps.len());
            steps.iter_mut().zip(results).for_each(|(step, result)| fill(step, result));
        }
        (Manner::Single, [step]) => fill(step, client.ask(query(step)).await?),
        (Manner::Stream, [step]) => {
            let rows = client.stream(query(step)).await?;
            fill_rows(step, rows.iter().map(|(key, value)| (&key[..], &value[..])));
        }
        (_, steps) => unreachable!("{} steps are a batch", steps.len()),
    }
    Ok(())
}

fn query(step: &Step) -> Kind {
    let query = match step {
        Step::Get { key, .. } => queries::get(collection(*key), name(*key)),
        Step::Set { key, version } => {
            queries::set(collection(*key), name(*key), blob(bytes(*key, *version)))
        }
        Step::Delete { key, .. } => queries::delete(collection(*key), name(*key)),
        Step::Rows { keys, min, limit, .. } => {
            let limit = limit.map(|limit| limit as u32);
            return match min {
                None => match range(collection(keys.start), name(keys.start), end(keys.end)) {
                    Kind::Range(range) => {
                        Kind::Range(amaters_proto::query::RangeQuery { limit, ..range })
                    }
                    other => other,
                },
                Some(min) => {
                    let predicate = gte(min.to_be_bytes());
                    let filter = queries::filter(collection(keys.start), predicate);
                    Kind::Filter(FilterQuery { limit, ..filter })
                }
            };
        }
        Step::Update { keys, only, new, .. } => {
            let (predicate, change) = match only {
                None => (any(), replace(new.to_be_bytes())),
                Some(old) if new % 2 == 0 => (eq(old.to_be_bytes()), replace(new.to_be_bytes())),
                Some(old) => (eq(old.to_be_bytes()), add(new.wrapping_sub(*old).to_be_bytes())),
            };
            queries::update(collection(keys.start), predicate, vec![change])
        }
        // Arithmetic needs operands that are as long as the values.
        Step::Spoil { keys } => {
            queries::update(collection(keys.start), any(), vec![add([1, 2, 3])])
        }
    };
    query.query.expect("every query is of a kind")
}

/// Behind the last key of a range.
fn end(key: Key) -> String {
    // Keys of one collection are in order; behind the last one nothing is.
    if key == PLAIN.end || key == super::call::LARGE.end { "\u{7f}".into() } else { name(key) }
}

fn fill(step: &mut Step, result: Outcome) {
    match (step, result) {
        (Step::Get { key, found }, Outcome::Single(single)) => {
            *found = single.value.map_or(ABSENT, |value| version(*key, &value.data));
        }
        (Step::Set { .. }, Outcome::Success(success)) => assert_eq!(success.affected_rows, 1),
        (Step::Delete { existed, .. }, Outcome::Success(success)) => {
            assert!(success.affected_rows <= 1);
            *existed = success.affected_rows == 1;
        }
        (step @ Step::Rows { .. }, Outcome::Multi(multi)) => {
            fill_rows(step, multi.values.iter().map(parts));
        }
        (Step::Update { changed, .. }, Outcome::Success(success)) => {
            *changed = success.affected_rows;
        }
        (Step::Spoil { .. }, Outcome::Success(success)) => assert_eq!(success.affected_rows, 0),
        (step, result) => panic!("{step:?} was answered by {result:?}"),
    }
}

fn parts(row: &KeyValue) -> (&[u8], &[u8]) {
    let key = row.key.as_ref().map_or(&[][..], |key| &key.data);
    (key, row.value.as_ref().map_or(&[][..], |value| &value.data))
}

fn fill_rows<'a>(step: &mut Step, rows: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
    let Step::Rows { found, .. } = step else { unreachable!("{step:?} asks for no rows") };
    let row = |(key, value): (&[u8], &[u8])| {
        let key = key_of(key).unwrap_or_else(|| panic!("nobody wrote the key {key:?}"));
        (key, version(key, value))
    };
    *found = rows.map(row).collect();
}

/// A value of a key: of `plain` a number that can be computed with, of `large` more.
fn bytes(key: Key, version: Version) -> Vec<u8> {
    if PLAIN.contains(&key) { version.to_be_bytes().into() } else { value(&name(key), version) }
}

fn version(key: Key, bytes: &[u8]) -> Version {
    let version = if PLAIN.contains(&key) {
        bytes.try_into().ok().map(Version::from_be_bytes)
    } else {
        version_of(&name(key), bytes)
    };
    version.filter(|version| *version != ABSENT).unwrap_or(GARBAGE)
}
