//! What keys mean together: contradictions, and features that this version does not have.
//!
//! Nothing that is configured is ignored in silence: it works, it is refused here, or
//! [`notices`] says at the start that it has no effect.

use http::HeaderName;

use super::{
    keys::KEYS,
    raw::{Auth, Engine, Raw},
    refusal::Problem,
    written::Written,
};

/// What contradicts itself, and what this version cannot do. Keys whose own values are `wrong` prove
/// nothing.
pub(crate) fn check(raw: &Raw, written: &Written, wrong: &[&str]) -> Vec<Problem> {
    let mut faults = contradictions(raw);
    if raw.auth.enabled {
        faults.extend(contradictions_of_auth(&raw.auth));
        faults.extend(fault(
            raw.auth.asks_for_certificates() && !raw.network.tls_enabled,
            "auth.mtls.enabled",
            &["auth.methods", "network.tls_enabled"],
            "needs network.tls_enabled = true",
        ));
    }
    faults.extend(missing(raw));
    let is_sure =
        |fault: &Fault| !wrong.iter().any(|key| *key == fault.at || fault.beside.contains(key));
    let sure = faults.into_iter().filter(is_sure);
    sure.map(|fault| Problem::of_key(written, fault.at, fault.why)).collect()
}

/// Something wrong between keys.
struct Fault {
    /// The key at fault.
    at: &'static str,
    /// Keys that made it so.
    beside: &'static [&'static str],
    why: &'static str,
}

/// The fault of a key if it is `broken`.
fn fault(
    broken: bool,
    at: &'static str,
    beside: &'static [&'static str],
    why: &'static str,
) -> Option<Fault> {
    broken.then_some(Fault { at, beside, why })
}

