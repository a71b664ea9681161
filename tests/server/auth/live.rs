//! Every live key of `auth` and `authz` about callers: SIGHUP, and the next request of a connection that is open is treated
//! otherwise; SIGHUP again, and it is as before.

use std::{collections::BTreeMap, fs, path::Path};

use amaters_proto::aql::ServerInfoRequest;
use ring::{
    hmac, rand,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair},
};
use rustix::process::Signal;
use serde_json::json;

use super::{
    certificates::Site,
    site::{Caller, SECRET, api_key, claims, key_of, signed, token},
};
use crate::{
    harness::Server,
    wire::{
        client::bounded,
        queries::{blob, get, set, unix_seconds},
    },
};

/// Long enough for every algorithm.
const OTHER_SECRET: &str =
    "another secret, which is long enough for each of the three HS algorithms";
const ROLES: &str = "[[roles]]\nname = \"clerk\"\npermissions = [{ resource = \"collection:orders\", actions = [\"read\"] }]\n";
const DENY: &str = "[[policies]]\nname = \"not alice\"\neffect = \"deny\"\nprincipals = [\"alice\"]\nactions = [\"read\"]\n";
/// What SIGHUP changes where neither key nor content is named here has its test elsewhere: `foreign/doors` for RSA keys, and
/// below for what shows in the log only.
const SHOWN_ELSEWHERE: [&str; 2] = ["auth.jwt.public_key_path", "auth.api_key.hash_keys"];

