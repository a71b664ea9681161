//! `KvService`: batches that are done only if something is true before.

use amaters_proto::{
    errors::ErrorResponse,
    kv::v1::{
        Absent, Condition, ConditionalBatchRequest, GetRequest, Present, Unmet,
        condition::Expected, conditional_batch_response::Response, get_response,
        kv_service_client::KvServiceClient, unmet,
    },
    query::{Query, query_result::Result as Outcome},
};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tonic::transport::Channel;

use super::{
    client::{ANSWER_BYTES_MAX, Client, Site, bounded, durable_kinds, on_every_kind},
    queries::{VERSION, blob, ciphertext, delete, get, key, set},
};

fn stub(client: &Client) -> KvServiceClient<Channel> {
    KvServiceClient::new(client.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
}

fn absent() -> Expected {
    Expected::Absent(Absent {})
}

fn present() -> Expected {
    Expected::Present(Present {})
}

/// That a value has these data.
fn equal(data: &[u8]) -> Expected {
    Expected::Sha256(sha256(data))
}

fn sha256(data: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&Sha256::digest(data))
}

fn on(name: impl AsRef<[u8]>, expected: Expected) -> Condition {
    Condition { collection: "c".into(), key: key(name), expected: Some(expected) }
}

fn found_there(unmet: &Unmet) -> Option<&Bytes> {
    match unmet.found.as_ref().unwrap() {
        unmet::Found::Absent(_) => None,
        unmet::Found::Sha256(digest) => Some(digest),
    }
}

#[derive(Debug)]
enum Ended {
    Done(Vec<Outcome>),
    Unmet(Unmet),
    Refused(ErrorResponse),
}

impl Ended {
    fn unmet(self) -> Unmet {
        match self {
            Self::Unmet(unmet) => unmet,
            other => panic!("the conditions are said to hold: {other:?}"),
        }
    }

    fn done(self) -> Vec<Outcome> {
        match self {
            Self::Done(results) => results,
            other => panic!("not done: {other:?}"),
        }
    }
}

async fn run(client: &Client, conditions: Vec<Condition>, queries: Vec<Query>) -> Ended {
    let request = ConditionalBatchRequest {
        queries,
        request_id: Some("7a8b".into()),
        timeout_ms: Some(60_000),
        version: Some(VERSION),
        conditions,
    };
    let response = stub(client).conditional_batch(request).await.unwrap().into_inner();
    assert_eq!(response.request_id.as_deref(), Some("7a8b"));
    match response.response.unwrap() {
        Response::Results(results) => {
            Ended::Done(results.results.into_iter().map(|r| r.result.unwrap()).collect())
        }
        Response::Unmet(unmet) => Ended::Unmet(unmet),
        Response::Error(error) => Ended::Refused(error),
    }
}

/// The data of a key and their digest.
async fn look(client: &Client, name: &str) -> Option<(Bytes, Bytes)> {
    let request = GetRequest { collection: "c".into(), key: key(name), ..GetRequest::default() };
    match stub(client).get(request).await.unwrap().into_inner().response.unwrap() {
        get_response::Response::Found(found) => Some((found.value.unwrap().data, found.sha256)),
        get_response::Response::Absent(_) => None,
        get_response::Response::Error(error) => panic!("{error:?}"),
    }
}

/// Keys enough that no shard has all of them.
fn names() -> Vec<String> {
    (0..12).map(|n| format!("k{n}")).collect()
}

#[tokio::test]
async fn a_value_is_set_if_there_is_none_and_only_once() {
    on_every_kind(async |client| {
        let put = |text: &'static str| {
            run(&client, vec![on("k", absent())], vec![set("c", "k", blob(text))])
        };
        assert_eq!(put("first").await.done().len(), 1);
        let unmet = put("second").await.unmet();
        assert_eq!((unmet.index, unmet.collection.as_str()), (0, "c"));
        assert_eq!(unmet.key, key("k"));
        assert_eq!(found_there(&unmet), Some(&sha256(b"first")));
        assert_eq!(client.data("c", "k").await, "first");
        client.delete("c", "k").await;
        put("third").await.done();
        assert_eq!(client.data("c", "k").await, "third");
    })
    .await;
}