fn contradictions(raw: &Raw) -> Vec<Fault> {
    const TLS: &str = "network.tls_enabled";
    const CLIENT: &str = "network.require_client_cert";
    const MESSAGE: &str = "limits.message_bytes_max";
    const CONNECTION: &str = "limits.connection_bytes_max";
    const IN_FLIGHT: &str = "limits.in_flight_bytes_max";

    let (network, limits) = (&raw.network, &raw.limits);
    let (cluster, logging, authz) = (&raw.cluster, &raw.logging, &raw.authz);
    let tls = network.tls_enabled;
    [
        fault(
            tls && network.tls_cert.is_none(),
            TLS,
            &["network.tls_cert"],
            "TLS needs a certificate: set network.tls_cert",
        ),
        fault(
            tls && network.tls_key.is_none(),
            TLS,
            &["network.tls_key"],
            "TLS needs a private key: set network.tls_key",
        ),
        fault(
            network.require_client_cert && network.tls_ca.is_none(),
            CLIENT,
            &["network.tls_ca"],
            "needs the authorities in network.tls_ca",
        ),
        fault(
            network.require_client_cert && !tls,
            CLIENT,
            &[TLS],
            "needs network.tls_enabled = true",
        ),
        fault(
            cluster.enabled && cluster.peers.is_empty(),
            "cluster.enabled",
            &["cluster.peers"],
            "a cluster needs its other nodes in cluster.peers",
        ),
        fault(
            cluster.enabled && cluster.election_timeout_ms <= cluster.heartbeat_interval_ms,
            "cluster.election_timeout_ms",
            &["cluster.enabled", "cluster.heartbeat_interval_ms"],
            "must exceed cluster.heartbeat_interval_ms",
        ),
        fault(
            logging.file_enabled && logging.file_path.is_none(),
            "logging.file_enabled",
            &["logging.file_path"],
            "a log file needs its path in logging.file_path",
        ),
        fault(
            authz.audit_fail_closed && authz.audit_enabled && authz.audit_log_path.is_none(),
            "authz.audit_fail_closed",
            &["authz.audit_enabled", "authz.audit_log_path"],
            "needs a file of its own in authz.audit_log_path: lines of the log may be dropped",
        ),
        fault(
            limits.message_bytes_max > limits.connection_bytes_max,
            MESSAGE,
            &[CONNECTION],
            "must not exceed limits.connection_bytes_max",
        ),
        fault(
            limits.connection_bytes_max > limits.in_flight_bytes_max,
            CONNECTION,
            &[IN_FLIGHT],
            "must not exceed limits.in_flight_bytes_max",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn contradictions_of_auth(auth: &Auth) -> Vec<Fault> {
    const METHODS: &[&str] =
        &["auth.methods", "auth.mtls.enabled", "auth.jwt.enabled", "auth.api_key.enabled"];
    const ALGORITHM: &str = "auth.jwt.algorithm";

    let listed = |name: &str| auth.methods.iter().any(|method| method == name);
    let mtls = listed("mtls") && auth.mtls.enabled;
    let jwt = listed("jwt") && auth.jwt.enabled;
    let api_key = listed("api_key") && auth.api_key.enabled;
    let signed = |family: &str| jwt && auth.jwt.algorithm.starts_with(family);
    let no_secret = auth.jwt.secret.as_ref().is_none_or(String::is_empty);
    let header = HeaderName::from_bytes(auth.api_key.header_name.as_bytes());
    [
        fault(
            !(mtls || jwt || api_key),
            "auth.enabled",
            METHODS,
            "needs a method that auth.methods lists and that is itself enabled",
        ),
        fault(
            mtls && auth.mtls.ca_certs_dir.is_none(),
            "auth.mtls.enabled",
            &["auth.methods", "auth.mtls.ca_certs_dir"],
            "needs the authorities in auth.mtls.ca_certs_dir",
        ),
        fault(
            signed("HS") && no_secret && auth.jwt.secret_file.is_none(),
            ALGORITHM,
            &["auth.methods", "auth.jwt.secret", "auth.jwt.secret_file"],
            "needs auth.jwt.secret, AMATERS_JWT_SECRET in the environment, or auth.jwt.secret_file",
        ),
        fault(
            signed("HS") && !no_secret && auth.jwt.secret_file.is_some(),
            "auth.jwt.secret_file",
            &["auth.methods", ALGORITHM],
            "auth.jwt.secret is set too; one of them must go",
        ),
        fault(
            signed("RS") && auth.jwt.public_key_path.is_none(),
            ALGORITHM,
            &["auth.methods", "auth.jwt.public_key_path"],
            "needs auth.jwt.public_key_path",
        ),
        fault(
            signed("ES") && auth.jwt.ec_public_key_path.is_none(),
            ALGORITHM,
            &["auth.methods", "auth.jwt.ec_public_key_path"],
            "needs auth.jwt.ec_public_key_path",
        ),
        fault(
            signed("Ed") && auth.jwt.ed_public_key_path.is_none(),
            ALGORITHM,
            &["auth.methods", "auth.jwt.ed_public_key_path"],
            "needs auth.jwt.ed_public_key_path",
        ),
        fault(
            api_key && auth.api_key.keys_file.is_none(),
            "auth.api_key.enabled",
            &["auth.methods", "auth.api_key.keys_file"],
            "needs the keys in auth.api_key.keys_file",
        ),
        fault(
            api_key && !header.is_ok_and(|name| is_free(&name)),
            "auth.api_key.header_name",
            &["auth.methods", "auth.api_key.enabled"],
            "must be the name of a header that gRPC and tokens do not use",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether a header has no other meaning.
fn is_free(name: &HeaderName) -> bool {
    let taken = ["authorization", "content-type", "te", "user-agent", "host"];
    let name = name.as_str();
    !taken.contains(&name) && !name.starts_with("grpc-") && !name.ends_with("-bin")
}

/// What this version cannot do yet. It would be worse to start without it.
fn missing(raw: &Raw) -> Vec<Fault> {
    let absent = |enabled, at, why| fault(enabled, at, &[], why);
    [absent(
        raw.cluster.enabled,
        "cluster.enabled",
        "this version runs as a single node; set it to false",
    )]
    .into_iter()
    .flatten()
    .collect()
}

/// What an operator should be told at the start: a risk that was chosen, then the written keys that have no effect, one
/// line for each reason.
pub(crate) fn notices(raw: &Raw, written: &Written) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    let is_on = |switch: &str| written.is_on(switch);
    for key in KEYS.iter().filter(|key| written.is_written(key.path)) {
        let of_memory =
            raw.storage.engine == Engine::Memory && key.path.starts_with("storage.wal.");
        let of_memory = of_memory.then(|| "storage.engine = \"memory\" keeps no log".to_owned());
        let switched_off = key.switched_off(&is_on);
        let switched_off = switched_off.map(|switch| format!("{switch} is false"));
        if let Some(why) = of_memory.or(switched_off) {
            match reasons.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, keys)) => keys.push(key.path),
                None => reasons.push((why, vec![key.path])),
            }
        }
    }
    let line = |(why, keys): (String, Vec<&str>)| {
        format!("configured without effect, because {why}: {}", keys.join(", "))
    };
    risks(raw).chain(idle(raw)).chain(reasons.into_iter().map(line)).collect()
}

/// Switches and keys that other keys leave without effect.
fn idle(raw: &Raw) -> impl Iterator<Item = String> {
    let Raw { auth, authz, .. } = raw;
    let methods =
        [("mtls", auth.mtls.enabled), ("jwt", auth.jwt.enabled), ("api_key", auth.api_key.enabled)];
    let is_listed = |name: &str| auth.methods.iter().any(|method| method == name);
    let unlisted =
        methods.into_iter().filter(move |(name, on)| auth.enabled && *on && !is_listed(name));
    let unlisted = unlisted.map(|(name, _)| {
        format!("configured without effect, because auth.methods does not list {name}: auth.{name}.enabled")
    });
    let nobody = auth.enabled && auth.reject_unauthenticated && authz.anonymous_role.is_some();
    let nobody = nobody.then(|| {
        "configured without effect, because auth.reject_unauthenticated is true: authz.anonymous_role".to_owned()
    });
    unlisted.chain(nobody)
}

fn risks(raw: &Raw) -> impl Iterator<Item = String> {
    let unlogged = raw.storage.engine == Engine::Lsm && !raw.storage.wal.enabled;
    let risk = "storage.wal.enabled is false: a crash or a power cut loses every write since the last flush, \
                though it was answered; only a stop in good order loses none";
    unlogged.then(|| risk.to_owned()).into_iter()
}
