//! Who is let in, by every call, and what the others are told.

use amaters_proto::{
    aql::{HealthCheckRequest, ServerInfoRequest},
    errors::ErrorResponse,
    kv::v1::{ConditionalBatchRequest, GetRequest, conditional_batch_response, get_response},
};
use serde_json::{Value, json};
use tonic::Code;

use super::site::{Caller, Site, api_key, claims, key_of, token};
use crate::wire::{
    client::bounded,
    queries::{VERSION, blob, everything, get, key, request, set, unix_seconds},
};

/// Credentials, and the code that they are refused with; none: they are good.
type State = (&'static str, Vec<(&'static str, String)>, Option<i32>);

fn states() -> Vec<State> {
    let bearer = |claims: Value| vec![("authorization", format!("Bearer {}", token(&claims)))];
    let api = |name: &str| vec![("x-api-key", key_of(name))];
    let changed = |member: &str, value: Value| {
        let mut claims = claims("alice", 600);
        claims[member] = value;
        bearer(claims)
    };
    let now = unix_seconds();
    let good = || bearer(claims("alice", 600));
    let good_token = token(&claims("alice", 600));
    // The first letter of the signature: the last one has bits that no Base64 may have.
    let (message, signature) = good_token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let flipped = format!("Bearer {message}.{first}{}", &signature[1..]);
    vec![
        ("nothing", vec![], Some(3000)),
        ("a token", good(), None),
        (
            "a token, scheme in lower case",
            vec![("authorization", format!("bearer {good_token}"))],
            None,
        ),
        ("an expired token", bearer(json!({ "sub": "alice", "exp": now - 61 })), Some(3001)),
        ("a token of tomorrow", changed("nbf", json!(now + 600)), Some(3000)),
        ("a token that lives too long", changed("exp", json!(now + 4000)), Some(3000)),
        ("a token for somebody else", changed("aud", json!("other")), Some(3000)),
        ("a token of nobody", changed("sub", json!(null)), Some(3000)),
        ("a token whose signature is wrong", vec![("authorization", flipped)], Some(3000)),
        ("no token", vec![("authorization", "Bearer x".into())], Some(3000)),
        ("another scheme", vec![("authorization", "Basic YTpi".into())], Some(3000)),
        ("two tokens", [good(), good()].concat(), Some(3000)),
        ("an API key", api("user"), None),
        ("an unknown API key", api("stranger"), Some(3000)),
        ("an expired API key", api("late"), Some(3001)),
        ("two API keys", [api("user"), api("user")].concat(), Some(3000)),
        ("a token and an unknown API key", [good(), api("stranger")].concat(), None),
        (
            "a bad token and an API key",
            [changed("sub", json!(1)), api("user")].concat(),
            Some(3000),
        ),
    ]
}

fn keys() -> Value {
    let mut late = api_key("late", &["user"]);
    late["expires_at"] = json!(unix_seconds() - 1);
    json!([api_key("user", &["user"]), late])
}

/// What the caller is told in the answers that have room for it.
async fn told_in_band(caller: &Caller) -> Vec<Option<ErrorResponse>> {
    let message = GetRequest {
        collection: "c".into(),
        key: key("k"),
        version: Some(VERSION),
        ..GetRequest::default()
    };
    let found = caller.kv().get(caller.with_headers(message)).await.unwrap().into_inner();
    let found = match found.response.unwrap() {
        get_response::Response::Error(error) => Some(error),
        _ => None,
    };
    let message = ConditionalBatchRequest { version: Some(VERSION), ..Default::default() };
    let message = caller.with_headers(message);
    let done = caller.kv().conditional_batch(message).await.unwrap().into_inner();
    let done = match done.response.unwrap() {
        conditional_batch_response::Response::Error(error) => Some(error),
        _ => None,
    };
    vec![
        caller.ask(get("c", "k")).await.err(),
        // A message that comes in many pieces is not waited for.
        caller.ask(set("c", "k", blob(vec![7; 1 << 20]))).await.err(),
        caller.ask(everything("c")).await.err(),
        caller.batch(vec![get("c", "k")]).await.err(),
        found,
        done,
    ]
}

/// How the other calls end.
async fn statuses(caller: &Caller) -> Vec<Option<Code>> {
    let info = caller.with_headers(ServerInfoRequest {});
    vec![
        caller.stream(everything("c")).await.err().map(|status| status.code()),
        caller.interactive(vec![request(get("c", "k"))]).await.err().map(|status| status.code()),
        caller.stub().get_server_info(info).await.err().map(|status| status.code()),
    ]
}

