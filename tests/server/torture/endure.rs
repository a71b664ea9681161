//! `amaters-load endure` in small: it ends well at a server that is well.
//!
//! The figures of so little data say nothing; those that count come from the command itself at a
//! release build.

use std::{path::Path, time::Duration};

use amaters_load::endure::{Plan, endure};

use super::alone;

/// More than the memtables hold, so that tables are made and merged.
const PLAN: Plan = Plan {
    gib: 0.03,
    millions: 0.05,
    memory_mib: 32,
    load_max: Duration::from_secs(60),
    rest_max: Duration::from_secs(10),
    settle: Duration::from_millis(500),
    measured: Duration::from_secs(1),
    gets_per_second: 300.0,
    sets_per_second: 1000.0,
    sample: 1000,
    server_core: None,
};

#[test]
fn more_data_than_memory_survives_a_crash() {
    let _alone = alone();
    let program = Path::new(env!("CARGO_BIN_EXE_amaters-server"));
    let folder = tempfile::tempdir().unwrap();
    let endured = endure(program, folder.path(), &PLAN, &|line| println!("{line}")).unwrap();
    println!("{endured}");
    assert_eq!(endured.looked, 1000);
    let sent = endured.loaded.sent_bytes;
    assert!(sent > 36 << 20 && sent == endured.loaded.live_bytes, "{sent}");
    assert!(endured.rested.kernel_bytes >= endured.loaded.kernel_bytes);
    assert!(endured.rested.space_amplification() > 0.9, "{}", endured.rested);
    assert!(endured.quiet.answered > 200 && endured.beside.answered > 200, "{endured}");
    assert!(endured.sets.answered > 500, "{endured}");
    // On success nothing stays.
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
