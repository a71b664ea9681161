//! Client certificates: who is let in, and what becomes of those inside when others are trusted.

use std::{fs, io};

use super::{
    Site,
    authority::{Authority, EARLY, EXPIRED, Pair},
    clients::{Hand, config, tonic},
};
use crate::{
    guide::http::{metrics, sample, served_by},
    harness::Server,
    wire::client::bounded,
};

const REQUIRED: &str =
    "tls_ca = \"ca.crt\"\nrequire_client_cert = true\ntls_revocation_grace_secs = 0\n";

/// A server that asks for certificates of its own authority.
fn required() -> Site {
    let site = Site::new(REQUIRED);
    site.write_authority();
    site
}

fn shake(site: &Site, server: &Server, pair: Option<&Pair>) -> io::Result<Hand> {
    Hand::shake(server.address, &config(&site.authority, pair))
}

#[tokio::test]
async fn with_a_certificate_of_the_authority_one_is_served() {
    let site = required();
    let server = site.serve();
    let pair = site.authority.client("alice", 10);
    let client = tonic(server.address, &site.authority, Some(&pair)).await.unwrap();
    bounded(async {
        client.set("c", "k", "v").await;
        assert_eq!(client.data("c", "k").await, "v");
    })
    .await;
}

#[test]
fn without_a_good_certificate_nobody_gets_in() {
    let site = required();
    let mut server = site.serve();
    let stranger = Authority::new("Test Authority");
    let own = &site.authority;
    let mut told = Vec::new();
    for (pair, expected) in [
        (None, "it has no client certificate"),
        (Some(stranger.client("mallory", 1)), "its certificate: "),
        (Some(own.client_in("bob", 2, EXPIRED)), "its certificate: "),
        (Some(own.client_in("bob", 3, EARLY)), "its certificate: "),
        (Some(own.server(4)), "its certificate: "),
    ] {
        assert!(shake(&site, &server, pair.as_ref()).is_err(), "{expected}");
        told.push(expected);
    }
    // One line for what has one class.
    server.wait_for(told[0]);
    let text = metrics(served_by(&server));
    let failures = "amaters_tls_handshake_failures_total{reason=\"client_certificate\"}";
    assert_eq!(sample(&text, failures), told.len() as f64);
    assert!(shake(&site, &server, Some(&own.client("alice", 5))).is_ok());
}

#[test]
fn where_certificates_are_optional_those_that_are_shown_are_checked() {
    let site = Site::new("tls_ca = \"ca.crt\"\n");
    site.write_authority();
    let server = site.serve();
    assert!(shake(&site, &server, None).is_ok());
    assert!(shake(&site, &server, Some(&site.authority.client("alice", 5))).is_ok());
    let stranger = Authority::new("Other").client("mallory", 1);
    assert!(shake(&site, &server, Some(&stranger)).is_err());
}

#[test]
fn another_authority_ends_old_connections_and_old_sessions() {
    let site = required();
    let mut server = site.serve();
    let alice = config(&site.authority, Some(&site.authority.client("alice", 5)));
    let mut open = Hand::shake(server.address, &alice).unwrap();
    assert!(Hand::shake(server.address, &alice).unwrap().is_resumed());
    let other = Authority::new("Next Authority");
    let both = site.authority.pem() + &other.pem();
    fs::write(site.path().join("ca.crt"), both).unwrap();
    let line = server.wait_for("TLS credentials reloaded");
    assert!(line.contains("connections with client certificates end in 0 s"), "{line}");
    open.wait_for_goaway().unwrap();
    // She is still trusted, but must show her certificate again.
    assert!(!Hand::shake(server.address, &alice).unwrap().is_resumed());
    assert!(Hand::shake(server.address, &alice).unwrap().is_resumed());
    fs::write(site.path().join("ca.crt"), other.pem()).unwrap();
    server.wait_for("TLS credentials reloaded");
    assert!(Hand::shake(server.address, &alice).is_err());
    assert!(shake(&site, &server, Some(&other.client("carol", 1))).is_ok());
}

#[test]
fn an_authority_file_that_is_wrong_changes_nothing() {
    let site = required();
    let mut server = site.serve();
    for content in ["", "-----BEGIN CERTIFICATE-----\nMII"] {
        fs::write(site.path().join("ca.crt"), content).unwrap();
        let line = server.wait_for("TLS credentials not reloaded, the old ones stay: ");
        assert!(line.contains("ca.crt: "), "{line}");
    }
    assert!(shake(&site, &server, Some(&site.authority.client("alice", 5))).is_ok());
    assert!(shake(&site, &server, None).is_err());
}
