//! What the audit says of callers and their requests, what a full disk does to them, and how much a principal may ask.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use super::site::{Site, api_key, claims, token, write_config};
use crate::{
    audit::lines,
    harness::eventually,
    wire::{
        client::bounded,
        queries::{Asked, any, blob, delete, everything, filter, get, replace, set, update},
    },
};

const ALL: &str = "audit_log_path = \"audit.log\"\n\
                   audit_events = [\"authentication\", \"read\", \"write\"]\n";

fn audit(site: &Site) -> Vec<Value> {
    lines(&site.folder.path().join("audit.log"))
}

fn reload(site: &Site, authz: &str) {
    write_config(&site.folder, "", authz);
    let output = site.folder.run("reload --config a.toml");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A request, and the events that it is.
fn requests() -> Vec<(Asked, &'static [&'static str])> {
    vec![
        (get("orders", "secret key").into(), &["read"]),
        (everything("orders").into(), &["read"]),
        (filter("orders", any()).into(), &["read"]),
        (set("orders", "secret key", blob("secret value")).into(), &["write"]),
        (delete("orders", "secret key").into(), &["write"]),
        (update("orders", any(), vec![replace("secret value")]).into(), &["read", "write"]),
    ]
}

/// How often each event of a principal is in the audit: action, result.
fn told(site: &Site, id: &str) -> Vec<(String, String)> {
    let word = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    let lines = audit(site).into_iter().filter(|line| line["principal"]["id"] == id);
    let lines = lines.inspect(|line| {
        assert_eq!(line["auth_method"], "api_key", "{line}");
        assert_eq!(line["source_ip"], "127.0.0.1", "{line}");
    });
    lines.map(|line| (word(&line, "action"), word(&line, "result"))).collect()
}

#[tokio::test]
async fn each_decision_about_a_role_and_a_request_is_a_line() {
    let site = Site::with_roles(
        &["admin", "reader", "operator"],
        &[("roles.toml", OPERATOR)],
        &format!("{ALL}roles_file = \"roles.toml\"\n"),
    );
    bounded(async {
        for (role, may_read, may_write, may_command) in [
            ("admin", true, true, true),
            ("reader", true, false, false),
            ("operator", false, false, true),
        ] {
            let caller = site.holder(role).await;
            let result = |may: bool| if may { "success" } else { "denied" }.to_owned();
            let mut expected = vec![("authenticate".to_owned(), result(true))];
            for (asked, actions) in requests() {
                let _ = caller.ask(asked).await;
                for action in actions {
                    let may = if *action == "read" { may_read } else { may_write };
                    expected.push(((*action).to_owned(), result(may)));
                    if !may {
                        // The first that is denied ends it.
                        break;
                    }
                }
            }
            let _ = caller.ask(get("any", "__admin__:LOGS 1 false")).await;
            expected.push(("LOGS".to_owned(), result(may_command)));
            eventually("all is recorded", || told(&site, role).len() >= expected.len());
            assert_eq!(told(&site, role), expected, "{role}");

            // A batch is told up to its first denied query, and nothing of it is done.
            let batch = vec![get("orders", "k"), set("orders", "k", blob("v")), get("orders", "k")];
            let done = caller.batch(batch).await.is_ok();
            assert_eq!(done, may_read && may_write, "{role}");
            let count = if !may_read {
                1
            } else if !may_write {
                2
            } else {
                3
            };
            let all = expected.len() + count;
            eventually("the batch is recorded", || told(&site, role).len() >= all);
            let told = told(&site, role);
            assert_eq!(told.len(), all, "{role}: {told:?}");
            assert_eq!(told.last().unwrap().1, result(done), "{role}");
        }
        let wrong = site.caller(&[("x-api-key", "no such key")]).await;
        assert_eq!(wrong.ask(get("orders", "k")).await.unwrap_err().code, 3000);
        eventually("the wrong key is recorded", || {
            audit(&site)
                .iter()
                .any(|line| line["result"] == "failure" && line["event_type"] == "authentication")
        });
    })
    .await;
    let lines = audit(&site);
    let ids: BTreeSet<_> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), lines.len(), "ids are unique");
    let kinds: BTreeSet<_> =
        lines.iter().map(|line| line["event_type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["admin", "authentication", "authorization", "config_change"])
    );
    let text = fs::read_to_string(site.folder.path().join("audit.log")).unwrap();
    for secret in ["key of", "no such key", "secret key", "secret value"] {
        assert!(!text.contains(secret), "{secret} is in the audit");
    }
}

const OPERATOR: &str = "[[roles]]\nname = \"operator\"\npermissions = [{ resource = \"server\", actions = [\"admin\"] }]\n";

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done_where_that_is_asked_for() {
    let full =
        "audit_log_path = \"/dev/full\"\naudit_fail_closed = true\naudit_events = [\"write\"]\n";
    let site = Site::with_roles(&["admin"], &[], "");
    bounded(async {
        let admin = site.holder("admin").await;
        admin.set("orders", "k", "before").await;
        reload(&site, full);
        // The first that fails may have been taken by its queue already.
        let mut told = None;
        for _ in 0..200 {
            match admin.ask(set("orders", "k", blob("after"))).await {
                Err(error) => {
                    told = Some(error);
                    break;
                }
                Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
        let told = told.expect("writes are refused");
        assert_eq!((told.code, told.retry_after.is_some()), (7001, true), "{told:?}");
        assert_eq!(admin.ask(set("orders", "new", blob("v"))).await.unwrap_err().code, 7001);
        assert_eq!(admin.data("orders", "new").await, None, "reads, which are not recorded, go on");
        reload(&site, "audit_log_path = \"audit.log\"\naudit_fail_closed = true\naudit_events = [\"write\"]\n");
        let mut done = false;
        for _ in 0..200 {
            done = admin.ask(set("orders", "new", blob("v"))).await.is_ok();
            if done {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(done, "writes go on when they can be recorded");
    })
    .await;
}

#[tokio::test]
async fn a_principal_has_a_rate_and_wrong_credentials_are_looked_at_only_so_often() {
    let keys = json!([api_key("ada", &["user"]), api_key("ben", &["user"])]);
    let site = Site::new(
        &keys,
        "",
        "\n[limits]\nrequests_per_second_per_principal = 20\nauth_failures_per_minute_per_address = 5\n",
    );
    bounded(async {
        let (ada, ben) = (site.holder("ada").await, site.holder("ben").await);
        let mut over = None;
        for _ in 0..500 {
            over = ada.ask(get("c", "k")).await.err();
            if over.is_some() {
                break;
            }
        }
        let over = over.expect("there is a bound");
        assert_eq!(
            (over.code, over.retry_after.is_some_and(|wait| wait > 0)),
            (7002, true),
            "{over:?}"
        );
        assert!(over.message.contains("requests_per_second_per_principal"), "{over:?}");
        ben.ask(get("c", "k")).await.unwrap();

        let good = claims("carl", 60);
        let mut codes = BTreeSet::new();
        for n in 0..100 {
            let wrong = format!("Bearer {}x{n}", token(&good));
            let caller = site.caller(&[("authorization", &wrong)]).await;
            codes.insert(caller.ask(get("c", "k")).await.unwrap_err().code);
        }
        assert_eq!(codes, BTreeSet::from([3000, 7002]));
        // Not even right ones are looked at now; who is in stays in.
        let bearer = format!("Bearer {}", token(&good));
        let right = site.caller(&[("authorization", &bearer)]).await;
        assert_eq!(right.ask(get("c", "k")).await.unwrap_err().code, 7002);
        ben.ask(get("c", "k")).await.unwrap();
    })
    .await;
}
