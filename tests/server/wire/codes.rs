//! Refusals of single requests: their codes, categories and texts, in-band under status OK.

use amaters_proto::{
    aql::{
        BatchRequest, BatchResponse, QueryRequest, QueryResponse, batch_response, query_response,
    },
    errors::ErrorResponse,
    query::{
        DeleteQuery, FilterQuery, GetQuery, Query, RangeQuery, SetQuery, UpdateQuery,
        query::Query as Kind,
    },
    types::{AndPredicate, Predicate, Version, predicate::Predicate as Condition},
};
use prost::Message as _;

use super::{
    client::{Client, on_every_kind},
    queries::{
        Asked, add, any, batch_request, blob, delete, everything, filter, get, key, not, of,
        request, set, update,
    },
    raw::{self, EXECUTE_BATCH, EXECUTE_QUERY},
};

const CLIENT_ERROR: i32 = 4;

/// The in-band error of a request that must have one.
async fn refused(client: &Client, request: QueryRequest) -> ErrorResponse {
    let response = client.stub.clone().execute_query(request).await.unwrap().into_inner();
    match response.response.unwrap() {
        query_response::Response::Error(error) => error,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn another_major_version_is_2001_and_no_version_is_fine() {
    on_every_kind(async |client| {
        for query in [get("c", "k"), set("c", "k", blob("v")), Asked::from(everything("c")).0] {
            let version = Some(Version { major: 1, minor: 0, patch: 0 });
            let mut request = request(query);
            request.version = version;
            let error = refused(&client, request.clone()).await;
            assert_eq!((error.code, error.category), (2001, CLIENT_ERROR), "{error:?}");

            let mut stub = client.stub.clone();
            let batch = BatchRequest { version, ..batch_request(vec![get("c", "k")]) };
            let response = stub.execute_batch(batch).await.unwrap().into_inner();
            match response.response.unwrap() {
                batch_response::Response::Error(error) => assert_eq!(error.code, 2001),
                other => panic!("not refused: {other:?}"),
            }
            let status = stub.execute_stream(request.clone()).await;
            let status = match status {
                Ok(mut stream) => stream.get_mut().message().await.unwrap_err(),
                Err(status) => status,
            };
            assert_eq!(status.code(), tonic::Code::InvalidArgument);

            request.version = None;
            let response = stub.execute_query(request.clone()).await.unwrap().into_inner();
            assert!(matches!(response.response, Some(query_response::Response::Result(_))));
            // Another minor version of the same major one is spoken too.
            request.version = Some(Version { major: 0, minor: 9, patch: 1 });
            let response = stub.execute_query(request).await.unwrap().into_inner();
            assert!(matches!(response.response, Some(query_response::Response::Result(_))));
        }
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_no_message_are_2002_in_band() {
    on_every_kind(async |client| {
        let mut not_utf8 = request(get("cc", "k")).encode_to_vec();
        let at = not_utf8.windows(2).position(|pair| pair == b"cc").unwrap();
        not_utf8[at] = 0xff;
        let cut = request(get("c", "k")).encode_to_vec();
        let cut = cut[..cut.len() - 1].to_vec();
        for bytes in [b"\xff\xff\xff\xff".to_vec(), b"\x0a\x7f".to_vec(), not_utf8, cut] {
            let answer = raw::unary(&client, EXECUTE_QUERY, bytes.clone()).await.unwrap();
            let response = QueryResponse::decode(answer).unwrap();
            let Some(query_response::Response::Error(error)) = response.response else {
                panic!("{bytes:?} was not refused");
            };
            assert_eq!((error.code, error.category), (2002, CLIENT_ERROR), "{error:?}");
        }
        let answer = raw::unary(&client, EXECUTE_BATCH, b"\xff".as_slice()).await.unwrap();
        let response = BatchResponse::decode(answer).unwrap();
        let Some(batch_response::Response::Error(error)) = response.response else {
            panic!("not refused");
        };
        assert_eq!(error.code, 2002);
    })
    .await;
}

#[tokio::test]
async fn a_missing_field_is_2003_with_its_name() {
    let collection = || "c".to_owned();
    let cases = [
        (Query { query: None }, "query"),
        (of(Kind::Get(GetQuery { collection: collection(), key: None })), "key"),
        (of(Kind::Delete(DeleteQuery { collection: collection(), key: None })), "key"),
        (
            of(Kind::Set(SetQuery { collection: collection(), key: None, value: Some(blob("v")) })),
            "key",
        ),
        (of(Kind::Set(SetQuery { collection: collection(), key: key("k"), value: None })), "value"),
        (
            of(Kind::Range(RangeQuery {
                collection: collection(),
                start: None,
                end: key("z"),
                limit: None,
            })),
            "start",
        ),
        (
            of(Kind::Range(RangeQuery {
                collection: collection(),
                start: key("a"),
                end: None,
                limit: None,
            })),
            "end",
        ),
        (
            of(Kind::Filter(FilterQuery { collection: collection(), ..Default::default() })),
            "predicate",
        ),
        (
            of(Kind::Update(UpdateQuery {
                collection: collection(),
                predicate: None,
                updates: vec![add([1])],
            })),
            "predicate",
        ),
        (update("c", any(), Vec::new()), "updates"),
        (update("c", any(), vec![Default::default()]), "operation"),
        (filtered(Predicate { predicate: None }), "predicate"),
        (filtered(predicate(Condition::Eq(Default::default()))), "value"),
        (
            filtered(predicate(Condition::And(Box::new(AndPredicate {
                left: Some(Box::new(any())),
                right: None,
            })))),
            "right",
        ),
        (filtered(predicate(Condition::Not(Box::default()))), "predicate"),
    ];
    on_every_kind(async |client| {
        for (query, field) in &cases {
            let error = refused(&client, request(query.clone())).await;
            assert_eq!((error.code, error.category), (2003, CLIENT_ERROR), "{error:?}");
            assert_eq!(error.message, format!("Missing required field: {field}"), "{query:?}");
        }
        let nothing = QueryRequest::default();
        assert_eq!(refused(&client, nothing).await.message, "Missing required field: query");
    })
    .await;
}

fn predicate(condition: Condition) -> Predicate {
    Predicate { predicate: Some(condition) }
}

fn filtered(predicate: Predicate) -> Query {
    Asked::from(filter("c", predicate)).0
}

#[tokio::test]
async fn keys_outside_1_byte_to_64_kib_are_6000() {
    on_every_kind(async |client| {
        for key in [vec![], vec![b'k'; 64 * 1024 + 1]] {
            for query in [get("c", &key), set("c", &key, blob("v")), delete("c", &key)] {
                let error = refused(&client, request(query)).await;
                assert_eq!((error.code, error.category), (6000, CLIENT_ERROR), "{error:?}");
                assert!(error.message.contains(&format!("{} bytes", key.len())), "{error:?}");
            }
        }
        assert_eq!(client.rows(everything("c")).await, []);
    })
    .await;
}

#[tokio::test]
async fn collections_that_are_empty_too_long_or_hold_control_characters_are_6003() {
    on_every_kind(async |client| {
        for name in ["", &"c".repeat(256), "a\nb", "a\0", "\u{7f}", "a\u{85}b"] {
            for query in [
                get(name, "k"),
                set(name, "k", blob("v")),
                delete(name, "k"),
                Asked::from(everything(name)).0,
                Asked::from(filter(name, any())).0,
                update(name, any(), vec![add([1])]),
            ] {
                let error = refused(&client, request(query)).await;
                assert_eq!((error.code, error.category), (6003, CLIENT_ERROR), "{error:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn more_queries_or_conditions_than_allowed_are_6002() {
    on_every_kind(async |client| {
        let queries = vec![set("c", "k", blob("v")); 1025];
        let error = client.batch(queries).await.unwrap_err();
        assert_eq!((error.code, error.category), (6002, CLIENT_ERROR), "{error:?}");
        assert!(error.message.contains("1024"), "{error:?}");
        assert_eq!(client.get("c", "k").await, None);

        let deep = (0..40).fold(any(), |inner, _| not(inner));
        assert_eq!(refused(&client, request(filter("c", deep))).await.code, 6002);
        let many = update("c", any(), vec![add([1]); 17]);
        assert_eq!(refused(&client, request(many)).await.code, 6002);
    })
    .await;
}

#[tokio::test]
async fn an_interactive_transaction_is_2000_as_there_are_none() {
    on_every_kind(async |client| {
        for query in [get("c", "k"), set("c", "k", blob("v"))] {
            let mut request = request(query);
            request.transaction_id = Some("t".into());
            let error = refused(&client, request.clone()).await;
            assert_eq!((error.code, error.category), (2000, CLIENT_ERROR), "{error:?}");
            assert!(error.message.contains("transaction_id"), "{error:?}");
            let status = client.stub.clone().execute_stream(request.clone()).await;
            let status = match status {
                Ok(mut stream) => stream.get_mut().message().await.unwrap_err(),
                Err(status) => status,
            };
            assert!(status.message().contains("transaction_id"), "{status:?}");
            request.transaction_id = Some(String::new());
            let response = client.stub.clone().execute_query(request).await.unwrap().into_inner();
            assert!(matches!(response.response, Some(query_response::Response::Result(_))));
        }
    })
    .await;
}

/// Commands are keys; one that is not known has no value, and none can be written.
#[tokio::test]
async fn admin_keys_are_commands_and_never_data() {
    on_every_kind(async |client| {
        assert_eq!(client.get("c", "__admin__:NOSUCHCOMMAND with words").await, None);
        for query in [set("c", "__admin__:STATS", blob("{}")), delete("c", "__admin__:STATS")] {
            let error = refused(&client, request(query)).await;
            assert_eq!((error.code, error.category), (6000, CLIENT_ERROR), "{error:?}");
            assert!(error.message.contains("__admin__:"), "{error:?}");
        }
        client.set("c", "__admin__", "an ordinary key").await;
        assert_eq!(client.data("c", "__admin__").await, "an ordinary key");
    })
    .await;
}

#[tokio::test]
async fn a_request_id_comes_back_with_a_refusal_too() {
    on_every_kind(async |client| {
        for query in [get("", "k"), Asked::from(everything("")).0, Query { query: None }] {
            let request = request(query);
            let id = request.request_id.clone();
            let response = client.stub.clone().execute_query(request).await.unwrap().into_inner();
            assert!(matches!(response.response, Some(query_response::Response::Error(_))));
            assert_eq!(response.request_id, id);
        }
    })
    .await;
}
