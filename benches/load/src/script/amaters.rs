//! Gets and sets of our own protocol, as existing clients send them.

use amaters_proto::{
    aql::{QueryRequest, QueryResponse, query_response::Response},
    query::{GetQuery, Query, SetQuery, query, query_result},
    types::{CipherBlob, CipherMetadata, CompressionType, Key, Version},
};
use bytes::Bytes;
use prost::Message as _;

use super::{Encoded, Fields, KeySet, WHOLE_EVERY, grpc_message, put_grpc};
use crate::wire::{Body, Script};

/// The method that both go to.
pub const PATH: &str = "/amaters.aql.AqlService/ExecuteQuery";
/// The collection that the load lives in.
pub const COLLECTION: &str = "load";

/// Gets, then sets, of a set of keys.
#[derive(Debug)]
pub struct Amaters {
    keys: KeySet,
    encoded: Encoded,
}

impl Amaters {
    /// Encodes the requests.
    pub fn new(keys: KeySet) -> Self {
        let encoded = Encoded::new(2 * keys.keys_count, |index, out| {
            put_grpc(out, &request(query_of(keys, index)));
        });
        Self { keys, encoded }
    }

    fn check_whole(&self, index: u32, body: &[u8]) -> Result<(), String> {
        let response = QueryResponse::decode(&body[5..]).map_err(|error| error.to_string())?;
        if index >= self.keys.keys_count {
            return Ok(());
        }
        let expected = blob(self.keys.value(index));
        match value_of(response)? {
            Some(found) if found == expected => Ok(()),
            Some(_) => Err("a wrong value".into()),
            None => Err("absent".into()),
        }
    }
}

impl Script for Amaters {
    fn request(&self, index: u32) -> Bytes {
        self.encoded.request(index)
    }

    fn wants_whole(&self, index: u32) -> bool {
        index.is_multiple_of(WHOLE_EVERY)
    }

    fn check(&self, index: u32, body: &Body<'_>) -> Result<usize, String> {
        if let Some(whole) = body.whole {
            self.check_whole(index, whole)?;
        }
        if index >= self.keys.keys_count {
            return check_set(body).map(|()| self.keys.value_bytes);
        }
        let mut fields = result_of(body)?;
        let found = fields.enter(1).and_then(|_| fields.enter(1)).and_then(|_| fields.enter(1));
        match found {
            Some(length) if length == self.keys.value_bytes => Ok(length),
            Some(length) => Err(format!("a value of {length} bytes")),
            None => Err("absent".into()),
        }
    }
}

/// The fields of a result.
pub(super) fn result_of<'a>(body: &Body<'a>) -> Result<Fields<'a>, String> {
    let mut fields = Fields(grpc_message(body)?);
    fields.enter(1).ok_or_else(|| in_band(body))?;
    Ok(fields)
}

/// Whether this says that a set went well.
pub(crate) fn check_set(body: &Body<'_>) -> Result<(), String> {
    result_of(body)?.enter(3).map(|_| ()).ok_or_else(|| "a set without success".into())
}

/// An answer that is no result, in words.
fn in_band(body: &Body<'_>) -> String {
    match in_band_code(body) {
        Some(code) => format!("in-band error {code}"),
        None => "an answer that is neither result nor error".into(),
    }
}

/// The code of an in-band error.
pub(crate) fn in_band_code(body: &Body<'_>) -> Option<usize> {
    // Errors are short; of a longer one the head has the code.
    let mut fields = Fields(body.head.get(5..)?);
    fields.enter(2)?;
    match fields.0.split_first() {
        Some((8, rest)) => Fields(rest).varint(),
        _ => None,
    }
}

fn query_of(keys: KeySet, index: u32) -> query::Query {
    if index < keys.keys_count {
        return get(COLLECTION, keys.key(index));
    }
    let index = index - keys.keys_count;
    set(COLLECTION, keys.key(index), keys.value(index))
}

/// A query as it goes into the body of a request.
pub(crate) fn framed(query: query::Query) -> Bytes {
    let mut out = Vec::new();
    put_grpc(&mut out, &request(query));
    out.into()
}

