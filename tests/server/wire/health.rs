//! What the server says of itself.

use amaters_proto::{
    aql::{HealthCheckRequest, HealthStatus, ServerInfoRequest},
    health::{self, health_check_response::ServingStatus, health_client::HealthClient},
};

use rustix::process::Signal;

use super::{
    client::{Client, Kind, ONE, bounded, ended, on_every_kind},
    queries::{VERSION, blob, ciphertext, set},
};
use crate::harness::Server;

const SERVICE: &str = "amaters.aql.AqlService";

pub(crate) fn grpc_health(client: &Client) -> HealthClient<tonic::transport::Channel> {
    HealthClient::new(client.channel.clone())
}

pub(crate) fn about(service: &str) -> health::HealthCheckRequest {
    health::HealthCheckRequest { service: service.into() }
}

#[tokio::test]
async fn a_server_that_serves_says_so_in_both_dialects() {
    on_every_kind(async |client| {
        for service in [None, Some(String::new()), Some(SERVICE.to_owned())] {
            let request = HealthCheckRequest { service };
            let answer = client.stub.clone().health_check(request).await.unwrap().into_inner();
            assert_eq!(answer.status(), HealthStatus::HealthServing);
            assert_eq!(answer.message, None);
        }
        for service in ["", SERVICE] {
            let answer = grpc_health(&client).check(about(service)).await.unwrap().into_inner();
            assert_eq!(answer.status(), ServingStatus::Serving);
            let watch = grpc_health(&client).watch(about(service)).await.unwrap();
            let first = watch.into_inner().message().await.unwrap().unwrap();
            assert_eq!(first.status(), ServingStatus::Serving);
        }
    })
    .await;
}

/// As the health protocol asks: `Check` refuses an unknown service, `Watch` waits for it.
#[tokio::test]
async fn a_service_that_is_not_known_is_said_to_be_so() {
    on_every_kind(async |client| {
        let request = HealthCheckRequest { service: Some("nobody".into()) };
        let answer = client.stub.clone().health_check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), HealthStatus::HealthServiceUnknown);
        let status = grpc_health(&client).check(about("nobody")).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::NotFound);
        let watch = grpc_health(&client).watch(about("nobody")).await.unwrap();
        let first = watch.into_inner().message().await.unwrap().unwrap();
        assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    })
    .await;
}

#[tokio::test]
async fn server_info_names_the_protocol_and_what_clients_may_ask_for() {
    on_every_kind(async |client| {
        let info = client.stub.clone().get_server_info(ServerInfoRequest {}).await;
        let info = info.unwrap().into_inner();
        assert_eq!(info.version, Some(VERSION));
        assert_eq!(info.supported_versions, [VERSION]);
        for verb in ["get", "set", "delete", "range", "update", "filter"] {
            let capability = format!("query.{verb}");
            assert!(info.capabilities.contains(&capability), "{:?}", info.capabilities);
        }
        assert!(info.uptime_seconds < 3600);
    })
    .await;
}

/// A file may not grow here: the log's next write fails, and what the disk holds is unknown.
#[tokio::test]
async fn a_server_whose_disk_fails_is_not_serving_refuses_writes_and_still_reads() {
    let folder = crate::harness::Folder::new();
    let Kind { cores, .. } = ONE;
    folder.config(&format!("cores = {cores}"), "[storage]\nengine = \"lsm\"");
    // 4096 blocks of 512 or 1024 bytes, as the shell counts. Ignored, the signal that a write
    // beyond them raises does not kill, and the write fails.
    let words = "start --config a.toml --bind 127.0.0.1:0";
    let mut server =
        Server::spawn(&mut folder.command_after("trap '' XFSZ; ulimit -f 4096", words));
    bounded(async {
        let client = Client::connect(server.address).await;
        let mut watch = grpc_health(&client).watch(about("")).await.unwrap().into_inner();
        assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
        client.set("h", "before", "v").await;
        let too_much = ciphertext(8 * 1024 * 1024, 1);
        let error = client.ask(set("h", "too much", blob(too_much))).await.unwrap_err();
        assert_eq!((error.code, error.category), (4004, 2), "{error:?}");

        // Watch tells it as soon as it is known; Check and HealthCheck agree.
        assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        let answer = grpc_health(&client).check(about("")).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::NotServing);
        let request = HealthCheckRequest { service: None };
        let answer = client.stub.clone().health_check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), HealthStatus::HealthNotServing);
        assert!(answer.message().contains("refuse writes"), "{answer:?}");

        let error = client.ask(set("h", "after", blob("v"))).await.unwrap_err();
        assert_eq!(error.code, 4004, "{error:?}");
        assert_eq!(client.get("h", "too much").await, None);
        assert_eq!(client.data("h", "before").await, "v");
        server.signal(Signal::TERM);
        assert_ne!(ended(&mut server).await.code(), Some(0), "the last sync was not made");
    })
    .await;
}
