//! What is served over TLS, what of TLS, and what is said to those who speak something else.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use amaters_load::handshakes::{Handshakes, Version};
use rustls::HandshakeKind;

use super::{
    Site,
    clients::{Hand, config, has_openssl, openssl, openssl_serial, tonic},
};
use crate::{
    guide::http::{metrics, sample, served_by},
    harness::Folder,
    wire::client::bounded,
};

#[tokio::test]
async fn small_and_large_values_go_through_records_and_back() {
    let site = Site::new("");
    let server = site.serve();
    let client = tonic(server.address, &site.authority, None).await.unwrap();
    bounded(async {
        let sizes = [0, 1, 100, 16_350, 16_384, 16_393, 65_536, 524_288, 3_000_000];
        for size in sizes {
            let data: Vec<u8> = (0..size).map(|index| (index * 31 % 251) as u8).collect();
            client.set("c", format!("{size}"), data).await;
        }
        for size in sizes {
            let data = client.data("c", format!("{size}")).await;
            assert_eq!(data.len(), size);
            assert!(data.iter().enumerate().all(|(index, byte)| *byte == (index * 31 % 251) as u8));
        }
        let asked = (0..2000).map(|_| client.get("c", "65536"));
        let all = futures_util::future::join_all(asked).await;
        assert!(all.iter().all(|blob| blob.as_ref().unwrap().data.len() == 65_536));
    })
    .await;
}

#[test]
fn a_client_that_comes_back_resumes() {
    let site = Site::new("");
    let server = site.serve();
    let config = config(&site.authority, None);
    let first = Hand::shake(server.address, &config).unwrap();
    assert_eq!((first.serial, first.kind), (1, HandshakeKind::Full));
    // Whichever reactor takes it.
    for _ in 0..8 {
        assert!(Hand::shake(server.address, &config).unwrap().is_resumed());
    }
    let text = metrics(served_by(&server));
    let handshakes = |kind| {
        sample(&text, &format!("amaters_tls_handshakes_total{{version=\"1.3\",kind=\"{kind}\"}}"))
    };
    assert_eq!((handshakes("full"), handshakes("resumed")), (1.0, 8.0));
}

#[test]
fn clients_of_both_versions_resume_one_after_another() {
    let server = Site::new("").serve();
    for version in [Version::Tls12, Version::Tls13] {
        for resume in [false, true] {
            let duration = Duration::from_millis(300);
            let handshakes = Handshakes { version, resume, clients: 4, duration };
            let shaken = handshakes.run(server.address, server.pid()).unwrap();
            assert!(shaken.full + shaken.resumed >= 8, "{version:?}: {shaken}");
            assert_eq!(shaken.resumed > 0, resume, "{version:?}: {shaken}");
            assert!(!resume || shaken.full == 4, "{version:?}: {shaken}");
        }
    }
}

#[test]
fn openssl_finds_the_versions_and_suites_that_are_documented_and_no_others() {
    if !has_openssl() {
        return;
    }
    let site = Site::new("");
    let server = site.serve();
    assert_eq!(openssl_serial(server.address), 1);
    for (words, expected) in [
        ("-tls1_3", true),
        ("-tls1_2", true),
        ("-tls1_1 -cipher ALL:@SECLEVEL=0", false),
        ("-tls1 -cipher ALL:@SECLEVEL=0", false),
        ("-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256", true),
        ("-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384", true),
        ("-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", true),
        ("-tls1_3 -ciphersuites TLS_AES_128_CCM_SHA256", false),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", true),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", true),
        ("-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", true),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA", false),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256", false),
        ("-tls1_2 -cipher AES128-GCM-SHA256", false),
        ("-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256", false),
        ("-tls1_2 -cipher ALL:COMPLEMENTOFALL:!ECDHE:@SECLEVEL=0", false),
        ("-tls1_2 -groups P-256", true),
        ("-tls1_3 -groups P-384", true),
        ("-tls1_3 -groups P-521", false),
    ] {
        let (content, text) = openssl(server.address, words);
        assert_eq!(content, expected, "{words}\n{text}");
        if content {
            assert!(text.contains("ALPN protocol: h2"), "{words}\n{text}");
        }
    }
    let (content, text) = openssl(server.address, "-alpn http/1.1");
    assert!(!content && text.contains("alert"), "{text}");
}

