//! The configuration: written (layers of values) → checked ([`Config`]) → compared (reload).
//!
//! ```text
//! file, environment, flags ─► Written ─► Raw ─ rules ─► Config ─► the server
//!                                │
//!                                └────── changes(old, new) ─────► a reload
//! ```
//!
//! Only [`Source::load`] makes a [`Config`], so whoever holds one need not check again.

pub(crate) mod changes;
mod file;
#[cfg(test)]
mod fuzz;
pub(crate) mod keys;
mod place;
mod raw;
mod refusal;
mod rules;
mod source;
mod suggestion;
pub(crate) mod template;
mod written;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use amaters_shards::{
    audit::Rules,
    auth::{
        Algorithm, ApiKeySettings, AuthMethod, AuthzSettings, Family, GuardSettings, JwtSettings,
        MtlsSettings, Public,
    },
    jobs::Schedule,
    limits::Limits,
    settings::{
        CompactionSettings, CompactionStrategy, Durability, Engine, SyncMode, TreeSettings,
        WalSettings,
    },
    storage::{Keep, Roots},
    throttle::Rates,
};

use http::HeaderName;
use zeroize::Zeroizing;

pub use self::refusal::Refusal;
pub(crate) use self::{
    place::Place,
    raw::{Format, Level},
    refusal::Problem,
    source::Source,
    written::{Assignment, Gathered, Origin, Written},
};
use crate::{
    audit::AuditSettings,
    auth::{AuthSettings, JwtKey},
    cores::Cores,
    line_file::{FileKey, FileSettings, Rotation, Turnover},
    logging::LogSettings,
    metrics::MetricsSettings,
    tls::{ClientSettings, TlsSettings},
};

const MIB: u64 = 1024 * 1024;

/// What is meant: checked, in the units that the code counts in, paths absolute.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Where to listen.
    pub(crate) bind_address: SocketAddr,
    /// Absolute.
    pub(crate) data_dir: PathBuf,
    /// Somebody wrote `server.data_dir`.
    pub(crate) data_dir_written: bool,
    /// Absolute.
    pub(crate) pid_file: PathBuf,
    /// Somebody wrote `server.pid_file`.
    pub(crate) pid_file_written: bool,
    /// `server.cores`.
    pub(crate) cores: Option<Cores>,
    /// How long a stop waits for requests.
    pub(crate) shutdown_timeout: Duration,
    /// `storage.engine` and the log.
    pub(crate) engine: Engine,
    /// Memory for entries.
    pub(crate) memtable_bytes_max: u64,
    /// Tables and blob files.
    pub(crate) tree: TreeSettings,
    /// `network.tls_…`; none where TLS is off.
    pub(crate) tls: Option<TlsSettings>,
    /// `auth` and `authz`; none where nobody is asked.
    pub(crate) auth: Option<AuthSettings>,
    /// Bounds of the serving side.
    pub(crate) limits: Limits,
    /// How much clients may ask for.
    pub(crate) rates: Rates,
    /// `limits.connections_per_address`; 0: no bound.
    pub(crate) connections_per_address_max: usize,
    /// `network.connection_timeout_secs`.
    pub(crate) connection_timeout: Duration,
    /// `network.keepalive_interval_secs`.
    pub(crate) keepalive_interval: Duration,
    /// `logging`.
    pub(crate) log: LogSettings,
    /// `logging.slow_request_ms`.
    pub(crate) slow_request: Option<Duration>,
    /// Clients prove who they are, or `admin.allow_remote` is on.
    pub(crate) admin_from_anywhere: bool,
    /// `authz.audit_…`.
    pub(crate) audit: AuditSettings,
    /// `snapshot`, and the roots of `admin`.
    pub(crate) snapshot: SnapshotSettings,
    /// `metrics`.
    pub(crate) metrics: MetricsSettings,
    /// Lines to log at the start: risks that were chosen, and written keys without effect.
    pub(crate) notices: Vec<String>,
    /// The values behind all this, for `--show` and for a later comparison.
    pub(crate) written: Written,
}

/// `snapshot`, and the roots of `admin`.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotSettings {
    /// Where backups may lie.
    pub(crate) roots: Roots,
    /// Backups that the server takes by itself.
    pub(crate) schedule: Option<Schedule>,
    /// Bytes a second; 0: as fast as it goes.
    pub(crate) rate: u64,
}

impl Config {
    /// Where the server of this configuration is.
    pub(crate) fn place(&self) -> Place {
        Place {
            data_dir: self.data_dir.clone(),
            data_dir_written: self.data_dir_written,
            pid_file: self.pid_file.clone(),
            pid_file_written: self.pid_file_written,
            shutdown_timeout: self.shutdown_timeout,
        }
    }

