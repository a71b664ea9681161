//! Rows of a scan, as they come.

use amaters_proto::{
    aql::{StreamResponse, stream_response::Chunk},
    query::{KeyValue, Query},
};
use tonic::Streaming;

use super::{connection::Connection, failure::Failure};

/// A scan that goes on.
pub(crate) struct Scan {
    stream: Streaming<StreamResponse>,
    rows: u64,
}

impl Scan {
    pub(crate) async fn begin(connection: &Connection, query: Query) -> Result<Self, Failure> {
        Ok(Self { stream: connection.stream(query).await?, rows: 0 })
    }

    /// The next rows; none when the server has said that this is all, and that count is true.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<KeyValue>>, Failure> {
        let Some(response) = self.stream.message().await? else {
            return Err(Failure::nonsense("the rows ended without a count of them"));
        };
        match response.chunk {
            Some(Chunk::Batch(batch)) => {
                self.rows += batch.values.len() as u64;
                Ok(Some(batch.values))
            }
            Some(Chunk::Value(value)) => {
                self.rows += 1;
                Ok(Some(vec![value]))
            }
            Some(Chunk::End(end)) if end.total_count == self.rows => Ok(None),
            Some(Chunk::End(end)) => {
                let (rows, count) = (self.rows, end.total_count);
                Err(Failure::nonsense(format!("{rows} rows came, and the server counted {count}")))
            }
            Some(Chunk::Error(error)) => Err(error.into()),
            None => Err(Failure::nonsense("a chunk with nothing in it")),
        }
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }
}
