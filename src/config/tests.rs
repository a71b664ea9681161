//! Every refusal at load, and what becomes of what is accepted.

use std::path::Path;

use super::{file::File, *};

fn load(text: &str) -> Result<Config, Refusal> {
    let file = File::new("a.toml".into(), text.into());
    let mut gathered = Gathered::new(Some(&file), &[]);
    gathered.problems.append(&mut gathered.unknown);
    Config::check(gathered)
}

fn refused(text: &str) -> String {
    load(text).expect_err(text).to_string()
}

#[test]
fn with_nothing_written_the_defaults_hold() {
    let config = load("").unwrap();
    assert_eq!(config.bind_address, "0.0.0.0:7878".parse().unwrap());
    assert_eq!(config.data_dir, std::env::current_dir().unwrap().join("data"));
    assert_eq!(config.pid_file, Path::new("/var/run/amaters-server.pid"));
    assert!(!config.pid_file_written && !config.data_dir_written);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.shutdown_timeout, Duration::from_secs(30));
    assert_eq!(config.memtable_bytes_max, 64 * MIB);
    assert_eq!(config.notices, [""; 0]);
    let Engine::Lsm(wal) = config.engine else { panic!("the engine is lsm") };
    assert_eq!(wal.dir, config.data_dir.join("wal"));
    let interval = SyncMode::Interval(Duration::from_millis(200));
    assert_eq!(wal.durability, Durability::Logged(interval));
    assert_eq!(wal.segment_bytes, 64 * MIB);
    assert_eq!(config.tree.dir, config.data_dir);
    assert_eq!((config.tree.blob_bytes_min, config.tree.cache_bytes_max), (4096, 256 * MIB));
    assert_eq!(config.tree.compaction, CompactionSettings::default());
}

#[test]
fn an_absolute_log_folder_stays_where_it_is() {
    let config = load("[storage.wal]\ndir = \"/fast/wal\"\nsync_mode = \"always\"").unwrap();
    let Engine::Lsm(wal) = config.engine else { panic!("the engine is lsm") };
    assert_eq!(wal.dir, Path::new("/fast/wal"));
    assert_eq!(wal.durability, Durability::Logged(SyncMode::Always));
}

#[test]
fn cores_are_a_number_or_a_list() {
    assert_eq!(load("[server]\ncores = 2").unwrap().cores, Some(Cores::Count(2)));
    assert_eq!(load("[server]\ncores = \"0,2\"").unwrap().cores, Some(Cores::List(vec![0, 2])));
}

/// A configuration, and what its refusal must name.
const REFUSED: &[(&str, &str)] = &[
    // Contradictions.
    ("[network]\ntls_enabled = true", "set network.tls_cert"),
    ("[network]\ntls_enabled = true\ntls_cert = \"c\"", "set network.tls_key"),
    (
        "[network]\ntls_enabled = true\ntls_cert = \"c\"\ntls_key = \"k\"\nrequire_client_cert = true",
        "network.tls_ca",
    ),
    ("[network]\nrequire_client_cert = true\ntls_ca = \"c\"", "needs network.tls_enabled = true"),
    ("[cluster]\nenabled = true", "cluster.peers"),
    (
        "[cluster]\nenabled = true\npeers = [\"a:b\"]\nelection_timeout_ms = 100",
        "cluster.election_timeout_ms = 100",
    ),
    ("[logging]\nfile_enabled = true", "logging.file_path"),
    ("[authz]\naudit_fail_closed = true", "needs a file of its own in authz.audit_log_path"),
    ("[auth]\nenabled = true", "lists and that is itself enabled"),
    (
        "[auth]\nenabled = true\nmethods = [\"jwt\"]\n[auth.mtls]\nenabled = true",
        "lists and that is itself enabled",
    ),
    ("[auth]\nenabled = true\n[auth.mtls]\nenabled = true", "auth.mtls.ca_certs_dir"),
    (
        "[auth]\nenabled = true\nmethods = [\"jwt\"]\n[auth.jwt]\nenabled = true",
        "auth.jwt.algorithm = \"HS256\" (default): needs auth.jwt.secret",
    ),
    (
        "[auth]\nenabled = true\nmethods = [\"jwt\"]\n[auth.jwt]\nenabled = true\nalgorithm = \"RS256\"",
        "auth.jwt.public_key_path",
    ),
    (
        "[auth]\nenabled = true\nmethods = [\"jwt\"]\n[auth.jwt]\nenabled = true\nalgorithm = \"ES256\"",
        "auth.jwt.ec_public_key_path",
    ),
    (
        "[auth]\nenabled = true\nmethods = [\"jwt\"]\n[auth.jwt]\nenabled = true\nalgorithm = \"eddsa\"",
        "auth.jwt.ed_public_key_path",
    ),
    (
        "[auth]\nenabled = true\nmethods = [\"api_key\"]\n[auth.api_key]\nenabled = true",
        "auth.api_key.keys_file",
    ),
    ("[limits]\nmessage_bytes_max = 1073741824", "must not exceed limits.connection_bytes_max"),
    ("[limits]\nconnection_bytes_max = 17179869184", "must not exceed limits.in_flight_bytes_max"),
    // Values of one key.
    ("[server]\nbind_address = \"nowhere\"", "server.bind_address = \"nowhere\" (a.toml line 2)"),
    ("[server]\ndata_dir = \"\"", "server.data_dir = \"\""),
    ("[storage]\nengine = \"btree\"", "must be one of lsm, memory"),
    ("[storage.wal]\nsync_mode = \"often\"", "must be one of always, interval, none"),
    ("[storage.compaction]\nstrategy = \"lazy\"", "must be one of leveled, tiered, universal"),
    ("[logging]\nlevel = \"loud\"", "must be one of trace, debug, info, warn, error"),
    ("[authz]\ndefault_mode = \"maybe\"", "must be one of deny-by-default, allow-by-default"),
    ("[metrics]\nbind_address = \"9090\"", "metrics.bind_address = \"9090\""),
    // What this version cannot do.
    (
        "[auth]\nenabled = true\n[auth.mtls]\nenabled = true\nca_certs_dir = \"d\"",
        "needs network.tls_enabled = true",
    ),
    ("[cluster]\nenabled = true\npeers = [\"a:b\"]", "single node"),
];

