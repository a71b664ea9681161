//! A bank whose total must always be the same: for every scan, and after every `kill -9`.
//!
//! `AMATERS_KILLS` says how often, for each sync mode.

use std::{
    env,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use amaters_load::script::Random;
use rustix::process::Signal;
use tokio::{runtime, task::LocalSet, time::timeout};

use self::{
    customers::Shared,
    ledger::{Figures, Ledger},
};
use super::{alone, sharded::Setting};
use crate::{
    harness::Folder,
    wire::client::{Kind, ONE, TWO},
};

mod customers;
mod ledger;

/// Kills in the short form.
const KILLS: u64 = 3;
/// Kills of one data directory.
const KILLS_IN_FOLDER: u64 = 25;
/// Shortest and longest life of a server.
const LIFE_MS: std::ops::Range<u32> = 100..1200;
/// Longest that anything may take that follows a kill; only what hangs takes it.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_total_is_always_the_same_with_sync_mode_always() {
    keep_the_total("always");
}

#[test]
fn the_total_is_always_the_same_with_sync_mode_interval() {
    keep_the_total("interval");
}

fn keep_the_total(sync_mode: &str) {
    let _alone = alone();
    let begun = Instant::now();
    let kills = env::var("AMATERS_KILLS").map_or(KILLS, |count| count.parse().unwrap());
    let cores = [TWO, ONE].into_iter().find(Kind::is_possible).unwrap().cores;
    let setting = Setting { sync_mode, cores, bug: None };
    // It decides when and what; the kernel decides the rest.
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let mut random = Random::new(seed);
    let mut total = Figures::default();
    while total.kills < kills && total.broken.is_empty() {
        let folder = setting.folder();
        let lives = KILLS_IN_FOLDER.min(kills - total.kills);
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let story = kill_again_and_again(&folder, &setting, lives, &mut random);
        total.add(LocalSet::new().block_on(&runtime, story));
    }
    println!("sync_mode {sync_mode}, {cores} reactors, {:.0?}: {total}", begun.elapsed());
    assert!(total.broken.is_empty(), "{}", total.broken.join("\n"));
    assert!(total.transfers > 0 && total.scans > 0 && total.refused > 0);
}

async fn kill_again_and_again(
    folder: &Folder,
    setting: &Setting<'_>,
    lives: u64,
    random: &mut Random,
) -> Figures {
    let mut server = setting.serve(folder);
    let ledger: Shared = customers::open_bank(server.address).await;
    for _ in 0..lives {
        let tasks = customers::start(server.address, &ledger, random.next() >> 1).await;
        let life = LIFE_MS.start + random.below(LIFE_MS.end - LIFE_MS.start);
        tokio::time::sleep(Duration::from_millis(life.into())).await;
        server.signal(Signal::KILL);
        for task in tasks {
            timeout(PATIENCE, task).await.expect("a client hangs").unwrap();
        }
        server.end();
        server = setting.serve(folder);
        let audit = customers::audit(server.address, &ledger);
        timeout(PATIENCE, audit).await.expect("the server hangs");
        ledger.borrow_mut().figures.kills += 1;
        if !ledger.borrow().figures.broken.is_empty() {
            break;
        }
    }
    let Ledger { figures, .. } = &mut *ledger.borrow_mut();
    std::mem::take(figures)
}