#[tokio::test]
async fn every_state_of_credentials_is_told_in_the_answer_or_as_a_status() {
    let site = Site::new(&keys(), "", "");
    bounded(async {
        for (what, headers, code) in states() {
            let headers: Vec<_> =
                headers.iter().map(|(name, text)| (*name, text.as_str())).collect();
            let caller = site.caller(&headers).await;
            // The second time the credentials are known, or are still not good.
            for _ in 0..2 {
                for told in told_in_band(&caller).await {
                    assert_eq!(told.as_ref().map(|error| error.code), code, "{what}: {told:?}");
                    let Some(error) = told else { continue };
                    assert_eq!(error.category, 3, "{what}: auth");
                    assert!(error.message.starts_with("authentication failed: "), "{error:?}");
                    for (_, secret) in &headers {
                        let secret = secret.rsplit(' ').next().unwrap();
                        assert!(secret.len() < 8 || !error.message.contains(secret), "{error:?}");
                    }
                }
                let expected = code.map(|_| Code::Unauthenticated);
                assert_eq!(statuses(&caller).await, [expected; 3], "{what}");
            }
            // Probes have no credentials, and bad ones do not matter to them.
            let probe = caller.with_headers(HealthCheckRequest { service: None });
            assert_eq!(caller.stub().health_check(probe).await.unwrap().into_inner().status, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_public_needs_no_credentials_and_the_rest_does() {
    let site = Site::new(&keys(), "public = [\"info\"]", "");
    bounded(async {
        let stranger = site.caller(&[]).await;
        let info = stranger.stub().get_server_info(ServerInfoRequest {}).await.unwrap();
        assert!(info.into_inner().version.is_some());
        let probe = stranger.stub().health_check(HealthCheckRequest { service: None }).await;
        assert_eq!(probe.unwrap_err().code(), Code::Unauthenticated);
        assert_eq!(stranger.ask(get("c", "k")).await.unwrap_err().code, 3000);
    })
    .await;
}

#[tokio::test]
async fn whoever_says_nothing_is_anonymous_where_that_is_enough() {
    let site = Site::new(&keys(), "reject_unauthenticated = false", "anonymous_role = \"reader\"");
    bounded(async {
        let stranger = site.caller(&[]).await;
        assert!(stranger.ask(get("c", "k")).await.is_ok());
        let told = stranger.ask(set("c", "k", blob("x"))).await.unwrap_err();
        assert_eq!(told.code, 3002);
        assert_eq!(
            told.message,
            "access denied: \"anonymous\" may not write key \"k\" of collection \"c\""
        );
        // Bad credentials do not become none.
        let liar = site.caller(&[("x-api-key", "nonsense")]).await;
        assert_eq!(liar.ask(get("c", "k")).await.unwrap_err().code, 3000);
    })
    .await;
    let site = Site::new(&keys(), "reject_unauthenticated = false", "");
    bounded(async {
        let told = site.caller(&[]).await.ask(get("c", "k")).await.unwrap_err();
        assert_eq!(told.code, 3002, "without a role of its own it may nothing");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_asks_nobody_lets_everybody_in() {
    use crate::wire::client::{ONE, Site as Open};
    let site = Open::new(ONE, "");
    bounded(async {
        let client = site.client().await;
        client.set("c", "k", "v").await;
        assert_eq!(client.data("c", "k").await, "v");
    })
    .await;
}

#[tokio::test]
async fn a_token_that_expires_is_refused_on_an_open_connection_and_stream() {
    let site = Site::new(&keys(), "", "");
    bounded(async {
        let now = unix_seconds();
        let short = token(&json!({ "sub": "alice", "exp": now - 60 + 2 }));
        let caller = site.caller(&[("authorization", &format!("Bearer {short}"))]).await;
        assert!(caller.ask(get("c", "k")).await.is_ok());
        let (sender, requests) = tokio::sync::mpsc::channel(4);
        let requests = futures_util::stream::unfold(requests, |mut requests| async {
            requests.recv().await.map(|request| (request, requests))
        });
        let message = caller.with_headers(requests);
        sender.send(request(get("c", "k"))).await.unwrap();
        let mut stream = caller.stub().execute_interactive(message).await.unwrap().into_inner();
        let first = super::site::in_band(stream.message().await.unwrap().unwrap());
        assert!(first.is_ok(), "{first:?}");
        tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
        assert_eq!(caller.ask(get("c", "k")).await.unwrap_err().code, 3001);
        sender.send(request(get("c", "k"))).await.unwrap();
        let late = super::site::in_band(stream.message().await.unwrap().unwrap());
        assert_eq!(late.unwrap_err().code, 3001);
        drop(sender);
        assert!(stream.message().await.unwrap().is_none(), "the stream goes on to its end");
    })
    .await;
}
