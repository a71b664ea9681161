//! Where the server is and who asks, said by flags, environment and file; servers that cannot be reached.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    thread,
};

use rustix::process::Signal;

use super::{Site, Told, command};
use crate::harness::eventually;

#[test]
fn profiles_name_servers_and_flags_lie_over_them() {
    let site = Site::new();
    let address = site.server.address;
    let folder = site.folder.path().join(".config/amaters");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("cli.toml");
    let text = format!(
        "profile = \"here\"\n[profiles.here]\naddress = \"{address}\"\ncollection = \"mine\"\n[profiles.away]\naddress = \"127.0.0.1:1\"\n"
    );
    fs::write(&path, &text).unwrap();
    let run = |words: &[&str]| -> Told {
        command(&site.folder, address, words).env_remove("AMATERS_ADDRESS").output().unwrap().into()
    };
    assert_eq!(run(&["set", "a", "1"]).status, Some(0));
    assert_eq!(run(&["-c", "mine", "get", "a"]).stdout, "1");
    run(&["-c", "default", "get", "a"]).failed(3, "");
    run(&["--profile", "away", "ping"]).failed(4, "cannot reach http://127.0.0.1:1");
    assert_eq!(run(&["--profile", "away", "-a", &address.to_string(), "health"]).status, Some(0));
    run(&["--profile", "none", "ping"]).failed(2, "there is no profile \"none\" in ");
    // The environment lies between.
    site.said(&["--profile", "away", "health"]);

    // Secrets that others may read are warned of, and never shown.
    let with_secret = format!("{text}token = \"hunter2\"\n");
    fs::write(&path, &with_secret).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let told = run(&["health"]);
    assert!(
        told.stderr.contains("has secrets, and others may read it")
            && !told.stderr.contains("hunter2")
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(run(&["health"]).stderr, "");
    fs::write(&path, with_secret.replace("token = \"hunter2\"", "token = hunter2")).unwrap();
    let told = run(&["health"]);
    told.failed(2, "cli.toml line 7: ");
    assert!(!told.stderr.contains("hunter2"), "{told:?}");
    fs::write(&path, "[profiles.here]\nadress = \"x\"\n").unwrap();
    run(&["health"]).failed(2, "unknown field `adress`");
}

#[test]
fn credentials_travel_in_headers_and_are_read_from_files() {
    let site = Site::new();
    site.folder.write("token", "to.ken\n");
    // Only the head of the request is of interest: a listener that says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
        let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
        while let Ok(count) = stream.read(&mut part) {
            if count == 0 {
                break;
            }
            bytes.extend_from_slice(&part[..count]);
        }
        bytes.len()
    });
    let words = ["--timeout", "1", "--token-file", "token", "--api-key", "key", "get", "a"];
    let told: Told = command(&site.folder, address, &words).output().unwrap().into();
    assert_eq!(told.status, Some(6), "{told:?}");
    assert!(!told.stderr.contains("to.ken"), "{told:?}");
    assert!(heard.join().unwrap() > 100);
    // This server asks nobody, so credentials do no harm.
    site.said(&["--token-file", "token", "health"]);
    site.run(&["--token", "a b", "health"]).failed(2, "must be one word");
    site.run(&["--token-file", "nofile", "health"]).failed(1, "cannot read nofile");
}

#[test]
fn a_server_that_is_not_there_or_speaks_otherwise_is_told() {
    let mut site = Site::new();
    let address = site.server.address.to_string();
    site.run(&["-a", "127.0.0.1:1", "get", "a"]).failed(4, "Connection refused");
    site.run(&["-a", "no-such-host.invalid", "get", "a"])
        .failed(4, "cannot reach http://no-such-host.invalid:7878");
    site.run(&["-a", "ftp://x", "get", "a"]).failed(2, "has another scheme");
    let told = site.run(&["-a", &format!("https://{address}"), "get", "a"]);
    told.failed(4, "say http://");
    site.server.signal(Signal::KILL);
    site.server.end();
    // The kernel closes the socket of a killed server a moment later: until then, connections are reset.
    eventually("nobody listens", || {
        let told = site.run(&["get", "a"]);
        told.failed(4, "");
        told.stderr.contains("does a server run there?")
    });
}
