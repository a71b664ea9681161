//! Every key there is: its kind, its default, whether a reload applies it, and what it means.
//!
//! One table feeds the parser, the messages, `--generate-config`, `validate-config --show` and
//! `docs/reference/config.md`, so that none of them can say something else than the others.
//! Defaults are TOML text; an empty one means that the key is unset until somebody writes it.

use std::{fmt, net::SocketAddr, ops::RangeInclusive};

use amaters_shards::{
    jobs::{NoTime, When},
    limits::Limits,
};
use toml::Value;

use crate::cores::Cores;

/// What a value must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number in this range.
    Integer(RangeInclusive<u64>),
    /// A whole number in the range that the reactors name for this key.
    Limit,
    /// Any text.
    Text,
    /// A path; never empty.
    Path,
    /// The path of a file that is read.
    File,
    /// The path of a folder whose files are read.
    Folder,
    /// An IP address and a port.
    Address,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// A list of any texts.
    Texts,
    /// A list of these words.
    Choices(&'static [&'static str]),
    /// A count of CPUs or a list of them.
    Cores,
    /// An interval or a time of day.
    When,
}

/// One key of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Table and name, as in `storage.wal.dir`.
    pub(crate) path: &'static str,
    /// What a value must look like.
    pub(crate) kind: Kind,
    /// The default as TOML text; empty where there is none.
    pub(crate) default: &'static str,
    /// A reload applies a new value to the running server.
    pub(crate) live: bool,
    /// The switch that must be on for this key to have a meaning.
    pub(crate) switch: Option<&'static str>,
    /// Never shown.
    pub(crate) secret: bool,
    /// One sentence for operators.
    pub(crate) meaning: &'static str,
}

impl Key {
    const fn new(
        path: &'static str,
        kind: Kind,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { path, kind, default, live: false, switch: None, secret: false, meaning }
    }

    const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    const fn under(mut self, switch: &'static str) -> Self {
        self.switch = Some(switch);
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The table that the key stands in, and its name there.
    pub(crate) fn table_and_name(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').expect("every key stands in a table")
    }

    /// The first of the switches above the key that is off.
    pub(crate) fn switched_off(&self, is_on: &impl Fn(&str) -> bool) -> Option<&'static str> {
        let switch = self.switch?;
        if !is_on(switch) {
            return Some(switch);
        }
        find(switch)?.switched_off(is_on)
    }

    /// The default as a value.
    pub(crate) fn default_value(&self) -> Option<Value> {
        (!self.default.is_empty()).then(|| {
            let text = format!("value = {}", self.default);
            let mut table: toml::Table = toml::from_str(&text).expect("defaults are TOML");
            table.remove("value").expect("just written")
        })
    }

    /// `value` in its canonical spelling, or what it must be.
    pub(crate) fn check(&self, value: Value) -> Result<Value, String> {
        let fits = match (&self.kind, &value) {
            (Kind::Flag, Value::Boolean(_))
            | (Kind::Text, Value::String(_))
            | (Kind::Texts, Value::Array(_)) => match &value {
                Value::Array(items) => items.iter().all(Value::is_str),
                _ => true,
            },
            (Kind::Path | Kind::File | Kind::Folder, Value::String(text)) => is_path(text),
            (Kind::Address, Value::String(text)) => text.parse::<SocketAddr>().is_ok(),
            (Kind::Integer(_) | Kind::Limit, Value::Integer(number)) => {
                u64::try_from(*number).is_ok_and(|number| self.range().contains(&number))
            }
            (Kind::Choice(words), Value::String(text)) => {
                return word(words, text).ok_or_else(|| self.bound());
            }
            (Kind::Choices(words), Value::Array(items)) => {
                let known = items.iter().map(|item| word(words, item.as_str().unwrap_or_default()));
                return known
                    .collect::<Option<Vec<_>>>()
                    .map(Value::Array)
                    .ok_or_else(|| self.bound());
            }
            (Kind::When, Value::String(text)) => {
                return text.parse::<When>().map(|_| value).map_err(|NoTime| self.bound());
            }
            (Kind::Cores, Value::String(text)) => return text.parse::<Cores>().map(|_| value),
            (Kind::Cores, Value::Integer(count)) => *count > 0,
            _ => false,
        };
        if fits { Ok(value) } else { Err(self.bound()) }
    }

