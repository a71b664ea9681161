//! What keys mean together: contradictions, and features that this version does not have.
//!
//! Nothing that is configured is ignored in silence: it works, it is refused here, or
//! [`notices`] says at the start that it has no effect.

use toml::Value;

use super::{
    keys::KEYS,
    raw::{Auth, Engine, Raw},
    refusal::{Problem, Refusal},
    written::Written,
};

/// Refuses what contradicts itself, then what this version cannot do.
pub(crate) fn check(raw: &Raw, written: &Written) -> Result<(), Refusal> {
    let contradictions = told(written, contradictions(raw));
    let problems =
        if contradictions.is_empty() { told(written, missing(raw)) } else { contradictions };
    if problems.is_empty() { Ok(()) } else { Err(Refusal(problems)) }
}

/// A key at fault, and why.
type Fault = (&'static str, &'static str);

fn told(written: &Written, faults: Vec<Fault>) -> Vec<Problem> {
    faults.into_iter().map(|(path, why)| Problem::of_key(written, path, why)).collect()
}

fn contradictions(raw: &Raw) -> Vec<Fault> {
    let (network, limits, cluster, logging) =
        (&raw.network, &raw.limits, &raw.cluster, &raw.logging);
    let tls = network.tls_enabled;
    let rules: [(bool, Fault); 9] = [
        (
            tls && network.tls_cert.is_none(),
            ("network.tls_enabled", "TLS needs a certificate: set network.tls_cert"),
        ),
        (
            tls && network.tls_key.is_none(),
            ("network.tls_enabled", "TLS needs a private key: set network.tls_key"),
        ),
        (
            network.require_client_cert && network.tls_ca.is_none(),
            ("network.require_client_cert", "needs the authorities in network.tls_ca"),
        ),
        (
            network.require_client_cert && !tls,
            ("network.require_client_cert", "needs network.tls_enabled = true"),
        ),
        (
            cluster.enabled && cluster.peers.is_empty(),
            ("cluster.enabled", "a cluster needs its other nodes in cluster.peers"),
        ),
        (
            cluster.enabled && cluster.election_timeout_ms <= cluster.heartbeat_interval_ms,
            ("cluster.election_timeout_ms", "must exceed cluster.heartbeat_interval_ms"),
        ),
        (
            logging.file_enabled && logging.file_path.is_none(),
            ("logging.file_enabled", "a log file needs its path in logging.file_path"),
        ),
        (
            limits.message_bytes_max > limits.connection_bytes_max,
            ("limits.message_bytes_max", "must not exceed limits.connection_bytes_max"),
        ),
        (
            limits.connection_bytes_max > limits.in_flight_bytes_max,
            ("limits.connection_bytes_max", "must not exceed limits.in_flight_bytes_max"),
        ),
    ];
    let mut faults: Vec<Fault> =
        rules.into_iter().filter_map(|(broken, fault)| broken.then_some(fault)).collect();
    if raw.auth.enabled {
        faults.extend(contradictions_of_auth(&raw.auth));
    }
    faults
}

fn contradictions_of_auth(auth: &Auth) -> Vec<Fault> {
    let listed = |name: &str| auth.methods.iter().any(|method| method == name);
    let mtls = listed("mtls") && auth.mtls.enabled;
    let jwt = listed("jwt") && auth.jwt.enabled;
    let api_key = listed("api_key") && auth.api_key.enabled;
    let signed = |family: &str| jwt && auth.jwt.algorithm.starts_with(family);
    let no_secret = auth.jwt.secret.as_ref().is_none_or(String::is_empty);
    let rules: [(bool, Fault); 7] = [
        (
            !(mtls || jwt || api_key),
            ("auth.enabled", "needs a method that auth.methods lists and that is itself enabled"),
        ),
        (
            mtls && auth.mtls.ca_certs_dir.is_none(),
            ("auth.mtls.enabled", "needs the authorities in auth.mtls.ca_certs_dir"),
        ),
        (signed("HS") && no_secret, ("auth.jwt.algorithm", "needs auth.jwt.secret")),
        (
            signed("RS") && auth.jwt.public_key_path.is_none(),
            ("auth.jwt.algorithm", "needs auth.jwt.public_key_path"),
        ),
        (
            signed("ES") && auth.jwt.ec_public_key_path.is_none(),
            ("auth.jwt.algorithm", "needs auth.jwt.ec_public_key_path"),
        ),
        (
            signed("Ed") && auth.jwt.ed_public_key_path.is_none(),
            ("auth.jwt.algorithm", "needs auth.jwt.ed_public_key_path"),
        ),
        (
            api_key && auth.api_key.keys_file.is_none(),
            ("auth.api_key.enabled", "needs the keys in auth.api_key.keys_file"),
        ),
    ];
    rules.into_iter().filter_map(|(broken, fault)| broken.then_some(fault)).collect()
}

/// What this version cannot do yet. It would be worse to start without it.
fn missing(raw: &Raw) -> Vec<Fault> {
    let rules: [(bool, Fault); 3] = [
        (
            raw.network.tls_enabled,
            ("network.tls_enabled", "this version does not serve TLS; set it to false"),
        ),
        (
            raw.auth.enabled,
            ("auth.enabled", "this version cannot authenticate clients; set it to false"),
        ),
        (
            raw.cluster.enabled,
            ("cluster.enabled", "this version runs as a single node; set it to false"),
        ),
    ];
    rules.into_iter().filter_map(|(broken, fault)| broken.then_some(fault)).collect()
}

/// What an operator should be told at the start: a risk that was chosen, then the written keys that have no effect, one
/// line for each reason.
pub(crate) fn notices(raw: &Raw, written: &Written) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    let is_off = |switch| written.entry(switch).is_some_and(|e| e.value == Value::Boolean(false));
    for key in KEYS.iter().filter(|key| written.is_written(key.path)) {
        let of_memory =
            raw.storage.engine == Engine::Memory && key.path.starts_with("storage.wal.");
        let of_memory = of_memory.then(|| "storage.engine = \"memory\" keeps no log".to_owned());
        let switched_off = key.switch.filter(|switch| is_off(switch));
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
    risks(raw).chain(reasons.into_iter().map(line)).collect()
}

fn risks(raw: &Raw) -> impl Iterator<Item = String> {
    let unlogged = raw.storage.engine == Engine::Lsm && !raw.storage.wal.enabled;
    let risk = "storage.wal.enabled is false: a crash or a power cut loses every write since the last flush, \
                though it was answered; only a stop in good order loses none";
    unlogged.then(|| risk.to_owned()).into_iter()
}