#[test]
fn each_wrong_configuration_is_refused_by_name() {
    for (text, named) in REFUSED {
        let refusal = refused(text);
        assert!(refusal.contains(named), "{text}\n{refusal}");
        assert!(refusal.lines().all(|line| line.starts_with("Configuration validation failed: ")));
    }
}

#[test]
fn switches_that_are_off_are_no_reason_to_refuse() {
    for text in [
        "[network]\ntls_enabled = false",
        "[metrics]\nenabled = false",
        "[auth]\nenabled = false\nmethods = [\"jwt\"]",
        "[cluster]\nenabled = false\npeers = []",
        "[logging]\nfile_enabled = false",
        "[authz]\nenabled = true\ndefault_role = \"reader\"",
        "[storage]\nengine = \"memory\"\n[storage.wal]\nenabled = false",
        "[storage.wal]\nenabled = false\nsync_mode = \"always\"",
    ] {
        assert!(load(text).is_ok(), "{text}");
    }
}

#[test]
fn written_keys_without_effect_are_told() {
    let config =
        load("[storage.compaction]\nstrategy = \"tiered\"\n[authz]\ndefault_role = \"reader\"\n");
    assert_eq!(
        config.unwrap().notices,
        ["configured without effect, because auth.enabled is false: authz.default_role"]
    );
}

#[test]
fn a_log_that_is_off_is_a_risk_that_is_told() {
    let text = "[storage.wal]\nenabled = false\ndir = \"/fast/wal\"\nsegment_size_mb = 8\n\
                sync_mode = \"always\"\nsync_interval_ms = 5";
    let config = load(text).unwrap();
    let [risk, without_effect] = &config.notices[..] else { panic!("{:?}", config.notices) };
    assert!(
        risk.contains("a crash or a power cut loses every write since the last flush"),
        "{risk}"
    );
    let because = "because storage.wal.enabled is false: ";
    let keys = without_effect.split_once(because).expect("the reason is named").1;
    assert_eq!(keys, "storage.wal.sync_mode, storage.wal.sync_interval_ms");
    let Engine::Lsm(wal) = config.engine else { panic!("the engine is lsm") };
    assert_eq!(wal.durability, Durability::Flushed);
    // Where a log of an earlier run is, and how much may be written before a flush.
    assert_eq!((wal.dir.as_path(), wal.segment_bytes), (Path::new("/fast/wal"), 8 * MIB));

    let config = load("[storage.wal]\nenabled = true\nsync_mode = \"none\"").unwrap();
    assert_eq!(config.notices, [""; 0]);
}

#[test]
fn the_memory_engine_has_no_log_that_could_be_off() {
    let wal = "[storage.wal]\nenabled = false\nsync_mode = \"always\"";
    let config = load(&format!("[storage]\nengine = \"memory\"\n{wal}")).unwrap();
    let expected = "configured without effect, because storage.engine = \"memory\" keeps no log: \
                    storage.wal.enabled, storage.wal.sync_mode";
    assert_eq!(config.notices, [expected]);
}

#[test]
fn a_secret_is_in_no_text_of_a_configuration_that_is_checked() {
    let secret = "hunter2 is thirty-two bytes or more";
    let auth = "[auth]\nenabled = true\nmethods = [\"jwt\"]\n[auth.jwt]\nenabled = true\n";
    let config = load(&format!("{auth}secret = \"{secret}\"")).unwrap();
    let raw: super::raw::Raw = config.written.tables().try_into().unwrap();
    assert_eq!(raw.auth.jwt.secret.as_deref(), Some(secret));
    let debug = format!("{config:?} {raw:?}");
    assert!(!debug.contains("hunter2") && debug.contains("auth.jwt.secret"), "{debug}");
}
