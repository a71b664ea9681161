//! The real program with a bug on purpose: its histories must not pass.
//!
//! `cargo test --features planted-bugs --test server planted -- --nocapture` builds it so.

use super::run;
use crate::torture::{alone, sharded::Setting};

/// Lives within which a bug must show.
const LIVES: u64 = 30;

/// What was answered is not in the log yet: the next kill takes it.
#[test]
fn an_answer_before_its_write_is_in_the_log_is_found() {
    for sync_mode in ["always", "interval"] {
        assert_found(&Setting { sync_mode, cores: 1, bug: Some("AnsweredEarly") });
    }
}

/// Readers see a batch on one shard before they see it on another.
#[test]
fn half_of_a_batch_is_found_when_it_is_visible() {
    assert_found(&Setting { sync_mode: "always", cores: 2, bug: Some("HalfVisible") });
}

/// Readers see the part of a shard before the batch is decided, and batches that will be undone.
#[test]
fn a_batch_that_is_seen_before_it_is_decided_is_found() {
    assert_found(&Setting { sync_mode: "always", cores: 2, bug: Some("SeenUndecided") });
}

/// The same program without a bug passes.
#[test]
fn without_a_bug_nothing_is_found() {
    let _alone = alone();
    let figures = run(&Setting { sync_mode: "always", cores: 1, bug: None }, 3);
    assert!(figures.violations.is_empty(), "{}", figures.violations.join("\n\n"));
}

fn assert_found(setting: &Setting<'_>) {
    let _alone = alone();
    let figures = run(setting, LIVES);
    println!("{:?}, sync_mode {}: {figures}", setting.bug, setting.sync_mode);
    let violation = figures.violations.first().expect("the bug must be found");
    println!("{violation}");
}
