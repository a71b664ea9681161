//! SIGTERM while clients are connected: what is under way ends well, nothing new begins, and health
//! tells it.

use amaters_proto::{
    aql::{HealthCheckRequest, HealthCheckResponse, HealthStatus, query_response::Response},
    health::{self, health_check_response::ServingStatus},
};
use bytes::Bytes;
use futures_util::stream;
use http::uri::PathAndQuery;
use prost::Message;
use rustix::process::Signal;
use tokio::{net::TcpStream, sync::oneshot};
use tonic::Code;

use super::{
    client::{Client, ONE, Site, Streamed, bounded, durable_kinds},
    health::{about, grpc_health},
    interactive::Talk,
    queries::{blob, ciphertext, everything, get, request, set},
    raw::{Raw, grpc},
};

/// Until new connections are refused: from then on the server drains.
async fn refuses_connections(site: &Site) {
    while TcpStream::connect(site.server.address).await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn open_streams_finish_and_then_the_server_ends_with_0() {
    for kind in durable_kinds() {
        let mut site = Site::new(kind, "");
        bounded(async {
            let client = Client::connect_with(site.server.address, |endpoint| {
                endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535)
            })
            .await;
            for n in 0..60u8 {
                client.set("d", [n], ciphertext(256 * 1024, n.into())).await;
            }
            let asked = request(everything("d"));
            let stream = client.stub.clone().execute_stream(asked).await.unwrap();
            let mut stream = stream.into_inner();
            let first = stream.message().await.unwrap();
            let other = site.client().await;
            let mut talk = Talk::begin(&other).await;

            site.server.signal(Signal::TERM);
            refuses_connections(&site).await;

            // A conversation goes on as long as the client keeps it up.
            for n in 0..10 {
                talk.say(n, set("late", "k", blob(format!("{n}"))));
                assert!(matches!(talk.hear(n).await, Response::Result(_)));
            }
            talk.say("last", get("late", "k"));
            assert!(matches!(talk.hear("last").await, Response::Result(_)));
            assert!(site.server.ended().is_none());
            talk.end().await;

            let streamed = Streamed::read_behind(first, stream).await.unwrap();
            assert_eq!(streamed.total_count, 60);
            for (n, row) in (0..60u8).zip(streamed.rows()) {
                assert!(row.value.clone().unwrap().data == ciphertext(256 * 1024, n.into()));
            }
            assert_eq!(site.ended().await.code(), Some(0));
        })
        .await;
    }
}

/// A unary call whose one message is sent when the test says so: tonic opens the stream before.
async fn begun<A: Message + Default>(
    client: &Client,
    path: &'static str,
    message: Bytes,
) -> (oneshot::Sender<()>, impl Future<Output = A> + use<A>) {
    let (go, gone) = oneshot::channel();
    let mut grpc = grpc(client).await;
    let requests = stream::once(async move {
        gone.await.unwrap();
        message
    });
    let call = async move {
        let path = PathAndQuery::from_static(path);
        let answer = grpc.client_streaming(tonic::Request::new(requests), path, Raw).await;
        A::decode(answer.unwrap().into_inner()).unwrap()
    };
    (go, call)
}

#[tokio::test]
async fn health_tells_that_the_server_goes_away() {
    for kind in durable_kinds() {
        let mut site = Site::new(kind, "");
        bounded(async {
            let client = site.client().await;
            let mut watch = grpc_health(&client).watch(about("")).await.unwrap().into_inner();
            assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
            let own = HealthCheckRequest { service: None }.encode_to_vec().into();
            let path = "/amaters.aql.AqlService/HealthCheck";
            let (own_go, own_health) = begun::<HealthCheckResponse>(&client, path, own).await;
            let check = about("").encode_to_vec().into();
            let path = "/grpc.health.v1.Health/Check";
            let (check_go, check) =
                begun::<health::HealthCheckResponse>(&client, path, check).await;
            // So that both are on their way before the signal is.
            let (own_health, check) = (tokio::spawn(own_health), tokio::spawn(check));
            client.set("d", "k", "v").await;

            site.server.signal(Signal::TERM);
            refuses_connections(&site).await;

            assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
            let status = watch.message().await.unwrap_err();
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            own_go.send(()).unwrap();
            let own_health = own_health.await.unwrap();
            assert_eq!(own_health.status(), HealthStatus::HealthNotServing);
            assert!(own_health.message().contains("shutting down"), "{own_health:?}");
            check_go.send(()).unwrap();
            assert_eq!(check.await.unwrap().status(), ServingStatus::NotServing);
            assert_eq!(site.ended().await.code(), Some(0));
        })
        .await;
    }
}

/// Clients reconnect after GOAWAY, and a new connection is refused: their next call fails at once,
/// as a failure of the transport, which they try again elsewhere.
#[tokio::test]
async fn an_idle_client_is_told_to_go_and_its_next_call_fails_as_transport() {
    for kind in durable_kinds() {
        let mut site = Site::new(kind, "");
        bounded(async {
            let client = site.client().await;
            client.set("d", "k", "v").await;
            site.server.signal(Signal::TERM);
            assert_eq!(site.ended().await.code(), Some(0));
            let status =
                client.stub.clone().execute_query(request(get("d", "k"))).await.unwrap_err();
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        })
        .await;
    }
}

/// A client that never ends its stream does not keep the server for ever.
#[tokio::test]
async fn a_stream_that_outlives_shutdown_timeout_secs_is_cut_and_nothing_answered_is_lost() {
    let mut site = Site::with_server(ONE, "shutdown_timeout_secs = 1", "");
    bounded(async {
        let client = site.client().await;
        let mut talk = Talk::begin(&client).await;
        talk.say(1, set("d", "k", blob("kept")));
        assert!(matches!(talk.hear(1).await, Response::Result(_)));
        site.server.signal(Signal::TERM);
        let status = talk.answers.message().await.unwrap_err();
        assert_ne!(status.code(), Code::Ok, "{status:?}");
        assert_eq!(site.ended().await.code(), Some(0));
        site.start(1);
        assert_eq!(site.client().await.data("d", "k").await, "kept");
    })
    .await;
}
