//! `kill -9` at any moment: what was answered is there afterwards, and nothing else.
//!
//! `AMATERS_KILLS` says how often, for each sync mode.

use std::ops::Range;

use amaters_load::script::Random;

use self::ledger::Figures;
use super::{
    alone,
    life::{self, kill_within, patiently, perhaps_kill_a_start},
};
use crate::harness::Folder;

mod ledger;
mod load;

/// Kills in the short form.
const KILLS: u64 = 3;
/// Kills of one data directory; its logs grow with each.
const KILLS_IN_FOLDER: u64 = 10;
/// How long a server lives.
const LIFE_MS: Range<u32> = 0..1200;
const START: &str = "start --config a.toml --bind 127.0.0.1:0";

#[test]
fn nothing_that_was_answered_is_lost_with_sync_mode_always() {
    lose_nothing("always");
}

#[test]
fn nothing_that_was_answered_is_lost_with_sync_mode_interval() {
    lose_nothing("interval");
}

fn lose_nothing(sync_mode: &str) {
    let _alone = alone();
    let kills = life::times("AMATERS_KILLS", KILLS);
    let mut random = life::random();
    let mut total = Figures::default();
    while total.kills < kills {
        let folder = Folder::new();
        folder.config("", &format!("[storage.wal]\nsync_mode = \"{sync_mode}\"\n"));
        let lives = KILLS_IN_FOLDER.min(kills - total.kills);
        total.add(life::tell(kill_again_and_again(&folder, lives, &mut random)));
    }
    println!("sync_mode {sync_mode}: {total}");
    assert!(total.lost.is_empty() && total.wrong.is_empty(), "{total:#?}");
    assert!(total.acknowledged > 0 && total.checked > 0);
}

async fn kill_again_and_again(folder: &Folder, lives: u64, random: &mut Random) -> Figures {
    let mut server = folder.serve();
    let ledger = load::ledger(server.address).await;
    for _ in 0..lives {
        let tasks = load::start(server.address, &ledger, random.next() >> 1).await;
        kill_within(LIFE_MS, &mut server, tasks, random).await;
        ledger.borrow_mut().1.kills += 1;
        let early = perhaps_kill_a_start(folder.command(START), random);
        ledger.borrow_mut().1.early += u64::from(early);
        server = folder.serve();
        patiently(load::check(server.address, &ledger)).await;
        patiently(load::check_gets(server.address, &ledger)).await;
    }
    std::mem::take(&mut ledger.borrow_mut().1)
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.unanswered += other.unanswered;
        self.happened += other.happened;
        self.kills += other.kills;
        self.early += other.early;
        self.checked += other.checked;
        self.lost.extend(other.lost);
        self.wrong.extend(other.wrong);
    }
}