#[tokio::test]
async fn a_value_is_set_or_deleted_only_if_it_is_there_or_equal() {
    on_every_kind(async |client| {
        let write = || vec![set("c", "k", blob("new"))];
        let remove = || vec![delete("c", "k")];
        for queries in [write(), remove()] {
            for expected in [present(), equal(b""), equal(b"old")] {
                let ended = run(&client, vec![on("k", expected)], queries.clone()).await;
                assert_eq!(found_there(&ended.unmet()), None);
                assert_eq!(client.get("c", "k").await, None);
            }
        }
        client.set("c", "k", "old").await;
        let unmet = run(&client, vec![on("k", equal(b"odd"))], write()).await.unmet();
        assert_eq!(found_there(&unmet), Some(&sha256(b"old")));
        run(&client, vec![on("k", equal(b"old"))], write()).await.done();
        assert_eq!(client.data("c", "k").await, "new");
        run(&client, vec![on("k", present())], remove()).await.done();
        assert_eq!(client.get("c", "k").await, None);
        // An empty value is there.
        client.set("c", "k", "").await;
        run(&client, vec![on("k", equal(b""))], write()).await.done();
    })
    .await;
}

/// Conditions are about what was there before the first query, whatever the queries do to it.
#[tokio::test]
async fn conditions_over_all_shards_hold_together_before_the_first_query() {
    on_every_kind(async |client| {
        let all = |expected: &dyn Fn(&str) -> Expected| {
            names().iter().map(|name| on(name, expected(name))).collect::<Vec<_>>()
        };
        let write = |prefix: &str| {
            let value = |name: &String| blob(format!("{prefix}{name}"));
            names().iter().map(|name| set("c", name, value(name))).collect::<Vec<_>>()
        };
        run(&client, all(&|_| absent()), write("a")).await.done();
        let unmet = run(&client, all(&|_| absent()), write("b")).await.unmet();
        assert_eq!(unmet.index, 0, "of those that do not hold the first is told");
        run(&client, all(&|name| equal(format!("a{name}").as_bytes())), write("b")).await.done();
        for (odd, name) in names().iter().enumerate() {
            let mut conditions = all(&|name| equal(format!("b{name}").as_bytes()));
            conditions[odd] = on(name, equal(b"something else"));
            let unmet = run(&client, conditions, write("c")).await.unmet();
            assert_eq!((unmet.index as usize, unmet.key.as_ref()), (odd, key(name).as_ref()));
            assert_eq!(found_there(&unmet), Some(&sha256(format!("b{name}").as_bytes())));
        }
        for name in names() {
            assert_eq!(client.data("c", &name).await, format!("b{name}"));
        }
        // Without queries it is a look; with queries that only read, a consistent one.
        assert!(run(&client, all(&|_| present()), Vec::new()).await.done().is_empty());
        let results = run(&client, vec![on("none", absent())], vec![get("c", "k7")]).await.done();
        assert!(matches!(&results[..], [Outcome::Single(single)] if single.value.is_some()));
    })
    .await;
}

/// Every increment of two counters, which lie where their names want them, counts once.
#[tokio::test]
async fn swaps_of_many_clients_lose_nothing() {
    const CLIENTS: usize = 8;
    const SWAPS: usize = 25;

    on_every_kind(async |client| {
        let pair = ["k0", "k1"];
        for name in pair {
            client.set("c", name, "0").await;
        }
        let clients = (0..CLIENTS).map(|_| async {
            let client = Client::connect(client.address).await;
            for _ in 0..SWAPS {
                loop {
                    let (data, digest) = look(&client, pair[0]).await.unwrap();
                    let count: usize = std::str::from_utf8(&data).unwrap().parse().unwrap();
                    let swap = |name| set("c", name, blob(format!("{}", count + 1)));
                    let conditions = pair.map(|name| on(name, Expected::Sha256(digest.clone())));
                    let ended = run(&client, conditions.to_vec(), pair.map(swap).to_vec()).await;
                    match ended {
                        Ended::Done(_) => break,
                        Ended::Unmet(unmet) => assert_ne!(found_there(&unmet), Some(&digest)),
                        Ended::Refused(error) => panic!("{error:?}"),
                    }
                }
            }
        });
        futures_util::future::join_all(clients).await;
        for name in pair {
            assert_eq!(client.data("c", name).await, format!("{}", CLIENTS * SWAPS));
        }
    })
    .await;
}