    /// What values that are right each for itself mean together.
    pub(crate) fn of(written: Written) -> Result<Self, Refusal> {
        Self::check(Gathered { written, ..Gathered::default() })
    }

    /// Checks what was written, and refuses with everything that is wrong.
    fn check(gathered: Gathered) -> Result<Self, Refusal> {
        let Gathered { written, mut problems, wrong, unknown, .. } = gathered;
        let raw: raw::Raw = written
            .tables()
            .try_into()
            .map_err(|error: toml::de::Error| Problem::unreadable("internal", error.message()))?;
        problems.extend(rules::check(&raw, &written, &wrong));
        if !problems.is_empty() {
            return Err(Refusal(problems));
        }
        let mut notices = rules::notices(&raw, &written);
        notices.extend(unknown.iter().map(|key| format!("{}; left alone", key.told())));
        let data_dir = absolute_path(&raw.server.data_dir, "server.data_dir")?;
        Ok(Self {
            bind_address: raw.server.bind_address,
            data_dir_written: written.is_written("server.data_dir"),
            pid_file: absolute_path(&raw.server.pid_file, "server.pid_file")?,
            pid_file_written: written.is_written("server.pid_file"),
            cores: raw.server.cores.as_ref().map(cores),
            shutdown_timeout: Duration::from_secs(raw.server.shutdown_timeout_secs),
            engine: engine(&raw.storage, &data_dir),
            memtable_bytes_max: raw.storage.memtable_size_mb * MIB,
            tree: tree(&raw.storage, &data_dir),
            tls: tls(&raw)?,
            auth: auth(&raw)?,
            limits: limits(&raw),
            rates: rates(&raw.limits),
            connections_per_address_max: raw.limits.connections_per_address,
            connection_timeout: Duration::from_secs(raw.network.connection_timeout_secs),
            keepalive_interval: Duration::from_secs(raw.network.keepalive_interval_secs),
            log: log(&raw.logging)?,
            slow_request: slow_request(raw.logging.slow_request_ms),
            admin_from_anywhere: raw.auth.enabled || raw.admin.allow_remote,
            audit: audit(&raw)?,
            snapshot: snapshot(&raw, &data_dir)?,
            metrics: metrics(&raw.metrics, &written),
            notices,
            data_dir,
            written,
        })
    }
}

fn absolute_path(path: &Path, key: &str) -> Result<PathBuf, Problem> {
    absolute(path).map_err(|error: io::Error| Problem::unreadable(key, error))
}

fn cores(wish: &raw::CoresWish) -> Cores {
    match wish {
        raw::CoresWish::Count(count) => Cores::Count(*count),
        raw::CoresWish::List(text) => text.parse().expect("checked as a value of its key"),
    }
}

fn engine(storage: &raw::Storage, data_dir: &Path) -> Engine {
    match storage.engine {
        raw::Engine::Memory => Engine::Memory,
        raw::Engine::Lsm => Engine::Lsm(WalSettings {
            dir: data_dir.join(&storage.wal.dir),
            segment_bytes: storage.wal.segment_size_mb * MIB,
            durability: durability(&storage.wal),
        }),
    }
}

fn durability(wal: &raw::Wal) -> Durability {
    if !wal.enabled {
        return Durability::Flushed;
    }
    Durability::Logged(match wal.sync_mode {
        raw::SyncMode::Always => SyncMode::Always,
        raw::SyncMode::Interval => SyncMode::Interval(Duration::from_millis(wal.sync_interval_ms)),
        raw::SyncMode::None => SyncMode::None,
    })
}

fn tree(storage: &raw::Storage, data_dir: &Path) -> TreeSettings {
    TreeSettings {
        dir: data_dir.to_owned(),
        blob_bytes_min: storage.blob.threshold_bytes,
        cache_bytes_max: storage.block_cache_size_mb * MIB,
        merges_max: storage.compaction.max_concurrent,
        compaction: CompactionSettings {
            strategy: match storage.compaction.strategy {
                raw::Strategy::Leveled => CompactionStrategy::Leveled,
                raw::Strategy::Tiered => CompactionStrategy::Tiered,
                raw::Strategy::Universal => CompactionStrategy::Universal,
            },
            levels: storage.compaction.num_levels,
            multiplier: storage.compaction.level_multiplier,
        },
    }
}

fn log(raw: &raw::Logging) -> Result<LogSettings, Problem> {
    const KEY: FileKey =
        FileKey { path: "logging.file_path", otherwise: "set logging.file_enabled = false" };

    let path = raw.file_path.as_ref().filter(|_| raw.file_enabled);
    let file = file(KEY, path, &raw.rotation)?;
    Ok(LogSettings { level: raw.level, format: raw.format, file })
}

