//! Histories made by hand: good ones pass, and each anomaly is found and told.

use super::{
    super::call::{ABSENT, Call, Content, KEYS, Key, Outcome, PLAIN, Step, Version},
    check,
};

const X: Key = 0;
const Y: Key = 1;

/// An answered call.
fn call(begun: u64, ended: u64, steps: &[Step]) -> Call {
    let steps = steps.to_vec();
    Call { client: 0, steps, begun, ended, outcome: Outcome::Answered }
}

fn unknown(begun: u64, ended: u64, steps: &[Step]) -> Call {
    Call { outcome: Outcome::Unknown, ..call(begun, ended, steps) }
}

fn refused(begun: u64, ended: u64, steps: &[Step]) -> Call {
    Call { outcome: Outcome::Refused, ..call(begun, ended, steps) }
}

fn get(key: Key, found: Version) -> Step {
    Step::Get { key, found }
}

fn set(key: Key, version: Version) -> Step {
    Step::Set { key, version }
}

fn delete(key: Key, existed: bool) -> Step {
    Step::Delete { key, existed }
}

fn rows(found: &[(Key, Version)]) -> Step {
    Step::Rows { keys: PLAIN, min: None, limit: None, found: found.to_vec() }
}

fn at_least(min: Version, found: &[(Key, Version)]) -> Step {
    Step::Rows { keys: PLAIN, min: Some(min), limit: None, found: found.to_vec() }
}

fn swap(old: Version, new: Version, changed: u64) -> Step {
    Step::Update { keys: PLAIN, only: Some(old), new, changed }
}

fn sweep(new: Version, changed: u64) -> Step {
    Step::Update { keys: PLAIN, only: None, new, changed }
}

fn nothing() -> Content {
    vec![ABSENT; KEYS.len()]
}

#[track_caller]
fn assert_good(calls: &[Call]) {
    check(&nothing(), calls).unwrap_or_else(|violation| panic!("{violation}"));
}

/// The violation must be told in these words, among others.
#[track_caller]
fn assert_found(calls: &[Call], words: &[&str]) {
    let violation = check(&nothing(), calls).expect_err("it must be found");
    for word in words {
        assert!(violation.contains(word), "{word:?} is not in\n{violation}");
    }
}

const CYCLE: &str = "must come before the next";
const NO_ORDER: &str = "no order of the calls explains all answers";

#[test]
fn what_one_client_does_is_in_order() {
    assert_good(&[
        call(0, 1, &[get(X, ABSENT)]),
        call(2, 3, &[set(X, 1)]),
        call(4, 5, &[get(X, 1), set(X, 2), get(X, 2), set(Y, 3)]),
        call(6, 7, &[rows(&[(X, 2), (Y, 3)]), at_least(3, &[(Y, 3)])]),
        call(8, 9, &[swap(2, 4, 1), swap(2, 5, 0)]),
        call(10, 11, &[delete(Y, true), delete(Y, false), rows(&[(X, 4)])]),
        call(12, 13, &[rows(&[(X, 4)]), sweep(6, 1), rows(&[(X, 6)])]),
        call(14, 15, &[delete(X, true)]),
        call(16, 17, &[Step::Spoil { keys: PLAIN }, set(X, 7)]),
    ]);
}

#[test]
fn what_overlaps_may_be_in_any_order() {
    // The first to begin is the last to happen.
    assert_good(&[
        call(0, 9, &[get(X, 2), set(X, 1)]),
        call(1, 8, &[set(X, 2)]),
        call(2, 7, &[get(X, ABSENT)]),
        call(10, 11, &[get(X, 1)]),
    ]);
    // Two blind writes, of which one is never seen.
    assert_good(&[
        call(0, 9, &[set(X, 1)]),
        call(1, 8, &[set(X, 2)]),
        call(10, 11, &[rows(&[(X, 2)])]),
    ]);
    // A delete before or behind a write.
    for (existed, left) in [(true, ABSENT), (false, 1)] {
        assert_good(&[
            call(0, 9, &[set(X, 1)]),
            call(1, 8, &[delete(X, existed)]),
            call(10, 11, &[get(X, left)]),
        ]);
    }
    assert_good(&[call(0, 9, &[sweep(5, 1)]), call(1, 8, &[set(X, 1)]), call(2, 7, &[set(Y, 2)])]);
}

