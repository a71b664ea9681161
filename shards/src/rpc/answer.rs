//! Answers, written straight to the wire: values are sent from where they lie, so no message
//! struct is built around them. Field numbers are those of `proto/*.proto`; prost reads every
//! answer back in the tests below.
//!
//! Fields of a message may come in any order (protobuf encoding specification); the value is
//! written last where there is one, so that everything before it is one short piece.

mod found;

pub use found::FoundAnswer;

use amaters_proto::errors::ErrorResponse;
use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::{
    payload::Writer,
    router::operation::Reply,
    storage::{Meta, Value},
};

/// A message that knows its length before it is written, as gRPC's prefix needs it.
pub trait Answer {
    /// Bytes that [`Self::write`] will write.
    fn length(&self) -> usize;
    /// Writes the message.
    fn write(&self, writer: &mut Writer<'_>);
}

/// A `QueryResponse` with a result.
pub struct QueryAnswer<'a> {
    /// The result.
    pub reply: &'a Reply,
    /// As the client sent it.
    pub request_id: Option<&'a [u8]>,
    /// Time from the request to the answer.
    pub millis: u64,
}

/// A `BatchResponse` with results.
pub struct BatchAnswer<'a> {
    /// One for each query.
    pub replies: &'a [Reply],
    /// As the client sent it.
    pub request_id: Option<&'a str>,
    /// Time from the request to the answer.
    pub millis: u64,
}

/// A `QueryResponse` or a `BatchResponse` with an error; the two have the same fields.
pub struct ErrorAnswer<'a> {
    /// What went wrong.
    pub error: &'a ErrorResponse,
    /// As the client sent it.
    pub request_id: Option<&'a [u8]>,
    /// Time from the request to the answer.
    pub millis: u64,
}

/// A `StreamResponse` with rows.
pub struct StreamChunk<'a> {
    /// The rows.
    pub rows: &'a [(Bytes, Value)],
    /// Whether more rows follow.
    pub has_more: bool,
    /// Place of the chunk in the stream.
    pub sequence: u64,
}

/// Any message of prost, for what is rare.
pub struct Plain<M>(pub M);

/// Length of an empty message or string with its tag.
const EMPTY: usize = 2;

impl Answer for QueryAnswer<'_> {
    fn length(&self) -> usize {
        nested(reply_length(self.reply)) + envelope_length(self.request_id, self.millis)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        write_envelope(writer, self.request_id, self.millis);
        put_nested(writer.buffer(SHORT), 1, reply_length(self.reply));
        write_reply(writer, self.reply);
    }
}

impl Answer for BatchAnswer<'_> {
    fn length(&self) -> usize {
        let request_id = self.request_id.map(str::as_bytes);
        nested(self.results()) + envelope_length(request_id, self.millis)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        write_envelope(writer, self.request_id.map(str::as_bytes), self.millis);
        put_nested(writer.buffer(SHORT), 1, self.results());
        for reply in self.replies {
            put_nested(writer.buffer(SHORT), 1, reply_length(reply));
            write_reply(writer, reply);
        }
    }
}

impl BatchAnswer<'_> {
    fn results(&self) -> usize {
        self.replies.iter().map(|reply| nested(reply_length(reply))).sum()
    }
}

impl Answer for ErrorAnswer<'_> {
    fn length(&self) -> usize {
        nested(self.error.encoded_len()) + envelope_length(self.request_id, self.millis)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        write_envelope(writer, self.request_id, self.millis);
        let length = self.error.encoded_len();
        let buffer = writer.buffer(SHORT + length);
        put_nested(buffer, 2, length);
        self.error.encode_raw(buffer);
    }
}

impl Answer for StreamChunk<'_> {
    fn length(&self) -> usize {
        nested(self.batch()) + number(self.sequence)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let buffer = writer.buffer(SHORT);
        put_number(buffer, 4, self.sequence);
        put_nested(buffer, 5, self.batch());
        put_number(buffer, 2, u64::from(self.has_more));
        write_rows(writer, 1, self.rows);
    }
}

impl StreamChunk<'_> {
    fn batch(&self) -> usize {
        rows_length(self.rows) + number(u64::from(self.has_more))
    }
}

impl<M: Message> Answer for Plain<M> {
    fn length(&self) -> usize {
        self.0.encoded_len()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        self.0.encode_raw(writer.buffer(self.0.encoded_len()));
    }
}

/// Room for the tags, lengths and numbers that are written between two looks at the buffer.
const SHORT: usize = 64;

fn envelope_length(request_id: Option<&[u8]>, millis: u64) -> usize {
    request_id.map_or(0, |id| nested(id.len())) + number(millis)
}

