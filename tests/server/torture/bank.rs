//! A bank whose total must always be the same: for every scan, and after every `kill -9`.
//!
//! `AMATERS_KILLS` says how often, for each sync mode.

use std::{ops::Range, time::Instant};

use amaters_load::script::Random;

use self::{
    customers::Shared,
    ledger::{Figures, Ledger},
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

mod backups;
mod customers;
mod ledger;

/// Kills in the short form.
const KILLS: u64 = 3;
/// Kills of one data directory.
const KILLS_IN_FOLDER: u64 = 25;
/// How long a server lives.
const LIFE_MS: Range<u32> = 100..1200;

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
    let kills = life::times("AMATERS_KILLS", KILLS);
    let cores = [TWO, ONE].into_iter().find(Kind::is_possible).unwrap().cores;
    let setting = Setting { sync_mode, cores, bug: None };
    let mut random = life::random();
    let mut total = Figures::default();
    while total.kills < kills && total.broken.is_empty() {
        let folder = setting.folder(&mut random);
        let lives = KILLS_IN_FOLDER.min(kills - total.kills);
        total.add(life::tell(kill_again_and_again(&folder, &setting, lives, &mut random)));
    }
    println!("sync_mode {sync_mode}, {cores} reactors, {:.0?}: {total}", begun.elapsed());
    assert!(total.broken.is_empty(), "{}", total.broken.join("\n"));
    assert!(total.transfers > 0 && total.scans > 0);
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
        kill_within(LIFE_MS, &mut server, tasks, random).await;
        let early = perhaps_kill_a_start(setting.command(folder), random);
        server = setting.serve(folder);
        patiently(customers::audit(server.address, &ledger)).await;
        let figures = &mut ledger.borrow_mut().figures;
        figures.kills += 1;
        figures.early += u64::from(early);
        if !figures.broken.is_empty() {
            break;
        }
    }
    let Ledger { figures, .. } = &mut *ledger.borrow_mut();
    std::mem::take(figures)
}
