//! A client of a server that may be gone or refuse: nothing that happens to it is a panic.

use std::net::SocketAddr;

use amaters_load::script::amaters;
use amaters_proto::{
    aql::{
        BatchRequest, aql_service_client::AqlServiceClient, batch_response, query_response,
        stream_response::Chunk,
    },
    errors::{ErrorCode, ErrorResponse},
    query::{DeleteQuery, Query, RangeQuery, query, query_result::Result as Outcome},
    types::Key,
};
use bytes::Bytes;
use tonic::{Code, Status, transport::Channel};

/// The collection that these tests live in.
pub(super) const COLLECTION: &str = "torture";
/// Behind every key that the tests use.
const LAST_KEY: &[u8] = &[0xff; 8];
/// Longest answer of a batch that is taken.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Why there is no result.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// Nobody answered; what was asked may have happened.
    Gone(#[expect(dead_code, reason = "for the eyes of who reads a failed test")] String),
    /// The server said no; nothing has happened.
    Refused { code: i32, message: String },
}

/// One connection; clones share it.
#[derive(Clone)]
pub(super) struct Client(AqlServiceClient<Channel>);

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let channel = Channel::from_shared(format!("http://{address}")).unwrap();
        let channel = channel.connect().await.unwrap();
        Self(AqlServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Bytes>, Trouble> {
        match self.ask(get(key)).await? {
            Outcome::Single(single) => Ok(single.value.map(|value| value.data)),
            other => panic!("a get was answered by {other:?}"),
        }
    }

    pub(super) async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), Trouble> {
        self.ask(set(key, value)).await.map(|_| ())
    }

    /// One query.
    pub(super) async fn ask(&self, query: query::Query) -> Result<Outcome, Trouble> {
        let request = amaters::request(query);
        let response = self.0.clone().execute_query(request).await?.into_inner();
        match response.response.unwrap() {
            query_response::Response::Result(result) => Ok(result.result.unwrap()),
            query_response::Response::Error(error) => Err(error.into()),
        }
    }

    /// Several, all or nothing.
    pub(super) async fn batch(&self, queries: Vec<query::Query>) -> Result<Vec<Outcome>, Trouble> {
        self.batch_within(None, queries).await
    }

    /// The same, in so much time.
    pub(super) async fn batch_within(
        &self,
        timeout_ms: Option<u32>,
        queries: Vec<query::Query>,
    ) -> Result<Vec<Outcome>, Trouble> {
        let queries = queries.into_iter().map(|query| Query { query: Some(query) }).collect();
        let request = BatchRequest { queries, timeout_ms, ..BatchRequest::default() };
        let response = self.0.clone().execute_batch(request).await?.into_inner();
        match response.response.unwrap() {
            batch_response::Response::Results(results) => {
                Ok(results.results.into_iter().map(|result| result.result.unwrap()).collect())
            }
            batch_response::Response::Error(error) => Err(error.into()),
        }
    }

    /// All keys and values, in key order.
    pub(super) async fn everything(&self) -> Result<Vec<(Bytes, Bytes)>, Trouble> {
        self.stream(range(COLLECTION, "", LAST_KEY)).await
    }

    /// The rows of a range or a filter, as a stream.
    pub(super) async fn stream(&self, query: query::Query) -> Result<Vec<(Bytes, Bytes)>, Trouble> {
        let request = amaters::request(query);
        let mut stream = self.0.clone().execute_stream(request).await?.into_inner();
        let mut rows = Vec::new();
        while let Some(response) = stream.message().await? {
            match response.chunk.unwrap() {
                Chunk::Batch(batch) => rows.extend(batch.values.into_iter().map(|row| {
                    (row.key.unwrap_or_default().data, row.value.unwrap_or_default().data)
                })),
                Chunk::End(end) => assert_eq!(end.total_count, rows.len() as u64),
                other => panic!("a stream brought {other:?}"),
            }
        }
        Ok(rows)
    }
}

/// Keys in `[start, end)`.
pub(super) fn range(
    collection: &str,
    start: impl AsRef<[u8]>,
    end: impl AsRef<[u8]>,
) -> query::Query {
    let key = |data: &[u8]| Some(Key { data: Bytes::copy_from_slice(data) });
    let (start, end) = (key(start.as_ref()), key(end.as_ref()));
    query::Query::Range(RangeQuery { collection: collection.into(), start, end, limit: None })
}

pub(super) fn get(key: &str) -> query::Query {
    amaters::get(COLLECTION, key.to_owned())
}

pub(super) fn set(key: &str, value: Vec<u8>) -> query::Query {
    amaters::set(COLLECTION, key.to_owned(), value)
}

pub(super) fn delete(key: &str) -> query::Query {
    let key = Some(Key { data: key.to_owned().into() });
    query::Query::Delete(DeleteQuery { collection: COLLECTION.into(), key })
}

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        // A stream has no other place to say that it wants more than is kept.
        if status.code() == Code::OutOfRange {
            let code = ErrorCode::ErrorValidationSizeExceeded as i32;
            return Self::Refused { code, message: status.message().to_owned() };
        }
        Self::Gone(status.to_string())
    }
}

impl From<ErrorResponse> for Trouble {
    fn from(error: ErrorResponse) -> Self {
        Self::Refused { code: error.code, message: error.message }
    }
}
