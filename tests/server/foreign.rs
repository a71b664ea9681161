//! A client in another language: Python's grpcio, with stubs made from our `.proto` files when it
//! starts. `foreign/client.py` holds the checks, `foreign/install` gets what it needs.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    tls,
    wire::client::{Site, kinds},
};

/// The script that makes the environment.
const INSTALL: &str = "tests/server/foreign/install";

/// The Python of that environment; none where it was not made, which only a continuous integration
/// must not overlook.
fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("foreign/bin/python");
    if python.exists() {
        return Some(python);
    }
    let text = format!("there is no {}: run {INSTALL}", python.display());
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