    /// A value of this kind from the text of a flag or of an environment variable.
    pub(crate) fn value_of(&self, text: &str) -> Value {
        let string = || Value::String(text.to_owned());
        match &self.kind {
            Kind::Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Value::Boolean(true),
                "false" | "0" | "no" | "off" => Value::Boolean(false),
                _ => string(),
            },
            Kind::Integer(_) | Kind::Limit => {
                text.parse().map_or_else(|_| string(), Value::Integer)
            }
            _ => string(),
        }
    }

    /// What a value must be, as the end of a refusal.
    pub(crate) fn bound(&self) -> String {
        format!("must be {}", self.expected())
    }

    /// What a value is, for the reference.
    pub(crate) fn expected(&self) -> String {
        match &self.kind {
            Kind::Flag => "true or false".into(),
            Kind::Integer(_) | Kind::Limit => {
                let range = self.range();
                format!("a whole number from {} to {}", range.start(), range.end())
            }
            Kind::Text => "text".into(),
            Kind::Path => "a path that is not empty".into(),
            Kind::File => "the path of a file".into(),
            Kind::Folder => "the path of a folder".into(),
            Kind::Address => {
                "an IP address and a port, as 127.0.0.1:7878 or [::1]:7878 (no host name)".into()
            }
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Texts => "a list of texts".into(),
            Kind::Choices(words) => format!("a list of {}", words.join(", ")),
            Kind::When => {
                "an interval from \"1m\" to \"366d\", as \"6h\", or a time of day in UTC, as \"03:30\"".into()
            }
            Kind::Cores => "a count of CPUs, as 2, or a list of them, as \"0-3,5\"".into(),
        }
    }

    fn range(&self) -> RangeInclusive<u64> {
        match &self.kind {
            Kind::Integer(range) => range.clone(),
            Kind::Limit => Limits::RANGES
                .into_iter()
                .find_map(|(path, range)| (path == self.path).then_some(range))
                .expect("the reactors name a range for each of their limits"),
            _ => unreachable!("{} is not a number", self.path),
        }
    }
}

/// What the system takes as a path.
fn is_path(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0')
}

/// The word of `words` that `text` spells in any case.
fn word(words: &[&str], text: &str) -> Option<Value> {
    let known = words.iter().find(|word| word.eq_ignore_ascii_case(text))?;
    Some(Value::String((*known).to_owned()))
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)
    }
}