/// `request_id` and `execution_time_ms`, the same fields in both responses.
fn write_envelope(writer: &mut Writer<'_>, request_id: Option<&[u8]>, millis: u64) {
    let buffer = writer.buffer(SHORT + request_id.map_or(0, <[u8]>::len));
    if let Some(id) = request_id {
        put_nested(buffer, 3, id.len());
        buffer.put_slice(id);
    }
    put_number(buffer, 4, millis);
}

/// Length of a `QueryResult`.
fn reply_length(reply: &Reply) -> usize {
    match reply {
        Reply::Value(None) => EMPTY,
        Reply::Value(Some(value)) => nested(nested(blob_length(value))),
        Reply::Affected(rows) => nested(number(*rows)),
        Reply::Page(page) => nested(rows_length(&page.rows)),
        Reply::Batch(_)
        | Reply::Unmet(_)
        | Reply::Prepared(_)
        | Reply::Names(_)
        | Reply::Recent(_)
        | Reply::Done => {
            unreachable!("no client is answered with these")
        }
    }
}

fn write_reply(writer: &mut Writer<'_>, reply: &Reply) {
    let buffer = writer.buffer(SHORT);
    match reply {
        Reply::Value(None) => put_nested(buffer, 1, 0),
        Reply::Value(Some(value)) => {
            let length = blob_length(value);
            put_nested(buffer, 1, nested(length));
            put_nested(buffer, 1, length);
            write_blob(writer, value);
        }
        Reply::Affected(rows) => {
            put_nested(buffer, 3, number(*rows));
            put_number(buffer, 1, *rows);
        }
        Reply::Page(page) => {
            put_nested(buffer, 2, rows_length(&page.rows));
            write_rows(writer, 2, &page.rows);
        }
        Reply::Batch(_)
        | Reply::Unmet(_)
        | Reply::Prepared(_)
        | Reply::Names(_)
        | Reply::Recent(_)
        | Reply::Done => {
            unreachable!("no client is answered with these")
        }
    }
}

fn rows_length(rows: &[(Bytes, Value)]) -> usize {
    rows.iter().map(|row| nested(row_length(row))).sum()
}

/// `repeated KeyValue`, with the field number that the message around it uses.
fn write_rows(writer: &mut Writer<'_>, field: u8, rows: &[(Bytes, Value)]) {
    for row in rows {
        let (key, value) = row;
        let buffer = writer.buffer(SHORT + key.len());
        put_nested(buffer, field, row_length(row));
        put_nested(buffer, 1, data_length(key));
        put_data(buffer, key);
        put_nested(buffer, 2, blob_length(value));
        write_blob(writer, value);
    }
}

/// Length of a `KeyValue`.
fn row_length((key, value): &(Bytes, Value)) -> usize {
    nested(data_length(key)) + nested(blob_length(value))
}

/// Length of a `CipherBlob`. The metadata is always there: clients fail without it.
fn blob_length(value: &Value) -> usize {
    nested(meta_length(&value.meta)) + data_length(&value.data)
}

fn write_blob(writer: &mut Writer<'_>, value: &Value) {
    let Value { data, meta } = value;
    let buffer = writer.buffer(SHORT + EMPTY);
    put_nested(buffer, 2, meta_length(meta));
    put_number(buffer, 1, meta.size);
    put_number(buffer, 2, u64::from(meta.compression));
    put_number(buffer, 3, u64::from(meta.checksum));
    put_number(buffer, 4, meta.created_at as u64);
    if let Some(version) = meta.version {
        put_tagged(buffer, 5, u64::from(version));
    }
    if !data.is_empty() {
        put_nested(buffer, 1, data.len());
        writer.put_value(data);
    }
}

/// Length of a `CipherMetadata`.
fn meta_length(meta: &Meta) -> usize {
    let version = meta.version.map_or(0, |version| 1 + varint(u64::from(version)));
    number(meta.size)
        + number(u64::from(meta.compression))
        + number(u64::from(meta.checksum))
        + number(meta.created_at as u64)
        + version
}

/// Length of a bytes field that is left out when empty.
fn data_length(data: &[u8]) -> usize {
    if data.is_empty() { 0 } else { nested(data.len()) }
}

fn put_data(buffer: &mut BytesMut, data: &[u8]) {
    if !data.is_empty() {
        put_nested(buffer, 1, data.len());
        buffer.put_slice(data);
    }
}

/// Length of a field with a length: tag, length, bytes. All field numbers are under 16.
fn nested(length: usize) -> usize {
    1 + varint(length as u64) + length
}

/// Length of a number that is left out when zero.
fn number(value: u64) -> usize {
    if value == 0 { 0 } else { 1 + varint(value) }
}

