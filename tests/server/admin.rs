//! Admin commands, `AdminService` and backups, as operators and existing clients ask for them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use amaters_proto::{
    admin::v1::{self as wire, JobState, admin_service_client::AdminServiceClient},
    errors::ErrorResponse,
};
use serde_json::Value;
use tonic::transport::Channel;

use crate::{
    audit::lines,
    harness::{Folder, eventually},
    wire::{
        client::{Client, FORGETFUL, Kind, ONE, Site, TWO, bounded, durable_kinds},
        queries::get,
    },
};

/// Words that existing clients take for a lost connection.
const TRAPS: [&str; 9] = [
    "unimplemented",
    "not implemented",
    "connection",
    "transport",
    "empty response",
    "unavailable",
    "refused",
    "timed out",
    "timeout",
];

/// The answer to a command; that of its job, where the machine is so busy that the command is answered before.
async fn asked(client: &Client, words: &str) -> Value {
    let answer = answer(client, words).await;
    if answer["status"] != "running" {
        return answer;
    }
    loop {
        let jobs = self::answer(client, &format!("JOBS {}", answer["job_id"])).await;
        let job = &jobs["jobs"][0];
        match job["state"].as_str().unwrap() {
            "waiting" | "running" => tokio::time::sleep(Duration::from_millis(100)).await,
            "done" => return job["result"].clone(),
            _ => panic!("{words}: {job}"),
        }
    }
}

async fn answer(client: &Client, words: &str) -> Value {
    let data = client.data("any", format!("__admin__:{words}")).await;
    serde_json::from_slice(&data).unwrap()
}

async fn refused(client: &Client, words: &str) -> ErrorResponse {
    let error = client.ask(get("any", format!("__admin__:{words}"))).await.unwrap_err();
    let text = error.message.to_lowercase();
    assert!(TRAPS.iter().all(|trap| !text.contains(trap)), "{words}: {text}");
    error
}

fn fastest() -> Kind {
    if TWO.is_possible() { TWO } else { ONE }
}

fn snapshots(site: &Site) -> PathBuf {
    site.folder.path().join("data/snapshots")
}

/// Some entries of several collections, small ones and large ones.
async fn fill(client: &Client, round: usize) {
    for number in 0..60 {
        let collection = ["tokens", "sealed"][number % 2];
        let bytes = [20, 300, 6000][number % 3];
        client
            .set(collection, format!("key-{number:03}"), vec![(number + round) as u8; bytes])
            .await;
    }
}

async fn contents(client: &Client) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for collection in ["tokens", "sealed", "default"] {
        for row in client.rows(crate::wire::queries::everything(collection)).await {
            let (key, value) = (row.key.unwrap().data, row.value.unwrap().data);
            all.push((collection.to_owned(), key.to_vec(), value.to_vec()));
        }
    }
    all
}

#[tokio::test]
async fn every_answer_has_the_fields_that_existing_clients_read() {
    let site = Site::new(fastest(), "");
    bounded(async {
        let client = site.client().await;
        fill(&client, 0).await;
        for (words, fields) in [
            (
                "BACKUP one full",
                "status path key_count byte_count kind backup_id created_at size_bytes backup_type compression",
            ),
            (
                "RESTORE one",
                "status restored schema_version keys_restored bytes_restored duration_seconds errors",
            ),
            (
                "COMPACT all",
                "status collection flushed sstables_compacted bytes_reclaimed duration_seconds new_sstable_count",
            ),
            (
                "STATS",
                "key_count total_bytes truncated total_keys total_size_bytes collections_count sstable_stats \
                 memtable_stats wal_stats compaction_stats",
            ),
            (
                "VERIFY",
                "ok checked verified_keys corrupted_keys missing_keys checksum_errors duration_seconds errors",
            ),
            ("LOGS 5 false", "lines logs follow_supported next_seq"),
            (
                "METRICS",
                "key_count storage_type uptime_seconds queries_per_second avg_query_latency_ms p95_latency_ms \
                 p99_latency_ms database_size_bytes cache_hit_rate network_bytes_per_second",
            ),
            (
                "CLUSTER_INFO",
                "mode version nodes cluster_id total_nodes healthy_nodes replication_factor",
            ),
            ("NODES", "nodes"),
        ] {
            let answer = asked(&client, words).await;
            for field in fields.split_ascii_whitespace() {
                assert!(!answer[field].is_null(), "{words}: {field} in {answer}");
            }
        }
        let node = asked(&client, "nodes").await["nodes"][0].clone();
        for field in "id addr node_id address role status state last_heartbeat data_size_bytes".split(' ') {
            assert!(!node[field].is_null(), "{field} in {node}");
        }
        let stats = asked(&client, "Stats").await;
        for (table, fields) in [
            ("sstable_stats", "levels total_size_bytes count"),
            ("memtable_stats", "active_count total_size_bytes entry_count"),
            ("wal_stats", "file_count total_size_bytes"),
            ("compaction_stats", "total_compactions bytes_read bytes_written time_seconds"),
        ] {
            for field in fields.split(' ') {
                assert!(!stats[table][field].is_null(), "{table}.{field} in {stats}");
            }
        }
        assert_eq!(stats["collections_count"], 2);
        let backup = asked(&client, "JOBS").await;
        assert!(backup["jobs"].as_array().unwrap().iter().all(|job| job["state"] == "done"), "{backup}");
        assert!(client.get("any", "__admin__:NOSUCH").await.is_none());
    })
    .await;
}

