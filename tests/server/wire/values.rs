//! Single values: what is set is what is got.

use amaters_proto::{
    query::{SingleResult, query_result::Result as Outcome},
    types::{CipherBlob, CipherMetadata},
};

use super::{
    client::on_every_kind,
    queries::{bare, blob, ciphertext, get, set, unix_seconds},
};

/// Nothing, a sealed field, FheUint8, FheUint64, and more than any window holds.
const SIZES: [usize; 5] = [0, 100, 64 * 1024, 512 * 1024, 16 * 1024 * 1024];

#[tokio::test]
async fn values_of_every_size_come_back_byte_for_byte_with_their_metadata() {
    on_every_kind(async |client| {
        let sent = SIZES.map(|size| {
            let blob = blob(ciphertext(size, 1 + size as u64));
            // Not what the server would fill in, so that filling in would be seen.
            let metadata = CipherMetadata {
                compression: 2,
                created_at: -7,
                version: Some(3),
                ..blob.metadata.unwrap()
            };
            CipherBlob { metadata: Some(metadata), ..blob }
        });
        for blob in &sent {
            let key = format!("{} bytes", blob.data.len());
            client.ask(set("values", key, blob.clone())).await.unwrap();
        }
        for blob in &sent {
            let got = client.get("values", format!("{} bytes", blob.data.len())).await.unwrap();
            assert_eq!(got.metadata, blob.metadata);
            assert!(got.data == blob.data, "other bytes of {}", blob.data.len());
        }
    })
    .await;
}

#[tokio::test]
async fn metadata_that_a_client_leaves_out_is_filled_in() {
    on_every_kind(async |client| {
        let before = unix_seconds();
        let data = ciphertext(1000, 5);
        client.ask(set("values", "k", bare(data.clone()))).await.unwrap();
        let metadata = client.get("values", "k").await.unwrap().metadata.unwrap();
        assert_eq!(metadata.size, 1000);
        assert_eq!(metadata.checksum, crc32fast::hash(&data));
        assert_eq!((metadata.compression, metadata.version), (0, None));
        assert!((before..=unix_seconds()).contains(&metadata.created_at), "{metadata:?}");
    })
    .await;
}

#[tokio::test]
async fn a_value_whose_checksum_is_wrong_is_refused_and_the_old_one_stays() {
    on_every_kind(async |client| {
        let mut wrong = blob("sealed");
        wrong.metadata.as_mut().unwrap().checksum ^= 0x8000_0001;
        let error = client.ask(set("values", "new", wrong.clone())).await.unwrap_err();
        assert_eq!((error.code, error.category), (4004, 2), "{error:?}");
        assert!(error.message.contains("checksum"), "{error:?}");
        assert_eq!(client.get("values", "new").await, None);

        client.set("values", "old", "old").await;
        client.ask(set("values", "old", wrong)).await.unwrap_err();
        assert_eq!(client.data("values", "old").await, "old");
    })
    .await;
}

#[tokio::test]
async fn a_checksum_of_zero_means_not_computed_and_is_kept() {
    on_every_kind(async |client| {
        let mut unchecked = blob("sealed");
        unchecked.metadata.as_mut().unwrap().checksum = 0;
        client.ask(set("values", "k", unchecked.clone())).await.unwrap();
        assert_eq!(client.get("values", "k").await, Some(unchecked));
    })
    .await;
}

#[tokio::test]
async fn an_absent_key_is_a_single_without_value_and_no_error() {
    on_every_kind(async |client| {
        let nothing = Outcome::Single(SingleResult { value: None });
        assert_eq!(client.ask(get("nowhere", "k")).await, Ok(nothing.clone()));
        client.set("values", "k", "v").await;
        assert_eq!(client.ask(get("values", "l")).await, Ok(nothing));
    })
    .await;
}

#[tokio::test]
async fn a_delete_tells_how_many_rows_it_removed() {
    on_every_kind(async |client| {
        assert_eq!(client.delete("nowhere", "k").await, 0);
        client.set("values", "k", "v").await;
        assert_eq!(client.delete("values", "k").await, 1);
        assert_eq!(client.delete("values", "k").await, 0);
        assert_eq!(client.get("values", "k").await, None);
        client.set("values", "k", "again").await;
        assert_eq!(client.data("values", "k").await, "again");
    })
    .await;
}

#[tokio::test]
async fn the_last_write_of_a_key_is_the_one_that_is_read() {
    on_every_kind(async |client| {
        for round in 0..20 {
            for key in ["a", "b", "c", "d"] {
                client.set("values", key, format!("{key} {round}")).await;
                assert_eq!(client.data("values", key).await, format!("{key} {round}"));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_key_in_two_collections_is_two_entries() {
    on_every_kind(async |client| {
        client.set("one", "k", "first").await;
        client.set("two", "k", "second").await;
        assert_eq!(client.data("one", "k").await, "first");
        assert_eq!(client.data("two", "k").await, "second");
        assert_eq!(client.delete("one", "k").await, 1);
        assert_eq!(client.get("one", "k").await, None);
        assert_eq!(client.data("two", "k").await, "second");
    })
    .await;
}

#[tokio::test]
async fn keys_and_collections_are_any_bytes_and_any_text_up_to_their_bounds() {
    on_every_kind(async |client| {
        let keys = [vec![0], vec![0xff; 16], vec![0, 0xff, b'\n'], vec![7; 64 * 1024]];
        let longest = "c".repeat(255);
        for collection in ["größe/日本", "with space", &longest] {
            for key in &keys {
                client.set(collection, key, key.clone()).await;
            }
            for key in &keys {
                assert!(client.data(collection, key).await == *key);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_hundred_requests_at_once_on_one_connection_are_each_answered_rightly() {
    on_every_kind(async |client| {
        let writes = (0..100).map(|n| {
            let client = client.clone();
            async move { client.set("values", format!("k{n}"), ciphertext(n * 97, n as u64)).await }
        });
        futures_util::future::join_all(writes).await;
        let reads = (0..100).map(|n| {
            let client = client.clone();
            async move {
                let data = client.data("values", format!("k{n}")).await;
                assert!(data == ciphertext(n * 97, n as u64), "k{n}");
            }
        });
        futures_util::future::join_all(reads).await;
    })
    .await;
}
