//! What commands and a start say of files that are not as they should be.

use std::fs;

use super::{
    Site,
    authority::{Authority, EARLY, EXPIRED},
};
use crate::harness::refusal;

/// What `start` and `validate-config` refuse with.
fn refused(site: &Site) -> String {
    let start = refusal(site.folder.command("start --config a.toml --bind 127.0.0.1:0"));
    let validated = refusal(site.folder.command("validate-config --config a.toml"));
    for text in [&start, &validated] {
        assert!(!text.contains("PRIVATE KEY"), "{text}");
    }
    // Each says it in its own words around it.
    assert_eq!(validated.lines().count(), 1, "{validated}");
    validated
}

#[test]
fn a_pair_that_does_not_belong_together_is_refused() {
    let site = Site::new("");
    site.authority.server(2).write_key(site.path());
    let text = refused(&site);
    assert!(text.contains("network.tls_key = \"server.key\" (a.toml line "), "{text}");
    assert!(text.contains("the private key is not that of the certificate"), "{text}");
}

#[test]
fn each_damaged_file_is_named_with_what_is_wrong() {
    let pair = Authority::new("Other").server(1);
    let cut = &pair.certificate[..pair.certificate.len() - 20];
    for (file, content, expected) in [
        ("server.crt", "", "network.tls_cert"),
        ("server.crt", "nonsense", "it holds no certificate in PEM"),
        ("server.crt", cut, "a section is cut off"),
        ("server.crt", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", "damaged"),
        ("server.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "X.509"),
        ("server.key", "", "it holds no private key in PEM"),
        ("server.key", &pair.certificate, "it holds no private key in PEM"),
        (
            "server.key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "cannot be used",
        ),
        (
            "server.key",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "without a passphrase",
        ),
    ] {
        let site = Site::new("");
        fs::write(site.path().join(file), content).unwrap();
        let text = refused(&site);
        assert!(text.contains(expected), "{file}: {content:?}: {text}");
    }
}

#[test]
fn huge_files_and_pipes_are_not_read() {
    let site = Site::new("");
    let file = fs::File::create(site.path().join("server.crt")).unwrap();
    file.set_len(1 << 40).unwrap();
    let text = refused(&site);
    assert!(text.contains("has more than 1048576 bytes"), "{text}");
    fs::remove_file(site.path().join("server.crt")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        site.path().join("server.crt"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let text = refused(&site);
    assert!(text.contains("it is not a regular file"), "{text}");
}

#[test]
fn dates_and_open_keys_are_warned_about() {
    let site = Site::new("");
    for (years, expected) in
        [(EXPIRED, "has expired on 2025-01-01"), (EARLY, "is not valid before 2090-01-01")]
    {
        site.authority.server_in(1, years).write(site.path());
        let output = site.folder.run("validate-config --config a.toml");
        assert!(output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("network.tls_key: every user of this machine may read"), "{text}");
    }
    let doctor = String::from_utf8(site.folder.run("doctor --config a.toml").stdout).unwrap();
    assert!(doctor.contains("WARN  tls "), "{doctor}");
    assert!(
        doctor.contains("OK    tls            CN=db.example with its key, until 2099-01-01"),
        "{doctor}"
    );
    let mut server = site.serve();
    let lines = server.first_lines().join("\n");
    assert!(lines.contains("TLS: subject CN=db.example, serial 01, expires 2099-01-01"), "{lines}");
    let status = String::from_utf8(site.folder.run("status --config a.toml").stdout).unwrap();
    assert!(
        status.contains("NOT VALID before 2090-01-01; client certificates not asked for"),
        "{status}"
    );
    let json = site.folder.run("status --config a.toml --format json").stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["tls"]["serial"], "01");
    assert_eq!(json["tls"]["subject"], "CN=db.example");
    assert_eq!(server.ended(), None);
}
