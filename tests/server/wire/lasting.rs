//! What is answered is there after a stop and a start, on as many cores as there are then.

use amaters_proto::types::{CipherBlob, CipherMetadata};

use super::{
    client::{Client, ONE, Site, TWO, bounded, durable_kinds},
    queries::{blob, ciphertext, everything, keys, set},
};

fn values() -> Vec<(String, CipherBlob)> {
    let sizes = [0, 1, 100, 4096, 64 * 1024, 512 * 1024, 16 * 1024 * 1024];
    let value = |(n, bytes): (usize, usize)| {
        let blob = blob(ciphertext(bytes, n as u64));
        let metadata = CipherMetadata {
            compression: 1,
            created_at: 1_700_000_000,
            version: Some(n as u32),
            ..blob.metadata.unwrap()
        };
        (format!("k{n:02}"), CipherBlob { metadata: Some(metadata), ..blob })
    };
    // Small ones enough that both shards have some.
    sizes.into_iter().chain([100; 40]).enumerate().map(value).collect()
}

async fn write(client: &Client) {
    for (key, blob) in values() {
        client.ask(set("p", &key, blob)).await.unwrap();
        client.set("deleted", &key, "v").await;
        assert_eq!(client.delete("deleted", &key).await, 1);
    }
}

async fn check(client: &Client) {
    for (key, blob) in values() {
        let got = client.get("p", &key).await.expect("the key has a value");
        assert_eq!(got.metadata, blob.metadata, "{key}");
        assert!(got.data == blob.data, "{key}");
        assert_eq!(client.get("deleted", &key).await, None);
    }
    let mut asked = everything("p");
    (asked.start, asked.limit) = (super::queries::key("k07"), Some(100));
    let expected: Vec<_> = (7..47).map(|n| format!("k{n:02}")).collect();
    assert_eq!(keys(&client.rows(asked).await), expected);
}

#[tokio::test]
async fn values_are_there_after_a_stop_and_a_start_in_every_sync_mode_and_without_a_log() {
    for kind in durable_kinds() {
        let modes = ["always", "interval", "none"].map(|mode| format!("sync_mode = \"{mode}\""));
        for wal in modes.into_iter().chain(["enabled = false".to_owned()]) {
            let mut site = Site::new(kind, &format!("wal = {{ {wal} }}"));
            bounded(async {
                write(&site.client().await).await;
                for _ in 0..2 {
                    site.restart(kind.cores).await;
                    check(&site.client().await).await;
                }
            })
            .await;
        }
    }
}

/// Shards belong to the data directory, reactors to the machine.
#[tokio::test]
async fn two_shards_are_served_by_one_core_and_by_two_again() {
    if !TWO.is_possible() {
        return;
    }
    let mut site = Site::new(TWO, "");
    bounded(async {
        write(&site.client().await).await;
        for cores in [1, 2] {
            site.restart(cores).await;
            let client = site.client().await;
            check(&client).await;
            // It is a server like any other.
            client.set("p", "more", format!("of {cores}")).await;
            assert_eq!(client.data("p", "more").await, format!("of {cores}"));
            assert_eq!(client.delete("p", "more").await, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn one_shard_is_served_by_two_cores() {
    if !TWO.is_possible() {
        return;
    }
    let mut site = Site::new(ONE, "");
    bounded(async {
        write(&site.client().await).await;
        for cores in [2, 1] {
            site.restart(cores).await;
            check(&site.client().await).await;
        }
    })
    .await;
}
