//! `AdminService` and who may call it: for everybody else nothing of it is done, whatever they ask, and the audit says so.

use std::{collections::BTreeSet, fs, time::Duration};

use amaters_proto::admin::v1 as wire;
use rustix::process::Signal;
use serde_json::Value;
use tonic::{Code, Status};

use super::site::{Caller, Site};
use crate::{
    audit::lines,
    harness::eventually,
    wire::{
        client::{bounded, ended, last},
        queries::{blob, ciphertext, get, set},
    },
};

const ROLES: &str = "[[roles]]\nname = \"operator\"\npermissions = [{ resource = \"server\", actions = [\"admin\"] }]\n";
/// Calls of the service, as the audit calls them, in the order in which `all` makes them.
const COMMANDS: [&str; 15] = [
    "BACKUP",
    "RESTORE",
    "VERIFY",
    "COMPACT",
    "JOBS",
    "JOBS",
    "CANCEL",
    "LOGS",
    "STATS",
    "HOT_KEYS",
    "BIG_VALUES",
    "CONNECTIONS",
    "RELOAD",
    "CLOSE",
    "DRAIN",
];
/// On what `all` gives them; the job is the second.
const SUBJECTS: [&str; COMMANDS.len()] = [
    "theirs",
    "good",
    "good",
    "all collections",
    "",
    "job 2",
    "job 2",
    "",
    "",
    "",
    "",
    "",
    "",
    "127.0.0.1",
    "",
];

fn site(limits: &str, more: &str) -> Site {
    let authz =
        format!("roles_file = \"roles.toml\"\naudit_log_path = \"audit.log\"\n{more}\n{limits}");
    let roles = ["admin", "operator", "user", "reader", "nothing"];
    let roles_file = format!("{ROLES}[[roles]]\nname = \"nothing\"\n");
    Site::with_roles(&roles, &[("roles.toml", &roles_file)], &authz)
}

async fn backup(caller: &Caller, directory: &str, detach: bool) -> Result<wire::Job, Status> {
    let request = wire::BackupRequest { directory: directory.into(), detach, ..Default::default() };
    last(caller.admin().backup(caller.with_headers(request)).await).await
}

async fn restore(caller: &Caller, directory: &str) -> Result<wire::Job, Status> {
    let directory = directory.into();
    let request = wire::RestoreRequest { directory, replace: true, ..Default::default() };
    last(caller.admin().restore(caller.with_headers(request)).await).await
}

async fn jobs(caller: &Caller) -> Result<Vec<wire::Job>, Status> {
    let told = caller.admin().list_jobs(caller.with_headers(wire::ListJobsRequest {})).await?;
    Ok(told.into_inner().jobs)
}

async fn connections(caller: &Caller) -> Result<BTreeSet<u64>, Status> {
    let request = caller.with_headers(wire::ListConnectionsRequest {});
    let told = caller.admin().list_connections(request).await?.into_inner();
    Ok(told.connections.iter().map(|connection| connection.id).collect())
}

/// Every call, each of which would change or tell something; `job` is one that runs. What comes of each.
async fn all(caller: &Caller, job: u64) -> Vec<Result<(), Status>> {
    let verify = wire::VerifyRequest { directory: "good".into(), detach: false };
    let compact = wire::CompactRequest::default();
    let logs = wire::LogsRequest { lines: 5, follow: false, since: 0 };
    let close = wire::CloseConnectionsRequest { address: "127.0.0.1".into(), ids: Vec::new() };
    let mut admin = caller.admin();
    vec![
        backup(caller, "theirs", false).await.map(drop),
        restore(caller, "good").await.map(drop),
        last(admin.verify(caller.with_headers(verify)).await).await.map(drop),
        last(admin.compact(caller.with_headers(compact)).await).await.map(drop),
        jobs(caller).await.map(drop),
        last(admin.watch_job(caller.with_headers(wire::WatchJobRequest { id: job })).await)
            .await
            .map(drop),
        admin.cancel_job(caller.with_headers(wire::CancelJobRequest { id: job })).await.map(drop),
        last(admin.logs(caller.with_headers(logs)).await).await.map(drop),
        admin.stats(caller.with_headers(wire::StatsRequest { detailed: true })).await.map(drop),
        admin.hot_keys(caller.with_headers(wire::HotKeysRequest::default())).await.map(drop),
        admin.big_values(caller.with_headers(wire::BigValuesRequest::default())).await.map(drop),
        connections(caller).await.map(drop),
        admin.reload(caller.with_headers(wire::ReloadRequest {})).await.map(drop),
        admin.close_connections(caller.with_headers(close)).await.map(drop),
        admin.drain(caller.with_headers(wire::DrainRequest {})).await.map(drop),
    ]
}

