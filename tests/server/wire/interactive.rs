//! `ExecuteInteractive`: many requests on one stream.

use amaters_proto::{
    aql::{QueryRequest, QueryResponse, query_response::Response},
    query::query_result::Result as Outcome,
};
use bytes::Bytes;
use futures_util::stream;
use http::uri::PathAndQuery;
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::{Streaming, metadata::MetadataMap};

use super::{
    client::{Client, ONE, Site, bounded, on_every_kind},
    queries::{Asked, blob, ciphertext, everything, get, request, set},
    raw::{EXECUTE_INTERACTIVE, Raw, grpc},
};

/// A stream of requests that are sent when the test says so.
pub(crate) struct Talk {
    requests: mpsc::UnboundedSender<QueryRequest>,
    pub(crate) answers: Streaming<QueryResponse>,
}

impl Talk {
    pub(crate) async fn begin(client: &Client) -> Self {
        Self::begin_with(client, MetadataMap::new()).await
    }

    /// The same with more headers.
    pub(crate) async fn begin_with(client: &Client, headers: MetadataMap) -> Self {
        let (requests, mut waiting) = mpsc::unbounded_channel();
        let mut call = tonic::Request::new(stream::poll_fn(move |cx| waiting.poll_recv(cx)));
        *call.metadata_mut() = headers;
        let answers = client.stub.clone().execute_interactive(call).await;
        Self { requests, answers: answers.unwrap().into_inner() }
    }

    pub(crate) fn say(&self, id: impl ToString, asked: impl Into<Asked>) {
        let request = QueryRequest { request_id: Some(id.to_string()), ..request(asked) };
        self.requests.send(request).unwrap();
    }

    /// The next answer, which must be to this request.
    pub(crate) async fn hear(&mut self, id: impl ToString) -> Response {
        let answer = self.answers.message().await.unwrap().unwrap();
        assert_eq!(answer.request_id, Some(id.to_string()));
        answer.response.unwrap()
    }

    /// Says that no more requests come; the server must end the stream well.
    pub(crate) async fn end(mut self) {
        drop(self.requests);
        assert!(self.answers.message().await.unwrap().is_none());
    }
}

fn value(response: Response) -> Option<Bytes> {
    match response {
        Response::Result(result) => match result.result.unwrap() {
            Outcome::Single(single) => single.value.map(|blob| blob.data),
            other => panic!("a get was answered by {other:?}"),
        },
        Response::Error(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_request_is_answered_before_the_next_is_sent() {
    on_every_kind(async |client| {
        let mut talk = Talk::begin(&client).await;
        for n in 0..50 {
            talk.say(n, set("i", "k", blob(format!("{n}"))));
            assert!(matches!(talk.hear(n).await, Response::Result(_)));
            talk.say("again", get("i", "k"));
            assert_eq!(value(talk.hear("again").await).unwrap(), format!("{n}"));
        }
        talk.end().await;
    })
    .await;
}

/// Requests over all shards, with answers of very different sizes: order is that of the requests.
#[tokio::test]
async fn many_requests_in_flight_are_answered_in_order() {
    on_every_kind(async |client| {
        let mut talk = Talk::begin(&client).await;
        let bytes = |n: usize| if n.is_multiple_of(50) { 512 * 1024 } else { n };
        for n in 0..500 {
            talk.say(n, set("i", format!("k{n}"), blob(ciphertext(bytes(n), n as u64))));
            talk.say("and back", get("i", format!("k{n}")));
        }
        for n in 0..500 {
            assert!(matches!(talk.hear(n).await, Response::Result(_)), "{n}");
            let data = value(talk.hear("and back").await).unwrap();
            assert!(data == ciphertext(bytes(n), n as u64), "{n}");
        }
        talk.end().await;
    })
    .await;
}

#[tokio::test]
async fn errors_come_in_band_and_the_stream_goes_on() {
    on_every_kind(async |client| {
        client.set("i", "k", "v").await;
        let mut talk = Talk::begin(&client).await;
        let code = |response| match response {
            Response::Error(error) => error.code,
            Response::Result(result) => panic!("not refused: {result:?}"),
        };
        talk.say(1, get("", "k"));
        talk.say(2, get("i", "k"));
        talk.say(3, set("i", "__admin__:STATS", blob("v")));
        talk.say(4, everything("i"));
        talk.say(
            5,
            super::queries::of(amaters_proto::query::query::Query::Get(Default::default())),
        );
        talk.say(6, get("i", "k"));
        assert_eq!(code(talk.hear(1).await), 6003);
        assert_eq!(value(talk.hear(2).await).unwrap(), "v");
        assert_eq!(code(talk.hear(3).await), 6000);
        assert!(matches!(talk.hear(4).await, Response::Result(_)));
        assert_eq!(code(talk.hear(5).await), 2003);
        assert_eq!(value(talk.hear(6).await).unwrap(), "v");
        talk.end().await;
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_no_message_are_2002_and_the_stream_goes_on() {
    on_every_kind(async |client| {
        client.set("i", "k", "v").await;
        let good = Bytes::from(request(get("i", "k")).encode_to_vec());
        let messages = [good.clone(), Bytes::from_static(b"\xff\xff"), good];
        let path = PathAndQuery::from_static(EXECUTE_INTERACTIVE);
        let request = tonic::Request::new(stream::iter(messages));
        let answers = grpc(&client).await.streaming(request, path, Raw).await.unwrap();
        let mut answers = answers.into_inner();
        let mut next = async || {
            let answer = QueryResponse::decode(answers.message().await.unwrap().unwrap()).unwrap();
            answer.response.unwrap()
        };
        assert_eq!(value(next().await).unwrap(), "v");
        let Response::Error(error) = next().await else { panic!("not refused") };
        assert_eq!(error.code, 2002);
        assert_eq!(value(next().await).unwrap(), "v");
        assert!(answers.message().await.unwrap().is_none());
    })
    .await;
}

/// A message counts as bytes in flight until it is done with, and not until its stream ends: else
/// a client that stays is refused when all it ever sent exceeds the bound.
#[tokio::test]
async fn a_stream_may_carry_more_than_a_connection_may_hold_at_once() {
    let more = "[limits]\nmessage_bytes_max = 1048576\nconnection_bytes_max = 1048576";
    let site = Site::new(ONE, more);
    bounded(async {
        let client = site.client().await;
        let mut talk = Talk::begin(&client).await;
        for n in 0..40u64 {
            talk.say(n, set("i", "k", blob(ciphertext(128 * 1024, n))));
            let response = talk.hear(n).await;
            assert!(matches!(response, Response::Result(_)), "{n}: {response:?}");
        }
        talk.end().await;
        assert!(client.data("i", "k").await == ciphertext(128 * 1024, 39));
    })
    .await;
}
