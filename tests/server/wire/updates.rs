//! Updates: changes of plain values, over all shards.

use amaters_proto::types::{CipherMetadata, Predicate, Update};

use super::{
    client::{Client, affected, on_every_kind},
    queries::{
        add, any, blob, ciphertext, eq, everything, gt, lt, mul, replace, set, unix_seconds, update,
    },
};

/// Keys `0` to `9` with the values 0 to 9, of one byte each.
async fn fill(client: &Client) {
    for n in 0..10u8 {
        client.set("u", n.to_string(), vec![n]).await;
    }
}

async fn change(client: &Client, predicate: Predicate, steps: Vec<Update>) -> u64 {
    affected(&client.ask(update("u", predicate, steps)).await.unwrap())
}

/// The values in the order of their keys.
async fn values(client: &Client) -> Vec<Vec<u8>> {
    let rows = client.rows(everything("u")).await;
    rows.into_iter().map(|row| row.value.unwrap().data.to_vec()).collect()
}

fn bytes(values: &[u8]) -> Vec<Vec<u8>> {
    values.iter().map(|value| vec![*value]).collect()
}

#[tokio::test]
async fn set_replaces_the_rows_that_match_and_no_others() {
    on_every_kind(async |client| {
        fill(&client).await;
        assert_eq!(change(&client, gt([6]), vec![replace([70])]).await, 3);
        assert_eq!(values(&client).await, bytes(&[0, 1, 2, 3, 4, 5, 6, 70, 70, 70]));
        assert_eq!(change(&client, gt([200]), vec![replace([1])]).await, 0);
        assert_eq!(change(&client, eq([70]), vec![replace("longer")]).await, 3);
        assert_eq!(client.data("u", "8").await, "longer");
    })
    .await;
}

#[tokio::test]
async fn add_and_mul_are_arithmetic_that_wraps_at_the_length_of_the_value() {
    on_every_kind(async |client| {
        fill(&client).await;
        assert_eq!(change(&client, any(), vec![add([250])]).await, 10);
        assert_eq!(values(&client).await, bytes(&[250, 251, 252, 253, 254, 255, 0, 1, 2, 3]));
        assert_eq!(change(&client, lt([10]), vec![mul([100])]).await, 4);
        assert_eq!(values(&client).await, bytes(&[250, 251, 252, 253, 254, 255, 0, 100, 200, 44]));

        client.delete("u", "0").await;
        for n in 1..10u8 {
            client.delete("u", n.to_string()).await;
        }
        let (left, right) = (0x0123_4567_89ab_cdef_u64, 0xfedc_ba98_7654_3210_u64);
        client.set("u", "wide", left.to_be_bytes().to_vec()).await;
        let steps = vec![mul(right.to_be_bytes()), add(right.to_be_bytes())];
        assert_eq!(change(&client, any(), steps).await, 1);
        let expected = left.wrapping_mul(right).wrapping_add(right);
        assert_eq!(values(&client).await, [expected.to_be_bytes()]);
    })
    .await;
}

/// A changed value is described anew; what does not depend on the bytes stays.
#[tokio::test]
async fn a_changed_value_has_metadata_that_fits_it() {
    on_every_kind(async |client| {
        let mut old = blob([1, 0xff].as_slice());
        let metadata = old.metadata.as_mut().unwrap();
        (metadata.version, metadata.created_at) = (Some(4), 1);
        client.ask(set("u", "k", old)).await.unwrap();
        let before = unix_seconds();
        assert_eq!(change(&client, any(), vec![add([0, 1])]).await, 1);
        let new = client.get("u", "k").await.unwrap();
        assert_eq!(new.data[..], [2, 0]);
        let CipherMetadata { size, checksum, created_at, version, .. } = new.metadata.unwrap();
        assert_eq!((size, checksum, version), (2, crc32fast::hash(&[2, 0]), Some(4)));
        assert!((before..=unix_seconds()).contains(&created_at), "{created_at}");
    })
    .await;
}

#[tokio::test]
async fn a_ciphertext_refuses_the_whole_update_with_its_key_and_nothing_changes() {
    on_every_kind(async |client| {
        fill(&client).await;
        let sealed = ciphertext(65, 3);
        client.set("u", "sealed", sealed.clone()).await;
        for predicate in [any(), eq([5])] {
            let error = client.ask(update("u", predicate, vec![add([1])])).await.unwrap_err();
            assert_eq!((error.code, error.category), (5001, 2), "{error:?}");
            assert!(error.message.contains("\"sealed\""), "{error:?}");
        }
        let mut expected = bytes(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        expected.push(sealed.to_vec());
        assert_eq!(values(&client).await, expected);
    })
    .await;
}

#[tokio::test]
async fn an_operand_of_another_length_refuses_the_whole_update() {
    on_every_kind(async |client| {
        fill(&client).await;
        client.set("u", "wide", "wide").await;
        let error = client.ask(update("u", any(), vec![add([1])])).await.unwrap_err();
        assert_eq!(error.code, 5001, "{error:?}");
        assert!(error.message.contains("\"wide\""), "{error:?}");
        let error = client.ask(update("u", any(), vec![replace([0; 65])])).await.unwrap_err();
        assert_eq!(error.code, 5001, "{error:?}");
        assert_eq!(values(&client).await[..10], bytes(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
        // Where only rows of its length match, it is applied.
        assert_eq!(change(&client, lt([100]), vec![add([1])]).await, 10);
    })
    .await;
}

#[tokio::test]
async fn thousands_of_rows_are_changed_at_once() {
    on_every_kind(async |client| {
        let writes = (0..3000u16).map(|n| {
            let client = client.clone();
            async move { client.set("u", format!("{n:04}"), n.to_be_bytes().to_vec()).await }
        });
        futures_util::future::join_all(writes).await;
        let below = lt(2500u16.to_be_bytes());
        assert_eq!(change(&client, below, vec![add(10_000u16.to_be_bytes())]).await, 2500);
        let expected = (0..3000u16).map(|n| if n < 2500 { n + 10_000 } else { n });
        let expected: Vec<_> = expected.map(|n| n.to_be_bytes().to_vec()).collect();
        assert_eq!(values(&client).await, expected);
    })
    .await;
}