/// The key with this path.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether `path` is a table that holds keys or further tables.
pub(crate) fn is_table(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

const WAL: &str = "storage.wal.enabled";
const TLS: &str = "network.tls_enabled";
const CLUSTER: &str = "cluster.enabled";
const FILE: &str = "logging.file_enabled";
const METRICS: &str = "metrics.enabled";
const AUTH: &str = "auth.enabled";

const AUDIT: &str = "authz.audit_enabled";
const MTLS: &str = "auth.mtls.enabled";
const JWT: &str = "auth.jwt.enabled";
const API_KEY: &str = "auth.api_key.enabled";
const AUTHZ: &str = "authz.enabled";

const LEVELS: &[&str] = &["trace", "debug", "info", "warn", "error"];
const STRATEGIES: &[&str] = &["size", "hourly", "daily"];
const AUDIT_EVENTS: &[&str] = &["authentication", "write", "read"];
const METHODS: &[&str] = &["mtls", "jwt", "api_key"];
const ALGORITHMS: &[&str] =
    &["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA"];

const SECOND_OF_DAY: u64 = 86_400;
const RATE: RangeInclusive<u64> = 0..=1_000_000_000;
const BYTE_RATE: RangeInclusive<u64> = 0..=1_000_000_000_000;

/// Every key, table by table, in the order in which people read them.
#[rustfmt::skip]
pub(crate) const KEYS: &[Key] = &[
    Key::new("server.bind_address", Kind::Address, r#""0.0.0.0:7878""#,
        "Where clients connect; port 0 takes a free one."),
    Key::new("server.data_dir", Kind::Path, r#""./data""#,
        "The data directory, made with mode 0700 when it is missing; relative to the working directory."),
    Key::new("server.pid_file", Kind::Path, r#""/var/run/amaters-server.pid""#,
        "Holds the process id while the server runs; a default that cannot be written gives way to <data_dir>/amaters-server.pid."),
    Key::new("server.max_connections", Kind::Limit, "1000",
        "Open connections of the whole process; the next is closed at once.").live(),
    Key::new("server.shutdown_timeout_secs", Kind::Integer(0..=3600), "30",
        "How long a stop waits for requests in flight."),
    Key::new("server.cores", Kind::Cores, "",
        "One reactor for each CPU: how many (2) or which (\"0-3,5\"); unset takes all that the process may use."),

    Key::new("storage.engine", Kind::Choice(&["lsm", "memory"]), r#""lsm""#,
        "lsm keeps entries on disk; memory keeps nothing beyond the process."),
    Key::new("storage.memtable_size_mb", Kind::Integer(1..=1_048_576), "64",
        "Memory for entries that are not yet in tables, summed over all shards, in MiB."),
    Key::new("storage.block_cache_size_mb", Kind::Integer(0..=1_048_576), "256",
        "Memory for blocks and large values that were read or written lately, summed over all shards, in MiB."),
    Key::new("storage.blob.threshold_bytes", Kind::Integer(256..=1_073_741_824), "4096",
        "Values of this length or more are written once, to blob files beside the tables."),
    Key::new("storage.wal.enabled", Kind::Flag, "true",
        "The write-ahead log; without it, a crash loses every write that has not been flushed yet, a stop in good order none."),
    Key::new("storage.wal.dir", Kind::Path, r#""wal""#,
        "Folder of the logs; relative to the data directory."),
    Key::new("storage.wal.segment_size_mb", Kind::Integer(1..=4096), "64",
        "Size at which a log begins its next file, in MiB; entries are flushed at the latest when four times as much was written."),
    Key::new("storage.wal.sync_mode", Kind::Choice(&["always", "interval", "none"]), r#""interval""#,
        "What an answered write survives: a power cut (always), one but for the last interval, or a crash of the process only (none).").under(WAL),
    Key::new("storage.wal.sync_interval_ms", Kind::Integer(1..=60_000), "200",
        "The interval of sync_mode = \"interval\": at most this much is lost in a power cut.").under(WAL),
    Key::new("storage.compaction.strategy", Kind::Choice(&["leveled", "tiered", "universal"]), r#""leveled""#,
        "How tables are merged: leveled costs writes, tiered space, universal is in between.").live(),
    Key::new("storage.compaction.num_levels", Kind::Integer(2..=16), "7",
        "Levels of the tree.").live(),
    Key::new("storage.compaction.level_multiplier", Kind::Integer(2..=100), "10",
        "How many times larger each level is than the one above, or how many runs are merged together.").live(),
    Key::new("storage.compaction.max_concurrent", Kind::Integer(1..=256), "4",
        "Merges that run at once, over all reactors; each reactor has one thread for them.").live(),

    Key::new("network.tls_enabled", Kind::Flag, "false",
        "Serve over TLS 1.2 and 1.3, and nothing else."),
    Key::new("network.tls_cert", Kind::File, "", "The server's certificate and those that lead to its authority, PEM. Contents of all TLS files are watched and taken while the server runs.").under(TLS),
    Key::new("network.tls_key", Kind::File, "", "Private key of the certificate, PEM, without a passphrase.").under(TLS),
    Key::new("network.tls_ca", Kind::File, "", "Authorities of client certificates, PEM; if set, clients are asked for one.").under(TLS),
    Key::new("network.require_client_cert", Kind::Flag, "false",
        "Refuse clients without a certificate; needs tls_enabled and tls_ca."),
    Key::new("network.tls_revocation_grace_secs", Kind::Integer(0..=SECOND_OF_DAY), "30",
        "How long connections with client certificates may go on when authorities or revocations change, before they are told to go; those that stay are closed after as long again.").under(TLS),
    Key::new("network.connection_timeout_secs", Kind::Integer(1..=3600), "30",
        "A handshake, a half-sent request or an answer that nobody reads may take this long."),
    Key::new("network.keepalive_interval_secs", Kind::Integer(1..=SECOND_OF_DAY), "60",
        "A silent connection is asked for a sign of life this often."),

    Key::new("limits.streams_max", Kind::Limit, "256",
        "Requests at once on one connection."),
    Key::new("limits.header_list_bytes_max", Kind::Limit, "16384",
        "Bytes of the headers of one request."),
    Key::new("limits.message_bytes_max", Kind::Limit, "67108864",
        "Bytes of one request message after decompression; at most connection_bytes_max."),
    Key::new("limits.connection_bytes_max", Kind::Limit, "134217728",
        "Bytes of requests and answers in flight on one connection; at most in_flight_bytes_max."),
    Key::new("limits.in_flight_bytes_max", Kind::Limit, "1073741824",
        "Bytes of requests and answers in flight in the process, split evenly over the reactors."),
    Key::new("limits.control_frames_per_second_max", Kind::Limit, "2000",
        "HTTP/2 control frames a second that a connection may send beyond those its requests explain."),
    Key::new("limits.handshakes_max", Kind::Limit, "256",
        "TLS handshakes under way at once on each reactor; more wait in line."),
    Key::new("limits.connections_per_address", Kind::Integer(0..=1_000_000), "0",
        "Open connections of one address, of IPv6 one /64; the next is closed at once. 0: no bound.").live(),
    Key::new("limits.requests_per_second_per_address", Kind::Integer(RATE), "0",
        "Queries a second that clients of one address, of IPv6 one /64, may ask. 0: no bound.").live(),
    Key::new("limits.requests_per_second_per_principal", Kind::Integer(RATE), "0",
        "Queries a second that one principal may ask. 0: no bound.").live(),
    Key::new("limits.bytes_per_second_per_address", Kind::Integer(BYTE_RATE), "0",
        "Bytes of requests and answers a second of one address, of IPv6 one /64. 0: no bound.").live(),
    Key::new("limits.bytes_per_second_per_principal", Kind::Integer(BYTE_RATE), "0",
        "Bytes of requests and answers a second of one principal. 0: no bound.").live(),
    Key::new("limits.auth_failures_per_minute_per_address", Kind::Integer(0..=1_000_000), "60",
        "Wrong credentials a minute from one address, of IPv6 one /64; more of them are not looked at. 0: no bound.").live(),

    Key::new("cluster.enabled", Kind::Flag, "false",
        "Run as a node of a cluster; not in this version, which refuses true."),
    Key::new("cluster.node_id", Kind::Text, "", "Name of this node.").under(CLUSTER),
    Key::new("cluster.peers", Kind::Texts, "[]", "The other nodes, each \"id:address\".").under(CLUSTER),
    Key::new("cluster.heartbeat_interval_ms", Kind::Integer(1..=60_000), "100",
        "How often a leader speaks.").under(CLUSTER),
    Key::new("cluster.election_timeout_ms", Kind::Integer(1..=600_000), "300",
        "Silence after which a leader is replaced.").under(CLUSTER),

    Key::new("logging.level", Kind::Choice(LEVELS), r#""info""#,
        "The least severe lines that are logged.").live(),
    Key::new("logging.format", Kind::Choice(&["pretty", "compact", "json"]), r#""pretty""#,
        "The shape of a line.").live(),
    Key::new("logging.slow_request_ms", Kind::Integer(0..=3_600_000), "1000",
        "Unary requests that take this long or longer are named in a warning; 0 names none.").live(),
    Key::new("logging.file_enabled", Kind::Flag, "false",
        "Log to a file too; its lines are those of standard error.").live(),
    Key::new("logging.file_path", Kind::Path, "",
        "The log file, made with mode 0640 when it is missing; opened again by a reload.").under(FILE).live(),
    Key::new("logging.rotation.enabled", Kind::Flag, "true",
        "Begin a new log file by size or time, and keep some old ones as .1, .2 and so on.").under(FILE).live(),
    Key::new("logging.rotation.strategy", Kind::Choice(STRATEGIES), r#""size""#,
        "What begins a new log file: its size, or the hour or the day, in UTC.").under(FILE).live(),
    Key::new("logging.rotation.max_size_mb", Kind::Integer(1..=1_048_576), "100",
        "The size for strategy = \"size\", in MiB.").under(FILE).live(),
    Key::new("logging.rotation.max_backups", Kind::Integer(0..=10_000), "10",
        "Old log files that are kept.").under(FILE).live(),

    Key::new("metrics.enabled", Kind::Flag, "true",
        "Serve metrics and health over HTTP, and sum them up in the log now and then.").live(),
    Key::new("metrics.bind_address", Kind::Address, r#""127.0.0.1:9090""#,
        "Where metrics are served; port 0 takes a free one. If nobody wrote it and it is taken, the server goes without, and says so.").under(METRICS),
    Key::new("metrics.export_interval_secs", Kind::Integer(1..=SECOND_OF_DAY), "60",
        "How often the log sums up what happened since.").under(METRICS).live(),

    Key::new("auth.enabled", Kind::Flag, "false",
        "Ask clients who they are, and check what they may do."),
    Key::new("auth.methods", Kind::Choices(METHODS), r#"["mtls"]"#,
        "Ways to say it; the first whose credentials a request has decides. Each has a switch of its own.").under(AUTH),
    Key::new("auth.reject_unauthenticated", Kind::Flag, "true",
        "Refuse requests without credentials; otherwise they are anonymous.").under(AUTH).live(),
    Key::new("auth.public", Kind::Choices(&["health", "info", "reflection"]), r#"["health"]"#,
        "What is there for everybody: both health services, GetServerInfo, server reflection.").under(AUTH).live(),
    Key::new("auth.mtls.enabled", Kind::Flag, "false",
        "Recognise clients by their certificates.").under(AUTH),
    Key::new("auth.mtls.ca_certs_dir", Kind::Folder, "", "Folder of their authorities: every *.pem and *.crt in it.").under(MTLS),
    Key::new("auth.mtls.crl_path", Kind::File, "", "Lists of revoked certificates, PEM, or one as DER; every certificate of a client's chain then needs the list of its issuer.").under(MTLS),
    Key::new("auth.mtls.verify_cn", Kind::Flag, "true",
        "A certificate must have a common name, which is the principal; false takes an alternative name where there is none.").under(MTLS).live(),
    Key::new("auth.mtls.allowed_organizations", Kind::Texts, "[]",
        "Organizations of subjects that may come in; empty means all.").under(MTLS).live(),
    Key::new("auth.jwt.enabled", Kind::Flag, "false",
        "Recognise clients by signed tokens (JSON Web Tokens).").under(AUTH).live(),
    Key::new("auth.jwt.secret", Kind::Text, "",
        "Secret of the HS algorithms; better in the environment or in secret_file than here.").under(JWT).secret().live(),
    Key::new("auth.jwt.secret_file", Kind::File, "",
        "File that holds the secret instead: its bytes without the newline at the end, or a JWK set.").under(JWT).live(),
    Key::new("auth.jwt.public_key_path", Kind::File, "",
        "Public keys of the RS algorithms, PEM or a JWK set.").under(JWT).live(),
    Key::new("auth.jwt.ec_public_key_path", Kind::File, "",
        "Public keys of the ES algorithms, PEM or a JWK set.").under(JWT).live(),
    Key::new("auth.jwt.ed_public_key_path", Kind::File, "",
        "Public keys of EdDSA (Ed25519), PEM or a JWK set.").under(JWT).live(),
    Key::new("auth.jwt.algorithm", Kind::Choice(ALGORITHMS), r#""HS256""#,
        "How tokens are signed; no other is taken.").under(JWT).live(),
    Key::new("auth.jwt.expiration_secs", Kind::Integer(1..=31_536_000), "3600",
        "Longest life of a token, from iat to exp.").under(JWT).live(),
    Key::new("auth.jwt.leeway_secs", Kind::Integer(0..=3600), "60",
        "By how much clocks may differ: exp, nbf and iat are taken so much more kindly.").under(JWT).live(),
    Key::new("auth.jwt.issuer", Kind::Text, "",
        "The iss that a token must have.").under(JWT).live(),
    Key::new("auth.jwt.audience", Kind::Text, "",
        "The aud that a token must have or list; while it is unset, tokens with an aud are refused.").under(JWT).live(),
    Key::new("auth.api_key.enabled", Kind::Flag, "false",
        "Recognise clients by API keys.").under(AUTH).live(),
    Key::new("auth.api_key.keys_file", Kind::File, "", "The keys, JSON.").under(API_KEY).live(),
    Key::new("auth.api_key.header_name", Kind::Text, r#""X-API-Key""#,
        "Header that carries one, in any case.").under(API_KEY).live(),
    Key::new("auth.api_key.hash_keys", Kind::Flag, "true",
        "The file should hold hashes only: keys in plain text are warned about.").under(API_KEY).live(),

    Key::new("authz.enabled", Kind::Flag, "true",
        "Check what a client may do; with false, whoever has credentials may do everything, and anonymous requests read and write.").under(AUTH).live(),
    Key::new("authz.default_role", Kind::Text, r#""user""#,
        "Role of clients whose credentials name none.").under(AUTHZ).live(),
    Key::new("authz.anonymous_role", Kind::Text, "",
        "Role of requests without credentials, where they are not refused; unset: none.").under(AUTHZ).live(),
    Key::new("authz.roles_file", Kind::File, "",
        "Roles beside admin, user and reader, TOML or JSON.").under(AUTHZ).live(),
    Key::new("authz.policies_file", Kind::File, "", "Policies, TOML or JSON.").under(AUTHZ).live(),
    Key::new("authz.collection_permissions", Kind::Flag, "true",
        "Tell collections apart; with false, a permission for one collection is one for all.").under(AUTHZ).live(),
    Key::new("authz.default_mode", Kind::Choice(&["deny-by-default", "allow-by-default"]),
        r#""deny-by-default""#,
        "What holds where no role and no policy says anything; allow-by-default is for reading and writing, never for admin commands.").under(AUTHZ).live(),
    Key::new("authz.audit_enabled", Kind::Flag, "true",
        "Record who was let in and who was not, what was denied, admin commands and changes of the configuration: in authz.audit_log_path or, without it and with auth.enabled, in the log.").live(),
    Key::new("authz.audit_log_path", Kind::Path, "",
        "The audit file, JSON Lines, made with mode 0640 when it is missing; opened again by a reload.").under(AUDIT).live(),
    Key::new("authz.audit_events", Kind::Choices(AUDIT_EVENTS), r#"["authentication"]"#,
        "What is recorded beside what always is: authentication (credentials that were accepted, once for each connection), write and read (each request that was allowed).").under(AUDIT).live(),
    Key::new("authz.audit_keys", Kind::Flag, "false",
        "Record the keys of requests, beside their collections.").under(AUDIT).live(),
    Key::new("authz.audit_fail_closed", Kind::Flag, "false",
        "What must be recorded is not done while the audit cannot be written; needs audit_log_path.").under(AUDIT).live(),
    Key::new("authz.audit_sync", Kind::Flag, "false",
        "Wait for the disk after each group of lines.").under(AUDIT).live(),
    Key::new("authz.audit_rotation.enabled", Kind::Flag, "true",
        "Begin a new audit file by size or time, and keep some old ones as .1, .2 and so on.").under(AUDIT).live(),
    Key::new("authz.audit_rotation.strategy", Kind::Choice(STRATEGIES), r#""size""#,
        "What begins a new audit file: its size, or the hour or the day, in UTC.").under(AUDIT).live(),
    Key::new("authz.audit_rotation.max_size_mb", Kind::Integer(1..=1_048_576), "100",
        "The size for strategy = \"size\", in MiB.").under(AUDIT).live(),
    Key::new("authz.audit_rotation.max_backups", Kind::Integer(0..=10_000), "100",
        "Old audit files that are kept.").under(AUDIT).live(),

    Key::new("snapshot.dir", Kind::Path, r#""snapshots""#,
        "Where backups lie, made when it is missing; relative to the data directory. A backup's path may be relative to it."),
    Key::new("snapshot.schedule", Kind::When, "",
        "Take a backup by itself so long after the last one (\"6h\") or each day at that time in UTC (\"03:30\"); unset takes none.").live(),
    Key::new("snapshot.full_every", Kind::Integer(1..=1000), "7",
        "One in so many scheduled backups is a full one, the others are incremental; 1 makes all of them full.").live(),
    Key::new("snapshot.keep", Kind::Integer(0..=100_000), "0",
        "After a scheduled backup, keep so many scheduled ones, and all that those rest on; 0 with keep_days = 0 keeps all.").live(),
    Key::new("snapshot.keep_days", Kind::Integer(0..=36_500), "0",
        "Keep also the scheduled backups of so many days; 0 keeps none for their age.").live(),
    Key::new("snapshot.rate_mb_per_second", Kind::Integer(0..=1_048_576), "0",
        "How fast backups and checks may go, in MiB a second; 0 is as fast as it goes. For those that begin later.").live(),

    Key::new("admin.path_roots", Kind::Texts, r#"["/var/lib/amaters/snapshots"]"#,
        "Folders beside snapshot.dir under which backups may be written and read."),
    Key::new("admin.allow_remote", Kind::Flag, "false",
        "Take admin commands that write files or change the server from other machines too while auth.enabled is false.").live(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_fits_its_own_key() {
        for key in KEYS {
            if let Some(value) = key.default_value() {
                assert_eq!(key.check(value.clone()), Ok(value), "{key}");
            }
        }
    }

    #[test]
    fn paths_are_unique_and_switches_exist() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..index].iter().all(|other| other.path != key.path), "{key} twice");
            if let Some(switch) = key.switch {
                assert_eq!(find(switch).map(|key| &key.kind), Some(&Kind::Flag), "{key}");
            }
        }
    }

    #[test]
    fn every_limit_of_the_reactors_is_a_key_with_their_default() {
        let defaults = Limits::default();
        let known = [
            ("server.max_connections", defaults.connections_max as u64),
            ("limits.streams_max", u64::from(defaults.streams_max)),
            ("limits.header_list_bytes_max", u64::from(defaults.header_list_bytes_max)),
            ("limits.message_bytes_max", defaults.message_bytes_max as u64),
            ("limits.connection_bytes_max", defaults.connection_bytes_max as u64),
            ("limits.in_flight_bytes_max", defaults.in_flight_bytes_max as u64),
            (
                "limits.control_frames_per_second_max",
                u64::from(defaults.control_frames_per_second_max),
            ),
            ("limits.handshakes_max", defaults.handshakes_max as u64),
        ];
        assert_eq!(known.len(), Limits::RANGES.len());
        for ((path, value), (ranged, range)) in known.into_iter().zip(Limits::RANGES) {
            assert_eq!(path, ranged);
            assert!(range.contains(&value), "{path}");
            assert_eq!(find(path).map(|key| key.default), Some(value.to_string().as_str()));
        }
    }

    #[test]
    fn words_are_known_in_any_case_and_kept_in_one() {
        let level = find("logging.level").unwrap();
        assert_eq!(level.check("WARN".into()), Ok("warn".into()));
        assert_eq!(
            level.check("loud".into()),
            Err("must be one of trace, debug, info, warn, error".into())
        );
        let methods = find("auth.methods").unwrap();
        assert!(methods.check(Value::Array(vec!["jwt".into(), 1.into()])).is_err());
    }

    #[test]
    fn a_number_outside_its_range_or_of_another_type_is_refused_with_the_bound() {
        let key = find("storage.wal.sync_interval_ms").unwrap();
        for value in [Value::Integer(0), Value::Integer(60_001), (-1).into(), "200".into()] {
            assert_eq!(key.check(value), Err("must be a whole number from 1 to 60000".into()));
        }
        assert!(key.check(1.into()).is_ok() && key.check(60_000.into()).is_ok());
    }
}
