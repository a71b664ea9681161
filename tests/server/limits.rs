//! Limits of addresses: how much they may ask, and how many connections they may have. What principals may ask is beside the
//! tests of authentication.

use std::{
    io::Read as _,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use amaters_proto::errors::ErrorResponse;

use crate::{
    guide::http::{metrics, sample, served_by},
    harness::{Folder, Server, eventually},
    wire::{
        client::{Client, ONE, TWO, bounded},
        queries::{batch_request, blob, get, request, set},
    },
};

const RATE: u64 = 50;

fn start(folder: &Folder, cores: usize, limits: &str) -> Server {
    folder.config("", &format!("[limits]\n{limits}"));
    let words = format!("start --config a.toml --bind 127.0.0.1:0 --cores {cores}");
    Server::spawn(&mut folder.command(&words))
}

fn reload(folder: &Folder, limits: &str) {
    folder.config("", &format!("[limits]\n{limits}"));
    let output = folder.run("reload --config a.toml");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains(" 0 skipped"), "{told}");
}

fn is_over(error: &ErrorResponse, limit: &str) -> bool {
    assert_eq!((error.code, error.category), (7002, 1), "{error:?}");
    assert!(error.message.contains(limit), "{error:?}");
    error.retry_after.is_some_and(|seconds| seconds > 0)
}

/// Whatever the connections are, all of them together get what the address may have.
#[tokio::test]
async fn an_address_gets_its_rate_over_all_reactors() {
    for kind in [ONE, TWO].into_iter().filter(|kind| kind.is_possible()) {
        let folder = Folder::new();
        let limits = format!("requests_per_second_per_address = {RATE}\n");
        let server = start(&folder, kind.cores, &limits);
        bounded(async {
            let clients = [
                Client::connect(server.address).await,
                Client::connect(server.address).await,
                Client::connect(server.address).await,
            ];
            let (begun, mut served, mut over) = (Instant::now(), 0, 0);
            while over < 100 {
                for client in &clients {
                    match client.ask(get("c", "k")).await {
                        Ok(_) => served += 1,
                        Err(error) => {
                            assert!(is_over(&error, "limits.requests_per_second_per_address"));
                            over += 1;
                        }
                    }
                }
            }
            // At once what each reactor has, then the rate; twice that if the reactors were kept from telling each other, as on
            // a machine that is busy. How exactly they share is told in the time of a simulation: `shards/src/throttle`.
            let reactors = kind.cores as f64;
            let most = reactors * (RATE as f64 * begun.elapsed().as_secs_f64() + (RATE + 1) as f64);
            println!("{kind:?}: {served} served, {over} over, at most {most:.0}");
            assert!((RATE as f64..=most).contains(&f64::from(served)), "{served}, at most {most}");
            let text = metrics(served_by(&server));
            let name = "amaters_net_requests_limited_total{limit=\"limits.requests_per_second_per_address\"}";
            assert_eq!(sample(&text, name), f64::from(over));
        })
        .await;
    }
}

#[tokio::test]
async fn a_batch_costs_what_its_queries_do_and_health_costs_nothing() {
    let folder = Folder::new();
    let server = start(&folder, 1, "requests_per_second_per_address = 10\n");
    bounded(async {
        let client = Client::connect(server.address).await;
        let queries = (0..300).map(|n| set("c", format!("{n}"), blob("v"))).collect();
        let answer = client.stub.clone().execute_batch(batch_request(queries)).await.unwrap();
        assert!(
            format!("{answer:?}").contains("Results"),
            "the first is served, whatever it costs"
        );
        let error = client.ask(get("c", "1")).await.unwrap_err();
        assert!(is_over(&error, "limits.requests_per_second_per_address"));
        assert!(error.retry_after.is_some_and(|seconds| (20..=30).contains(&seconds)), "{error:?}");
        // A stream is told by its status.
        let status = client.stub.clone().execute_stream(request(get("c", "1"))).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::ResourceExhausted, "{status:?}");
        for _ in 0..100 {
            client
                .stub
                .clone()
                .health_check(amaters_proto::aql::HealthCheckRequest::default())
                .await
                .unwrap();
        }
        reload(&folder, "requests_per_second_per_address = 0\n");
        client.ask(get("c", "1")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn bytes_are_charged_with_those_of_answers() {
    let folder = Folder::new();
    let server = start(&folder, 1, "");
    bounded(async {
        let client = Client::connect(server.address).await;
        client.set("c", "k", vec![7; 100_000]).await;
        reload(&folder, "bytes_per_second_per_address = 10000\n");
        client.ask(get("c", "k")).await.unwrap();
        let error = client.ask(get("c", "k")).await.unwrap_err();
        assert!(is_over(&error, "limits.bytes_per_second_per_address"));
        assert!(error.retry_after.is_some_and(|seconds| (8..=10).contains(&seconds)), "{error:?}");
    })
    .await;
}

/// What a new connection is told first.
fn told(address: SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut word = [0; 512];
    let read = stream.read(&mut word).unwrap_or_default();
    (stream, String::from_utf8_lossy(&word[..read]).into_owned())
}

#[test]
fn an_address_has_as_many_connections_as_it_may() {
    for cores in [1, 2] {
        let folder = Folder::new();
        let server = start(&folder, cores, "connections_per_address = 3\n");
        let open: Vec<_> = (0..3).map(|_| told(server.address)).collect();
        assert!(open.iter().all(|(_, told)| !told.contains("limits.")), "{open:?}");
        let refused = told(server.address).1;
        assert!(refused.contains("limits.connections_per_address reached"), "{refused:?}");
        reload(&folder, "connections_per_address = 4\n");
        let fourth = told(server.address);
        assert!(!fourth.1.contains("limits."), "{fourth:?}");
        drop((open, fourth));
        eventually("those who go leave room", || !told(server.address).1.contains("limits."));
        let text = metrics(served_by(&server));
        assert!(sample(&text, "amaters_connections_refused_by_address_total") >= 1.0);
    }
}
