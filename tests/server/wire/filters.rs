//! Filters: conditions on plain values, over all shards.

use amaters_proto::{query::KeyValue, types::Predicate};

use super::{
    client::{Client, on_every_kind},
    queries::{and, any, ciphertext, eq, filter, gt, gte, keys, lt, lte, not, or},
};

/// Keys `00` to `19` with the values 0 to 19, of two bytes each.
async fn fill(client: &Client) {
    for n in 0..20u16 {
        client.set("f", format!("{n:02}"), n.to_be_bytes().to_vec()).await;
    }
}

async fn matching(client: &Client, predicate: Predicate) -> Vec<u16> {
    numbers(&client.rows(filter("f", predicate)).await)
}

fn numbers(rows: &[KeyValue]) -> Vec<u16> {
    let number = |row: &KeyValue| {
        let data = row.value.as_ref().unwrap().data.as_ref();
        u16::from_be_bytes(data.try_into().unwrap())
    };
    rows.iter().map(number).collect()
}

#[tokio::test]
async fn every_relation_selects_what_it_says_in_key_order() {
    on_every_kind(async |client| {
        fill(&client).await;
        assert_eq!(matching(&client, eq([0, 7])).await, [7]);
        assert_eq!(matching(&client, eq([1, 7])).await, [0; 0]);
        assert_eq!(matching(&client, lt([0, 3])).await, [0, 1, 2]);
        assert_eq!(matching(&client, lte([0, 3])).await, [0, 1, 2, 3]);
        assert_eq!(matching(&client, gt([0, 17])).await, [18, 19]);
        assert_eq!(matching(&client, gte([0, 17])).await, [17, 18, 19]);
    })
    .await;
}

#[tokio::test]
async fn and_or_and_not_are_evaluated_properly() {
    on_every_kind(async |client| {
        fill(&client).await;
        let between = and(gt([4]), lt([8]));
        assert_eq!(matching(&client, between.clone()).await, [5, 6, 7]);
        let outside = matching(&client, not(between.clone())).await;
        assert_eq!(outside, [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
        assert_eq!(matching(&client, or(eq([2]), between.clone())).await, [2, 5, 6, 7]);
        assert_eq!(matching(&client, and(between.clone(), not(eq([6])))).await, [5, 7]);
        assert_eq!(matching(&client, not(or(lt([10]), not(lt([12]))))).await, [10, 11]);
        assert_eq!(matching(&client, and(between, eq([2]))).await, [0; 0]);
    })
    .await;
}

/// Both sides are unsigned big-endian integers, so leading zeros do not count.
#[tokio::test]
async fn values_compare_as_integers_of_any_length() {
    on_every_kind(async |client| {
        for (key, value) in [("a", &[5][..]), ("b", &[0, 5]), ("c", &[1, 0]), ("d", &[0xff])] {
            client.set("f", key, value).await;
        }
        client.set("f", "e", "").await;
        let matching = async |predicate| keys(&client.rows(filter("f", predicate)).await).concat();
        assert_eq!(matching(eq([0, 0, 0, 5])).await, "ab");
        assert_eq!(matching(gt([0xff])).await, "c");
        assert_eq!(matching(lt([5])).await, "e");
        assert_eq!(matching(eq("")).await, "e");
        assert_eq!(matching(lte([1, 0])).await, "abcde");
    })
    .await;
}

#[tokio::test]
async fn offset_and_limit_count_the_rows_that_match() {
    on_every_kind(async |client| {
        fill(&client).await;
        let cut = async |offset, limit| {
            let mut asked = filter("f", gte([10]));
            (asked.offset, asked.limit) = (offset, limit);
            numbers(&client.rows(asked).await)
        };
        assert_eq!(cut(None, Some(3)).await, [10, 11, 12]);
        assert_eq!(cut(Some(8), None).await, [18, 19]);
        assert_eq!(cut(Some(4), Some(2)).await, [14, 15]);
        assert_eq!(cut(Some(9), Some(9)).await, [19]);
        assert_eq!(cut(Some(10), Some(1)).await, [0; 0]);
        assert_eq!(cut(Some(0), Some(0)).await, [0; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_limit_far_behind_the_first_rows_is_found() {
    on_every_kind(async |client| {
        let writes = (0..4000u16).map(|n| {
            let client = client.clone();
            async move { client.set("f", format!("{n:04}"), n.to_be_bytes().to_vec()).await }
        });
        futures_util::future::join_all(writes).await;
        let mut asked = filter("f", gte(3900u16.to_be_bytes()));
        (asked.offset, asked.limit) = (Some(50), Some(3));
        assert_eq!(numbers(&client.rows(asked).await), [3950, 3951, 3952]);
    })
    .await;
}

#[tokio::test]
async fn a_ciphertext_among_the_rows_is_refused_with_its_key() {
    on_every_kind(async |client| {
        fill(&client).await;
        client.set("f", "plain", ciphertext(64, 1)).await;
        assert_eq!(client.rows(filter("f", any())).await.len(), 21);
        client.set("f", "sealed", ciphertext(65, 1)).await;
        let error = client.ask(filter("f", eq([1]))).await.unwrap_err();
        assert_eq!((error.code, error.category), (5001, 2), "{error:?}");
        assert!(error.message.contains("\"sealed\"") && error.message.contains("65"), "{error:?}");
        // Another collection is none of its business.
        assert_eq!(client.rows(filter("elsewhere", any())).await, []);
    })
    .await;
}
