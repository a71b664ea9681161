//! Roles × requests × collections: each is done or refused as documented, and what is refused changes nothing.

use amaters_proto::{
    errors::ErrorResponse,
    kv::v1::{
        Condition, ConditionalBatchRequest, GetRequest, Present, condition::Expected,
        conditional_batch_response, get_response,
    },
    query::Query,
};

use super::site::{Caller, Site};
use crate::wire::{
    client::bounded,
    queries::{
        Asked, VERSION, any, blob, delete, everything, filter, get, key, replace, request, set,
        update,
    },
};

const ROLES: &str = r#"
[[roles]]
name = "orders-reader"
permissions = [{ resource = "collection:orders", actions = ["read"] }]

[[roles]]
name = "orders-writer"
permissions = [{ resource = "collection:orders", actions = ["write"] }]
inherits = ["users-reader"]

[[roles]]
name = "users-reader"
permissions = [{ resource = "collection:users", actions = ["read"] }]

[[roles]]
name = "operator"
permissions = [{ resource = "server", actions = ["admin"] }]

[[roles]]
name = "nothing"
"#;

/// What a role may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum May {
    Nothing,
    Read,
    Write,
}
use May::{Nothing, Read, Write};

/// Role, what it may do in `orders` and in `users`, whether it may give commands.
const EXPECTED: [(&str, May, May, bool); 8] = [
    ("admin", Write, Write, true),
    ("user", Write, Write, false),
    ("reader", Read, Read, false),
    ("orders-reader", Read, Nothing, false),
    ("orders-writer", Write, Read, false),
    ("users-reader", Nothing, Read, false),
    ("operator", Nothing, Nothing, true),
    ("nothing", Nothing, Nothing, false),
];

/// A request of one collection, and what it needs.
type Cell = (&'static str, Asked, May);

fn cells(collection: &str) -> Vec<Cell> {
    vec![
        ("get", get(collection, "a").into(), Read),
        ("range", everything(collection).into(), Read),
        ("filter", filter(collection, any()).into(), Read),
        ("set", set(collection, "a", blob("\x05")).into(), Write),
        ("delete", delete(collection, "a").into(), Write),
        ("update", update(collection, any(), vec![replace("\x07")]).into(), Write),
    ]
}

/// All rows of both collections.
async fn content(admin: &Caller) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    for collection in ["orders", "users"] {
        let found = crate::wire::client::rows(admin.ask(everything(collection)).await.unwrap());
        rows.extend(
            found
                .into_iter()
                .map(|row| (row.key.unwrap().data.to_vec(), row.value.unwrap().data.to_vec())),
        );
    }
    rows
}

async fn fill(admin: &Caller) {
    for collection in ["orders", "users"] {
        admin.set(collection, "a", "\x01").await;
        admin.set(collection, "b", "\x02").await;
    }
}

fn assert_denied(error: &ErrorResponse, what: &str) {
    assert_eq!((error.code, error.category), (3002, 4), "{what}: {error:?}");
    assert!(error.message.contains("access denied: "), "{what}: {error:?}");
}

async fn site() -> Site {
    let roles: Vec<_> = EXPECTED.iter().map(|(role, ..)| *role).collect();
    Site::with_roles(&roles, &[("roles.toml", ROLES)], "roles_file = \"roles.toml\"")
}

#[tokio::test]
async fn each_role_may_what_it_says_by_every_way_and_nothing_else() {
    let site = site().await;
    bounded(async {
        let admin = site.holder("admin").await;
        for (role, orders, users, commands) in EXPECTED {
            let caller = site.holder(role).await;
            for (collection, may) in [("orders", orders), ("users", users)] {
                for (name, asked, needs) in cells(collection) {
                    let what = format!("{role}: {name} of {collection}");
                    let allowed = may >= needs;
                    fill(&admin).await;
                    let before = content(&admin).await;
                    query(&caller, &asked, allowed, &what).await;
                    if !allowed {
                        assert_eq!(content(&admin).await, before, "{what}");
                    }
                    fill(&admin).await;
                    interactive(&caller, &asked, allowed, &what).await;
                    if !allowed {
                        assert_eq!(content(&admin).await, before, "{what}, interactively");
                    }
                    if needs == Read {
                        streamed(&caller, &asked, allowed, &what).await;
                    }
                }
                fill(&admin).await;
                let before = content(&admin).await;
                by_kv(&caller, collection, may, role).await;
                assert_eq!(content(&admin).await != before, may == Write, "{role}: by KvService");
            }
            for command in ["__admin__:LOGS 5 false", "__admin__:NOTHING"] {
                let told = caller.ask(get("any", command)).await;
                match told {
                    Ok(_) => assert!(commands, "{role}: {command}"),
                    Err(error) => {
                        assert!(!commands, "{role}: {command}: {error:?}");
                        assert_denied(&error, command);
                    }
                }
            }
        }
    })
    .await;
}

async fn query(caller: &Caller, asked: &Asked, allowed: bool, what: &str) {
    let told = caller.ask(asked.clone()).await;
    assert_eq!(told.is_ok(), allowed, "{what}: {told:?}");
    told.err().iter().for_each(|error| assert_denied(error, what));
}

