//! `timeout_ms` and `grpc-timeout`: whichever ends first.

use amaters_proto::{
    aql::{QueryRequest, QueryResponse, query_response::Response},
    errors::ErrorResponse,
    query::Query,
    types::Predicate,
};
use bytes::Bytes;
use prost::Message as _;
use tonic::{Code, metadata::MetadataMap};

use super::{
    client::{Client, ONE, Site, bounded, on_one_shard},
    interactive::Talk,
    queries::{
        Asked, add, and, any, blob, ciphertext, everything, filter, gt, request, set, update,
    },
    raw::{Connection, EXECUTE_QUERY, EXECUTE_STREAM, framed},
};

/// A condition of 127 nodes that holds for no row: a look at thousands of rows takes much longer
/// than a millisecond on any machine.
fn laborious() -> Predicate {
    (0..6).fold(gt([0xff; 64]), |half, _| super::queries::or(half.clone(), half))
}

async fn fill(client: &Client) {
    for thousand in 0..15 {
        let name = |n: i32| format!("{thousand:02} {n:04}");
        let batch = (0..1000).map(|n| set("d", name(n), blob("plain"))).collect();
        client.batch(batch).await.unwrap();
    }
}

fn timeout(response: Response) -> ErrorResponse {
    match response {
        Response::Error(error) => {
            assert_eq!((error.code, error.category), (1000, 1), "{error:?}");
            assert!(error.retry_after.is_some(), "{error:?}");
            error
        }
        Response::Result(result) => panic!("not timed out: {result:?}"),
    }
}

#[tokio::test]
async fn a_query_that_outlives_timeout_ms_is_1000_in_band() {
    on_one_shard(async |client| {
        fill(&client).await;
        let ask = async |query: Query, millis| {
            let request = QueryRequest { timeout_ms: Some(millis), ..request(query) };
            let response = client.stub.clone().execute_query(request).await.unwrap();
            response.into_inner().response.unwrap()
        };
        let search = Asked::from(filter("d", laborious())).0;
        let error = timeout(ask(search.clone(), 1).await);
        assert!(error.message.contains("1 ms"), "{error:?}");
        assert!(!error.message.contains("may have been applied"), "{error:?}");
        // Zero is no timeout, and a long one does not come into it.
        for millis in [0, 600_000] {
            assert!(matches!(ask(search.clone(), millis).await, Response::Result(_)));
        }
        // An update whose time is up before it is decided is undone.
        let write = update("d", and(any(), super::queries::not(laborious())), vec![add("     ")]);
        let error = timeout(ask(write, 1).await);
        assert!(error.message.contains("nothing of it was applied"), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn grpc_timeout_and_timeout_ms_each_end_a_query_when_they_are_first() {
    on_one_shard(async |client| {
        fill(&client).await;
        let connection = Connection::open(client.address).await;
        let ask = async |header: &str, millis| {
            let search = request(filter("d", laborious()));
            let request = QueryRequest { timeout_ms: Some(millis), ..search };
            let body = framed(0, &request.encode_to_vec());
            let answer = connection.call(EXECUTE_QUERY, &[("grpc-timeout", header)], body).await;
            assert_eq!(answer.code(), "0", "{answer:?}");
            QueryResponse::decode(answer.message().1).unwrap().response.unwrap()
        };
        timeout(ask("1m", 600_000).await);
        timeout(ask("1000u", 600_000).await);
        timeout(ask("10M", 1).await);
        assert!(matches!(ask("10M", 600_000).await, Response::Result(_)));
    })
    .await;
}

#[tokio::test]
async fn a_grpc_timeout_that_is_none_is_refused() {
    on_one_shard(async |client| {
        let connection = Connection::open(client.address).await;
        let body = framed(0, &request(super::queries::get("d", "k")).encode_to_vec());
        for header in ["soon", "1", "S", "123456789S", "-1S", "1.5S"] {
            for path in [EXECUTE_QUERY, EXECUTE_STREAM] {
                let answer = connection.call(path, &[("grpc-timeout", header)], body.clone()).await;
                assert_eq!(answer.code(), "3", "{header}: {answer:?}");
                assert!(answer.text().contains("grpc-timeout"), "{header}: {answer:?}");
            }
        }
    })
    .await;
}

/// A call has its time from its head on, also when the rest of it never comes.
#[tokio::test]
async fn the_time_runs_while_a_request_is_only_half_here() {
    on_one_shard(async |client| {
        let connection = Connection::open(client.address).await;
        let body = framed(0, &request(set("d", "k", blob("v"))).encode_to_vec());
        let half = body.slice(..body.len() / 2);
        for piece in [Bytes::new(), half.slice(..3), half] {
            let head = [("grpc-timeout", "200m")];
            let mut exchange = connection.begin(EXECUTE_QUERY, &head).await;
            exchange.send(piece, false).await;
            let answer = exchange.answer().await;
            let response = QueryResponse::decode(answer.message().1).unwrap();
            timeout(response.response.unwrap());
        }
        assert_eq!(client.get("d", "k").await, None);
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_ends_with_its_time() {
    let site = Site::new(ONE, "");
    bounded(async {
        let client = Client::connect_with(site.server.address, |endpoint| {
            endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535)
        })
        .await;
        for n in 0..40u8 {
            client.set("d", [n], ciphertext(256 * 1024, n.into())).await;
        }
        let asked = QueryRequest { timeout_ms: Some(300), ..request(everything("d")) };
        let mut stream = client.stub.clone().execute_stream(asked).await.unwrap().into_inner();
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        let status = loop {
            match stream.message().await {
                Ok(message) => assert!(message.is_some(), "the stream came to a good end"),
                Err(status) => break status,
            }
        };
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        assert_eq!(client.stream(everything("d")).await.unwrap().total_count, 40);
    })
    .await;
}

#[tokio::test]
async fn an_interactive_stream_ends_with_its_grpc_timeout() {
    on_one_shard(async |client| {
        client.set("d", "k", "v").await;
        // tonic watches the timeout itself only until the head of the answer is here.
        let mut headers = MetadataMap::new();
        headers.insert("grpc-timeout", "2S".parse().unwrap());
        let mut talk = Talk::begin_with(&client, headers).await;
        talk.say(1, super::queries::get("d", "k"));
        assert!(matches!(talk.hear(1).await, Response::Result(_)));
        let status = talk.answers.message().await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        assert_eq!(client.data("d", "k").await, "v");
    })
    .await;
}
