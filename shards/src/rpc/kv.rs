//! `KvService`: a value with its digest, and batches under conditions.

use std::rc::Rc;

use amaters_proto::{
    kv::v1::{
        self as wire, Absent, ConditionalBatchRequest, ConditionalBatchResponse, GetRequest,
        condition::Expected as Wire, conditional_batch_response::Response, unmet::Found,
    },
    types,
};
use bytes::Bytes;

use super::{authorize, batch, check, plan::place};
use crate::{
    auth::access::Access,
    core::Core,
    failure::Failure,
    router::{
        condition::{Condition, Digest, Expected, Unmet, digest_in_turns},
        coordinator::{Deadline, Ended},
        operation::{Operation, Reply},
    },
    storage::Value,
};

/// The value of a key, with the digest of its data.
///
/// # Errors
/// What the key, its name or its shard refuses.
pub async fn get(
    core: &Core,
    access: &Access,
    request: GetRequest,
) -> Result<Option<(Value, Digest)>, Failure> {
    let (collection, key) = place(request.collection, request.key)?;
    check::key_to_write(&key)?;
    authorize::read(core, access, &collection, &key)?;
    let shard = core.router.shard_of(&collection, &key);
    match core.router.run(shard, Operation::Get { collection, key }).await? {
        Reply::Value(None) => Ok(None),
        Reply::Value(Some(value)) => {
            let digest = digest_in_turns(&value.data).await;
            Ok(Some((value, digest)))
        }
        _ => Err(Failure::Internal("a get was answered by something else".into())),
    }
}

/// Runs a batch if its conditions hold.
///
/// # Errors
/// What a condition or a query refuses; nothing was changed.
pub async fn conditional_batch(
    core: &Rc<Core>,
    access: &Access,
    request: ConditionalBatchRequest,
    deadline: Option<Deadline>,
) -> Result<Ended<Vec<Reply>>, Failure> {
    let condition = |(index, wire)| {
        let failed = |cause| Failure::Condition { index, cause: Box::new(cause) };
        let allowed = |condition: Condition| {
            authorize::read(core, access, &condition.collection, &condition.key)?;
            Ok(condition)
        };
        condition(wire).and_then(allowed).map_err(failed)
    };
    let conditions = request.conditions.into_iter().enumerate().map(condition);
    let conditions = conditions.collect::<Result<_, _>>()?;
    let plans = batch::plans(request.queries)?;
    authorize::batch(core, access, &plans)?;
    batch::run_if(&core.router, conditions, plans, deadline).await
}

/// The answer of a batch that was not done because of this condition.
pub fn unmet(unmet: &Unmet, request_id: Option<String>, millis: u64) -> ConditionalBatchResponse {
    let Unmet { index, condition, found } = unmet;
    let found = match found {
        // A condition that asks for any value does not hold where there is none.
        None => Found::Absent(Absent {}),
        Some(digest) => Found::Sha256(Bytes::copy_from_slice(digest)),
    };
    let unmet = wire::Unmet {
        // There are no more than `CONDITIONS_MAX`.
        index: *index as u32,
        collection: condition.collection.to_string(),
        key: Some(types::Key { data: condition.key.clone() }),
        found: Some(found),
    };
    let response = Some(Response::Unmet(unmet));
    ConditionalBatchResponse { response, request_id, execution_time_ms: millis }
}

fn condition(wire: wire::Condition) -> Result<Condition, Failure> {
    let (collection, key) = place(wire.collection, wire.key)?;
    check::key_to_write(&key)?;
    let expected = match wire.expected.ok_or(Failure::MissingField("expected"))? {
        Wire::Absent(_) => Expected::Absent,
        Wire::Present(_) => Expected::Present,
        Wire::Sha256(bytes) => Expected::Data(bytes[..].try_into().map_err(|_| {
            let bytes = bytes.len();
            Failure::InvalidRequest(format!("sha256 has {bytes} bytes; a SHA-256 has 32"))
        })?),
    };
    Ok(Condition { collection, key, expected })
}
