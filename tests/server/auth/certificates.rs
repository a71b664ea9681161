//! Client certificates as credentials: whose requests they are, and what becomes of those that are revoked.

use std::{fs, process::Command};

use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use serde_json::Value;
use tonic::transport::Channel;

use super::site::Caller;
use crate::{
    audit::lines,
    guide::http::{metrics, sample, served_by},
    harness::{Folder, Server, eventually, refusal},
    tls::{
        authority::{Authority, Pair},
        clients::{Hand, config_of, has_openssl, tonic_config},
    },
    wire::{
        client::bounded,
        queries::{blob, get, set},
    },
};

const POLICIES: &str = r#"
[[policies]]
name = "alice rules, with her certificate"
effect = "allow"
principals = ["alice"]
methods = ["mtls"]
resources = ["server"]
actions = ["admin"]

[[policies]]
name = "bob reads no orders"
effect = "deny"
principals = ["bob"]
resources = ["collection:orders"]
actions = ["read"]
"#;

/// A server that recognises clients by their certificates, and the authority of all.
pub(super) struct Site {
    pub(super) folder: Folder,
    pub(super) authority: Authority,
}

impl Site {
    pub(super) fn new() -> Self {
        let site = Self { folder: Folder::new(), authority: Authority::new("Test Authority") };
        let path = site.folder.path();
        site.authority.server(1).write(path);
        fs::create_dir(path.join("clients")).unwrap();
        fs::write(path.join("clients/ca.crt"), site.authority.pem()).unwrap();
        site
    }

    /// Lists these serial numbers as revoked, by a file that is swapped in.
    fn revoke(&self, number: u64, serials: &[u64]) {
        let next = self.folder.write("revoked.new", &self.authority.revocations(number, serials));
        fs::rename(next, self.folder.path().join("revoked.crl")).unwrap();
    }

    fn config(&self, mtls: &str, authz: &str) {
        let text = format!(
            "[network]\ntls_enabled = true\ntls_cert = \"server.crt\"\ntls_key = \"server.key\"\ntls_revocation_grace_secs = 0\n\
             [auth]\nenabled = true\nmethods = [\"mtls\"]\n\
             [auth.mtls]\nenabled = true\nca_certs_dir = \"clients\"\n{mtls}\n\
             [authz]\naudit_log_path = \"audit.log\"\n{authz}\n"
        );
        self.folder.config("", &text);
    }

    fn audit(&self) -> Vec<Value> {
        lines(&self.folder.path().join("audit.log"))
    }

    pub(super) async fn channel(&self, server: &Server, identity: Option<&Pair>) -> Channel {
        let endpoint = Channel::from_shared(format!("https://{}", server.address)).unwrap();
        let endpoint = endpoint.tls_config(tonic_config(&self.authority, identity)).unwrap();
        endpoint.connect().await.unwrap()
    }

    async fn caller(&self, server: &Server, identity: &Pair) -> Caller {
        Caller::over(self.channel(server, Some(identity)).await, &[])
    }
}

#[tokio::test]
async fn the_name_in_a_certificate_is_whose_requests_they_are() {
    let site = Site::new();
    site.folder.write("policies.toml", POLICIES);
    site.config(
        "",
        "policies_file = \"policies.toml\"\naudit_events = [\"authentication\", \"write\"]",
    );
    let server = site.folder.serve();
    bounded(async {
        let alice = site.caller(&server, &site.authority.client("alice", 10)).await;
        let bob = site.caller(&server, &site.authority.client("bob", 11)).await;
        // Both have the default role; what policies say of one is not said of the other.
        for caller in [&alice, &bob] {
            caller.ask(set("orders", "k", blob("v"))).await.unwrap();
        }
        alice.ask(get("orders", "k")).await.unwrap();
        alice.ask(get("any", "__admin__:STATS")).await.unwrap();
        let told = bob.ask(get("orders", "k")).await.unwrap_err();
        assert_eq!(told.code, 3002);
        assert!(told.message.contains("\"bob\" may not read"), "{told:?}");
        assert_eq!(bob.ask(get("any", "__admin__:STATS")).await.unwrap_err().code, 3002);
    })
    .await;
    let told = |line: &Value| {
        let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(line["auth_method"], "mtls", "{line}");
        assert_eq!(line["principal"]["role"], "user", "{line}");
        (word("action"), word("result"))
    };
    for (name, expected) in [
        ("alice", vec![("authenticate", "success"), ("write", "success"), ("STATS", "success")]),
        (
            "bob",
            vec![
                ("authenticate", "success"),
                ("write", "success"),
                ("read", "denied"),
                ("STATS", "denied"),
            ],
        ),
    ] {
        let of_name = || -> Vec<(String, String)> {
            let lines = site.audit().into_iter();
            lines.filter(|line| line["principal"]["id"] == name).map(|line| told(&line)).collect()
        };
        let expected: Vec<_> =
            expected.into_iter().map(|(action, result)| (action.into(), result.into())).collect();
        eventually("all is recorded", || of_name() == expected);
    }
}