#[test]
fn plain_text_on_a_port_of_tls_is_named_and_answered() {
    let site = Site::new("");
    let mut server = site.serve();
    let say = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        (stream.local_addr().unwrap(), String::from_utf8_lossy(&answer).into_owned())
    };
    let (peer, answer) = say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(answer.ends_with("this port speaks TLS: use https://"), "{answer:?}");
    let (_, answer) = say(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer:?}");
    let line = server.wait_for("it sent HTTP/2 in plain text; let it use https://");
    assert!(line.contains(&peer.to_string()), "{line}");
    let text = metrics(served_by(&server));
    let failures = "amaters_tls_handshake_failures_total{reason=\"plain_text\"}";
    assert_eq!(sample(&text, failures), 2.0);
}

#[test]
fn tls_on_a_port_of_plain_text_is_named() {
    let site = Site::new("");
    let plain = Folder::new();
    plain.config("", "");
    let mut server = plain.serve();
    assert!(Hand::shake(server.address, &config(&site.authority, None)).is_err());
    let line = server.wait_for("it began with TLS, which is not served here");
    assert!(line.contains("set network.tls_enabled") && line.contains("127.0.0.1:"), "{line}");
    let text = metrics(served_by(&server));
    assert_eq!(sample(&text, "amaters_tls_unexpected_total"), 1.0);
}

#[test]
fn a_connection_over_the_limit_is_closed_without_a_word() {
    let site = Site::new("");
    site.config("max_connections = 1", "");
    let server = site.serve();
    let config = config(&site.authority, None);
    let _open = Hand::shake(server.address, &config).unwrap();
    let mut over = TcpStream::connect(server.address).unwrap();
    let mut answer = Vec::new();
    let _ = over.read_to_end(&mut answer);
    assert_eq!(answer, b"");
}

#[test]
fn a_handshake_has_a_deadline() {
    let site = Site::new("connection_timeout_secs = 1\n");
    let server = site.serve();
    for bytes in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        let mut silent = TcpStream::connect(server.address).unwrap();
        silent.write_all(bytes).unwrap();
        assert_eq!(silent.read(&mut [0; 64]).unwrap_or(0), 0, "{bytes:?}");
    }
    let text = metrics(served_by(&server));
    assert_eq!(sample(&text, "amaters_tls_handshake_failures_total{reason=\"timeout\"}"), 3.0);
}

#[test]
fn clients_that_let_their_handshakes_rest_give_way_to_others() {
    let site = Site::new("[limits]\nhandshakes_max = 1\n");
    let server = site.serve();
    let config = config(&site.authority, None);
    // As many hellos as there are places, and no word after them.
    let resting: Vec<_> = (0..4)
        .map(|_| {
            let name = "localhost".try_into().unwrap();
            let mut session = rustls::ClientConnection::new(config.clone(), name).unwrap();
            let mut stream = TcpStream::connect(server.address).unwrap();
            session.write_tls(&mut stream).unwrap();
            stream
        })
        .collect();
    let hand = Hand::shake(server.address, &config).unwrap();
    assert_eq!(hand.serial, 1);
    drop(resting);
}

#[test]
fn garbage_ends_its_own_connection_only() {
    let site = Site::new("");
    let server = site.serve();
    let config = config(&site.authority, None);
    for seed in 0..200u32 {
        let mut bytes = vec![0x16, 3, 1, 0, 200, 1, 0, 0, 196];
        bytes
            .extend((0..300).map(|index| (seed.wrapping_mul(2_654_435_761) >> (index % 25)) as u8));
        let mut stream = TcpStream::connect(server.address).unwrap();
        let _ = stream.write_all(&bytes);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert_eq!(Hand::shake(server.address, &config).unwrap().serial, 1);
}
