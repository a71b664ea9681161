//! Histories of many clients, with `kill -9` in between, and a check that one order of all calls explains every answer.
//!
//! `AMATERS_HISTORIES` says how many lives of a server, for each sync mode and number of reactors.

use std::{
    fmt,
    ops::Range,
    time::{Duration, Instant},
};

use amaters_load::script::Random;

use self::{
    call::{ABSENT, Call, Content, KEYS, Step},
    check::Proof,
    clients::Witness,
};
use super::{
    alone,
    life::{self, kill_within, patiently, perhaps_kill_a_start},
    sharded::Setting,
};
use crate::{
    harness::Folder,
    wire::client::{Kind, ONE, TWO},
};

mod call;
mod check;
mod clients;
mod effect;
mod plan;
#[cfg(feature = "planted-bugs")]
mod planted;
mod wire;

/// Lives in the short form.
const LIVES: u64 = 2;
/// Lives of one data directory.
const LIVES_IN_FOLDER: u64 = 10;
/// How long a server lives.
const LIFE_MS: Range<u32> = 200..1200;

#[test]
fn histories_are_strictly_serializable_with_sync_mode_always() {
    check_histories("always");
}

#[test]
fn histories_are_strictly_serializable_with_sync_mode_interval() {
    check_histories("interval");
}

fn check_histories(sync_mode: &str) {
    let _alone = alone();
    let lives = life::times("AMATERS_HISTORIES", LIVES);
    for kind in [TWO, ONE].into_iter().filter(Kind::is_possible) {
        let figures = run(&Setting { sync_mode, cores: kind.cores, bug: None }, lives);
        println!("sync_mode {sync_mode}, {} reactors: {figures}", kind.cores);
        assert!(figures.violations.is_empty(), "{}", figures.violations.join("\n\n"));
        assert!(figures.proof.calls > 0 && figures.batches > 0 && figures.scans > 0);
    }
}

/// What was done, and what was found.
#[derive(Debug, Default)]
struct Figures {
    lives: u64,
    /// Kills during a start, between two lives.
    early: u64,
    proof: Proof,
    batches: u64,
    scans: u64,
    refused: u64,
    asked: Duration,
    checked: Duration,
    violations: Vec<String>,
}

/// Lives of servers one after the other; stops at the first violation.
fn run(setting: &Setting<'_>, lives: u64) -> Figures {
    let mut random = life::random();
    let mut figures = Figures::default();
    while figures.lives < lives && figures.violations.is_empty() {
        let folder = setting.folder(&mut random);
        let count = LIVES_IN_FOLDER.min(lives - figures.lives);
        life::tell(live_again_and_again(&folder, setting, count, &mut random, &mut figures));
    }
    figures
}

async fn live_again_and_again(
    folder: &Folder,
    setting: &Setting<'_>,
    lives: u64,
    random: &mut Random,
    figures: &mut Figures,
) {
    let mut server = setting.serve(folder);
    let witness = Witness::new();
    let mut initial: Content = vec![ABSENT; KEYS.len()];
    for _ in 0..lives {
        let begun = Instant::now();
        let tasks = clients::start(server.address, &witness, random.next() >> 1).await;
        kill_within(LIFE_MS, &mut server, tasks, random).await;
        witness.borrow_mut().note_death();
        figures.early += u64::from(perhaps_kill_a_start(setting.command(folder), random));
        server = setting.serve(folder);
        let look = clients::look_at_everything(server.address, &witness);
        let content = patiently(look).await;
        let calls = witness.borrow_mut().take_calls();
        figures.asked += begun.elapsed();
        figures.check(&initial, &calls);
        if !figures.violations.is_empty() {
            return;
        }
        initial = content;
    }
}

impl Figures {
    /// Checks one life.
    fn check(&mut self, initial: &Content, calls: &[Call]) {
        let begun = Instant::now();
        self.lives += 1;
        match check::check(initial, calls) {
            Ok(proof) => self.proof.add(proof),
            Err(violation) => self.violations.push(format!("life {}: {violation}", self.lives)),
        }
        self.checked += begun.elapsed();
        for call in calls {
            let scans = |step: &&Step| matches!(step, Step::Rows { .. });
            self.batches += u64::from(call.steps.len() > 1);
            self.scans += call.steps.iter().filter(scans).count() as u64;
            self.refused += u64::from(call.outcome == call::Outcome::Refused);
        }
    }
}

impl Proof {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.unknown += other.unknown;
        self.happened += other.happened;
        self.edges.time += other.edges.time;
        self.edges.found += other.edges.found;
        self.edges.overwritten += other.edges.overwritten;
        self.edges.replaced += other.edges.replaced;
        self.rounds += other.rounds;
        self.key_choices += other.key_choices;
        self.choices += other.choices;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Proof { calls, unknown, happened, edges, rounds, key_choices, choices } = self.proof;
        write!(
            out,
            "{} kills and {} during a start; {calls} calls ({} batches, {} scans), {unknown} unanswered of which {happened} were seen, {} refused; \
             edges: {} found, {} replaced, {} overwritten, {} of time; {rounds} rounds, {key_choices} choices for single keys, \
             {choices} for all; {:.1} s asked, {:.1} s checked; {} violations",
            self.lives,
            self.early,
            self.batches,
            self.scans,
            self.refused,
            edges.found,
            edges.replaced,
            edges.overwritten,
            edges.time,
            self.asked.as_secs_f64(),
            self.checked.as_secs_f64(),
            self.violations.len()
        )
    }
}