#[tokio::test]
async fn the_guides_commands_back_up_and_restore() {
    for kind in durable_kinds() {
        let site = Site::new(kind, "");
        bounded(async {
            let client = site.client().await;
            fill(&client, 0).await;
            let first = contents(&client).await;
            let path = snapshots(&site).join("with a space");
            let backup = asked(&client, &format!("BACKUP \"{}\" full", path.display())).await;
            assert_eq!((&backup["status"], &backup["kind"]), (&"success".into(), &"full".into()));
            assert_eq!(backup["key_count"], first.len());
            assert_eq!(backup["path"], path.to_str().unwrap());

            fill(&client, 1).await;
            client.delete("tokens", "key-000").await;
            client.set("tokens", "more", "x").await;
            let second = contents(&client).await;
            let next = asked(&client, "BACKUP next incremental").await;
            assert_eq!(
                (&next["kind"], &next["deletion_count"]),
                (&"incremental".into(), &1.into())
            );
            assert_eq!(next["parent_id"], backup["backup_id"]);

            let dry =
                asked(&client, &format!("RESTORE \"{}\" replace dry-run", path.display())).await;
            assert_eq!(
                (&dry["status"], &dry["keys_checked"]),
                (&"checked".into(), &first.len().into())
            );
            assert_eq!(contents(&client).await, second);
            let restored = asked(&client, &format!("restore \"{}\" replace", path.display())).await;
            assert_eq!(restored["keys_restored"], first.len());
            assert_eq!(contents(&client).await, first);
            client.set("tokens", "later", "y").await;
            asked(&client, "RESTORE next").await;
            let mut both: BTreeSet<_> = second.into_iter().collect();
            // Over what is there: what only the state before had stays.
            both.insert(("tokens".into(), "later".into(), "y".into()));
            let kept = first
                .iter()
                .find(|(collection, key, _)| collection == "tokens" && key == b"key-000");
            both.extend(kept.cloned());
            assert_eq!(contents(&client).await.into_iter().collect::<BTreeSet<_>>(), both);
            assert_eq!(asked(&client, "VERIFY").await["ok"], true);
            assert_eq!(asked(&client, "VERIFY next").await["ok"], true);
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_damaged_or_foreign_is_refused_and_changes_nothing() {
    let site = Site::new(fastest(), "");
    bounded(async {
        let client = site.client().await;
        fill(&client, 0).await;
        asked(&client, "BACKUP one").await;
        asked(&client, "BACKUP two incremental").await;
        let before = contents(&client).await;
        let root = snapshots(&site);
        let file = root.join("one/data-0000-000000.bin");
        let sound = fs::read(&file).unwrap();
        let mut damaged = sound.clone();
        damaged[100] ^= 1;
        fs::write(&file, damaged).unwrap();
        for words in ["RESTORE one replace", "RESTORE two replace"] {
            let error = refused(&client, words).await;
            assert_eq!(error.code, 4002, "{error:?}");
            assert!(error.message.contains("data-0000-000000.bin"), "{error:?}");
        }
        let found = asked(&client, "VERIFY one").await;
        assert_eq!((&found["ok"], &found["checksum_errors"]), (&false.into(), &1.into()));
        fs::remove_file(&file).unwrap();
        assert!(refused(&client, "RESTORE one").await.message.contains("missing"));
        fs::write(&file, sound).unwrap();
        fs::create_dir(root.join("future")).unwrap();
        fs::write(root.join("future/meta.bin"), [9, 1, 1, 0]).unwrap();
        assert!(refused(&client, "RESTORE future").await.message.contains("schema version 9"));
        fs::create_dir(root.join("half.partial")).unwrap();
        assert!(
            refused(&client, "RESTORE half.partial").await.message.contains("no finished backup")
        );
        fs::create_dir(root.join("connection-timeout")).unwrap();
        refused(&client, "RESTORE connection-timeout").await;
        assert_eq!(contents(&client).await, before);
    })
    .await;
}

fn listing(path: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let is_ours = entry.file_name() == "wal"
                || entry.file_name().to_string_lossy().starts_with("shard-");
            if entry.file_type().unwrap().is_dir() && !is_ours {
                folders.push(entry.path());
            }
            all.insert(entry.path());
        }
    }
    all
}

#[tokio::test]
async fn no_path_leads_out_of_the_roots() {
    let more = "[admin]\npath_roots = [\"extra\"]\n[authz]\naudit_log_path = \"audit.log\"\n";
    let site = Site::new(fastest(), more);
    bounded(async {
        let client = site.client().await;
        fill(&client, 0).await;
        let extra = site.folder.path().join("extra");
        assert_eq!(
            asked(&client, &format!("BACKUP {}/b", extra.display())).await["status"],
            "success"
        );
        asked(&client, "BACKUP good").await;
        let root = snapshots(&site);
        let outside = site.folder.path().join("outside");
        fs::create_dir_all(outside.join("b")).unwrap();
        for name in ["meta.bin", "manifest.bin"] {
            fs::copy(root.join("good").join(name), outside.join("b").join(name)).unwrap();
        }
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        std::os::unix::fs::symlink("/", root.join("all")).unwrap();
        let before = listing(site.folder.path());
        let long = format!("{}/x", "d".repeat(300));
        let deep = "d/".repeat(4000);
        let mut attacks = Vec::new();
        let outside = outside.to_str().unwrap().to_owned();
        for path in [
            "../outside/b",
            "good/../../../outside/b",
            "link/b",
            "link",
            "all/etc",
            "/etc",
            "/",
            "..",
            "/proc/self/root/etc",
            &format!("{outside}/b"),
            &outside,
            "a\0b",
            &long,
            &deep,
        ] {
            for words in [
                format!("BACKUP \"{path}\""),
                format!("BACKUP \"{path}/new\""),
                format!("BACKUP ok incremental \"{path}\""),
                format!("RESTORE \"{path}\""),
                format!("VERIFY \"{path}\""),
            ] {
                let command = words.split(' ').next().unwrap().to_owned();
                attacks.push((command, refused(&client, &words).await));
            }
        }
        let text = refused(&client, "BACKUP /etc/b").await.message;
        assert!(text.contains("snapshot.dir") && text.contains("admin.path_roots"), "{text}");
        let mut after = listing(site.folder.path());
        // Of the longest name, what lies above it is a name like any other.
        after.retain(|path| !path.to_string_lossy().contains("/d/"));
        assert_eq!(after, before);
        // Each is in the audit, with what was said to it.
        let told = || -> Vec<(String, String)> {
            let word = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
            let lines = lines(&site.folder.path().join("audit.log")).into_iter();
            let failed = lines.filter(|line| line["result"] == "failure");
            failed.map(|line| (word(&line, "action"), word(&line, "error"))).collect()
        };
        eventually("all attacks are recorded", || told().len() >= attacks.len());
        for ((action, error), (command, answer)) in told().iter().zip(&attacks) {
            assert_eq!(action, command);
            assert!(answer.message.starts_with(error.trim_end_matches('…')), "{error}: {answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn without_the_disk_a_backup_is_taken_and_a_restore_is_refused() {
    let site = Site::new(FORGETFUL, "");
    bounded(async {
        let client = site.client().await;
        fill(&client, 0).await;
        let backup = asked(&client, "BACKUP one").await;
        assert_eq!(backup["key_count"], 60);
        assert_eq!(asked(&client, "VERIFY one").await["ok"], true);
        assert!(refused(&client, "RESTORE one").await.message.contains("storage.engine"));
    })
    .await;
}

/// A backup of the public AmateRS server: so many keys of ten bytes, values of a hundred.
fn version_1(folder: &Path, keys: u32) {
    use std::io::{BufWriter, Write as _};

    fs::create_dir_all(folder).unwrap();
    let number = |number: u32| [&[0xfc][..], &number.to_le_bytes()].concat();
    let meta = [vec![1], number(keys), number(110 * keys), vec![0]].concat();
    fs::write(folder.join("meta.bin"), meta).unwrap();
    let mut file = BufWriter::new(fs::File::create(folder.join("manifest.bin")).unwrap());
    file.write_all(&number(keys)).unwrap();
    for key in 0..keys {
        let name = format!("{:010}", u64::from(key) * 2_654_435_761 % 10_000_000_000);
        file.write_all(&[10]).unwrap();
        file.write_all(name.as_bytes()).unwrap();
        file.write_all(&[100]).unwrap();
        file.write_all(&[key as u8; 100]).unwrap();
    }
    file.flush().unwrap();
}

/// `AMATERS_V1_KEYS` says how many keys.
#[tokio::test]
async fn a_backup_of_the_public_server_moves_here() {
    let keys = std::env::var("AMATERS_V1_KEYS").map_or(20_000, |keys| keys.parse().unwrap());
    let site = Site::new(fastest(), "");
    let client = site.client().await;
    version_1(&snapshots(&site).join("v1"), keys);
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{}/status", site.server.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    };
    let before = resident();
    let mut answer = asked(&client, "RESTORE v1 collection=moved").await;
    while answer["status"] == "running" {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let job = asked(&client, &format!("JOBS {}", answer["job_id"])).await["jobs"][0].clone();
        assert!(job["state"] != "failed", "{job}");
        if job["state"] == "done" {
            answer = job["result"].clone();
        }
    }
    assert_eq!((&answer["schema_version"], &answer["keys_restored"]), (&1.into(), &keys.into()));
    println!("{keys} keys; {} MiB resident before, {} MiB at the peak", before, resident());
    assert!(resident() < before + 512, "{before} MiB became {} MiB", resident());
    let key = format!("{:010}", 7 * 2_654_435_761u64 % 10_000_000_000);
    assert_eq!(client.data("moved", key).await, vec![7u8; 100]);
}

async fn service(site: &Site) -> AdminServiceClient<Channel> {
    AdminServiceClient::connect(format!("http://{}", site.server.address)).await.unwrap()
}

#[tokio::test]
async fn the_service_tells_how_jobs_go_and_ends_those_whose_client_hangs_up() {
    let site = Site::new(fastest(), "[snapshot]\nrate_mb_per_second = 1\n");
    bounded(async {
        let client = site.client().await;
        for number in 0..100 {
            client.set("sealed", format!("key-{number}"), vec![number as u8; 50_000]).await;
        }
        let mut service = service(&site).await;
        let request = wire::BackupRequest { directory: "slow".into(), ..Default::default() };
        let mut jobs = service.backup(request.clone()).await.unwrap().into_inner();
        let first = jobs.message().await.unwrap().unwrap();
        assert!(matches!(first.state(), JobState::Waiting | JobState::Running));
        let listed = service.list_jobs(wire::ListJobsRequest {}).await.unwrap().into_inner();
        assert_eq!(listed.jobs[0].id, first.id);
        drop(jobs);
        let mut watched =
            service.watch_job(wire::WatchJobRequest { id: first.id }).await.unwrap().into_inner();
        let mut last = None;
        while let Some(job) = watched.message().await.unwrap() {
            last = Some(job);
        }
        assert_eq!(last.unwrap().state(), JobState::Cancelled);
        assert!(
            !snapshots(&site).join("slow").exists()
                && !snapshots(&site).join("slow.partial").exists()
        );

        let request = wire::BackupRequest { detach: true, ..request };
        let mut jobs = service.backup(request).await.unwrap().into_inner();
        let id = jobs.message().await.unwrap().unwrap().id;
        drop(jobs);
        let mut watched =
            service.watch_job(wire::WatchJobRequest { id }).await.unwrap().into_inner();
        while let Some(job) = watched.message().await.unwrap() {
            assert!(matches!(job.state(), JobState::Waiting | JobState::Running), "{job:?}");
            if job.progress.is_some_and(|progress| progress.bytes_total > 0) {
                break;
            }
        }
        service.cancel_job(wire::CancelJobRequest { id }).await.unwrap();
        let unknown = service.cancel_job(wire::CancelJobRequest { id: 999 }).await.unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::NotFound);

        let mut logs = service
            .logs(wire::LogsRequest { lines: 3, follow: true, since: 0 })
            .await
            .unwrap()
            .into_inner();
        client.set("tokens", "a-key-to-look-for", "x").await;
        loop {
            let line = logs.message().await.unwrap().unwrap();
            if line.message.contains("a-key-to-look-for") {
                break;
            }
        }
        drop(logs);
        let stats =
            service.stats(wire::StatsRequest { detailed: true }).await.unwrap().into_inner();
        assert_eq!(stats.shards.len(), fastest().cores);
        let reloaded = service.reload(wire::ReloadRequest {}).await.unwrap().into_inner();
        assert!(reloaded.taken, "{reloaded:?}");
        let compacted =
            service.compact(wire::CompactRequest::default()).await.unwrap().into_inner();
        let mut compacted = compacted;
        while let Some(job) = compacted.message().await.unwrap() {
            assert_ne!(job.state(), JobState::Failed, "{job:?}");
        }

        let there =
            service.list_connections(wire::ListConnectionsRequest {}).await.unwrap().into_inner();
        assert!(there.connections.len() >= 2, "{there:?}");
        let own = there.connections.iter().find(|one| one.requests_under_way > 0).unwrap().id;
        let ids = there.connections.iter().map(|one| one.id).filter(|id| *id != own).collect();
        let request = wire::CloseConnectionsRequest { ids, address: String::new() };
        let closed = service.close_connections(request).await.unwrap().into_inner();
        assert_eq!(closed.closed, there.connections.len() as u64 - 1);
        let nothing = service.close_connections(wire::CloseConnectionsRequest::default()).await;
        assert_eq!(nothing.unwrap_err().code(), tonic::Code::InvalidArgument);
        service.drain(wire::DrainRequest {}).await.unwrap();
    })
    .await;
}

#[test]
fn the_schedule_takes_backups_by_itself_and_keeps_some() {
    let folder = Folder::new();
    folder.config("data_dir = \"data\"", "[snapshot]\nschedule = \"1m\"\nkeep = 1\n");
    let server = folder.serve();
    let root = folder.path().join("data/snapshots");
    let taken = || -> Vec<String> {
        let names = fs::read_dir(&root).into_iter().flatten();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("auto-") && !name.ends_with(".partial")).collect()
    };
    eventually("a backup is there", || taken().len() == 1);
    drop(server);
    let name = taken().pop().unwrap();
    let verified = folder.run(&format!("verify data/snapshots/{name}"));
    assert!(verified.status.success(), "{verified:?}");
    // A restart is no reason for another one.
    let mut server = folder.serve();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(taken(), [name]);
    assert!(!server.lines_so_far().any(|line| line.contains("no scheduled backup")));
    server.signal(rustix::process::Signal::TERM);
    server.end();
}

#[test]
fn a_backup_is_restored_and_verified_without_a_server() {
    let folder = Folder::new();
    // Nobody answers a goodbye once the runtime stands still.
    folder.config("data_dir = \"data\"\nshutdown_timeout_secs = 1", "");
    let mut server = folder.serve();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = runtime.block_on(async {
        let client = Client::connect(server.address).await;
        fill(&client, 0).await;
        asked(&client, "BACKUP one").await;
        fill(&client, 1).await;
        asked(&client, "BACKUP two incremental").await;
        contents(&client).await
    });
    server.signal(rustix::process::Signal::TERM);
    server.end();
    let refused = folder.run("restore data/snapshots/two --config a.toml");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--replace"), "{refused:?}");
    for (words, shards) in [
        ("restore data/snapshots/two --data-dir other --shards 3", 3),
        ("restore data/snapshots/one --data-dir other --shards 1 --replace", 1),
        ("restore data/snapshots/two --data-dir other --replace --shards 5", 5),
    ] {
        let restored = folder.run(words);
        let text = String::from_utf8_lossy(&restored.stdout).into_owned();
        assert!(text.contains(&format!("into {shards} shards")), "{restored:?}");
    }
    folder.config("data_dir = \"other\"\nshutdown_timeout_secs = 1", "");
    for _ in 0..2 {
        let mut server = folder.serve();
        let after =
            runtime.block_on(async { contents(&Client::connect(server.address).await).await });
        assert_eq!(after, before);
        server.signal(rustix::process::Signal::TERM);
        server.end();
    }
    let checked = folder.run("check --config a.toml");
    assert!(checked.status.success(), "{checked:?}");
    let verified = folder.run("verify data/snapshots/two");
    assert!(verified.status.success(), "{verified:?}");
    fs::remove_file(folder.path().join("data/snapshots/one/manifest.bin")).unwrap();
    assert_eq!(folder.run("verify data/snapshots/two").status.code(), Some(4));
}