/// Before and behind it, requests of the same stream that are allowed to everybody who may do anything go on.
async fn interactive(caller: &Caller, asked: &Asked, allowed: bool, what: &str) {
    let requests =
        vec![request(asked.clone()), request(get("neither", "k")), request(asked.clone())];
    let answers = caller.interactive(requests).await.unwrap();
    assert_eq!(answers.len(), 3, "{what}");
    for answer in [&answers[0], &answers[2]] {
        assert_eq!(answer.is_ok(), allowed, "{what}, interactively: {answer:?}");
        answer.as_ref().err().iter().for_each(|error| assert_denied(error, what));
    }
}

async fn streamed(caller: &Caller, asked: &Asked, allowed: bool, what: &str) {
    match caller.stream(asked.clone()).await {
        Ok(_) => assert!(allowed, "{what}, streamed"),
        Err(status) => {
            assert!(!allowed, "{what}, streamed: {status:?}");
            assert_eq!(status.code(), tonic::Code::PermissionDenied, "{what}");
        }
    }
}

async fn by_kv(caller: &Caller, collection: &str, may: May, role: &str) {
    let message = GetRequest {
        collection: collection.into(),
        key: key("a"),
        version: Some(VERSION),
        ..GetRequest::default()
    };
    let found = caller.kv().get(caller.with_headers(message)).await.unwrap().into_inner();
    let denied =
        matches!(&found.response, Some(get_response::Response::Error(error)) if error.code == 3002);
    assert_eq!(denied, may < Read, "{role}: {found:?}");

    let condition = Condition {
        collection: collection.into(),
        key: key("a"),
        expected: Some(Expected::Present(Present {})),
    };
    for (conditions, queries, needs, begins) in [
        (vec![condition.clone()], vec![], Read, "Condition 0 of batch failed: access denied: "),
        (
            vec![],
            vec![set(collection, "a", blob("\x09"))],
            Write,
            "Query 0 in batch failed: access denied: ",
        ),
    ] {
        let version = Some(VERSION);
        let message =
            ConditionalBatchRequest { conditions, queries, version, ..Default::default() };
        let message = caller.with_headers(message);
        let done = caller.kv().conditional_batch(message).await.unwrap().into_inner();
        match done.response.unwrap() {
            conditional_batch_response::Response::Error(error) => {
                assert!(may < needs, "{role}: {error:?}");
                assert_eq!(error.code, 3002, "{error:?}");
                assert!(error.message.starts_with(begins), "{error:?}");
            }
            other => assert!(may >= needs, "{role}: {other:?}"),
        }
    }
}

/// A forbidden query at any place of a batch refuses all of it.
#[tokio::test]
async fn a_batch_with_one_forbidden_query_does_nothing_of_it() {
    let site = site().await;
    bounded(async {
        let admin = site.holder("admin").await;
        fill(&admin).await;
        let before = content(&admin).await;
        let allowed = |n: usize| set("orders", format!("new {n}"), blob("\x03"));
        let forbidden: [fn() -> Query; 3] = [
            || set("users", "a", blob("\x03")),
            || delete("users", "a"),
            || get("__admin__", "__admin__:LOGS"),
        ];
        let writer = site.holder("orders-writer").await;
        for place in [0, 1, 5] {
            for query in forbidden {
                let mut queries: Vec<_> = (0..5).map(allowed).collect();
                queries.insert(place, query());
                let told = writer.batch(queries).await.unwrap_err();
                assert_denied(&told, "a batch");
                let begin = format!("Query {place} in batch failed: access denied: ");
                assert!(told.message.starts_with(&begin), "{told:?}");
                assert_eq!(content(&admin).await, before);
            }
        }
        assert_eq!(writer.batch((0..5).map(allowed).collect()).await.unwrap(), 5);
    })
    .await;
}

/// Whoever may give commands still cannot make data of them.
#[tokio::test]
async fn keys_of_commands_are_never_data() {
    let site = site().await;
    bounded(async {
        let admin = site.holder("admin").await;
        let name = "__admin__:LOGS";
        for query in [set("c", name, blob("x")), delete("c", name)] {
            assert_eq!(admin.ask(query.clone()).await.unwrap_err().code, 6000);
            assert_eq!(admin.batch(vec![query]).await.unwrap_err().code, 6000);
        }
        let message = GetRequest { collection: "c".into(), key: key(name), ..GetRequest::default() };
        let found = admin.kv().get(admin.with_headers(message)).await.unwrap().into_inner();
        let refused = matches!(found.response, Some(get_response::Response::Error(error)) if error.code == 6000);
        assert!(refused);
        // A token names its roles; one that is not known gives nothing, and none gives the default.
        for (roles, code) in [
            (Some(vec!["reader"]), 3002),
            (Some(vec!["elsewhere"]), 3002),
            (Some(vec!["elsewhere", "operator"]), 0),
            (None, 3002),
        ] {
            let mut claims = super::site::claims("alice", 60);
            roles.iter().for_each(|roles| claims["roles"] = serde_json::json!(roles));
            let bearer = format!("Bearer {}", super::site::token(&claims));
            let alice = site.caller(&[("authorization", &bearer)]).await;
            let told = alice.ask(get("c", name)).await.map_or_else(|error| error.code, |_| 0);
            assert_eq!(told, code, "{roles:?}");
            let may_read = alice.ask(get("c", "k")).await.is_ok();
            let expected = roles.is_none_or(|roles| roles == ["reader"]);
            assert_eq!(may_read, expected);
        }
    })
    .await;
}
