//! Bounds of calls, and what is no call of this server: each refused with a clear status, and the
//! connection lives on.

use amaters_proto::aql::{BatchResponse, QueryResponse, batch_response, query_response::Response};
use bytes::Bytes;
use http::StatusCode;
use prost::Message as _;
use tonic::Code;

use super::{
    client::{FORGETFUL, Site, bounded, kinds, on_every_kind},
    queries::{blob, ciphertext, get, request, set},
    raw::{
        self, Connection, EXECUTE_BATCH, EXECUTE_INTERACTIVE, EXECUTE_QUERY, EXECUTE_STREAM, framed,
    },
};

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    on_every_kind(async |client| {
        for path in [
            "/amaters.aql.AqlService/ExecuteNothing",
            "/amaters.AqlService/ExecuteQuery",
            "/amaters.aql.AqlService/executequery",
            "/nobody.Nothing/Do",
            "/",
        ] {
            let status = raw::unary(&client, path, "").await.unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{path}: {status:?}");
            assert!(status.message().contains(path), "{status:?}");
        }
        client.set("l", "k", "v").await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_grpc_is_answered_in_http() {
    on_every_kind(async |client| {
        let connection = Connection::open(client.address).await;
        let grpc = ("content-type", "application/grpc");
        for (method, headers, status) in [
            ("GET", &[grpc][..], StatusCode::METHOD_NOT_ALLOWED),
            ("PUT", &[grpc], StatusCode::METHOD_NOT_ALLOWED),
            ("POST", &[], StatusCode::UNSUPPORTED_MEDIA_TYPE),
            (
                "POST",
                &[("content-type", "application/grpc-web+proto")],
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ),
            ("POST", &[("content-type", "text/html")], StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ] {
            let mut exchange = connection.begin_http(method, EXECUTE_QUERY, headers).await;
            exchange.send(Bytes::new(), true).await;
            let answer = exchange.answer().await;
            assert_eq!(answer.status, status, "{method} {headers:?}");
        }
        let good = framed(0, &request(get("l", "k")).encode_to_vec());
        for kind in ["application/grpc+proto", "application/grpc;charset=utf-8"] {
            let headers = [("content-type", kind)];
            let mut exchange = connection.begin_http("POST", EXECUTE_QUERY, &headers).await;
            exchange.send(good.clone(), true).await;
            assert_eq!(exchange.answer().await.code(), "0", "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn frames_that_are_none_are_a_status() {
    on_every_kind(async |client| {
        let connection = Connection::open(client.address).await;
        let good = framed(0, &request(get("l", "k")).encode_to_vec());
        let mut flag = good.to_vec();
        flag[0] = 2;
        let cut = good.slice(..good.len() - 1);
        let huge = Bytes::from_static(&[0, 0x40, 0, 0, 0, 1, 2, 3]);
        for path in [EXECUTE_QUERY, EXECUTE_BATCH, EXECUTE_STREAM, EXECUTE_INTERACTIVE] {
            for (body, code) in [
                (Bytes::from(flag.clone()), "13"),
                (cut.clone(), "13"),
                (good.slice(..4), "13"),
                (huge.clone(), "8"),
            ] {
                let answer = connection.call(path, &[], body).await;
                assert_eq!(answer.code(), code, "{path}: {answer:?}");
                assert!(!answer.text().is_empty());
            }
        }
        for path in [EXECUTE_QUERY, EXECUTE_BATCH, EXECUTE_STREAM] {
            let answer = connection.call(path, &[], "").await;
            assert_eq!(answer.code(), "3", "{path}: {answer:?}");
        }
        assert_eq!(connection.call(EXECUTE_INTERACTIVE, &[], "").await.code(), "0");
        assert_eq!(connection.call(EXECUTE_QUERY, &[], good).await.code(), "0");
    })
    .await;
}

/// Both ways in: a message that comes in one frame, and one that comes in many.
#[tokio::test]
async fn a_message_above_message_bytes_max_is_refused_however_it_comes() {
    for kind in kinds() {
        let site = Site::new(kind, "[limits]\nmessage_bytes_max = 65536");
        bounded(async {
            let client = site.client().await;
            // The longest value whose message is as long as is allowed.
            let longest = longest_value("l", 65_536);
            for (bytes, fits) in [
                (longest, true),
                (longest + 1, false),
                (500_000, false),
                (3_000_000, false),
                (20_000_000, false),
            ] {
                let key = format!("{bytes:08}");
                let asked = request(set("l", &key, blob(ciphertext(bytes, 1))));
                let answer = client.stub.clone().execute_query(asked).await;
                if fits {
                    assert!(matches!(
                        answer.unwrap().into_inner().response,
                        Some(Response::Result(_))
                    ));
                    assert_eq!(client.data("l", &key).await.len(), bytes);
                    continue;
                }
                let status = answer.unwrap_err();
                assert_eq!(status.code(), Code::ResourceExhausted, "{bytes}: {status:?}");
                assert!(status.message().contains("limits.message_bytes_max"), "{status:?}");
                // The connection that sent it is still good.
                assert_eq!(client.get("l", &key).await, None);
            }
            let batch = vec![set("l", "batch", blob(ciphertext(100_000, 1)))];
            let batch = super::queries::batch_request(batch);
            let status = client.stub.clone().execute_batch(batch).await.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
            assert_eq!(client.get("l", "batch").await, None);
        })
        .await;
    }
}

/// Each of these queries is two bytes on the wire and some two hundred in memory.
#[tokio::test]
async fn millions_of_empty_queries_are_refused_before_they_are_unpacked() {
    on_every_kind(async |client| {
        let connection = Connection::open(client.address).await;
        let body = framed(0, &[0x0a, 0x00].repeat(2_000_000));
        let answer = connection.call(EXECUTE_BATCH, &[], body).await;
        let Some(batch_response::Response::Error(error)) =
            BatchResponse::decode(answer.message().1).unwrap().response
        else {
            panic!("not refused");
        };
        assert_eq!(error.code, 6002, "{error:?}");
        client.set("l", "k", "v").await;
    })
    .await;
}

/// The longest value that a message of so many bytes sets.
fn longest_value(collection: &str, message_bytes: usize) -> usize {
    let message = |bytes| request(set(collection, "00000000", blob(vec![0xff; bytes])));
    let fits = |bytes: &usize| message(*bytes).encoded_len() <= message_bytes;
    (0..message_bytes).rev().find(fits).unwrap()
}

/// Half-sent requests hold memory; a reactor that holds its share takes no more of them, says so in
/// a way that clients can act on, and is as before when they are gone.
#[tokio::test]
async fn over_its_memory_the_server_refuses_with_7002_and_recovers() {
    let more = "[limits]\nmessage_bytes_max = 16777216\nconnection_bytes_max = 16777216\n\
                in_flight_bytes_max = 16777216";
    let site = Site::new(FORGETFUL, more);
    bounded(async {
        let client = site.client().await;
        client.set("l", "k", "v").await;
        let large =
            framed(0, &request(set("l", "large", blob(ciphertext(12 << 20, 1)))).encode_to_vec());
        let hoarder = Connection::open(client.address).await;
        let mut half = hoarder.begin(EXECUTE_QUERY, &[]).await;
        half.send(large.slice(..10 << 20), false).await;

        let other = Connection::open(client.address).await;
        let answer = other.call(EXECUTE_QUERY, &[], large.clone()).await;
        assert_eq!(answer.code(), "0", "{answer:?}");
        let Some(Response::Error(error)) =
            QueryResponse::decode(answer.message().1).unwrap().response
        else {
            panic!("not refused");
        };
        assert_eq!((error.code, error.category), (7002, 1), "{error:?}");
        assert!(error.retry_after.is_some_and(|seconds| seconds > 0), "{error:?}");
        // What is small is served all the same, on either connection.
        assert_eq!(client.data("l", "k").await, "v");

        half.send(large.slice(10 << 20..), true).await;
        assert_eq!(half.answer().await.code(), "0");
        let answer = other.call(EXECUTE_QUERY, &[], large).await;
        let response = QueryResponse::decode(answer.message().1).unwrap().response;
        assert!(matches!(response, Some(Response::Result(_))), "{response:?}");
        assert_eq!(client.data("l", "large").await.len(), 12 << 20);
    })
    .await;
}

/// Memory for entries is bounded: writes are refused then, reads and deletes are not.
#[tokio::test]
async fn memory_that_is_full_is_4003_until_something_is_deleted() {
    let site = Site::new(FORGETFUL, "memtable_size_mb = 1");
    bounded(async {
        let client = site.client().await;
        let value = |n: u64| ciphertext(100 * 1024, n);
        let mut stored = 0;
        let error = loop {
            match client.ask(set("l", format!("{stored}"), blob(value(stored)))).await {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
            assert!(stored < 11, "more than a mebibyte was taken");
        };
        assert!(stored > 5, "{stored} values of 100 KiB filled a mebibyte");
        assert_eq!((error.code, error.category), (4003, 2), "{error:?}");
        assert!(error.message.contains("storage.memtable_size_mb"), "{error:?}");
        for n in 0..stored {
            assert!(client.data("l", format!("{n}")).await == value(n));
        }
        assert_eq!(client.delete("l", "0").await, 1);
        client.set("l", "again", value(0)).await;
    })
    .await;
}
