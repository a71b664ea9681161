//! Orders from another address than loopback, while nobody is asked who they are: refused before anything is opened or made,
//! unless `admin.allow_remote` says otherwise.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    net::{IpAddr, SocketAddr, UdpSocket},
    path::Path,
};

use amaters_proto::admin::v1::{self as wire, admin_service_client::AdminServiceClient};
use serde_json::Value;
use tonic::{Code, Status};

use crate::{
    audit::lines,
    guide::reload::reload,
    harness::{Folder, Server, eventually},
    wire::{
        client::{Client, bounded, last},
        queries::get,
    },
};

/// An address of this machine that is not loopback: from there, requests come as from elsewhere.
fn address() -> Option<IpAddr> {
    // Nothing is sent: the kernel says by which address it would be.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let found = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    let found = found.map(|address| address.ip()).ok().filter(|ip| !ip.is_loopback());
    if found.is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED orders from elsewhere: there is no network");
    }
    found
}

struct Site {
    folder: Folder,
    server: Server,
}

impl Site {
    fn new() -> Self {
        let folder = Folder::new();
        configure(&folder, "");
        let server = Server::spawn(&mut folder.command("start --config a.toml --bind 0.0.0.0:0"));
        Self { folder, server }
    }

    fn at(&self, ip: IpAddr) -> SocketAddr {
        (ip, self.server.address.port()).into()
    }

    fn snapshots(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.folder.path().join("data/snapshots")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Action and result of the lines about commands from an address.
    fn told(&self, ip: IpAddr) -> Vec<(String, String)> {
        let word = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
        let lines = lines(&self.folder.path().join("audit.log")).into_iter();
        let lines = lines.filter(|line| line["source_ip"] == ip.to_string());
        lines.map(|line| (word(&line, "action"), word(&line, "result"))).collect()
    }
}

fn configure(folder: &Folder, admin: &str) {
    folder.config("", &format!("[admin]\n{admin}\n[authz]\naudit_log_path = \"audit.log\"\n"));
}

/// Orders by key, and the name of each.
const ORDERS: [&str; 9] = [
    "BACKUP theirs",
    "BACKUP theirs incremental good",
    "BACKUP /etc/theirs",
    "BACKUP ../theirs",
    "RESTORE good replace",
    "RESTORE /etc",
    "VERIFY good",
    "COMPACT all",
    "CANCEL 1",
];

/// Orders of the service, as the audit calls them, and what comes of each.
async fn orders(address: SocketAddr) -> Vec<(&'static str, Result<(), Status>)> {
    let mut service = AdminServiceClient::connect(format!("http://{address}")).await.unwrap();
    let directory = || "good".to_owned();
    let backup = wire::BackupRequest { directory: "theirs".into(), ..Default::default() };
    let restore =
        wire::RestoreRequest { directory: directory(), replace: true, ..Default::default() };
    let verify = wire::VerifyRequest { directory: directory(), detach: false };
    let close = wire::CloseConnectionsRequest { address: "127.0.0.1".into(), ids: Vec::new() };
    vec![
        ("BACKUP", last(service.backup(backup).await).await.map(drop)),
        ("RESTORE", last(service.restore(restore).await).await.map(drop)),
        ("VERIFY", last(service.verify(verify).await).await.map(drop)),
        ("COMPACT", last(service.compact(wire::CompactRequest::default()).await).await.map(drop)),
        ("CANCEL", service.cancel_job(wire::CancelJobRequest { id: 1 }).await.map(drop)),
        ("RELOAD", service.reload(wire::ReloadRequest {}).await.map(drop)),
        ("CLOSE", service.close_connections(close).await.map(drop)),
        ("DRAIN", service.drain(wire::DrainRequest {}).await.map(drop)),
    ]
}

async fn command(client: &Client, words: &str) -> Result<(), amaters_proto::errors::ErrorResponse> {
    client.ask(get("any", format!("__admin__:{words}"))).await.map(drop)
}

#[tokio::test]
async fn orders_from_elsewhere_are_refused_and_nothing_is_done() {
    let Some(ip) = address() else { return };
    let site = Site::new();
    bounded(async {
        let near = Client::connect(site.at([127, 0, 0, 1].into())).await;
        let far = Client::connect(site.at(ip)).await;
        command(&near, "BACKUP good").await.unwrap();
        near.set("c", "k", "behind the backup").await;
        let mut expected = Vec::new();
        let mut denied = |name: &str| expected.push((name.to_owned(), "denied".to_owned()));
        for words in ORDERS {
            let error = command(&far, words).await.unwrap_err();
            assert_eq!((error.code, error.category), (3002, 4), "{words}: {error:?}");
            assert!(error.message.contains("admin.allow_remote = true"), "{words}: {error:?}");
            denied(words.split(' ').next().unwrap());
        }
        for (name, outcome) in orders(site.at(ip)).await {
            let status = outcome.expect_err(name);
            assert_eq!(status.code(), Code::PermissionDenied, "{name}: {status:?}");
            assert!(status.message().contains("admin.allow_remote = true"), "{name}: {status:?}");
            denied(name);
        }
        // What only reads is for everybody who can reach the server.
        for words in ["STATS", "METRICS", "NODES", "LOGS 5", "JOBS", "VERIFY"] {
            command(&far, words).await.unwrap();
        }
        assert_eq!(site.snapshots(), BTreeSet::from(["good".to_owned()]));
        assert!(!Path::new("/etc/theirs").exists());
        assert!(!site.folder.path().join("data/theirs").exists());
        assert_eq!(far.data("c", "k").await, "behind the backup");
        eventually("each is recorded", || site.told(ip).len() >= expected.len());
        assert_eq!(site.told(ip), expected);
    })
    .await;
}

#[tokio::test]
async fn where_it_is_granted_they_are_taken_and_paths_are_looked_at_all_the_same() {
    let Some(ip) = address() else { return };
    let site = Site::new();
    bounded(async {
        let far = Client::connect(site.at(ip)).await;
        assert_eq!(command(&far, "BACKUP early").await.unwrap_err().code, 3002);
        configure(&site.folder, "allow_remote = true");
        assert!(reload(&site.folder).contains("admin.allow_remote: false -> true: applied"));
        command(&far, "BACKUP good").await.unwrap();
        for words in ["BACKUP /etc/theirs", "BACKUP ../theirs", "RESTORE /etc", "VERIFY /etc"] {
            let error = command(&far, words).await.unwrap_err();
            assert!(error.message.contains("snapshot.dir"), "{words}: {error:?}");
        }
        assert_eq!(site.snapshots(), BTreeSet::from(["good".to_owned()]));
        configure(&site.folder, "allow_remote = false");
        reload(&site.folder);
        assert_eq!(command(&far, "BACKUP late").await.unwrap_err().code, 3002);
    })
    .await;
}
