//! TLS: whom the client trusts, what it shows, and what it says where that does not fit.

use std::fs;

use super::{Site, Told, command};
use crate::{harness::Folder, tls::authority::Authority};

/// A server that shows a certificate of its authority; `more` goes on in `[network]`.
fn site(more: &str) -> (Site, Authority) {
    let (folder, authority) = (Folder::new(), Authority::new("Test Authority"));
    let write = |name: &str, text: &str| drop(folder.write(name, text));
    let pair = authority.server(1);
    write("server.crt", &pair.certificate);
    write("server.key", &pair.key);
    write("ca.pem", &authority.pem());
    let network =
        "[network]\ntls_enabled = true\ntls_cert = \"server.crt\"\ntls_key = \"server.key\"\n";
    folder.config("cores = 1", &format!("{network}{more}"));
    let server = folder.serve();
    (Site { folder, server }, authority)
}

fn run(site: &Site, words: &[&str]) -> Told {
    let mut command = command(&site.folder, site.server.address, words);
    command.env("AMATERS_ADDRESS", format!("https://{}", site.server.address));
    command.output().unwrap().into()
}

#[test]
fn the_server_is_trusted_by_its_authority_and_its_name() {
    let (site, _) = site("");
    let told = run(&site, &["--tls-ca", "ca.pem", "set", "a", "1"]);
    assert_eq!(told.status, Some(0), "{told:?}");
    assert_eq!(run(&site, &["--tls-ca", "ca.pem", "get", "a"]).stdout, "1");
    // A setting of TLS is enough, and the name may be another one.
    let words = ["--tls-ca", "ca.pem", "--tls-server-name", "localhost", "get", "a"];
    assert_eq!(site.run(&words).stdout, "1");

    run(&site, &["get", "a"])
        .failed(4, "name the authority that issued its certificate with --tls-ca");
    fs::write(site.folder.path().join("other.pem"), Authority::new("Other").pem()).unwrap();
    run(&site, &["--tls-ca", "other.pem", "get", "a"]).failed(4, "cannot reach https://127.0.0.1:");
    let words = ["--tls-ca", "ca.pem", "--tls-server-name", "elsewhere.example", "get", "a"];
    run(&site, &words).failed(4, "name what its certificate is for with --tls-server-name");
    run(&site, &["--tls-ca", "nofile", "get", "a"]).failed(1, "cannot read nofile");
    // Without TLS to a server that speaks it: what it says to that may come too late to be read.
    site.run(&["get", "a"]).failed(4, "");
}

#[test]
fn a_client_shows_its_certificate_where_one_is_wanted() {
    let (site, authority) = site("tls_ca = \"ca.pem\"\nrequire_client_cert = true\n");
    let pair = authority.client("alice", 10);
    site.folder.write("alice.pem", &pair.certificate);
    site.folder.write("alice.key", &pair.key);
    let words =
        ["--tls-ca", "ca.pem", "--tls-cert", "alice.pem", "--tls-key", "alice.key", "health"];
    let told = run(&site, &words);
    assert_eq!((told.status, told.stdout.as_str()), (Some(0), "serving\n"), "{told:?}");
    run(&site, &["--tls-ca", "ca.pem", "health"])
        .failed(4, "if the server wants a client certificate: --tls-cert and --tls-key");
    run(&site, &["--tls-ca", "ca.pem", "--tls-cert", "alice.pem", "health"])
        .failed(2, "needs --tls-key");
}
