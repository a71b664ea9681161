//! gzip in both directions, for clients that want it.

use std::io::{Read as _, Write as _};

use amaters_proto::aql::{QueryResponse, query_response};
use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use prost::Message as _;
use tonic::codec::CompressionEncoding;

use super::{
    client::{Client, ONE, Site, bounded, on_every_kind},
    queries::{ciphertext, everything, get, request},
    raw::{Connection, EXECUTE_QUERY, framed},
};

/// The same client, with both directions packed.
fn packing(client: &Client) -> Client {
    let mut client = client.clone();
    client.stub = client
        .stub
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    client
}

fn pack(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(message).unwrap();
    encoder.finish().unwrap()
}

fn unpack(packed: &[u8]) -> Bytes {
    let mut message = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut message).unwrap();
    message.into()
}

/// Values that pack well, badly and not at all.
fn values() -> [Bytes; 4] {
    [Bytes::new(), vec![7; 300_000].into(), ciphertext(512 * 1024, 9), "short".into()]
}

#[tokio::test]
async fn values_survive_packing_in_unary_calls_batches_and_streams() {
    on_every_kind(async |client| {
        let packing = packing(&client);
        for (n, value) in values().iter().enumerate() {
            packing.set("g", [n as u8], value.clone()).await;
            assert!(packing.data("g", [n as u8]).await == *value);
            assert!(client.data("g", [n as u8]).await == *value, "read without gzip");
            packing.batch(vec![get("g", [n as u8])]).await.unwrap();
        }
        let streamed = packing.stream(everything("g")).await.unwrap();
        let rows = streamed.rows().map(|row| row.value.clone().unwrap().data);
        assert!(rows.eq(values()));

        let asked = [request(get("g", [1])), request(get("g", [2]))];
        let asked = futures_util::stream::iter(asked);
        let answers = packing.stub.clone().execute_interactive(asked).await.unwrap();
        let mut answers = answers.into_inner();
        for _ in 0..2 {
            let answer = answers.message().await.unwrap().unwrap();
            assert!(matches!(answer.response, Some(query_response::Response::Result(_))));
        }
        assert!(answers.message().await.unwrap().is_none());
    })
    .await;
}

/// tonic unpacks in silence, so this looks at the frames themselves.
#[tokio::test]
async fn answers_are_packed_for_those_who_pack_and_for_nobody_else() {
    on_every_kind(async |client| {
        client.set("g", "zeros", vec![0; 100_000]).await;
        let connection = Connection::open(client.address).await;
        let message = request(get("g", "zeros")).encode_to_vec();
        let plain = framed(0, &message);
        let packed = framed(1, &pack(&message));
        let value = |message: Bytes| {
            let response = QueryResponse::decode(message).unwrap().response.unwrap();
            matches!(response, query_response::Response::Result(_))
        };

        let headers = [("grpc-encoding", "gzip"), ("grpc-accept-encoding", "identity,gzip")];
        let answer = connection.call(EXECUTE_QUERY, &headers, packed.clone()).await;
        assert_eq!(answer.headers["grpc-encoding"], "gzip");
        let (is_packed, body) = answer.message();
        assert!(is_packed && body.len() < 1000, "{} bytes", body.len());
        assert!(value(unpack(&body)));

        for (headers, body) in [
            (&[("grpc-encoding", "gzip")][..], &packed),
            (&[("grpc-accept-encoding", "gzip")], &plain),
            (&[], &plain),
        ] {
            let answer = connection.call(EXECUTE_QUERY, headers, body.clone()).await;
            assert_eq!(answer.headers.get("grpc-encoding"), None, "{headers:?}");
            assert_eq!(answer.headers["grpc-accept-encoding"], "gzip,identity");
            let (is_packed, body) = answer.message();
            assert!(!is_packed && body.len() > 100_000);
            assert!(value(body));
        }
    })
    .await;
}

/// Packing is work that nobody else on the reactor gets past, so what is long is sent as it is.
#[tokio::test]
async fn long_answers_are_not_packed() {
    on_every_kind(async |client| {
        let connection = Connection::open(client.address).await;
        for (bytes, packs) in [(1024 * 1024 - 200, true), (1024 * 1024, false)] {
            packing(&client).set("g", "k", vec![0; bytes]).await;
            let message = pack(&request(get("g", "k")).encode_to_vec());
            let headers = [("grpc-encoding", "gzip"), ("grpc-accept-encoding", "gzip")];
            let answer = connection.call(EXECUTE_QUERY, &headers, framed(1, &message)).await;
            let (is_packed, body) = answer.message();
            assert_eq!(is_packed, packs, "{bytes} bytes");
            assert_eq!(body.len() > bytes, !packs);
            assert_eq!(packing(&client).data("g", "k").await, vec![0; bytes]);
        }
    })
    .await;
}

#[tokio::test]
async fn what_does_not_unpack_is_a_status_and_the_connection_lives_on() {
    let more = "[limits]\nmessage_bytes_max = 1048576";
    let site = Site::new(ONE, more);
    bounded(async {
        let client = site.client().await;
        client.set("g", "k", "v").await;
        let connection = Connection::open(client.address).await;
        let good = request(get("g", "k")).encode_to_vec();
        let gzip = [("grpc-encoding", "gzip")];
        let mut cut = pack(&good);
        cut.truncate(cut.len() - 9);
        let bomb = pack(&vec![0; 20 * 1024 * 1024]);
        for (headers, body, code) in [
            (&gzip[..], framed(1, b"no gzip at all"), "13"),
            (&gzip, framed(1, &cut), "13"),
            (&gzip, framed(1, &bomb), "8"),
            (&[], framed(1, &pack(&good)), "13"),
            (&[("grpc-encoding", "br")], framed(1, &good), "12"),
        ] {
            let answer = connection.call(EXECUTE_QUERY, headers, body).await;
            assert_eq!(answer.code(), code, "{answer:?}");
            assert!(!answer.text().is_empty());
            let answer = connection.call(EXECUTE_QUERY, &[], framed(0, &good)).await;
            assert_eq!(answer.code(), "0");
        }
    })
    .await;
}
