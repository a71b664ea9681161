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
    client::{Client, ONE, Site, affected, bounded, on_every_kind, rows},
    queries::{Asked, add, any, blob, ciphertext, delete, everything, get, request, set, update},
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

/// A stream whose answers nobody reads goes on with what does not wait for them, and with no more than may be under way.
#[tokio::test]
async fn requests_behind_answers_that_nobody_reads_are_done_up_to_the_bound() {
    const BEHIND: usize = 200;

    on_every_kind(async |client| {
        client.set("large", "k", ciphertext(4 << 20, 1)).await;
        let slow = Client::connect_with(client.address, |endpoint| {
            endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535)
        });
        let mut talk = Talk::begin(&slow.await).await;
        // The first fills the windows, and the second waits for them.
        for n in 0..2 {
            talk.say(n, get("large", "k"));
        }
        for n in 2..BEHIND {
            talk.say(n, set("behind", format!("k{n}"), blob("v")));
        }
        let mut done = 0;
        while done == 0 {
            done = client.rows(everything("behind")).await.len();
            assert!(done < 64, "{done} requests were done behind one that waits");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        for n in 0..2 {
            assert!(value(talk.hear(n).await).unwrap() == ciphertext(4 << 20, 1));
        }
        for n in 2..BEHIND {
            assert!(matches!(talk.hear(n).await, Response::Result(_)), "{n}");
        }
        assert_eq!(client.rows(everything("behind")).await.len(), BEHIND - 2);
        talk.end().await;
    })
    .await;
}

/// A client that sends as far ahead as it can is slowed down by flow control, however short its requests are.
#[tokio::test]
async fn a_client_that_sends_far_ahead_is_not_cut_off() {
    const AHEAD: usize = 30_000;

    on_every_kind(async |client| {
        client.set("i", "k", "v").await;
        let mut talk = Talk::begin(&client).await;
        for _ in 0..AHEAD {
            talk.say("", get("i", "k"));
        }
        for n in 0..AHEAD {
            assert_eq!(value(talk.hear("").await).unwrap(), "v", "{n}");
        }
        talk.end().await;
    })
    .await;
}

/// Sets, updates and ranges of the same rows, none of which waits for an answer: each sees what came before it.
#[tokio::test]
async fn requests_that_touch_the_same_take_effect_in_their_order() {
    on_every_kind(async |client| {
        let mut talk = Talk::begin(&client).await;
        for round in 0u8..30 {
            for n in 0u8..4 {
                talk.say("set", set("rows", [n], blob(vec![round])));
            }
            talk.say("add", update("rows", any(), vec![add([1])]));
            talk.say("range", everything("rows"));
            talk.say("delete", delete("rows", [round % 4]));
            talk.say("gone", get("rows", [round % 4]));
        }
        for round in 0u8..30 {
            for _ in 0..4 {
                assert!(matches!(talk.hear("set").await, Response::Result(_)));
            }
            talk.hear("add").await;
            let Response::Result(result) = talk.hear("range").await else { panic!("refused") };
            let rows = rows(result.result.unwrap());
            assert_eq!(rows.len(), 4);
            for row in rows {
                assert_eq!(row.value.unwrap().data[..], [round + 1]);
            }
            talk.hear("delete").await;
            assert_eq!(value(talk.hear("gone").await), None);
        }
        talk.end().await;
    })
    .await;
}

/// Streams that are cut off with requests of every kind under way leave no lock behind, and nothing that waits.
#[tokio::test]
async fn streams_that_end_in_the_middle_leave_nothing_in_the_way() {
    on_every_kind(async |client| {
        for round in 0u8..20 {
            let other = Client::connect(client.address).await;
            // Half of them end with their connection, half by a reset of the stream.
            let ours = if round % 2 == 0 { &client } else { &other };
            let mut talk = Talk::begin(ours).await;
            for n in 0..200 {
                let key = format!("k{}", n % 7);
                match n % 5 {
                    0 => talk.say(n, set("cut", key, blob(vec![round]))),
                    1 => talk.say(n, delete("cut", key)),
                    2 => talk.say(n, update("cut", any(), vec![add([1])])),
                    3 => talk.say(n, everything("cut")),
                    _ => talk.say(n, get("cut", key)),
                }
            }
            talk.hear(0).await;
        }
        let mut talk = Talk::begin(&client).await;
        for n in 0..7 {
            talk.say(n, set("cut", format!("k{n}"), blob("v")));
        }
        talk.say("all", update("cut", any(), vec![add([0])]));
        for n in 0..7 {
            assert!(matches!(talk.hear(n).await, Response::Result(_)));
        }
        let Response::Result(result) = talk.hear("all").await else { panic!("refused") };
        assert_eq!(affected(&result.result.unwrap()), 7);
        talk.end().await;
    })
    .await;
}

/// Not a test of anything: prints what many requests under way are worth. `--ignored --nocapture`.
#[tokio::test]
#[ignore = "prints times"]
async fn figures() {
    on_every_kind(async |client| {
        for (what, outstanding) in [("get", 1), ("get", 64), ("set", 1), ("set", 64)] {
            let count = if what == "get" { 20_000 } else { 5_000 };
            let mut talk = Talk::begin(&client).await;
            let begun = std::time::Instant::now();
            for n in 0..count + outstanding {
                if n < count {
                    let key = format!("k{n}");
                    match what {
                        "get" => talk.say(n, get("figures", key)),
                        _ => talk.say(n, set("figures", key, blob("0123456789"))),
                    }
                }
                if n >= outstanding {
                    talk.hear(n - outstanding).await;
                }
            }
            let rate = f64::from(count) / begun.elapsed().as_secs_f64();
            println!("{what}, {outstanding} outstanding: {rate:.0}/s");
            talk.end().await;
        }
    })
    .await;
}