#[test]
fn what_was_not_answered_may_have_happened_or_not() {
    for found in [ABSENT, 1] {
        assert_good(&[unknown(0, 9, &[set(X, 1)]), call(10, 11, &[get(X, found)])]);
    }
    for found in [ABSENT, 1] {
        assert_good(&[
            call(0, 1, &[set(X, 1)]),
            unknown(2, 9, &[delete(X, false)]),
            call(10, 11, &[rows(&if found == 1 { vec![(X, 1)] } else { vec![] })]),
        ]);
    }
    // A delete that found something proves the write before it.
    assert_good(&[unknown(0, 9, &[set(X, 1)]), call(2, 5, &[delete(X, true)])]);
    assert_good(&[refused(0, 1, &[set(X, 1)]), call(2, 3, &[get(X, ABSENT)])]);
}

#[test]
fn a_lost_update_is_found() {
    assert_found(
        &[
            call(0, 1, &[set(X, 1)]),
            call(2, 5, &[get(X, 1), set(X, 2)]),
            call(3, 4, &[get(X, 1), set(X, 3)]),
        ],
        &[CYCLE, "it found p00 = 1, and B wrote over that"],
    );
}

#[test]
fn a_dirty_read_is_found() {
    // Of a value that its own batch wrote over.
    assert_found(
        &[call(0, 9, &[set(X, 1), set(X, 2)]), call(1, 2, &[get(X, 1)])],
        &["p00 = 1 was found, which no call wrote"],
    );
}

#[test]
fn a_read_of_what_was_refused_is_found() {
    assert_found(
        &[refused(0, 9, &[set(X, 1), set(Y, 2)]), call(1, 2, &[get(Y, 2)])],
        &["p01 = 2 was found, but the call that wrote it was refused"],
    );
}

#[test]
fn half_of_a_batch_is_found() {
    let batch = call(0, 9, &[set(X, 1), set(Y, 2)]);
    assert_found(&[batch.clone(), call(1, 2, &[rows(&[(X, 1)])])], &[CYCLE, "found the p00"]);
    // Over two calls, of which the second one sees less.
    assert_found(
        &[batch, call(1, 2, &[get(X, 1)]), call(3, 4, &[get(Y, ABSENT)])],
        &[CYCLE, "it had ended when"],
    );
    // Of one that a kill left without an answer.
    assert_found(
        &[unknown(0, 9, &[set(X, 1), set(Y, 2)]), call(10, 11, &[rows(&[(Y, 2)])])],
        &[CYCLE],
    );
}

#[test]
fn a_stale_read_is_found() {
    assert_found(
        &[call(0, 1, &[set(X, 1)]), call(2, 3, &[set(X, 2)]), call(4, 5, &[get(X, 1)])],
        &[CYCLE, "it had ended when"],
    );
    // Also when it is only stale beside another key.
    assert_found(
        &[call(0, 1, &[set(X, 1)]), call(2, 3, &[set(Y, 2)]), call(2, 9, &[rows(&[(Y, 2)])])],
        &[CYCLE],
    );
}

#[test]
fn an_answered_write_that_a_kill_took_is_found() {
    assert_found(&[call(0, 1, &[set(X, 1)]), call(2, 3, &[rows(&[])])], &["p00 = absent"]);
    assert_found(
        &[call(0, 1, &[set(X, 1)]), call(2, 3, &[delete(X, true)]), call(4, 5, &[get(X, 1)])],
        &[CYCLE],
    );
}

#[test]
fn write_skew_is_found() {
    assert_found(
        &[
            call(0, 9, &[get(X, ABSENT), get(Y, ABSENT), set(X, 1)]),
            call(1, 8, &[get(X, ABSENT), get(Y, ABSENT), set(Y, 2)]),
        ],
        &[CYCLE, "p00 = absent", "p01 = absent"],
    );
}

#[test]
fn a_long_fork_is_found() {
    assert_found(
        &[
            call(0, 9, &[set(X, 1)]),
            call(0, 9, &[set(Y, 2)]),
            call(1, 8, &[get(X, 1), get(Y, ABSENT)]),
            call(2, 7, &[get(X, ABSENT), get(Y, 2)]),
        ],
        &["each of these 4 calls"],
    );
}

