//! Ranges, filters and streams show one instant of all shards, while writers go on.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use amaters_proto::query::KeyValue;

use super::{
    client::{Client, Site, Streamed, TWO, bounded, on_every_kind},
    queries::{any, blob, ciphertext, everything, filter, request, set},
};

/// A writer gives these keys the same number, one after the other, then the next number. So at every instant the first ones
/// have one number and the rest the number before.
const COUNTERS: [&str; 6] = ["k00", "k10", "k20", "k30", "k40", "k50"];
const COLLECTION: &str = "instant";

/// Counts until told to stop. `done` is the number that all counters have reached.
async fn count(client: &Client, done: &AtomicU64, stop: &AtomicBool) {
    for number in 1u64.. {
        for key in COUNTERS {
            client.set(COLLECTION, key, number.to_be_bytes().to_vec()).await;
        }
        done.store(number, SeqCst);
        if stop.load(SeqCst) {
            return;
        }
    }
}

/// The number of the first counter; all must be of one instant, no earlier than when all had reached `floor`.
fn check<'a>(rows: impl Iterator<Item = &'a KeyValue>, floor: u64) -> u64 {
    let counters = rows.filter_map(|row| {
        let key = row.key.as_ref().unwrap();
        let is_counter = COUNTERS.iter().any(|counter| counter.as_bytes() == key.data);
        let data = || row.value.as_ref().unwrap().data[..].try_into().unwrap();
        is_counter.then(|| u64::from_be_bytes(data()))
    });
    let numbers: Vec<u64> = counters.collect();
    assert_eq!(numbers.len(), COUNTERS.len());
    let (first, last) = (numbers[0], numbers[COUNTERS.len() - 1]);
    assert!(numbers.is_sorted_by(|left, right| left >= right), "{numbers:?}");
    assert!(first - last <= 1 && last >= floor, "{numbers:?}, {floor} before");
    first
}

/// Scans while a writer counts. `scan` is given the number that counts before it.
async fn scan_while_counting(client: &Client, scans: usize, scan: impl AsyncFn(u64) -> u64) {
    let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    for key in COUNTERS {
        client.set(COLLECTION, key, 0u64.to_be_bytes().to_vec()).await;
    }
    let scanning = async {
        let mut seen = BTreeSet::new();
        for _ in 0..scans {
            seen.insert(scan(done.load(SeqCst)).await);
        }
        stop.store(true, SeqCst);
        assert!(seen.len() > 2, "the writer hardly wrote: {seen:?}");
    };
    futures_util::future::join(scanning, count(client, &done, &stop)).await;
}

/// Rows between the counters: scans take many pages.
async fn fill(client: &Client, rows: usize, bytes: usize) {
    let keys = (0..rows).map(|row| format!("k{}{}-{row:05}", row % 6, row % 7 + 1));
    let written = keys.map(|key| client.set(COLLECTION, key, ciphertext(bytes, 1)));
    futures_util::future::join_all(written).await;
}

#[tokio::test]
async fn a_range_shows_one_instant() {
    on_every_kind(async |client| {
        fill(&client, 60, 50 * 1024).await;
        scan_while_counting(&client, 60, async |floor| {
            check(client.rows(everything(COLLECTION)).await.iter(), floor)
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_filter_shows_one_instant() {
    on_every_kind(async |client| {
        fill(&client, 5000, 8).await;
        scan_while_counting(&client, 60, async |floor| {
            check(client.rows(filter(COLLECTION, any())).await.iter(), floor)
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_shows_one_instant_however_slowly_it_is_read() {
    on_every_kind(async |client| {
        fill(&client, 60, 100 * 1024).await;
        let slow = slow(&client).await;
        scan_while_counting(&client, 8, async |floor| {
            let asked = request(everything(COLLECTION));
            let mut stream = slow.stub.clone().execute_stream(asked).await.unwrap();
            let first = stream.get_mut().message().await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            let streamed = Streamed::read_behind(first, stream.into_inner()).await.unwrap();
            check(streamed.rows(), floor)
        })
        .await;
    })
    .await;
}

/// With windows so small that the server waits for the reader all the time.
async fn slow(client: &Client) -> Client {
    Client::connect_with(client.address, |endpoint| {
        endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535)
    })
    .await
}

/// What a long scan keeps in memory is bounded in time.
#[tokio::test]
#[ignore = "takes more than a minute"]
async fn a_stream_that_takes_longer_than_a_minute_is_told_so() {
    if !TWO.is_possible() {
        return;
    }
    let site = Site::new(TWO, "");
    bounded(async {
        let client = site.client().await;
        fill(&client, 100, 200 * 1024).await;
        let slow = slow(&client).await;
        let mut asked = request(everything(COLLECTION));
        asked.timeout_ms = None;
        let mut stream = slow.stub.clone().execute_stream(asked).await.unwrap().into_inner();
        let mut chunks = 0;
        let status = loop {
            match stream.message().await {
                Ok(message) => assert!(message.is_some(), "it came to its end"),
                Err(status) => break status,
            }
            chunks += 1;
            tokio::time::sleep(Duration::from_secs(2)).await;
            client.ask(set(COLLECTION, "k00", blob("written meanwhile"))).await.unwrap();
        };
        assert!(chunks > 20, "{chunks}");
        assert_eq!(status.code(), tonic::Code::OutOfRange, "{status:?}");
        assert!(status.message().contains("at most 60 s; ask in parts"), "{status:?}");
        // The server goes on, and so does whoever begins again.
        assert_eq!(client.stream(everything(COLLECTION)).await.unwrap().total_count, 101);
    })
    .await;
}