fn audit(raw: &raw::Raw) -> Result<AuditSettings, Problem> {
    const KEY: FileKey =
        FileKey { path: "authz.audit_log_path", otherwise: "set authz.audit_enabled = false" };

    let authz = &raw.authz;
    let file = file(
        KEY,
        authz.audit_log_path.as_ref().filter(|_| authz.audit_enabled),
        &authz.audit_rotation,
    )?;
    let has = |name| authz.audit_events.iter().any(|event| event == name);
    let rules = Rules {
        // Where nobody proves who he is, the log has no lines that only an audit needs.
        enabled: authz.audit_enabled && (file.is_some() || raw.auth.enabled),
        logins: has("authentication"),
        writes: has("write"),
        reads: has("read"),
        keys: authz.audit_keys,
        fail_closed: authz.audit_fail_closed,
    };
    Ok(AuditSettings { rules, file, sync: authz.audit_sync })
}

fn file(
    key: FileKey,
    path: Option<&PathBuf>,
    raw: &raw::Rotation,
) -> Result<Option<FileSettings>, Problem> {
    let rotation = raw.enabled.then(|| Rotation {
        turnover: match raw.strategy {
            raw::RotationStrategy::Size => Turnover::Size(raw.max_size_mb * MIB),
            raw::RotationStrategy::Hourly => Turnover::Hourly,
            raw::RotationStrategy::Daily => Turnover::Daily,
        },
        backups_max: raw.max_backups,
    });
    let path = path.map(|path| absolute_path(path, key.path)).transpose()?;
    Ok(path.map(|path| FileSettings { key, path, rotation }))
}

/// 0 means that no request is slow.
fn slow_request(millis: u64) -> Option<Duration> {
    (millis > 0).then(|| Duration::from_millis(millis))
}

fn snapshot(raw: &raw::Raw, data_dir: &Path) -> Result<SnapshotSettings, Problem> {
    let snapshot = &raw.snapshot;
    let mut roots = vec![(data_dir.join(&snapshot.dir), "snapshot.dir")];
    for root in &raw.admin.path_roots {
        roots.push((absolute_path(root, "admin.path_roots")?, "admin.path_roots"));
    }
    let schedule = snapshot.schedule.as_ref().map(|when| Schedule {
        when: when.parse().expect("checked as a value of its key"),
        full_every: snapshot.full_every,
        keep: Keep { count: snapshot.keep, age: Duration::from_secs(snapshot.keep_days * 86_400) },
    });
    let rate = snapshot.rate_mb_per_second * MIB;
    Ok(SnapshotSettings { roots: Roots::new(roots), schedule, rate })
}

fn metrics(raw: &raw::Metrics, written: &Written) -> MetricsSettings {
    MetricsSettings {
        enabled: raw.enabled,
        bind_address: raw.bind_address,
        bind_address_written: written.is_written("metrics.bind_address"),
        export_interval: Duration::from_secs(raw.export_interval_secs),
    }
}

fn tls(raw: &raw::Raw) -> Result<Option<TlsSettings>, Problem> {
    let network = &raw.network;
    let (Some(certificate), Some(key), true) =
        (&network.tls_cert, &network.tls_key, network.tls_enabled)
    else {
        return Ok(None);
    };
    let absolute = |path: &Option<PathBuf>, key| {
        path.as_deref().map(|path| absolute_path(path, key)).transpose()
    };
    let mtls = raw.auth.asks_for_certificates();
    let of_mtls = |path, key| if mtls { absolute(path, key) } else { Ok(None) };
    let client = ClientSettings {
        required: network.require_client_cert,
        authorities: absolute(&network.tls_ca, "network.tls_ca")?,
        folder: of_mtls(&raw.auth.mtls.ca_certs_dir, "auth.mtls.ca_certs_dir")?,
        revocations: of_mtls(&raw.auth.mtls.crl_path, "auth.mtls.crl_path")?,
    };
    Ok(Some(TlsSettings {
        certificate: absolute_path(certificate, "network.tls_cert")?,
        key: absolute_path(key, "network.tls_key")?,
        client: (client.authorities.is_some() || client.folder.is_some()).then_some(client),
        grace: Duration::from_secs(network.tls_revocation_grace_secs),
    }))
}

fn rates(raw: &raw::Limits) -> Rates {
    Rates {
        requests_per_address: raw.requests_per_second_per_address,
        requests_per_principal: raw.requests_per_second_per_principal,
        bytes_per_address: raw.bytes_per_second_per_address,
        bytes_per_principal: raw.bytes_per_second_per_principal,
        auth_failures_per_address: raw.auth_failures_per_minute_per_address,
    }
}

