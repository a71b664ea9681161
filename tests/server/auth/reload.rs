//! Files and keys of authentication that change while clients call.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use serde_json::{Value, json};

use super::site::{Caller, Site, api_key, in_band, key_of, write_config};
use crate::{
    audit::lines,
    guide::reload::reload,
    harness::eventually,
    wire::{
        client::bounded,
        queries::{blob, get, request, set},
    },
};

fn keys(names: &[&str]) -> Value {
    json!(names.iter().map(|name| api_key(name, &["user"])).collect::<Vec<_>>())
}

async fn code(caller: &Caller, asked: impl Into<crate::wire::queries::Asked>) -> i32 {
    caller.ask(asked).await.map_or_else(|error| error.code, |_| 0)
}

/// Clients that read and write from a thread of their own until told to stop; every answer must be right.
fn load(address: SocketAddr, stop: &AtomicBool, answered: &AtomicU64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = async || {
        let caller = Caller::connect(address, &[("x-api-key", &key_of("steady"))]).await;
        while !stop.load(Relaxed) {
            for asked in [set("c", "mine", blob("x")), get("c", "mine")] {
                let told = caller.ask(asked).await;
                assert!(told.is_ok(), "{told:?}");
                answered.fetch_add(1, Relaxed);
            }
        }
    };
    runtime.block_on(futures_util::future::join_all((0..8).map(|_| client())));
}

/// Keys that take turns, on connections and a stream that stay open.
async fn take_turns(site: &Site) {
    let (old, new) = (site.holder("old").await, site.holder("new").await);
    let (sender, requests) = tokio::sync::mpsc::channel(4);
    let requests = futures_util::stream::unfold(requests, |mut requests| async {
        requests.recv().await.map(|request| (request, requests))
    });
    sender.send(request(get("c", "k"))).await.unwrap();
    let message = old.with_headers(requests);
    let mut stream = old.stub().execute_interactive(message).await.unwrap().into_inner();
    assert!(in_band(stream.message().await.unwrap().unwrap()).is_ok());
    for round in 0..20 {
        let (name, here, gone) =
            if round % 2 == 0 { ("new", &new, &old) } else { ("old", &old, &new) };
        site.folder.write("keys.json", &keys(&["steady", name]).to_string());
        let told = reload(&site.folder);
        assert!(told.ends_with("no changes detected in a.toml\n"), "{told}");
        assert_eq!(code(here, get("c", "k")).await, 0, "{round}");
        assert_eq!(code(gone, get("c", "k")).await, 3000, "{round}");
        sender.send(request(get("c", "k"))).await.unwrap();
        let told = in_band(stream.message().await.unwrap().unwrap());
        let expected = if round % 2 == 0 { 3000 } else { 0 };
        assert_eq!(told.map_or_else(|error| error.code, |_| 0), expected, "{round}");
    }
}

#[test]
fn keys_come_and_go_under_load_on_open_connections_and_streams() {
    let site = Site::new(&keys(&["steady", "old"]), "", "");
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let address = site.server.address;
    std::thread::scope(|scope| {
        let loading = scope.spawn(|| load(address, &stop, &answered));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(bounded(take_turns(&site)));
        stop.store(true, Relaxed);
        loading.join().unwrap();
    });
    assert!(answered.into_inner() > 0);
}

#[tokio::test]
async fn roles_and_settings_are_live_and_a_wrong_file_changes_nothing() {
    let role = |actions: &str| {
        format!(
            "[[roles]]\nname = \"clerk\"\npermissions = [{{ resource = \"collection:c\", actions = [\"{actions}\"] }}]\n"
        )
    };
    let authz = "roles_file = \"roles.toml\"";
    let site = Site::with_roles(&["clerk", "reader"], &[("roles.toml", &role("read"))], authz);
    bounded(async {
        let clerk = site.holder("clerk").await;
        assert_eq!(code(&clerk, get("c", "k")).await, 0);
        assert_eq!(code(&clerk, set("c", "k", blob("x"))).await, 3002);
        site.folder.write("roles.toml", &role("write"));
        reload(&site.folder);
        assert_eq!(code(&clerk, set("c", "k", blob("x"))).await, 0);

        site.folder.write("roles.toml", "[[roles]]\nname = \"cle");
        let output = site.folder.run("reload --config a.toml");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.starts_with("Config reload failed — keeping old config: "), "{told}");
        assert!(told.contains("authz.roles_file = \"roles.toml\" (a.toml line"), "{told}");
        assert_eq!(code(&clerk, set("c", "k", blob("x"))).await, 0);

        site.folder.write("roles.toml", &role("read"));
        write_config(&site.folder, "", &format!("{authz}\ndefault_mode = \"allow-by-default\""));
        let told = reload(&site.folder);
        assert!(
            told.contains(
                "authz.default_mode: \"deny-by-default\" -> \"allow-by-default\": applied"
            ),
            "{told}"
        );
        assert_eq!(code(&clerk, set("elsewhere", "k", blob("x"))).await, 0);
        write_config(&site.folder, "", &format!("enabled = false\n{authz}"));
        reload(&site.folder);
        assert_eq!(code(&clerk, get("c", "__admin__:LOGS")).await, 0);
        write_config(
            &site.folder,
            "reject_unauthenticated = false",
            &format!("anonymous_role = \"reader\"\n{authz}"),
        );
        reload(&site.folder);
        assert_eq!(code(&site.caller(&[]).await, get("c", "k")).await, 0);
        assert_eq!(code(&clerk, get("c", "__admin__:LOGS")).await, 3002);
    })
    .await;
}

/// Nobody sends a signal: the files are looked at every ten seconds.
#[tokio::test]
async fn files_are_looked_at_now_and_then_and_what_is_wrong_is_told_once() {
    let mut site = Site::new(&keys(&["old"]), "", "audit_log_path = \"audit.log\"");
    bounded(async {
        let (old, new) = (site.holder("old").await, site.holder("new").await);
        site.folder.write("keys.json", "[{\"id\": ");
        let line = site.server.wait_for("Auth files not reloaded, the old ones stay in force: ");
        assert!(line.contains("auth.api_key.keys_file: line 1 column 8: "), "{line}");
        assert_eq!(code(&old, get("c", "k")).await, 0);
        site.folder.write("keys.json", &keys(&["new"]).to_string());
        let lines = site.server.wait_for_all("Auth files and settings reloaded");
        assert!(lines.iter().all(|line| !line.contains("not reloaded")), "{lines:?}");
        assert_eq!(code(&new, get("c", "k")).await, 0);
        assert_eq!(code(&old, get("c", "k")).await, 3000);
    })
    .await;
    let reloads = || -> Vec<Value> {
        let lines = lines(&site.folder.path().join("audit.log")).into_iter();
        lines.filter(|line| line["action"] == "auth.reload").collect()
    };
    eventually("both looks are recorded", || reloads().len() == 2);
    let [wrong, right] = reloads().try_into().unwrap();
    assert_eq!(wrong["result"], "failure", "{wrong}");
    assert!(wrong["error"].as_str().unwrap().contains("line 1 column 8"), "{wrong}");
    assert_eq!(right["result"], "success", "{right}");
    for line in [wrong, right] {
        assert_eq!(line["event_type"], "config_change", "{line}");
        assert_eq!(line["resource"], "auth.api_key.keys_file", "{line}");
    }
}
