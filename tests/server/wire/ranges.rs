//! Ranges, and the scans that existing clients make of them.

use super::{
    client::{Client, on_every_kind},
    queries::{ciphertext, everything, keys, range},
};

async fn fill(client: &Client, collection: &str, names: &[&str]) {
    for name in names {
        client.set(collection, name, format!("value of {name}")).await;
    }
}

#[tokio::test]
async fn a_range_has_its_start_but_not_its_end_in_order_over_all_shards() {
    on_every_kind(async |client| {
        fill(&client, "r", &["e", "a", "c", "b", "d", "aa", "f"]).await;
        fill(&client, "other", &["b", "x"]).await;
        let rows = client.rows(range("r", "a", "e")).await;
        assert_eq!(keys(&rows), ["a", "aa", "b", "c", "d"]);
        for (row, key) in rows.iter().zip(keys(&rows)) {
            let value = row.value.clone().unwrap();
            assert_eq!(value.data, format!("value of {key}"));
            assert_eq!(value.metadata.unwrap().checksum, crc32fast::hash(&value.data));
        }
    })
    .await;
}

#[tokio::test]
async fn a_limit_gives_the_first_rows_and_zero_gives_none() {
    on_every_kind(async |client| {
        fill(&client, "r", &["a", "b", "c", "d", "e", "f", "g"]).await;
        for (limit, expected) in [(0, ""), (1, "a"), (3, "abc"), (7, "abcdefg"), (9, "abcdefg")] {
            let mut asked = everything("r");
            asked.limit = Some(limit);
            assert_eq!(keys(&client.rows(asked).await).concat(), expected, "limit {limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn ranges_that_hold_nothing_are_empty() {
    on_every_kind(async |client| {
        fill(&client, "r", &["b"]).await;
        for (start, end) in [("b", "b"), ("c", "a"), ("a", "b"), ("c", "d"), ("", "")] {
            assert_eq!(client.rows(range("r", start, end)).await, [], "{start}..{end}");
        }
        assert_eq!(client.rows(everything("nowhere")).await, []);
    })
    .await;
}

#[tokio::test]
async fn order_is_that_of_unsigned_bytes() {
    on_every_kind(async |client| {
        let sorted: [&[u8]; 7] = [&[0], &[0, 0], &[0, 0xff], &[1], &[0x7f], &[0x80], &[0xff, 1]];
        for key in sorted.iter().rev() {
            client.set("r", key, "v").await;
        }
        let rows = client.rows(everything("r")).await;
        let keys: Vec<_> = rows.into_iter().map(|row| row.key.unwrap().data).collect();
        assert_eq!(keys, sorted);
    })
    .await;
}

/// Existing clients page by key: from the last one on, without it.
#[tokio::test]
async fn paging_from_the_last_key_shows_every_row_once() {
    on_every_kind(async |client| {
        let names: Vec<_> = (0..100).map(|n| format!("k{n:03}")).collect();
        for name in &names {
            client.set("r", name, "v").await;
        }
        let (mut seen, mut last) = (Vec::<String>::new(), String::new());
        loop {
            let mut asked = range("r", &last, [0xff; 16]);
            asked.limit = Some(8);
            let page = keys(&client.rows(asked).await);
            let new: Vec<_> = page.into_iter().filter(|key| *key != last).collect();
            let Some(newest) = new.last() else { break };
            last.clone_from(newest);
            seen.extend(new);
        }
        assert_eq!(seen, names);
    })
    .await;
}

/// Existing clients end the scan of a prefix at the prefix with its last byte incremented.
#[tokio::test]
async fn the_range_of_a_prefix_holds_the_keys_with_it_and_no_others() {
    on_every_kind(async |client| {
        fill(&client, "r", &["user", "user:", "user:1", "user:zz", "user;", "use"]).await;
        let rows = client.rows(range("r", "user:", "user;")).await;
        assert_eq!(keys(&rows), ["user:", "user:1", "user:zz"]);
    })
    .await;
}

#[tokio::test]
async fn thousands_of_rows_are_merged_without_a_gap() {
    on_every_kind(async |client| {
        let names: Vec<_> = (0..3000).map(|n| format!("k{n:04}")).collect();
        let writes = names.iter().map(|name| client.set("r", name, name.clone()));
        futures_util::future::join_all(writes).await;
        assert_eq!(keys(&client.rows(everything("r")).await), names);
        let mut asked = range("r", "k0500", "k2500");
        assert_eq!(keys(&client.rows(asked.clone()).await), names[500..2500]);
        asked.limit = Some(1500);
        assert_eq!(keys(&client.rows(asked).await), names[500..2000]);
    })
    .await;
}

#[tokio::test]
async fn rows_above_4_mib_are_refused_with_a_pointer_to_execute_stream() {
    on_every_kind(async |client| {
        for n in 0..9u8 {
            client.set("r", [n], ciphertext(512 * 1024, n.into())).await;
        }
        let error = client.ask(everything("r")).await.unwrap_err();
        assert_eq!((error.code, error.category, error.retry_after), (6002, 4, None), "{error:?}");
        assert!(error.message.contains("ExecuteStream"), "{error:?}");

        // What is let through is taken by a client with tonic's own bound of 4 MiB.
        let mut asked = everything("r");
        asked.limit = Some(7);
        let mut client = client.clone();
        client.stub = client.stub.max_decoding_message_size(4 * 1024 * 1024);
        assert_eq!(client.rows(asked).await.len(), 7);
    })
    .await;
}