fn auth(raw: &raw::Raw) -> Result<Option<AuthSettings>, Problem> {
    let raw::Raw { auth, authz, .. } = raw;
    if !auth.enabled {
        return Ok(None);
    }
    let enabled = |method: &AuthMethod| match method {
        AuthMethod::Mtls => auth.mtls.enabled,
        AuthMethod::Jwt => auth.jwt.enabled,
        _ => auth.api_key.enabled,
    };
    let method = |name: &String| {
        let methods = [AuthMethod::Mtls, AuthMethod::Jwt, AuthMethod::ApiKey];
        methods.into_iter().find(|method| method.word() == name)
    };
    let methods: Vec<_> = auth.methods.iter().filter_map(method).filter(enabled).collect();
    let path = |path: &Option<PathBuf>, key| {
        path.as_deref().map(|path| absolute_path(path, key)).transpose()
    };
    let jwt_key = methods.contains(&AuthMethod::Jwt).then(|| jwt_key(&auth.jwt)).transpose()?;
    let api_keys = methods.contains(&AuthMethod::ApiKey).then_some(&auth.api_key.keys_file);
    let files = |file| if authz.enabled { file } else { &None };
    Ok(Some(AuthSettings {
        jwt_key: jwt_key.flatten(),
        api_keys: path(api_keys.unwrap_or(&None), "auth.api_key.keys_file")?,
        roles: path(files(&authz.roles_file), "authz.roles_file")?,
        policies: path(files(&authz.policies_file), "authz.policies_file")?,
        guard: guard(auth, authz, methods),
    }))
}

/// Rules have seen that there is one.
fn jwt_key(jwt: &raw::Jwt) -> Result<Option<JwtKey>, Problem> {
    let (key, path) = match algorithm(&jwt.algorithm).family() {
        Family::Hmac => {
            if let Some(secret) = jwt.secret.as_ref().filter(|secret| !secret.is_empty()) {
                return Ok(Some(JwtKey::Secret(Zeroizing::new(secret.clone()))));
            }
            ("auth.jwt.secret_file", &jwt.secret_file)
        }
        Family::Rsa => ("auth.jwt.public_key_path", &jwt.public_key_path),
        Family::Ecdsa => ("auth.jwt.ec_public_key_path", &jwt.ec_public_key_path),
        Family::EdDsa => ("auth.jwt.ed_public_key_path", &jwt.ed_public_key_path),
    };
    let path = path.as_deref().map(|path| absolute_path(path, key)).transpose()?;
    Ok(path.map(|path| JwtKey::File(key, path)))
}

fn algorithm(name: &str) -> Algorithm {
    let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
    known.expect("checked as a value of its key")
}

fn guard(auth: &raw::Auth, authz: &raw::Authz, methods: Vec<AuthMethod>) -> GuardSettings {
    let public = |word: &String| match word.as_str() {
        "health" => Public::Health,
        "info" => Public::Info,
        _ => Public::Reflection,
    };
    let header_name = HeaderName::from_bytes(auth.api_key.header_name.as_bytes());
    GuardSettings {
        methods,
        reject_unauthenticated: auth.reject_unauthenticated,
        public: auth.public.iter().map(public).collect(),
        mtls: MtlsSettings {
            verify_cn: auth.mtls.verify_cn,
            allowed_organizations: auth.mtls.allowed_organizations.clone(),
        },
        jwt: JwtSettings {
            algorithm: algorithm(&auth.jwt.algorithm),
            lifetime_secs_max: auth.jwt.expiration_secs,
            leeway_secs: auth.jwt.leeway_secs,
            issuer: auth.jwt.issuer.clone(),
            audience: auth.jwt.audience.clone(),
        },
        api_key: ApiKeySettings {
            // One that is none was refused, where it has a meaning.
            header_name: header_name.unwrap_or(HeaderName::from_static("x-api-key")),
            hash_keys: auth.api_key.hash_keys,
        },
        authz: authz.enabled.then(|| AuthzSettings {
            default_role: authz.default_role.clone(),
            anonymous_role: authz.anonymous_role.clone(),
            collection_permissions: authz.collection_permissions,
            allow_by_default: authz.default_mode == "allow-by-default",
        }),
    }
}

fn limits(raw: &raw::Raw) -> Limits {
    Limits {
        connections_max: raw.server.max_connections,
        streams_max: raw.limits.streams_max,
        header_list_bytes_max: raw.limits.header_list_bytes_max,
        message_bytes_max: raw.limits.message_bytes_max,
        connection_bytes_max: raw.limits.connection_bytes_max,
        in_flight_bytes_max: raw.limits.in_flight_bytes_max,
        control_frames_per_second_max: raw.limits.control_frames_per_second_max,
        handshakes_max: raw.limits.handshakes_max,
    }
}

#[cfg(test)]
mod tests;