/// A change of the configuration or of a file, and how somebody's requests are treated before and after it.
struct Case {
    /// What the configuration says already.
    given: Vec<(&'static str, Option<String>)>,
    change: Change,
    who: &'static str,
    asks: Ask,
    before: i32,
    after: i32,
}

#[derive(Clone)]
enum Change {
    /// Of a key; none removes it.
    Key(&'static str, Option<String>),
    /// Of the content of a file.
    File(&'static str, String),
}

#[derive(Clone, Copy)]
enum Ask {
    Get(&'static str),
    Set(&'static str),
    Info,
}
use Ask::{Get, Info, Set};

fn text(text: &str) -> Option<String> {
    Some(format!("{text:?}"))
}

fn key(key: &'static str, value: &str, who: &'static str, asks: Ask, codes: (i32, i32)) -> Case {
    let change = Change::Key(key, Some(value.into()));
    Case { given: Vec::new(), change, who, asks, before: codes.0, after: codes.1 }
}

fn file(
    name: &'static str,
    content: &str,
    who: &'static str,
    asks: Ask,
    codes: (i32, i32),
) -> Case {
    let change = Change::File(name, content.into());
    Case { change, ..key("", "", who, asks, codes) }
}

impl Case {
    /// The same where the configuration says something else before.
    fn given<const N: usize>(self, given: [(&'static str, Option<String>); N]) -> Self {
        Self { given: given.into(), ..self }
    }
}

fn cases() -> Vec<Case> {
    let other_keys = json!([api_key("stranger", &["user"])]).to_string();
    let both = format!("{ROLES}[[roles]]\nname = \"more\"\n").replace("\"read\"", "\"write\"");
    let other = format!("{OTHER_SECRET:?}");
    let long = || [("auth.jwt.secret", text(OTHER_SECRET))];
    let secrets = || [("auth.jwt.secret", None), ("auth.jwt.secret_file", text("a.secret"))];
    let of_curve =
        [("auth.jwt.algorithm", text("ES256")), ("auth.jwt.ec_public_key_path", text("ec.a"))];
    let of_edwards =
        [("auth.jwt.algorithm", text("EdDSA")), ("auth.jwt.ed_public_key_path", text("ed.a"))];
    let nameless = [
        ("auth.reject_unauthenticated", Some("false".into())),
        ("authz.anonymous_role", text("reader")),
    ];
    let policies = [("authz.policies_file", text("policies.toml"))];
    vec![
        key("auth.reject_unauthenticated", "false", "nobody", Get("orders"), (3000, 0))
            .given([("authz.anonymous_role", text("reader"))]),
        key("auth.public", "[\"health\", \"info\"]", "nobody", Info, (16, 0)),
        key("auth.mtls.verify_cn", "false", "nameless", Get("orders"), (3003, 0)),
        key("auth.mtls.allowed_organizations", "[\"Other\"]", "alice", Get("orders"), (0, 3003)),
        key("auth.mtls.allowed_organizations", "[\"Example\"]", "alice", Get("orders"), (0, 0)),
        key("auth.jwt.enabled", "false", "token", Get("orders"), (0, 3000)),
        key("auth.jwt.secret", &other, "token", Get("orders"), (0, 3000)),
        key("auth.jwt.secret", &other, "other token", Get("orders"), (3000, 0)),
        key("auth.jwt.secret_file", "\"b.secret\"", "token", Get("orders"), (0, 3000))
            .given(secrets()),
        file("a.secret", OTHER_SECRET, "other token", Get("orders"), (3000, 0)).given(secrets()),
        key("auth.jwt.algorithm", "\"HS384\"", "other token", Get("orders"), (0, 3000))
            .given(long()),
        key("auth.jwt.algorithm", "\"HS384\"", "token of HS384", Get("orders"), (3000, 0))
            .given(long()),
        key("auth.jwt.ec_public_key_path", "\"ec.b\"", "token of ES256", Get("orders"), (0, 3000))
            .given(of_curve),
        key("auth.jwt.ed_public_key_path", "\"ed.b\"", "token of EdDSA", Get("orders"), (0, 3000))
            .given(of_edwards),
        key("auth.jwt.expiration_secs", "60", "token", Get("orders"), (0, 3000)),
        key("auth.jwt.leeway_secs", "0", "late token", Get("orders"), (0, 3001))
            .given([("auth.jwt.leeway_secs", Some("3600".into()))]),
        key("auth.jwt.issuer", "\"x\"", "token", Get("orders"), (0, 3000)),
        key("auth.jwt.audience", "\"x\"", "token", Get("orders"), (0, 3000)),
        key("auth.api_key.enabled", "false", "user", Get("orders"), (0, 3000)),
        key("auth.api_key.keys_file", "\"other.json\"", "user", Get("orders"), (0, 3000)),
        file("keys.json", &other_keys, "user", Get("orders"), (0, 3000)),
        key("auth.api_key.header_name", "\"X-Other\"", "user", Get("orders"), (0, 3000)),
        key("authz.enabled", "false", "clerk", Set("orders"), (3002, 0)),
        key("authz.default_role", "\"reader\"", "alice", Set("orders"), (0, 3002)),
        key("authz.anonymous_role", "\"user\"", "nobody", Set("orders"), (3002, 0)).given(nameless),
        key("authz.roles_file", "\"other.toml\"", "clerk", Set("orders"), (3002, 0)),
        file("roles.toml", &both, "clerk", Set("orders"), (3002, 0)),
        key("authz.policies_file", "\"policies.toml\"", "alice", Get("orders"), (0, 3002)),
        file("policies.toml", "", "alice", Get("orders"), (3002, 0)).given(policies),
        key("authz.collection_permissions", "false", "clerk", Get("users"), (3002, 0)),
        key("authz.default_mode", "\"allow-by-default\"", "clerk", Get("users"), (3002, 0)),
    ]
}

#[test]
fn there_is_a_case_for_every_live_key_that_is_documented() {
    let cases = cases();
    let here = cases.iter().filter_map(|case| match case.change {
        Change::Key(key, _) => Some(key),
        Change::File(..) => None,
    });
    let mut here: Vec<_> = here.chain(SHOWN_ELSEWHERE).collect();
    here.sort_unstable();
    here.dedup();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/config.md");
    let page = fs::read_to_string(page).unwrap();
    let rows = page.lines().filter(|line| line.contains("| live |"));
    let keys = rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next());
    let is_ours = |key: &&str| {
        (key.starts_with("auth.") || key.starts_with("authz.")) && !key.starts_with("authz.audit_")
    };
    let mut documented: Vec<_> = keys.filter(is_ours).collect();
    documented.sort_unstable();
    assert_eq!(here, documented);
}

/// A server whose configuration changes.
struct Changing {
    site: Site,
    server: Server,
    values: BTreeMap<&'static str, String>,
}

impl Changing {
    fn begin() -> (Self, Keys) {
        let site = Site::new();
        let keys = Keys::new(&site);
        let named: Vec<_> = ["user", "clerk"].iter().map(|role| api_key(role, &[role])).collect();
        site.folder.write("keys.json", &json!(named).to_string());
        site.folder.write("other.json", "[]");
        site.folder.write("a.secret", SECRET);
        site.folder.write("b.secret", OTHER_SECRET);
        site.folder.write("roles.toml", ROLES);
        site.folder.write("other.toml", &ROLES.replace("\"read\"", "\"write\""));
        site.folder.write("policies.toml", DENY);
        let values = [
            ("server.pid_file", "\"pid\""),
            ("metrics.bind_address", "\"127.0.0.1:0\""),
            ("limits.auth_failures_per_minute_per_address", "0"),
            ("network.tls_enabled", "true"),
            ("network.tls_cert", "\"server.crt\""),
            ("network.tls_key", "\"server.key\""),
            ("auth.enabled", "true"),
            ("auth.methods", "[\"mtls\", \"jwt\", \"api_key\"]"),
            ("auth.mtls.enabled", "true"),
            ("auth.mtls.ca_certs_dir", "\"clients\""),
            ("auth.jwt.enabled", "true"),
            ("auth.jwt.secret", &format!("{SECRET:?}")),
            ("auth.api_key.enabled", "true"),
            ("auth.api_key.keys_file", "\"keys.json\""),
            ("auth.api_key.hash_keys", "false"),
            ("authz.roles_file", "\"roles.toml\""),
            // Its lines are not to be taken for those of the log.
            ("authz.audit_log_path", "\"audit.log\""),
        ];
        let values = values.map(|(key, value)| (key, value.to_owned())).into();
        write(&site, &values);
        let server = site.folder.serve();
        (Self { site, server, values }, keys)
    }

    /// Puts changes into force by a signal; gives what they replace.
    fn change(&mut self, changes: &[Change]) -> Vec<Change> {
        let replaced = changes.iter().map(|change| self.replace(change)).collect();
        write(&self.site, &self.values);
        self.server.signal(Signal::HUP);
        let lines = self.server.wait_for_all("Auth files and settings reloaded");
        for change in changes {
            if let Change::Key(key, _) = change {
                let is_told = |line: &String| line.contains(key) && line.ends_with(": applied");
                assert!(lines.iter().any(is_told), "{key}: {lines:?}");
            }
        }
        replaced
    }

    fn replace(&mut self, change: &Change) -> Change {
        match change {
            Change::Key(key, value) => Change::Key(
                key,
                match value {
                    Some(value) => self.values.insert(key, value.clone()),
                    None => self.values.remove(key),
                },
            ),
            Change::File(name, content) => {
                let path = self.site.folder.path().join(name);
                let before = fs::read_to_string(&path).unwrap();
                // At once: the server may look between a truncation and a write.
                fs::write(path.with_extension("new"), content).unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
                Change::File(name, before)
            }
        }
    }
}

fn write(site: &Site, values: &BTreeMap<&'static str, String>) {
    let lines = values.iter().map(|(key, value)| format!("{key} = {value}\n"));
    site.folder.write("a.toml", &lines.collect::<String>());
}

/// Key pairs of tokens; the public keys of them and of strangers lie in files.
struct Keys {
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

impl Keys {
    fn new(site: &Site) -> Self {
        let pair = |algorithm, name: &str| {
            let [own, stranger] =
                [(); 2].map(|()| rcgen::KeyPair::generate_for(algorithm).unwrap());
            site.folder.write(&format!("{name}.a"), &own.public_key_pem());
            site.folder.write(&format!("{name}.b"), &stranger.public_key_pem());
            own.serialize_der()
        };
        let ec = pair(&rcgen::PKCS_ECDSA_P256_SHA256, "ec");
        let ed = pair(&rcgen::PKCS_ED25519, "ed");
        let fixed = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        Self {
            ec: EcdsaKeyPair::from_pkcs8(fixed, &ec, &rand::SystemRandom::new()).unwrap(),
            ed: Ed25519KeyPair::from_pkcs8(&ed).unwrap(),
        }
    }

    /// The headers of somebody.
    fn headers(&self, who: &str) -> Vec<(&'static str, String)> {
        let good = claims("carol", 600);
        let by = |algorithm, secret: &str, message: &[u8]| {
            hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), message).as_ref().to_vec()
        };
        let token = match who {
            "token" => token(&good),
            "late token" => token(&json!({ "sub": "carol", "exp": unix_seconds() - 5 })),
            "other token" => {
                signed("HS256", &good, |text| by(hmac::HMAC_SHA256, OTHER_SECRET, text))
            }
            "token of HS384" => {
                signed("HS384", &good, |text| by(hmac::HMAC_SHA384, OTHER_SECRET, text))
            }
            "token of ES256" => signed("ES256", &good, |text| {
                self.ec.sign(&rand::SystemRandom::new(), text).unwrap().as_ref().to_vec()
            }),
            "token of EdDSA" => signed("EdDSA", &good, |text| self.ed.sign(text).as_ref().to_vec()),
            "user" | "clerk" => return vec![("x-api-key", key_of(who))],
            _ => return Vec::new(),
        };
        vec![("authorization", format!("Bearer {token}"))]
    }

    /// Somebody on a connection of their own, with a certificate or headers.
    async fn caller(&self, changing: &Changing, who: &str) -> Caller {
        let authority = &changing.site.authority;
        let pair = match who {
            "alice" => Some(authority.client("alice", 10)),
            "nameless" => Some(authority.client_without_common_name("svc.example", 11)),
            _ => None,
        };
        let channel = changing.site.channel(&changing.server, pair.as_ref()).await;
        let headers = self.headers(who);
        let headers: Vec<_> = headers.iter().map(|(name, text)| (*name, text.as_str())).collect();
        Caller::over(channel, &headers)
    }
}

/// How a request is treated: 0, or the code of its error or status.
async fn code(caller: &Caller, asks: Ask) -> i32 {
    let told = match asks {
        Get(collection) => caller.ask(get(collection, "k")).await,
        Set(collection) => caller.ask(set(collection, "k", blob("v"))).await,
        Info => {
            let told =
                caller.stub().get_server_info(caller.with_headers(ServerInfoRequest {})).await;
            return told.map_or_else(|status| status.code() as i32, |_| 0);
        }
    };
    told.map_or_else(|error| error.code, |_| 0)
}

#[tokio::test]
async fn each_live_key_and_file_counts_from_the_next_request_of_an_open_connection_on() {
    let (mut changing, keys) = Changing::begin();
    bounded(async {
        let mut callers = BTreeMap::new();
        for Case { given, change, who, asks, before, after } in cases() {
            if !callers.contains_key(who) {
                callers.insert(who, keys.caller(&changing, who).await);
            }
            let caller = &callers[who];
            let name = match &change {
                Change::Key(name, _) | Change::File(name, _) => *name,
            };
            let given: Vec<_> =
                given.into_iter().map(|(key, value)| Change::Key(key, value)).collect();
            let base = if given.is_empty() { given } else { changing.change(&given) };
            assert_eq!(code(caller, asks).await, before, "{name} for {who}, before");
            let undo = changing.change(&[change]);
            assert_eq!(code(caller, asks).await, after, "{name} for {who}, after");
            changing.change(&undo);
            assert_eq!(code(caller, asks).await, before, "{name} for {who}, as before");
            if !base.is_empty() {
                changing.change(&base);
            }
        }
        let hashed = [Change::Key("auth.api_key.hash_keys", Some("true".into()))];
        changing.replace(&hashed[0]);
        write(&changing.site, &changing.values);
        changing.server.signal(Signal::HUP);
        changing.server.wait_for("auth.api_key.keys_file: 2 entries hold the key itself");
    })
    .await;
}
