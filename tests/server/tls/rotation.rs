//! Certificates and keys that are replaced while the server runs, in every way that is usual.

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use serde_json::Value;

use super::{
    Site,
    authority::{EXPIRED, OLDER, Pair},
    clients::{Hand, config, has_openssl, openssl_serial},
};
use crate::{
    audit::lines,
    harness::{Folder, Server, eventually},
};

/// The line that an operator waits for, with what follows it.
const RELOADED: &str = "TLS credentials reloaded: subject CN=db.example, serial ";

/// Waits for the line, then sees that the very next handshake shows the new certificate.
fn arrives(site: &Site, server: &mut Server, serial: u64) {
    server.wait_for(&format!("{RELOADED}{serial:02x}"));
    let hand = Hand::shake(server.address, &config(&site.authority, None)).unwrap();
    assert_eq!(hand.serial, serial);
    if has_openssl() {
        assert_eq!(openssl_serial(server.address), serial);
    }
}

fn stays(site: &Site, server: &Server, serial: u64) {
    let hand = Hand::shake(server.address, &config(&site.authority, None)).unwrap();
    assert_eq!(hand.serial, serial);
}

/// As the guide does it.
fn rename_over(pair: &Pair, folder: &Path) {
    fs::write(folder.join("server.crt.new"), &pair.certificate).unwrap();
    fs::write(folder.join("server.key.new"), &pair.key).unwrap();
    fs::rename(folder.join("server.crt.new"), folder.join("server.crt")).unwrap();
    fs::rename(folder.join("server.key.new"), folder.join("server.key")).unwrap();
}

#[test]
fn a_pair_is_taken_when_it_is_renamed_or_written_in_place() {
    let site = Site::new("");
    let mut server = site.serve();
    rename_over(&site.authority.server(2), site.path());
    arrives(&site, &mut server, 2);
    site.authority.server(3).write(site.path());
    arrives(&site, &mut server, 3);
    // Only once for each.
    rename_over(&site.authority.server(4), site.path());
    arrives(&site, &mut server, 4);
    assert!(!server.lines_so_far().any(|line| line.contains(RELOADED)));
}

#[test]
fn a_pair_is_taken_when_kubernetes_swaps_its_links() {
    let site = Site::new("");
    let place = |name: &str| site.path().join(name);
    let stage = |version: &str, serial| {
        fs::create_dir(place(version)).unwrap();
        site.authority.server(serial).write(&place(version));
    };
    stage("..v1", 1);
    symlink("..v1", place("..data")).unwrap();
    for name in ["server.crt", "server.key"] {
        fs::remove_file(place(name)).unwrap();
        symlink(Path::new("..data").join(name), place(name)).unwrap();
    }
    let mut server = site.serve();
    for serial in 2..6 {
        let version = format!("..v{serial}");
        stage(&version, serial);
        symlink(&version, place("..data_tmp")).unwrap();
        fs::rename(place("..data_tmp"), place("..data")).unwrap();
        fs::remove_dir_all(place(&format!("..v{}", serial - 1))).unwrap();
        arrives(&site, &mut server, serial);
    }
}

#[test]
fn files_in_different_folders_are_watched_and_folders_may_go_and_come_back() {
    let site = Site { folder: Folder::new(), ..Site::new("") };
    let (certs, keys) = (site.path().join("certs"), site.path().join("keys"));
    let write = |pair: &Pair| {
        fs::create_dir_all(&certs).unwrap();
        fs::create_dir_all(&keys).unwrap();
        fs::write(certs.join("a.crt"), &pair.certificate).unwrap();
        fs::write(keys.join("a.key"), &pair.key).unwrap();
    };
    write(&site.authority.server(1));
    site.folder.config(
        "",
        "[network]\ntls_enabled = true\ntls_cert = \"certs/a.crt\"\ntls_key = \"keys/a.key\"\n",
    );
    let mut server = site.serve();
    write(&site.authority.server(2));
    arrives(&site, &mut server, 2);
    fs::remove_dir_all(&certs).unwrap();
    fs::remove_dir_all(&keys).unwrap();
    server.wait_for("TLS credentials not reloaded, the old ones stay: ");
    stays(&site, &server, 2);
    write(&site.authority.server(3));
    arrives(&site, &mut server, 3);
}

