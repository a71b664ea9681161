//! `ExecuteStream`: answers of any size, in chunks.

use std::time::Duration;

use super::{
    client::{Client, Streamed, on_every_kind},
    queries::{
        any, blob, ciphertext, eq, everything, filter, get, keys, range, request, set, update,
    },
};

#[tokio::test]
async fn a_stream_brings_what_a_unary_range_cannot_in_chunks_that_clients_take() {
    on_every_kind(async |client| {
        for n in 0..40u8 {
            client.set("s", [n], ciphertext(300 * 1024, n.into())).await;
        }
        let mut client = client.clone();
        client.stub = client.stub.max_decoding_message_size(4 * 1024 * 1024);
        let streamed = client.stream(everything("s")).await.unwrap();
        assert_eq!(streamed.total_count, 40);
        assert!(streamed.chunks.len() > 1);
        for (n, row) in (0..40u8).zip(streamed.rows()) {
            assert_eq!(row.key.clone().unwrap().data[..], [n]);
            assert!(row.value.clone().unwrap().data == ciphertext(300 * 1024, n.into()));
        }
    })
    .await;
}

#[tokio::test]
async fn small_rows_share_chunks_and_keep_their_order() {
    on_every_kind(async |client| {
        let names: Vec<_> = (0..5000).map(|n| format!("k{n:04}")).collect();
        let writes = names.iter().map(|name| client.set("s", name, ciphertext(100, 1)));
        futures_util::future::join_all(writes).await;
        let streamed = client.stream(everything("s")).await.unwrap();
        assert_eq!(keys(&streamed.chunks.concat()), names);
        assert_eq!(streamed.total_count, 5000);
        assert!(streamed.chunks.len() < 50, "{} chunks", streamed.chunks.len());
    })
    .await;
}

#[tokio::test]
async fn an_empty_answer_is_an_end_alone() {
    on_every_kind(async |client| {
        let streamed = client.stream(everything("nowhere")).await.unwrap();
        assert_eq!((streamed.chunks.len(), streamed.total_count), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn limits_bounds_and_filters_hold_in_a_stream_too() {
    on_every_kind(async |client| {
        for n in 0..100u8 {
            client.set("s", format!("k{n:02}"), vec![n % 10]).await;
        }
        let mut asked = range("s", "k10", "k90");
        asked.limit = Some(30);
        let streamed = client.stream(asked).await.unwrap();
        let expected: Vec<_> = (10..40).map(|n| format!("k{n}")).collect();
        assert_eq!(keys(&streamed.chunks.concat()), expected);
        assert_eq!(streamed.total_count, 30);

        let mut asked = filter("s", eq([3]));
        (asked.offset, asked.limit) = (Some(2), Some(4));
        let streamed = client.stream(asked).await.unwrap();
        assert_eq!(keys(&streamed.chunks.concat()), ["k23", "k33", "k43", "k53"]);
    })
    .await;
}

#[tokio::test]
async fn a_get_streams_its_one_value_or_none() {
    on_every_kind(async |client| {
        let value = ciphertext(16 * 1024 * 1024, 8);
        client.set("s", "k", value.clone()).await;
        let streamed = client.stream(get("s", "k")).await.unwrap();
        assert_eq!(streamed.total_count, 1);
        assert!(streamed.rows().next().unwrap().value.clone().unwrap().data == value);
        assert_eq!(client.stream(get("s", "l")).await.unwrap().total_count, 0);
    })
    .await;
}

/// The server sends as fast as it is read: it must neither lose rows nor hold up the others.
#[tokio::test]
async fn a_slow_reader_gets_every_row_while_others_are_served() {
    on_every_kind(async |client| {
        for n in 0..80u8 {
            client.set("s", [n], ciphertext(256 * 1024, n.into())).await;
        }
        // Windows of 64 KiB: the server has to wait for the reader several times in every chunk.
        let slow = Client::connect_with(client.address, |endpoint| {
            endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535)
        })
        .await;
        let mut stream = slow.stub.clone().execute_stream(request(everything("s"))).await.unwrap();
        let first = stream.get_mut().message().await.unwrap();
        for n in 0..80u8 {
            assert!(client.data("s", [n]).await == ciphertext(256 * 1024, n.into()));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let streamed = Streamed::read_behind(first, stream.into_inner()).await.unwrap();
        assert_eq!(streamed.total_count, 80);
        for (n, row) in (0..80u8).zip(streamed.chunks.into_iter().flatten()) {
            assert!(row.value.unwrap().data == ciphertext(256 * 1024, n.into()), "{n}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_left_half_way_costs_the_others_nothing() {
    on_every_kind(async |client| {
        for n in 0..40u8 {
            client.set("s", [n], ciphertext(256 * 1024, n.into())).await;
        }
        for _ in 0..20 {
            let asked = request(everything("s"));
            let mut stream = client.stub.clone().execute_stream(asked).await.unwrap().into_inner();
            assert!(stream.message().await.unwrap().is_some());
        }
        assert_eq!(client.stream(everything("s")).await.unwrap().total_count, 40);
    })
    .await;
}

/// Failures of a stream are told in the trailers, as there may be no message to put them into.
#[tokio::test]
async fn what_a_stream_cannot_do_is_a_status() {
    on_every_kind(async |client| {
        for asked in [set("s", "k", blob("v")), update("s", any(), Vec::new())] {
            let status = client.stream(asked).await.unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
        }
        assert_eq!(client.get("s", "k").await, None);
        let status = client.stream(everything("")).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert!(status.message().contains("invalid collection"), "{status:?}");

        // Rows that came before the failure are good; the status says that they are not all.
        client.set("s", "a", "plain").await;
        client.set("s", "b", ciphertext(65, 1)).await;
        let status = client.stream(filter("s", any())).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::FailedPrecondition, "{status:?}");
        assert!(status.message().contains("\"b\""), "{status:?}");
    })
    .await;
}
