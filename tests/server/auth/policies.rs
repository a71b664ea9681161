//! Policies: keys, networks, and that a denial wins.

use super::site::{Caller, Site};
use crate::wire::{
    client::bounded,
    queries::{any, blob, delete, everything, filter, get, range, replace, set, update},
};

const POLICIES: &str = r#"
[[policies]]
name = "no secrets"
effect = "deny"
principals = ["user"]
resources = ["collection:users"]
keys = ["secret:"]
keys_base64 = ["AP8="]
actions = ["read"]

[[policies]]
name = "own keys"
effect = "allow"
principals = ["nothing"]
resources = ["collection:orders"]
keys = ["billing:"]
actions = ["write"]
networks = ["127.0.0.0/8", "::1"]

[[policies]]
name = "from elsewhere"
effect = "allow"
principals = ["nothing"]
resources = ["collection:users"]
actions = ["write"]
networks = ["10.0.0.0/8"]

[[policies]]
name = "readers write logs"
effect = "allow"
roles = ["reader"]
methods = ["api_key"]
resources = ["collection:logs-*"]
actions = ["write"]

[[policies]]
name = "but not these"
effect = "deny"
resources = ["collection:logs-audit"]
actions = ["write"]
"#;

const ROLES: &str =
    "[[roles]]\nname = \"nothing\"\n[[roles]]\nname = \"senior\"\ninherits = [\"reader\"]\n";

fn site() -> Site {
    let roles = ["admin", "user", "reader", "senior", "nothing"];
    let files = [("roles.toml", ROLES), ("policies.toml", POLICIES)];
    Site::with_roles(
        &roles,
        &files,
        "roles_file = \"roles.toml\"\npolicies_file = \"policies.toml\"",
    )
}

async fn code(caller: &Caller, asked: impl Into<crate::wire::queries::Asked>) -> i32 {
    caller.ask(asked).await.map_or_else(|error| error.code, |_| 0)
}

#[tokio::test]
async fn what_touches_forbidden_keys_is_refused_whatever_the_role_says() {
    let site = site();
    bounded(async {
        let (admin, user) = (site.holder("admin").await, site.holder("user").await);
        admin.set("users", "secret:1", "hidden").await;
        assert_eq!(code(&user, get("users", "secret:1")).await, 3002);
        assert_eq!(code(&user, get("users", b"\0\xff7")).await, 3002);
        assert_eq!(code(&user, get("users", "public:1")).await, 0);
        assert_eq!(code(&user, get("orders", "secret:1")).await, 0);
        // What is denied is reading; it may still write, and remove.
        assert_eq!(code(&user, set("users", "secret:2", blob("x"))).await, 0);
        assert_eq!(code(&user, delete("users", "secret:2")).await, 0);
        assert_eq!(code(&user, range("users", "a", "secret:")).await, 0);
        assert_eq!(code(&user, range("users", "a", "secret:\0")).await, 3002);
        assert_eq!(code(&user, range("users", "secret;", "z")).await, 0);
        assert_eq!(code(&user, everything("users")).await, 3002);
        assert_eq!(code(&user, filter("users", any())).await, 3002);
        assert_eq!(code(&user, update("users", any(), vec![replace("x")])).await, 3002);
        let status = user.stream(everything("users")).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::PermissionDenied);
        assert_eq!(admin.data("users", "secret:1").await.unwrap(), b"hidden");
    })
    .await;
}

#[tokio::test]
async fn what_is_allowed_must_lie_within_the_keys_and_come_from_the_network() {
    let site = site();
    bounded(async {
        let billing = site.holder("nothing").await;
        assert_eq!(code(&billing, set("orders", "billing:1", blob("x"))).await, 0);
        assert_eq!(code(&billing, get("orders", "billing:1")).await, 0);
        assert_eq!(code(&billing, set("orders", "billing", blob("x"))).await, 3002);
        assert_eq!(code(&billing, range("orders", "billing:", "billing;")).await, 0);
        assert_eq!(code(&billing, range("orders", "billing:", "billing;\0")).await, 3002);
        assert_eq!(code(&billing, everything("orders")).await, 3002);
        assert_eq!(code(&billing, filter("orders", any())).await, 3002);
        let both = vec![set("orders", "billing:2", blob("x")), set("orders", "b", blob("x"))];
        assert_eq!(billing.batch(both).await.unwrap_err().code, 3002);
        assert!(billing.data("orders", "billing:2").await.is_none());
        assert_eq!(code(&billing, set("users", "k", blob("x"))).await, 3002, "not from here");
        assert_eq!(code(&billing, get("orders", "__admin__:LOGS")).await, 3002);
    })
    .await;
}

#[tokio::test]
async fn a_policy_for_a_role_is_for_those_who_inherit_it_and_a_denial_wins() {
    let site = site();
    bounded(async {
        for name in ["reader", "senior"] {
            let caller = site.holder(name).await;
            assert_eq!(code(&caller, set("logs-a", "k", blob("x"))).await, 0, "{name}");
            assert_eq!(code(&caller, set("logs-audit", "k", blob("x"))).await, 3002, "{name}");
            assert_eq!(code(&caller, set("log", "k", blob("x"))).await, 3002, "{name}");
        }
        let admin = site.holder("admin").await;
        assert_eq!(code(&admin, set("logs-audit", "k", blob("x"))).await, 3002);
        assert_eq!(code(&admin, get("logs-audit", "k")).await, 0);
    })
    .await;
}

#[tokio::test]
async fn without_rules_what_is_not_forbidden_may_be_read_and_written_but_no_command_given() {
    let files = [("roles.toml", ROLES), ("policies.toml", POLICIES)];
    let authz = "roles_file = \"roles.toml\"\npolicies_file = \"policies.toml\"\ndefault_mode = \"allow-by-default\"";
    let site = Site::with_roles(&["nothing", "user"], &files, authz);
    bounded(async {
        let caller = site.holder("nothing").await;
        assert_eq!(code(&caller, set("users", "k", blob("x"))).await, 0);
        assert_eq!(code(&caller, set("logs-audit", "k", blob("x"))).await, 3002);
        assert_eq!(code(&caller, get("c", "__admin__:LOGS")).await, 3002);
        assert_eq!(code(&site.holder("user").await, get("users", "secret:1")).await, 3002);
    })
    .await;
}

#[tokio::test]
async fn collections_are_not_told_apart_where_they_shall_not_be() {
    let roles = "[[roles]]\nname = \"orders\"\npermissions = [{ resource = \"collection:orders\", actions = [\"read\"] }]\n";
    let authz = "roles_file = \"roles.toml\"\ncollection_permissions = false";
    let site = Site::with_roles(&["orders"], &[("roles.toml", roles)], authz);
    bounded(async {
        let caller = site.holder("orders").await;
        assert_eq!(code(&caller, get("users", "k")).await, 0);
        assert_eq!(code(&caller, set("orders", "k", blob("x"))).await, 3002);
    })
    .await;
}

#[tokio::test]
async fn without_authorization_whoever_is_recognised_may_everything() {
    let site = Site::with_roles(&["nobody-defined-this"], &[], "enabled = false");
    bounded(async {
        let caller = site.holder("nobody-defined-this").await;
        assert_eq!(code(&caller, set("c", "k", blob("x"))).await, 0);
        assert_eq!(code(&caller, get("c", "__admin__:LOGS")).await, 0);
        assert_eq!(code(&site.caller(&[]).await, get("c", "k")).await, 3000);
    })
    .await;
}