/// Of a line of the audit: action, result, error, and on what.
type Line = (String, String, String, String);

/// The lines about somebody.
fn told(site: &Site, id: Option<&str>) -> Vec<Line> {
    let word = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let lines = lines(&site.folder.path().join("audit.log")).into_iter();
    let lines = lines.filter(|line| line["principal"]["id"].as_str() == id);
    lines
        .map(|line| {
            let subject = word(&line["metadata"], "subject");
            (word(&line, "action"), word(&line, "result"), word(&line, "error"), subject)
        })
        .collect()
}

/// So many values of 50 kB.
async fn fill(admin: &Caller, count: u64) {
    for number in 0..count {
        let value = blob(ciphertext(50_000, number));
        admin.ask(set("c", format!("{number}"), value)).await.unwrap();
    }
}

fn names(site: &Site) -> BTreeSet<String> {
    let entries = fs::read_dir(site.folder.path().join("data/snapshots")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn whoever_may_not_calls_every_method_and_nothing_of_it_is_done() {
    let mut site = site("", "[snapshot]\nrate_mb_per_second = 1");
    bounded(async {
        let admin = site.holder("admin").await;
        assert_eq!(backup(&admin, "good", false).await.unwrap().state(), wire::JobState::Done);
        // What a restore of it would take away, and enough for a job that runs meanwhile.
        fill(&admin, 100).await;
        let request =
            wire::BackupRequest { directory: "slow".into(), detach: true, ..Default::default() };
        let mut slow =
            admin.admin().backup(admin.with_headers(request)).await.unwrap().into_inner();
        let slow = slow.message().await.unwrap().unwrap().id;
        // A reload would find this.
        let path = site.folder.path().join("a.toml");
        let config = fs::read_to_string(&path).unwrap();
        fs::write(&path, config.replace("[server]\n", "[server]\nmax_connections = 77\n")).unwrap();
        let open = connections(&admin).await.unwrap();

        let strangers = [("user", true), ("reader", true), ("nothing", true), ("stranger", false)];
        for (name, is_known) in strangers {
            let caller = site.holder(name).await;
            for (outcome, command) in all(&caller, slow).await.into_iter().zip(COMMANDS) {
                let status = outcome.expect_err(command);
                let (code, text) = match is_known {
                    true => (
                        Code::PermissionDenied,
                        "access denied: admin commands need the permission server:admin",
                    ),
                    false => (Code::Unauthenticated, "authentication failed: "),
                };
                assert_eq!(status.code(), code, "{name}: {command}: {status:?}");
                assert!(status.message().contains(text), "{name}: {command}: {status:?}");
            }
        }
        assert!(admin.ask(get("c", "99")).await.is_ok());
        assert!(open.is_subset(&connections(&admin).await.unwrap()), "nobody was sent away");
        let ids: Vec<_> = jobs(&admin).await.unwrap().iter().map(|job| job.id).collect();
        assert_eq!(ids, [slow, slow - 1], "no job was begun");
        let request = admin.with_headers(wire::WatchJobRequest { id: slow });
        let job = last(admin.admin().watch_job(request).await).await.unwrap();
        assert_eq!(job.state(), wire::JobState::Done, "{job:?}");
        assert_eq!(names(&site), BTreeSet::from(["good".to_owned(), "slow".to_owned()]));
        let nobody = told(&site, None);
        assert!(nobody.iter().all(|line| line.0 != "config.reload"), "{nobody:?}");
        site.server.signal(Signal::TERM);
        assert_eq!(ended(&mut site.server).await.code(), Some(0));
    })
    .await;
    for name in ["user", "reader", "nothing"] {
        let denied = |(command, subject): (&str, &str)| -> Line {
            (command.into(), "denied".into(), "nothing allows it".into(), subject.into())
        };
        let admitted = ("authenticate".into(), "success".into(), String::new(), String::new());
        let expected: Vec<_> =
            [admitted].into_iter().chain(COMMANDS.into_iter().zip(SUBJECTS).map(denied)).collect();
        eventually("all is recorded", || told(&site, Some(name)).len() >= expected.len());
        assert_eq!(told(&site, Some(name)), expected, "{name}");
    }
    let nobody = told(&site, None);
    let is_refused = |line: &&Line| line.0 == "authenticate" && line.1 == "failure";
    assert_eq!(nobody.iter().filter(is_refused).count(), COMMANDS.len(), "{nobody:?}");
}

/// What an operator does is recorded before it is done, and what came to nothing once more.
#[tokio::test]
async fn whoever_may_does_it_and_both_what_was_let_through_and_what_failed_are_recorded() {
    let mut site = site("", "");
    bounded(async {
        let operator = site.holder("operator").await;
        let done = backup(&operator, "good", false).await.unwrap();
        assert_eq!(done.state(), wire::JobState::Done, "{done:?}");
        let failed = backup(&operator, "/etc/b", false).await.unwrap();
        assert_eq!(failed.state(), wire::JobState::Failed, "{failed:?}");
        assert_eq!(restore(&operator, "nowhere").await.unwrap().state(), wire::JobState::Failed);
        let mut admin = operator.admin();
        let request = operator.with_headers(wire::CancelJobRequest { id: 999 });
        assert_eq!(admin.cancel_job(request).await.unwrap_err().code(), Code::NotFound);
        let request = operator.with_headers(wire::CloseConnectionsRequest::default());
        assert_eq!(
            admin.close_connections(request).await.unwrap_err().code(),
            Code::InvalidArgument
        );
        let request = operator.with_headers(wire::ReloadRequest {});
        assert!(admin.reload(request).await.unwrap().into_inner().taken);
        admin.stats(operator.with_headers(wire::StatsRequest::default())).await.unwrap();
        // By key, in the same words.
        let told = operator.ask(get("any", "__admin__:BACKUP /etc/b")).await.unwrap_err();
        assert!(told.message.contains("snapshot.dir"), "{told:?}");
        admin.drain(operator.with_headers(wire::DrainRequest {})).await.unwrap();
        assert_eq!(ended(&mut site.server).await.code(), Some(0));
    })
    .await;
    let lines = told(&site, Some("operator"));
    let expected = [
        ("authenticate", "success", "", ""),
        ("BACKUP", "success", "", "good"),
        ("BACKUP", "success", "", "/etc/b"),
        ("BACKUP", "failure", "/etc/b", "/etc/b"),
        ("RESTORE", "success", "", "nowhere"),
        ("RESTORE", "failure", "nowhere", "nowhere"),
        ("CANCEL", "success", "", "job 999"),
        ("CANCEL", "failure", "job 999 is not known", "job 999"),
        ("CLOSE", "success", "", "0 connections"),
        ("CLOSE", "failure", "nothing was closed", "0 connections"),
        ("RELOAD", "success", "", ""),
        ("STATS", "success", "", ""),
        ("BACKUP", "success", "", "/etc/b"),
        ("BACKUP", "failure", "/etc/b", "/etc/b"),
        ("DRAIN", "success", "", ""),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for ((action, result, error, subject), expected) in lines.iter().zip(expected) {
        let line = (action.as_str(), result.as_str(), subject.as_str());
        assert_eq!(line, (expected.0, expected.1, expected.3), "{lines:#?}");
        assert!(error.contains(expected.2) && error.is_empty() == expected.2.is_empty(), "{error}");
    }
    let stop = told(&site, None).pop().unwrap();
    assert_eq!((stop.0.as_str(), stop.1.as_str()), ("server.stop", "success"));
}

/// Nobody is there any more to be told, and the audit is.
#[tokio::test]
async fn a_job_for_which_nobody_waits_is_recorded_when_it_fails() {
    let site = site("", "[snapshot]\nrate_mb_per_second = 1");
    bounded(async {
        let admin = site.holder("admin").await;
        fill(&admin, 300).await;
        let request = wire::BackupRequest { directory: "left".into(), ..Default::default() };
        let mut left =
            admin.admin().backup(admin.with_headers(request)).await.unwrap().into_inner();
        left.message().await.unwrap().unwrap();
        drop(left);
        let failures = || -> Vec<String> {
            let lines = told(&site, Some("admin")).into_iter();
            let failed = lines.filter(|line| (&*line.0, &*line.1) == ("BACKUP", "failure"));
            failed.map(|line| line.2).collect()
        };
        wait_until("the one that was left is recorded", || failures().len() == 1).await;

        // A command is answered before its job has ended.
        let answer = admin.data("any", "__admin__:BACKUP late").await.unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["status"], "running", "{answer}");
        assert_eq!(failures().len(), 1);
        admin.data("any", &format!("__admin__:CANCEL {}", answer["job_id"])).await.unwrap();
        wait_until("the late one is recorded", || failures().len() == 2).await;
        assert!(failures().iter().all(|why| why.contains("cancelled")), "{:?}", failures());
        assert_eq!(names(&site), BTreeSet::new());
    })
    .await;
}

/// Waits until it is so, while connections go on.
async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not so after 30 s");
}

#[tokio::test]
async fn calls_of_the_service_count_as_requests_and_are_not_done_over_the_limit() {
    let site = site(
        "[limits]\nrequests_per_second_per_principal = 20\nauth_failures_per_minute_per_address = 5\n",
        "",
    );
    bounded(async {
        let (operator, admin) = (site.holder("operator").await, site.holder("admin").await);
        let mut over = None;
        for _ in 0..500 {
            let request = operator.with_headers(wire::StatsRequest::default());
            over = operator.admin().stats(request).await.err();
            if over.is_some() {
                break;
            }
        }
        let over = over.expect("there is a bound");
        assert_eq!(over.code(), Code::ResourceExhausted, "{over:?}");
        assert!(over.message().contains("limits.requests_per_second_per_principal"), "{over:?}");
        // Until it is taken, it is not done.
        let mut refused = 0;
        loop {
            match backup(&operator, &format!("try-{refused}"), false).await {
                Ok(done) => break assert_eq!(done.state(), wire::JobState::Done, "{done:?}"),
                Err(status) => {
                    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                    refused += 1;
                }
            }
        }
        println!("{refused} backups were over the limit");
        assert_eq!(names(&site), BTreeSet::from([format!("try-{refused}")]));
        admin.admin().stats(admin.with_headers(wire::StatsRequest::default())).await.unwrap();

        let mut codes = BTreeSet::new();
        for number in 0..100 {
            let liar = site.caller(&[("x-api-key", &format!("guess {number}"))]).await;
            let request = liar.with_headers(wire::StatsRequest::default());
            codes.insert(liar.admin().stats(request).await.unwrap_err().code() as i32);
        }
        assert_eq!(
            codes,
            BTreeSet::from([Code::ResourceExhausted as i32, Code::Unauthenticated as i32])
        );
    })
    .await;
    eventually("it is recorded", || {
        told(&site, Some("operator")).iter().any(|line| {
            (line.0.as_str(), line.1.as_str())
                == ("limits.requests_per_second_per_principal", "denied")
        })
    });
}