/// A get.
pub fn get(collection: &str, key: impl Into<Bytes>) -> query::Query {
    query::Query::Get(GetQuery {
        collection: collection.into(),
        key: Some(Key { data: key.into() }),
    })
}

/// A set, with metadata as clients fill it in.
pub fn set(collection: &str, key: impl Into<Bytes>, value: impl Into<Bytes>) -> query::Query {
    query::Query::Set(SetQuery {
        collection: collection.into(),
        key: Some(Key { data: key.into() }),
        value: Some(blob(value)),
    })
}

/// A value with its metadata; the time is always the same, so that answers can be compared.
pub fn blob(value: impl Into<Bytes>) -> CipherBlob {
    let data = value.into();
    let metadata = CipherMetadata {
        size: data.len() as u64,
        compression: CompressionType::CompressionNone as i32,
        checksum: crc32fast::hash(&data),
        created_at: 1_700_000_000,
        version: None,
    };
    CipherBlob { data, metadata: Some(metadata) }
}

/// A request as existing clients send it: identity, timeout and version are always there.
pub fn request(query: query::Query) -> QueryRequest {
    QueryRequest {
        query: Some(Query { query: Some(query) }),
        request_id: Some("8d7e2c1a-5b0f-4c39-9f6e-0a4b3c2d1e0f".into()),
        timeout_ms: Some(30_000),
        transaction_id: None,
        version: Some(Version { major: 0, minor: 2, patch: 0 }),
    }
}

/// The value in the answer to a get; an in-band error as text.
pub fn value_of(response: QueryResponse) -> Result<Option<CipherBlob>, String> {
    match response.response {
        Some(Response::Result(result)) => match result.result {
            Some(query_result::Result::Single(single)) => Ok(single.value),
            other => Err(format!("no answer to a get: {other:?}")),
        },
        Some(Response::Error(error)) => Err(format!("in-band error {}", error.code)),
        None => Err("an empty answer".into()),
    }
}

#[cfg(test)]
mod tests {
    use amaters_proto::{
        errors::ErrorResponse,
        query::{QueryResult, SingleResult, SuccessResult},
    };

    use super::*;

    const KEYS: KeySet = KeySet { keys_count: 4, value_bytes: 300 };

    fn check(index: u32, response: Response) -> Result<usize, String> {
        let mut body = Vec::new();
        // As a server may put them: what is around the result comes first.
        let around = QueryResponse {
            response: None,
            request_id: Some("8d7e2c1a-5b0f-4c39-9f6e-0a4b3c2d1e0f".into()),
            execution_time_ms: 300,
        };
        let response = QueryResponse { response: Some(response), ..Default::default() };
        let (around, response) = (around.encode_to_vec(), response.encode_to_vec());
        body.push(0);
        body.extend_from_slice(&((around.len() + response.len()) as u32).to_be_bytes());
        body.extend_from_slice(&around);
        body.extend_from_slice(&response);
        let head = &body[..body.len().min(crate::wire::BODY_HEAD_BYTES)];
        let whole = Some(&body[..]);
        Amaters::new(KEYS).check(index, &Body { head, length: body.len(), whole })
    }

    fn result(result: query_result::Result) -> Response {
        Response::Result(QueryResult { result: Some(result) })
    }

    #[test]
    fn the_right_value_is_told_from_wrong_ones() {
        let single = |value| result(query_result::Result::Single(SingleResult { value }));
        assert_eq!(check(1, single(Some(blob(KEYS.value(1))))), Ok(300));
        assert_eq!(check(1, single(Some(blob(KEYS.value(2))))), Err("a wrong value".into()));
        assert_eq!(check(1, single(None)), Err("absent".into()));
    }

    #[test]
    fn a_set_needs_a_success_and_an_error_shows_its_code() {
        let success = SuccessResult { affected_rows: 1 };
        assert_eq!(check(5, result(query_result::Result::Success(success))), Ok(300));
        assert!(check(5, result(query_result::Result::Single(SingleResult::default()))).is_err());
        let error = Response::Error(ErrorResponse { code: 7002, ..Default::default() });
        assert_eq!(check(5, error), Err("in-band error 7002".into()));
    }
}
