//! Batches: all or nothing.

use amaters_proto::query::{
    SingleResult, SuccessResult, query::Query as Kind, query_result::Result as Outcome,
};

use super::{
    client::{Client, on_every_kind, on_one_shard, on_two_shards, rows},
    queries::{
        Asked, add, any, blob, ciphertext, delete, eq, everything, filter, get, keys, of, replace,
        set, update,
    },
};

/// `count` keys that live on one shard, found as any client can: by asking.
async fn neighbours(client: &Client, count: usize) -> Vec<String> {
    let mut found = vec!["k0".to_owned()];
    for candidate in (1..).map(|n| format!("k{n}")) {
        if found.len() == count {
            break;
        }
        if client.batch(vec![get("b", "k0"), get("b", &candidate)]).await.is_ok() {
            found.push(candidate);
        }
    }
    found
}

fn changed(rows: u64) -> Outcome {
    Outcome::Success(SuccessResult { affected_rows: rows })
}

fn data(outcome: &Outcome) -> Option<&[u8]> {
    match outcome {
        Outcome::Single(SingleResult { value }) => value.as_ref().map(|blob| &blob.data[..]),
        other => panic!("a get was answered by {other:?}"),
    }
}

#[tokio::test]
async fn queries_of_a_batch_run_in_order_and_see_what_those_before_them_wrote() {
    on_every_kind(async |client| {
        let keys = neighbours(&client, 2).await;
        client.set("b", &keys[0], "before").await;
        let results = client.batch(vec![
            get("b", &keys[0]),
            set("b", &keys[0], blob("after")),
            get("b", &keys[0]),
            get("b", &keys[1]),
            set("b", &keys[1], blob("new")),
            get("b", &keys[1]),
            delete("b", &keys[1]),
            get("b", &keys[1]),
            delete("b", &keys[1]),
        ]);
        let results = results.await.unwrap();
        assert_eq!(data(&results[0]), Some(&b"before"[..]));
        assert_eq!(results[1], changed(1));
        assert_eq!(data(&results[2]), Some(&b"after"[..]));
        assert_eq!(data(&results[3]), None);
        assert_eq!(results[4], changed(1));
        assert_eq!(data(&results[5]), Some(&b"new"[..]));
        assert_eq!(results[6], changed(1));
        assert_eq!(data(&results[7]), None);
        assert_eq!(results[8], changed(0));
        assert_eq!(client.data("b", &keys[0]).await, "after");
        assert_eq!(client.get("b", &keys[1]).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_query_that_fails_is_named_and_nothing_of_its_batch_is_applied() {
    on_every_kind(async |client| {
        let keys = neighbours(&client, 3).await;
        client.set("b", &keys[0], "before").await;
        let mut wrong = blob("sealed");
        wrong.metadata.as_mut().unwrap().checksum ^= 1;
        for (bad, code) in [
            (set("b", &keys[2], wrong), 4004),
            (set("b", "", blob("v")), 6000),
            (get("", &keys[2]), 6003),
            (set("b", "__admin__:STATS", blob("v")), 6000),
            (of(Kind::Get(Default::default())), 2003),
        ] {
            let batch = vec![set("b", &keys[0], blob("after")), delete("b", &keys[1]), bad];
            let error = client.batch(batch).await.unwrap_err();
            assert!(error.message.starts_with("Query 2 in batch failed: "), "{error:?}");
            assert_eq!(error.code, code, "{error:?}");
            assert_eq!(client.data("b", &keys[0]).await, "before");
            assert_eq!(client.get("b", &keys[2]).await, None);
        }
    })
    .await;
}

#[tokio::test]
async fn an_empty_batch_has_empty_results() {
    on_every_kind(async |client| assert_eq!(client.batch(Vec::new()).await, Ok(Vec::new()))).await;
}

#[tokio::test]
async fn one_query_and_the_most_queries_are_batches_too() {
    on_every_kind(async |client| {
        let results = client.batch(vec![set("b", "k0", blob("one"))]).await.unwrap();
        assert_eq!(results, [changed(1)]);
        let queries = (0..1024).map(|n| set("b", "k0", blob(format!("{n}")))).collect();
        assert_eq!(client.batch(queries).await.unwrap(), vec![changed(1); 1024]);
        assert_eq!(client.data("b", "k0").await, "1023");
    })
    .await;
}

#[tokio::test]
async fn large_values_travel_in_batches() {
    on_every_kind(async |client| {
        let keys = neighbours(&client, 4).await;
        let value = |n: usize| ciphertext(512 * 1024, n as u64);
        let sets = keys.iter().enumerate().map(|(n, key)| set("b", key, blob(value(n))));
        client.batch(sets.collect()).await.unwrap();
        let gets = keys.iter().map(|key| get("b", key)).collect();
        for (n, result) in client.batch(gets).await.unwrap().iter().enumerate() {
            assert!(data(result).unwrap() == value(n), "{n}");
        }
        // Nine of them would be more than clients take in one message.
        let gets = (0..9).map(|_| get("b", &keys[0])).collect();
        let error = client.batch(gets).await.unwrap_err();
        assert_eq!(error.code, 6002, "{error:?}");
        assert!(error.message.starts_with("Query 7 in batch failed: "), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn ranges_filters_and_updates_in_a_batch_see_its_writes() {
    on_one_shard(async |client| {
        client.set("b", "a", vec![1]).await;
        let mut limited = everything("b");
        limited.limit = Some(2);
        let mut skipping = filter("b", any());
        (skipping.offset, skipping.limit) = (Some(1), Some(1));
        let results = client.batch(vec![
            set("b", "b", blob(vec![2])),
            set("b", "c", blob(vec![3])),
            Asked::from(everything("b")).0,
            update("b", any(), vec![add([10])]),
            Asked::from(filter("b", eq([12]))).0,
            delete("b", "a"),
            Asked::from(limited).0,
            Asked::from(skipping).0,
        ]);
        let results = results.await.unwrap();
        let names = |index: usize| keys(&rows(results[index].clone())).concat();
        assert_eq!(names(2), "abc");
        assert_eq!(results[3], changed(3));
        assert_eq!(names(4), "b");
        assert_eq!(results[5], changed(1));
        assert_eq!(names(6), "bc");
        assert_eq!(names(7), "c");
        assert_eq!(client.data("b", "c").await[..], [13]);
    })
    .await;
}

/// All of a batch is one step, in which nobody else is served: a thousand searches of a large
/// collection would take many seconds.
#[tokio::test]
async fn the_rows_that_a_batch_looks_at_are_bounded_together() {
    on_one_shard(async |client| {
        for thousand in 0..6 {
            let name = |n: i32| format!("{thousand} {n:04}");
            let rows = (0..1000).map(|n| set("b", name(n), blob("plain"))).collect();
            client.batch(rows).await.unwrap();
        }
        let search = || Asked::from(filter("b", eq("nothing"))).0;
        let results = client.batch(vec![search(), search()]).await.unwrap();
        assert!(results.into_iter().all(|result| rows(result).is_empty()));
        for third in [search(), update("b", eq("nothing"), vec![replace("v")])] {
            let batch = vec![search(), set("b", "new", blob("v")), search(), third];
            let error = client.batch(batch).await.unwrap_err();
            assert_eq!(error.code, 6002, "{error:?}");
            assert!(error.message.starts_with("Query 3 in batch failed: "), "{error:?}");
            assert!(error.message.contains("16384 rows"), "{error:?}");
            assert_eq!(client.get("b", "new").await, None);
        }

        // A range looks at no more rows than it gives.
        for limit in [0, 1, 15] {
            let mut first = everything("b");
            first.limit = Some(limit);
            let results = client.batch(vec![Asked::from(first).0; 1024]).await.unwrap();
            assert!(results.into_iter().all(|result| rows(result).len() == limit as usize));
        }
    })
    .await;
}

/// Pairs of keys, half of which lie on two shards: both are there or none, and ranges and updates see all shards.
#[tokio::test]
async fn a_batch_over_all_shards_is_one_step() {
    on_two_shards(async |client| {
        for n in 0..16 {
            let (first, second) = (format!("first {n:02}"), format!("second {n:02}"));
            let batch = vec![
                set("b", &first, blob("1")),
                get("b", &second),
                set("b", &second, blob("2")),
                Asked::from(everything("b")).0,
                delete("b", "absent"),
            ];
            let results = client.batch(batch).await.unwrap();
            assert_eq!(results[0], changed(1));
            assert_eq!(data(&results[1]), None);
            let Outcome::Multi(found) = &results[3] else { panic!("{results:?}") };
            assert_eq!(found.values.len(), 2 * (n + 1), "a range sees what was written before it");
            assert!(found.values.is_sorted_by_key(|row| row.key.as_ref().unwrap().data.clone()));
            assert_eq!(results[4], changed(0));
            let read = client.batch(vec![get("b", &first), get("b", &second)]).await.unwrap();
            assert_eq!((data(&read[0]), data(&read[1])), (Some(&b"1"[..]), Some(&b"2"[..])));
            let mut wrong = blob("sealed");
            wrong.metadata.as_mut().unwrap().checksum ^= 1;
            let refused = vec![delete("b", &first), delete("b", &second), set("b", "x", wrong)];
            let error = client.batch(refused).await.unwrap_err();
            assert!(error.message.starts_with("Query 2 in batch failed: "), "{error:?}");
            assert_eq!(client.data("b", &first).await, "1");
        }
        let results = client.batch(vec![
            update("b", any(), vec![replace("9")]),
            Asked::from(everything("b")).0,
            set("b", "last", blob("0")),
        ]);
        let results = results.await.unwrap();
        assert_eq!(results[0], changed(32));
        let Outcome::Multi(found) = &results[1] else { panic!("{results:?}") };
        assert!(found.values.iter().all(|row| row.value.as_ref().unwrap().data == "9"));
    })
    .await;
}

/// A reader sees both keys as they were before a batch, or both as it left them.
#[tokio::test]
async fn readers_never_see_half_a_batch() {
    on_every_kind(async |client| {
        let keys = neighbours(&client, 2).await;
        let both = |text: String| {
            vec![set("b", &keys[0], blob(text.clone())), set("b", &keys[1], blob(text))]
        };
        client.batch(both("start".into())).await.unwrap();
        let writer = async {
            for n in 0..200 {
                client.batch(both(format!("{n}"))).await.unwrap();
            }
        };
        let reader = async {
            let other = Client::connect(client.address).await;
            for _ in 0..200 {
                let pair = vec![get("b", &keys[0]), get("b", &keys[1])];
                let results = other.batch(pair).await.unwrap();
                assert_eq!(data(&results[0]), data(&results[1]));
            }
        };
        futures_util::future::join(writer, reader).await;
        assert_eq!(client.data("b", &keys[0]).await, "199");
    })
    .await;
}