/// Length of a base-128 varint.
fn varint(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Tag and length of a field with a length (wire type 2).
fn put_nested(buffer: &mut BytesMut, field: u8, length: usize) {
    buffer.put_u8(field << 3 | 2);
    put_varint(buffer, length as u64);
}

/// A number, left out when zero (wire type 0).
fn put_number(buffer: &mut BytesMut, field: u8, value: u64) {
    if value != 0 {
        put_tagged(buffer, field, value);
    }
}

fn put_tagged(buffer: &mut BytesMut, field: u8, value: u64) {
    buffer.put_u8(field << 3);
    put_varint(buffer, value);
}

fn put_varint(buffer: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        buffer.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value as u8);
}

#[cfg(test)]
mod tests {
    use amaters_proto::{
        aql::{
            BatchResponse, QueryResponse, StreamResponse, batch_response, query_response,
            stream_response,
        },
        query::query_result,
        types::CipherMetadata,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::storage::Page;

    fn written(answer: &impl Answer) -> Bytes {
        let mut scratch = BytesMut::new();
        let mut writer = Writer::new(&mut scratch);
        answer.write(&mut writer);
        let bytes = writer.finish().contiguous();
        assert_eq!(bytes.len(), answer.length());
        bytes
    }

    prop_compose! {
        fn value()(
            data in prop::collection::vec(any::<u8>(), 0..3000),
            size: u64, compression in 0u32..3, checksum: u32, created_at: i64,
            version: Option<u32>,
        ) -> Value {
            Value {
                data: data.into(),
                meta: Meta { size, compression, checksum, created_at, version },
            }
        }
    }

    fn metadata(value: &Value) -> CipherMetadata {
        CipherMetadata {
            size: value.meta.size,
            compression: value.meta.compression as i32,
            checksum: value.meta.checksum,
            created_at: value.meta.created_at,
            version: value.meta.version,
        }
    }

    proptest! {
        #[test]
        fn prost_reads_a_single_value(value in value(), millis: u64, id: Option<[char; 3]>) {
            let id = id.map(String::from_iter);
            let reply = Reply::Value(Some(value.clone()));
            let request_id = id.as_deref().map(str::as_bytes);
            let bytes = written(&QueryAnswer { reply: &reply, request_id, millis });
            let response = QueryResponse::decode(bytes).unwrap();
            prop_assert_eq!(&response.request_id, &id);
            prop_assert_eq!(response.execution_time_ms, millis);
            let Some(query_response::Response::Result(result)) = response.response else {
                panic!("no result");
            };
            let Some(query_result::Result::Single(single)) = result.result else {
                panic!("not single");
            };
            let blob = single.value.unwrap();
            prop_assert_eq!(&blob.data, &value.data);
            prop_assert_eq!(blob.metadata.unwrap(), metadata(&value));
        }

        #[test]
        fn prost_reads_rows(
            rows in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..9), value()), 0..5),
            sequence: u64, has_more: bool,
        ) {
            let rows: Vec<(Bytes, Value)> =
                rows.into_iter().map(|(key, value)| (key.into(), value)).collect();
            let bytes = written(&StreamChunk { rows: &rows, has_more, sequence });
            let response = StreamResponse::decode(bytes).unwrap();
            prop_assert_eq!(response.sequence, sequence);
            let Some(stream_response::Chunk::Batch(batch)) = response.chunk else {
                panic!("no batch");
            };
            prop_assert_eq!(batch.has_more, has_more);
            prop_assert_eq!(batch.values.len(), rows.len());
            for (sent, (key, value)) in batch.values.into_iter().zip(&rows) {
                prop_assert_eq!(&sent.key.unwrap().data, key);
                prop_assert_eq!(&sent.value.unwrap().data, &value.data);
            }
            let reply = Reply::Page(Page { rows: rows.clone(), next: None });
            let replies = [reply, Reply::Affected(7), Reply::Value(None)];
            let bytes = written(&BatchAnswer { replies: &replies, request_id: None, millis: 0 });
            let Some(batch_response::Response::Results(results)) =
                BatchResponse::decode(bytes).unwrap().response
            else {
                panic!("no results");
            };
            let results: Vec<_> = results.results.into_iter().map(|r| r.result.unwrap()).collect();
            let [
                query_result::Result::Multi(multi),
                query_result::Result::Success(success),
                query_result::Result::Single(single),
            ] = &results[..] else {
                panic!("{results:?}");
            };
            prop_assert_eq!(multi.values.len(), rows.len());
            prop_assert_eq!(success.affected_rows, 7);
            prop_assert!(single.value.is_none());
        }
    }

    #[test]
    fn prost_reads_an_error() {
        let error = ErrorResponse { code: 2003, message: "text".into(), ..Default::default() };
        let answer = ErrorAnswer { error: &error, request_id: Some(b"id"), millis: 3 };
        let response = QueryResponse::decode(written(&answer)).unwrap();
        assert_eq!(response.response, Some(query_response::Response::Error(error)));
        assert_eq!(response.request_id.as_deref(), Some("id"));
    }
}