#[test]
fn a_phantom_is_found() {
    assert_found(
        &[call(0, 9, &[rows(&[]), set(X, 1)]), call(1, 8, &[rows(&[]), set(Y, 2)])],
        &[CYCLE],
    );
    // Among rows that a filter leaves out.
    assert_found(
        &[
            call(0, 1, &[set(X, 1)]),
            call(2, 9, &[at_least(5, &[]), set(Y, 6)]),
            call(3, 8, &[at_least(5, &[]), set(X, 7)]),
        ],
        &[NO_ORDER, "not Below(5)"],
    );
}

#[test]
fn a_call_that_contradicts_itself_is_found() {
    let words = &["contradicts itself"];
    assert_found(&[call(0, 1, &[get(X, ABSENT), get(X, 1)])], words);
    assert_found(&[call(0, 1, &[set(X, 1), get(X, ABSENT)])], words);
    assert_found(&[call(0, 1, &[set(X, 1), delete(X, false)])], words);
    assert_found(&[call(0, 1, &[rows(&[(Y, 2), (X, 1)])])], words);
    assert_found(&[call(0, 1, &[set(X, 1), at_least(3, &[(X, 1)])])], words);
    assert_found(&[call(0, 1, &[rows(&[]), sweep(1, 1)])], words);
}

#[test]
fn what_says_nothing_about_versions_is_checked_too() {
    assert_found(&[call(0, 1, &[delete(X, true)])], &[NO_ORDER, "p00 is absent, not Present"]);
    let before = call(0, 1, &[set(X, 1)]);
    assert_found(&[before.clone(), call(2, 3, &[swap(1, 2, 0)])], &[NO_ORDER]);
    assert_found(&[before.clone(), call(2, 3, &[sweep(2, 3)])], &[NO_ORDER, "1 rows are there"]);
    assert_found(&[before.clone(), call(2, 3, &[at_least(1, &[])])], &[NO_ORDER]);
    assert_found(&[before, call(2, 3, &[Step::Spoil { keys: PLAIN }])], &["p00 = absent"]);
}

#[test]
fn versions_that_blind_writes_give_in_two_orders_are_found() {
    assert_found(
        &[
            call(0, 9, &[set(X, 1)]),
            call(0, 9, &[set(X, 2)]),
            call(1, 2, &[get(X, 1)]),
            call(3, 4, &[get(X, 2)]),
            call(5, 6, &[get(X, 1)]),
        ],
        &["p00"],
    );
    // Two deletes leave open which of them was seen, but not that something came between.
    assert_found(
        &[
            call(0, 1, &[set(X, 1)]),
            call(2, 3, &[delete(X, true)]),
            call(4, 5, &[set(X, 2)]),
            call(6, 7, &[delete(X, true)]),
            call(8, 9, &[set(X, 3)]),
            call(10, 11, &[get(X, ABSENT)]),
        ],
        &[CYCLE, "p00 = absent"],
    );
}

#[test]
fn what_was_there_before_the_first_call_counts() {
    let mut initial = nothing();
    initial[usize::from(X)] = 7;
    let good = [call(0, 1, &[get(X, 7)]), call(2, 3, &[swap(7, 8, 1)]), call(4, 5, &[get(X, 8)])];
    assert!(check(&initial, &good).is_ok());
    let late = [call(0, 1, &[get(X, ABSENT)]), call(2, 3, &[delete(X, true)])];
    let violation = check(&initial, &late).expect_err("it was there");
    assert!(violation.starts_with("p00 was found absent, but every delete"), "{violation}");
}

#[test]
fn an_unknown_call_happens_once_and_in_its_time() {
    // It is seen, gone, and seen again.
    assert_found(
        &[
            unknown(0, 9, &[set(X, 1)]),
            call(1, 2, &[get(X, 1)]),
            call(3, 4, &[get(X, 1), set(X, 2)]),
            call(10, 11, &[get(X, 1)]),
        ],
        &[CYCLE],
    );
    // A delete cannot have happened when the server was gone already.
    assert_found(
        &[
            call(0, 1, &[set(X, 1)]),
            unknown(2, 9, &[delete(X, false)]),
            call(10, 11, &[get(X, 1)]),
            call(12, 13, &[get(X, ABSENT)]),
        ],
        &["p00"],
    );
}