#[test]
fn half_of_a_pair_changes_nothing_and_is_told_once() {
    let site = Site::new("");
    let mut server = site.serve();
    let next = site.authority.server(2);
    next.write_key(site.path());
    let line = server.wait_for("TLS credentials not reloaded, the old ones stay: ");
    assert!(line.contains("server.key: the private key is not that of the certificate"), "{line}");
    stays(&site, &server, 1);
    let status = String::from_utf8(site.folder.run("status --config a.toml").stdout).unwrap();
    assert!(status.contains("TLS STAYS"), "{status}");
    // The same again is no news.
    next.write_key(site.path());
    std::thread::sleep(Duration::from_secs(1));
    assert!(!server.lines_so_far().any(|line| line.contains("not reloaded")));
    next.write(site.path());
    arrives(&site, &mut server, 2);
    let status = String::from_utf8(site.folder.run("status --config a.toml").stdout).unwrap();
    assert!(!status.contains("TLS STAYS"), "{status}");
    let half = &next.certificate[..next.certificate.len() / 2];
    fs::write(site.path().join("server.crt"), half).unwrap();
    let line = server.wait_for("TLS credentials not reloaded, the old ones stay: ");
    assert!(line.contains("server.crt: a section is cut off: the file is not complete"), "{line}");
    stays(&site, &server, 2);
    next.write(site.path());
    server.wait_for("the files of TLS hold what is served again");
}

#[test]
fn an_older_or_an_expired_certificate_is_taken_only_when_an_operator_asks() {
    let site = Site::new("");
    let mut server = site.serve();
    for (serial, years, expected) in [
        (2, OLDER, "the certificate is older than the one that is served"),
        (3, EXPIRED, "the certificate has expired, and the one that is served is valid"),
    ] {
        site.authority.server_in(serial, years).write(site.path());
        let line = server.wait_for("TLS credentials not reloaded, the old ones stay: ");
        assert!(line.contains(expected) && line.contains("`amaters-server reload`"), "{line}");
    }
    stays(&site, &server, 1);
    site.authority.server_in(4, OLDER).write(site.path());
    let output = site.folder.run("reload --config a.toml");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains(&format!("{RELOADED}04")), "{text}");
    arrives(&site, &mut server, 4);
}

#[test]
fn a_reload_tells_what_became_of_the_files() {
    let site = Site::new("");
    let server = site.serve();
    let reload = || {
        let output = site.folder.run("reload --config a.toml");
        let text =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.success(), text)
    };
    let (good, text) = reload();
    assert!(
        good && text.contains("TLS credentials unchanged: subject CN=db.example, serial 01"),
        "{text}"
    );
    site.authority.server(2).write_key(site.path());
    let (good, text) = reload();
    assert!(!good && text.contains("TLS credentials not reloaded"), "{text}");
    stays(&site, &server, 1);
}

#[test]
fn open_connections_go_on_and_sessions_are_resumed_across_a_rotation() {
    let site = Site::new("");
    let mut server = site.serve();
    let config = config(&site.authority, None);
    assert!(!Hand::shake(server.address, &config).unwrap().is_resumed());
    site.authority.server(2).write(site.path());
    arrives(&site, &mut server, 2);
    assert!(Hand::shake(server.address, &config).unwrap().is_resumed());
}

#[test]
fn what_became_of_the_files_is_in_the_audit() {
    let site = Site::new("[authz]\naudit_log_path = \"audit.log\"\n");
    let mut server = site.serve();
    let next = site.authority.server(2);
    next.write_key(site.path());
    server.wait_for("TLS credentials not reloaded, the old ones stay: ");
    next.write(site.path());
    arrives(&site, &mut server, 2);
    let told = || -> Vec<Value> {
        let lines = lines(&site.path().join("audit.log")).into_iter();
        lines.filter(|line| line["action"] == "tls.reload").collect()
    };
    eventually("both are recorded", || told().len() == 2);
    let [wrong, right] = told().try_into().unwrap();
    assert_eq!(
        (&wrong["event_type"], &wrong["result"]),
        (&"config_change".into(), &"failure".into())
    );
    let error = wrong["error"].as_str().unwrap();
    assert!(error.contains("the private key is not that of the certificate"), "{wrong}");
    assert_eq!(right["result"], "success", "{right}");
    assert!(right["resource"].as_str().unwrap().ends_with("server.crt"), "{right}");
    assert_eq!(right["metadata"]["trust"], "unchanged", "{right}");
    let served = right["metadata"]["served"].as_str().unwrap();
    assert!(served.starts_with("subject CN=db.example, serial 02, expires "), "{right}");
}