#[tokio::test]
async fn values_of_every_size_have_their_digest_also_after_a_restart() {
    for kind in durable_kinds() {
        let mut site = Site::new(kind, "");
        let sizes = [0usize, 1, 100, 4096, 70_000, 512 * 1024, 3 << 20];
        let name = |bytes: usize| format!("of {bytes}");
        bounded(async {
            let client = site.client().await;
            for bytes in sizes {
                client.set("c", name(bytes), ciphertext(bytes, 1)).await;
            }
        })
        .await;
        for _ in 0..2 {
            bounded(async {
                let client = site.client().await;
                for bytes in sizes {
                    let data = ciphertext(bytes, 1);
                    let found = look(&client, &name(bytes)).await.unwrap();
                    assert!(found == (data.clone(), sha256(&data)), "{bytes}");
                    let request = GetRequest {
                        collection: "c".into(),
                        key: key(name(bytes)),
                        without_data: true,
                        ..GetRequest::default()
                    };
                    let response = stub(&client).get(request).await.unwrap().into_inner();
                    let Some(get_response::Response::Found(found)) = response.response else {
                        panic!("not found: {bytes}")
                    };
                    assert_eq!(found.sha256, sha256(&data));
                    let value = found.value.unwrap();
                    assert!(value.data.is_empty());
                    assert_eq!(value.metadata.unwrap().size, bytes as u64);
                    run(&client, vec![on(name(bytes), equal(&data))], Vec::new()).await.done();
                }
            })
            .await;
            bounded(site.restart(kind.cores)).await;
        }
    }
}

#[tokio::test]
async fn what_conditions_look_at_is_bounded_and_whether_there_is_a_value_is_not() {
    // The memory of the others is too small for it.
    for kind in durable_kinds() {
        let site = Site::new(kind, "");
        bounded(async {
            let client = site.client().await;
            client.set("c", "k", ciphertext((32 << 20) + 1, 1)).await;
            for expected in [absent(), equal(b"v")] {
                let conditions = vec![on("other", absent()), on("k", expected)];
                let ended = run(&client, conditions, vec![delete("c", "k")]).await;
                let Ended::Refused(error) = ended else { panic!("not refused: {ended:?}") };
                assert_eq!(error.code, 6002, "{error:?}");
                let text = "Condition 1 of batch failed: ";
                assert!(error.message.starts_with(text), "{error:?}");
            }
            run(&client, vec![on("k", present())], vec![set("c", "k", blob("short"))]).await.done();
            run(&client, vec![on("k", equal(b"short"))], vec![delete("c", "k")]).await.done();
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_no_condition_is_refused_with_its_place_and_nothing_is_done() {
    on_every_kind(async |client| {
        let short = Expected::Sha256(Bytes::from_static(&[1; 31]));
        let nothing = Condition { expected: None, ..on("k", absent()) };
        let nowhere = Condition { collection: String::new(), ..on("k", absent()) };
        let of_nothing = Condition { key: None, ..on("k", absent()) };
        for (bad, code) in [
            (on("k", short), 2000),
            (nothing, 2003),
            (of_nothing, 2003),
            (nowhere, 6003),
            (on("", absent()), 6000),
            (on("__admin__:STATS", absent()), 6000),
        ] {
            let conditions = vec![on("k", absent()), bad];
            let ended = run(&client, conditions, vec![set("c", "k", blob("v"))]).await;
            let Ended::Refused(error) = ended else { panic!("not refused: {ended:?}") };
            assert_eq!(error.code, code, "{error:?}");
            let text = "Condition 1 of batch failed: ";
            assert!(error.message.starts_with(text), "{error:?}");
        }
        let bad = vec![set("c", "k", blob("v")), set("c", "", blob("v"))];
        let ended = run(&client, vec![on("k", absent())], bad).await;
        let Ended::Refused(error) = ended else { panic!("not refused: {ended:?}") };
        assert!(error.message.starts_with("Query 1 in batch failed: "), "{error:?}");
        let many = vec![on("k", absent()); 1025];
        let ended = run(&client, many, vec![set("c", "k", blob("v"))]).await;
        let Ended::Refused(error) = ended else { panic!("not refused: {ended:?}") };
        assert_eq!(error.code, 6002, "{error:?}");
        assert_eq!(client.get("c", "k").await, None);
        run(&client, vec![on("k", absent()); 1024], vec![set("c", "k", blob("v"))]).await.done();
    })
    .await;
}
