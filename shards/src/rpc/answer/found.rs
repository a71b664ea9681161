//! The answer of `KvService.Get`.

use bytes::{BufMut, Bytes};

use super::{
    Answer, EMPTY, SHORT, blob_length, envelope_length, nested, put_nested, write_blob,
    write_envelope,
};
use crate::{payload::Writer, router::condition::Digest, storage::Value};

/// A `GetResponse` with a value, or with the word that there is none.
pub struct FoundAnswer<'a> {
    /// The value and the digest of its data.
    pub found: Option<&'a (Value, Digest)>,
    /// The data stay here.
    pub without_data: bool,
    /// As the client sent it.
    pub request_id: Option<&'a [u8]>,
    /// Time from the request to the answer.
    pub millis: u64,
}

impl Answer for FoundAnswer<'_> {
    fn length(&self) -> usize {
        let response = self.shown().map_or(EMPTY, |(value, digest)| nested(found(&value, digest)));
        response + envelope_length(self.request_id, self.millis)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        write_envelope(writer, self.request_id, self.millis);
        let Some((value, digest)) = self.shown() else {
            return put_nested(writer.buffer(SHORT), 5, 0);
        };
        let buffer = writer.buffer(SHORT + digest.len());
        put_nested(buffer, 1, found(&value, digest));
        put_nested(buffer, 2, digest.len());
        buffer.put_slice(digest);
        put_nested(buffer, 1, blob_length(&value));
        write_blob(writer, &value);
    }
}

impl FoundAnswer<'_> {
    /// What the client is shown of the value.
    fn shown(&self) -> Option<(Value, &Digest)> {
        let (value, digest) = self.found?;
        let data = if self.without_data { Bytes::new() } else { value.data.clone() };
        Some((Value { data, meta: value.meta }, digest))
    }
}

/// Length of a `Found`.
fn found(value: &Value, digest: &Digest) -> usize {
    nested(digest.len()) + nested(blob_length(value))
}

#[cfg(test)]
mod tests {
    use amaters_proto::kv::v1::{GetResponse, get_response::Response};
    use bytes::BytesMut;
    use prost::Message as _;

    use super::*;
    use crate::{router::condition::digest, storage::Meta};

    fn read(answer: &FoundAnswer<'_>) -> GetResponse {
        let mut scratch = BytesMut::new();
        let mut writer = Writer::new(&mut scratch);
        answer.write(&mut writer);
        let bytes = writer.finish().contiguous();
        assert_eq!(bytes.len(), answer.length());
        GetResponse::decode(bytes).unwrap()
    }

    #[test]
    fn prost_reads_a_value_with_its_digest_with_and_without_data() {
        for bytes in [0, 5, 1023, 1024, 100_000] {
            let data = Bytes::from(vec![7; bytes]);
            let meta = Meta { size: 9, checksum: 3, version: Some(0), ..Meta::default() };
            let sealed = (Value { data: data.clone(), meta }, digest(&data));
            for without_data in [false, true] {
                let (found, request_id) = (Some(&sealed), Some(&b"id"[..]));
                let answer = FoundAnswer { found, without_data, request_id, millis: 300 };
                let response = read(&answer);
                assert_eq!(response.request_id.as_deref(), Some("id"));
                assert_eq!(response.execution_time_ms, 300);
                let Some(Response::Found(found)) = response.response else { panic!("not found") };
                assert_eq!(found.sha256, &digest(&data)[..]);
                let value = found.value.unwrap();
                assert_eq!(value.data, if without_data { Bytes::new() } else { data.clone() });
                let meta = value.metadata.unwrap();
                assert_eq!((meta.size, meta.checksum, meta.version), (9, 3, Some(0)));
            }
        }
    }

    #[test]
    fn prost_reads_that_there_is_none() {
        let answer = FoundAnswer { found: None, without_data: false, request_id: None, millis: 0 };
        assert!(matches!(read(&answer).response, Some(Response::Absent(_))));
    }
}