/// Whoever was let in is let in no more, by a full handshake or with a ticket of before.
#[test]
fn a_certificate_that_is_revoked_is_refused_at_the_next_handshake() {
    for version in [&TLS13, &TLS12] {
        revoke_with(version);
    }
}

fn revoke_with(version: &'static SupportedProtocolVersion) {
    let site = Site::new();
    site.revoke(1, &[]);
    site.config("crl_path = \"revoked.crl\"", "");
    let mut server = site.folder.serve();
    let client = |name, serial| {
        config_of(&[version], &site.authority, Some(&site.authority.client(name, serial)))
    };
    let (alice, bob) = (client("alice", 10), client("bob", 11));
    let shake = |who| Hand::shake(server.address, who);
    let mut open = shake(&alice).unwrap();
    assert!(shake(&alice).unwrap().is_resumed());
    let _open = shake(&bob).unwrap();
    assert!(shake(&bob).unwrap().is_resumed());

    site.revoke(2, &[10]);
    let line = server.wait_for("TLS credentials reloaded");
    assert!(line.contains("connections with client certificates end in 0 s"), "{line}");
    open.wait_for_goaway().unwrap();
    let address = server.address;
    let shake = |who| Hand::shake(address, who);
    // With the ticket, and without.
    assert!(shake(&alice).is_err() && shake(&alice).is_err());
    let fresh = client("alice", 10);
    assert!(shake(&fresh).is_err());
    let revoked = "amaters_tls_handshake_failures_total{reason=\"revoked\"}";
    let counted = || sample(&metrics(served_by(&server)), revoked);
    eventually("they are counted", || counted() == 3.0);
    // Who is still welcome shows the certificate again.
    assert!(!shake(&bob).unwrap().is_resumed());
    assert!(shake(&bob).unwrap().is_resumed());

    // What is no list changes nothing, and a list that names nobody lets everybody in.
    fs::write(site.folder.path().join("revoked.crl"), "-----BEGIN X509 CRL-----\nMII").unwrap();
    server.wait_for("TLS credentials not reloaded, the old ones stay: ");
    assert!(shake(&alice).is_err());
    assert!(shake(&bob).is_ok());
    site.revoke(3, &[]);
    server.wait_for("TLS credentials reloaded");
    assert!(shake(&alice).is_ok());
    let reloads = || -> Vec<Value> {
        site.audit().into_iter().filter(|line| line["action"] == "tls.reload").collect()
    };
    eventually("all is recorded", || reloads().len() == 3);
    let [first, second, third] = reloads().try_into().unwrap();
    for line in [first, third] {
        assert_eq!(
            (&line["result"], &line["metadata"]["trust"]),
            (&"success".into(), &"changed".into())
        );
    }
    assert_eq!(second["result"], "failure", "{second}");
    assert!(second["error"].as_str().unwrap().contains("revoked.crl: "), "{second}");
}

/// OpenSSL writes one unless it is told of a file for numbers.
#[test]
fn a_list_of_version_1_is_refused_with_what_to_do() {
    if !has_openssl() {
        return;
    }
    let site = Site::new();
    let path = site.folder.path();
    let authority = "[ca]\ndefault_ca = own\n[own]\ndatabase = index\ndefault_md = sha256\ndefault_crl_days = 30\n";
    site.folder.write("ca.cnf", authority);
    site.folder.write("index", "");
    for words in [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout k -out c -subj /CN=a",
        "ca -config ca.cnf -gencrl -keyfile k -cert c -out revoked.crl",
    ] {
        let mut command = Command::new("openssl");
        let output = command.args(words.split(' ')).current_dir(path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    site.config("crl_path = \"revoked.crl\"", "");
    let told = refusal(site.folder.command("validate-config --config a.toml"));
    assert!(told.contains("auth.mtls.crl_path = \"revoked.crl\" (a.toml line "), "{told}");
    assert!(told.contains("of version 1") && told.contains("crlnumber"), "{told}");
}
