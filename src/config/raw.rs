//! The written values as types: what [`super::rules`] looks at and [`super::Config`] is made of.
//!
//! Kinds and ranges were checked before; keys with a default are always there. Keys that nothing
//! looks at in this version are known to `keys.rs` alone.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Raw {
    pub(crate) server: Server,
    pub(crate) storage: Storage,
    pub(crate) network: Network,
    pub(crate) limits: Limits,
    pub(crate) cluster: Cluster,
    pub(crate) logging: Logging,
    pub(crate) metrics: Metrics,
    pub(crate) auth: Auth,
    pub(crate) authz: Authz,
    pub(crate) snapshot: Snapshot,
    pub(crate) admin: Admin,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Server {
    pub(crate) bind_address: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) pid_file: PathBuf,
    pub(crate) max_connections: usize,
    pub(crate) shutdown_timeout_secs: u64,
    pub(crate) cores: Option<CoresWish>,
}

/// `server.cores`, a number or text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum CoresWish {
    Count(usize),
    List(String),
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Storage {
    pub(crate) engine: Engine,
    pub(crate) memtable_size_mb: u64,
    pub(crate) block_cache_size_mb: u64,
    pub(crate) blob: Blob,
    pub(crate) wal: Wal,
    pub(crate) compaction: Compaction,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    Lsm,
    Memory,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Blob {
    pub(crate) threshold_bytes: usize,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Compaction {
    pub(crate) strategy: Strategy,
    pub(crate) num_levels: usize,
    pub(crate) level_multiplier: usize,
    pub(crate) max_concurrent: usize,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Strategy {
    Leveled,
    Tiered,
    Universal,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Wal {
    pub(crate) enabled: bool,
    pub(crate) dir: PathBuf,
    pub(crate) segment_size_mb: u64,
    pub(crate) sync_mode: SyncMode,
    pub(crate) sync_interval_ms: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SyncMode {
    Always,
    Interval,
    None,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Network {
    pub(crate) tls_enabled: bool,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) tls_ca: Option<PathBuf>,
    pub(crate) require_client_cert: bool,
    pub(crate) tls_revocation_grace_secs: u64,
    pub(crate) connection_timeout_secs: u64,
    pub(crate) keepalive_interval_secs: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Limits {
    pub(crate) streams_max: u32,
    pub(crate) header_list_bytes_max: u32,
    pub(crate) message_bytes_max: usize,
    pub(crate) connection_bytes_max: usize,
    pub(crate) in_flight_bytes_max: usize,
    pub(crate) control_frames_per_second_max: u32,
    pub(crate) handshakes_max: usize,
    pub(crate) connections_per_address: usize,
    pub(crate) requests_per_second_per_address: u64,
    pub(crate) requests_per_second_per_principal: u64,
    pub(crate) bytes_per_second_per_address: u64,
    pub(crate) bytes_per_second_per_principal: u64,
    pub(crate) auth_failures_per_minute_per_address: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) enabled: bool,
    pub(crate) peers: Vec<String>,
    pub(crate) heartbeat_interval_ms: u64,
    pub(crate) election_timeout_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Logging {
    pub(crate) level: Level,
    pub(crate) format: Format,
    pub(crate) file_enabled: bool,
    pub(crate) file_path: Option<PathBuf>,
    pub(crate) rotation: Rotation,
    pub(crate) slow_request_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Rotation {
    pub(crate) enabled: bool,
    pub(crate) strategy: RotationStrategy,
    pub(crate) max_size_mb: u64,
    pub(crate) max_backups: u32,
}

/// `logging.rotation.strategy`, and that of the audit.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RotationStrategy {
    Size,
    Hourly,
    Daily,
}

/// `logging.level`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// `logging.format`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Pretty,
    Compact,
    Json,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Metrics {
    pub(crate) enabled: bool,
    pub(crate) bind_address: SocketAddr,
    pub(crate) export_interval_secs: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Auth {
    pub(crate) enabled: bool,
    pub(crate) methods: Vec<String>,
    pub(crate) reject_unauthenticated: bool,
    pub(crate) public: Vec<String>,
    pub(crate) mtls: Mtls,
    pub(crate) jwt: Jwt,
    pub(crate) api_key: ApiKey,
}

impl Auth {
    /// Whether client certificates are a way to say who one is.
    pub(crate) fn asks_for_certificates(&self) -> bool {
        self.enabled && self.mtls.enabled && self.methods.iter().any(|method| method == "mtls")
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Mtls {
    pub(crate) enabled: bool,
    pub(crate) ca_certs_dir: Option<PathBuf>,
    pub(crate) crl_path: Option<PathBuf>,
    pub(crate) verify_cn: bool,
    pub(crate) allowed_organizations: Vec<String>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Jwt {
    pub(crate) enabled: bool,
    pub(crate) secret: Option<String>,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) public_key_path: Option<PathBuf>,
    pub(crate) ec_public_key_path: Option<PathBuf>,
    pub(crate) ed_public_key_path: Option<PathBuf>,
    pub(crate) algorithm: String,
    pub(crate) expiration_secs: u32,
    pub(crate) leeway_secs: u32,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
}

impl std::fmt::Debug for Jwt {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwt").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ApiKey {
    pub(crate) enabled: bool,
    pub(crate) keys_file: Option<PathBuf>,
    pub(crate) header_name: String,
    pub(crate) hash_keys: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Authz {
    pub(crate) enabled: bool,
    pub(crate) default_role: String,
    pub(crate) anonymous_role: Option<String>,
    pub(crate) roles_file: Option<PathBuf>,
    pub(crate) policies_file: Option<PathBuf>,
    pub(crate) collection_permissions: bool,
    pub(crate) default_mode: String,
    pub(crate) audit_enabled: bool,
    pub(crate) audit_log_path: Option<PathBuf>,
    pub(crate) audit_events: Vec<String>,
    pub(crate) audit_keys: bool,
    pub(crate) audit_fail_closed: bool,
    pub(crate) audit_sync: bool,
    pub(crate) audit_rotation: Rotation,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Admin {
    pub(crate) allow_remote: bool,
    pub(crate) path_roots: Vec<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) dir: PathBuf,
    pub(crate) schedule: Option<String>,
    pub(crate) full_every: usize,
    pub(crate) keep: usize,
    pub(crate) keep_days: u64,
    pub(crate) rate_mb_per_second: u64,
}
