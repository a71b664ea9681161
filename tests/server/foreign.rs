//! A client in another language: Python's grpcio, with stubs made from our `.proto` files when it
//! starts. `foreign/client.py` holds the checks, `foreign/doors/` those of credentials, `foreign/admin.py` those of
//! AdminService; `foreign/install` gets what they need.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    guide::http::served_by,
    harness::{Folder, Server},
    tls,
    wire::client::{ONE, Site, TWO, kinds},
};

/// The script that makes the environment.
const INSTALL: &str = "tests/server/foreign/install";

/// The Python of that environment; none where it was not made or has grown old, which only a continuous integration must not
/// overlook.
fn python() -> Option<PathBuf> {
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("foreign");
    let installed = fs::read_to_string(environment.join("requirements.txt")).unwrap_or_default();
    if installed == include_str!("foreign/requirements.txt") {
        return Some(environment.join("bin/python"));
    }
    let text = format!("{} is missing or out of date: run {INSTALL}", environment.display());
    assert!(std::env::var_os("CI").is_none(), "{text}");
    // Past the capture of the test harness: what was left out must not look like what ran.
    let _ = writeln!(std::io::stderr(), "SKIPPED the checks of Python's grpcio: {text}");
    None
}

#[test]
fn grpcio_finds_on_every_kind_of_server_what_the_wire_promises() {
    let Some(python) = python() else { return };
    for kind in kinds() {
        println!("{kind:?}");
        let site = Site::new(kind, "");
        content(&python, site.server.address, None);
    }
}

#[test]
fn grpcio_finds_the_same_over_tls() {
    let Some(python) = python() else { return };
    let site = tls::Site::new("");
    let authority = site.write_authority();
    let server = site.serve();
    content(&python, server.address, Some(&authority));
}

#[test]
fn grpcio_is_let_in_by_exactly_what_is_documented() {
    let Some(python) = python() else { return };
    // All algorithms once, and one of each family.
    let families: &[_] = &["HS256", "RS256", "ES384", "EdDSA"];
    for (kind, words) in [(TWO, &[][..]), (ONE, families), (ONE, &["required"])] {
        if kind.is_possible() {
            println!("{kind:?} {words:?}");
            doors(&python, kind.cores, words);
        }
    }
}

#[test]
fn grpcio_does_what_operators_do_by_reflection_alone() {
    let Some(python) = python() else { return };
    if !TWO.is_possible() {
        return;
    }
    let mut site = Site::new(TWO, "[snapshot]\nrate_mb_per_second = 1\n");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/foreign/admin.py");
    let mut command = Command::new(python);
    command.arg("-B").arg(script);
    command.arg(site.server.address.to_string()).arg(site.folder.path());
    let output = command.output().unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), output.stderr);
    println!("{told}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&errors));
    assert!(told.ends_with("ok: drain says goodbye when every method was called\n"), "{told}");
    assert!(site.server.end().success());
}

/// Shows credentials of every kind in every state to a server whose files the script makes.
fn doors(python: &Path, cores: usize, words: &[&str]) {
    let (here, folder) = (Path::new(env!("CARGO_MANIFEST_DIR")), Folder::new());
    let mut command = Command::new(python);
    // It leaves nothing beside its modules.
    command.arg("-B").arg(here.join("tests/server/foreign/doors")).arg(folder.path());
    command.arg(here.join("proto")).arg(env!("CARGO_BIN_EXE_amaters-server"));
    command.args(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut script = command.spawn().unwrap();
    let mut stdout = BufReader::new(script.stdout.take().unwrap());
    let mut told = String::new();
    stdout.read_line(&mut told).unwrap();
    // Where it is not ready it has failed, and says why below.
    let server = (told == "ready\n").then(|| {
        let words = format!("start --config a.toml --bind 127.0.0.1:0 --cores {cores}");
        Server::spawn(&mut folder.command(&words))
    });
    if let Some(server) = &server {
        let mut stdin = script.stdin.take().unwrap();
        writeln!(stdin, "{} {}", server.address, served_by(server)).unwrap();
    }
    stdout.read_to_string(&mut told).unwrap();
    println!("{told}");
    let output = script.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.lines().last().unwrap().starts_with("ok: "), "{told}");
}

/// Runs all checks, over TLS where there is an authority.
fn content(python: &Path, address: SocketAddr, authority: Option<&Path>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command.arg(folder.join("tests/server/foreign/client.py"));
    // grpcio looks at the name, and 127.0.0.1 stands in the certificate as an address.
    command.arg(address.to_string()).arg(folder.join("proto")).args(authority);
    // The script ends itself when something hangs.
    let output = command.output().unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), output.stderr);
    println!("{told}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&errors));
    assert!(told.ends_with("ok: every method of every service was called\n"), "{told}");
}
