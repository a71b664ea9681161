//! Writes under a condition, and digests: `amaters.kv.v1.KvService`.

use amaters_proto::{
    kv::v1::{
        Condition, ConditionalBatchRequest, GetRequest, condition::Expected,
        conditional_batch_response, get_response, kv_service_client::KvServiceClient, unmet,
    },
    query::Query,
    types::Key,
};
use bytes::Bytes;

use super::{
    connection::Connection,
    entry::hex,
    failure::{Failure, Kind},
    query,
};

impl Connection {
    /// The SHA-256 of a value, which itself stays where it is.
    pub(super) async fn sha256(
        &self,
        collection: &str,
        key: Bytes,
    ) -> Result<Option<Bytes>, Failure> {
        let request = GetRequest {
            collection: collection.into(),
            key: Some(Key { data: key }),
            timeout_ms: Some(query::millis(self.timeout())),
            version: Some(query::VERSION),
            without_data: true,
            ..GetRequest::default()
        };
        let mut stub = KvServiceClient::new(self.channel());
        let answer = stub.get(self.call(request, Some(self.timeout()))).await?.into_inner();
        match answer.response {
            Some(get_response::Response::Found(found)) => Ok(Some(found.sha256)),
            Some(get_response::Response::Absent(_)) => Ok(None),
            Some(get_response::Response::Error(error)) => Err(error.into()),
            None => Err(Failure::nonsense("a get without an answer")),
        }
    }

    /// A query that is done only if the key is as expected.
    pub(super) async fn set_if(
        &self,
        query: Query,
        collection: &str,
        key: Bytes,
        expected: Expected,
    ) -> Result<(), Failure> {
        let condition = Condition {
            collection: collection.into(),
            key: Some(Key { data: key }),
            expected: Some(expected),
        };
        let request = ConditionalBatchRequest {
            queries: vec![query],
            conditions: vec![condition],
            timeout_ms: Some(query::millis(self.timeout())),
            version: Some(query::VERSION),
            request_id: None,
        };
        let mut stub = KvServiceClient::new(self.channel());
        let request = self.call(request, Some(self.timeout()));
        match stub.conditional_batch(request).await?.into_inner().response {
            Some(conditional_batch_response::Response::Results(_)) => Ok(()),
            Some(conditional_batch_response::Response::Error(error)) => Err(error.into()),
            Some(conditional_batch_response::Response::Unmet(unmet)) => {
                let there = match unmet.found {
                    Some(unmet::Found::Absent(_)) => "it has no value".to_owned(),
                    Some(unmet::Found::Sha256(digest)) => {
                        format!("it has a value with the SHA-256 {}", hex(&digest))
                    }
                    None => "what it has was not said".to_owned(),
                };
                Err(Failure::new(
                    Kind::Unmet,
                    format!("not stored, the key is not as expected: {there}"),
                ))
            }
            None => Err(Failure::nonsense("a batch without an answer")),
        }
    }
}
