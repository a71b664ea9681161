//! `kill -9` at any moment: what was answered is there afterwards, and nothing else.
//!
//! `AMATERS_KILLS` says how often, for each sync mode.

use std::{
    env,
    process::Stdio,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use amaters_load::script::Random;
use rustix::process::Signal;
use tokio::{runtime, task::LocalSet, time::timeout};

use self::ledger::Figures;
use super::alone;
use crate::harness::Folder;

mod ledger;
mod load;

/// Kills in the short form.
const KILLS: u64 = 3;
/// Kills of one data directory; its logs grow with each.
const KILLS_IN_FOLDER: u64 = 10;
/// Longest life of a server, and longest time that a start gets before it is killed.
const LIFE_MS_MAX: u32 = 1200;
const START_MS_MAX: u32 = 60;
/// Longest that anything may take that follows a kill; only what hangs takes it.
const PATIENCE: Duration = Duration::from_secs(60);
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
    let kills = env::var("AMATERS_KILLS").map_or(KILLS, |count| count.parse().unwrap());
    // It decides when and what; the kernel decides the rest.
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let mut random = Random::new(seed);
    let mut total = Figures::default();
    while total.kills < kills {
        let folder = Folder::new();
        folder.config("", &format!("[storage.wal]\nsync_mode = \"{sync_mode}\"\n"));
        let lives = KILLS_IN_FOLDER.min(kills - total.kills);
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let story = kill_again_and_again(&folder, lives, &mut random);
        total.add(LocalSet::new().block_on(&runtime, story));
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
        let life = Duration::from_millis(random.below(LIFE_MS_MAX).into());
        tokio::time::sleep(life).await;
        server.signal(Signal::KILL);
        for task in tasks {
            timeout(PATIENCE, task).await.expect("a client hangs").unwrap();
        }
        server.end();
        ledger.borrow_mut().1.kills += 1;
        if random.below(4) == 0 {
            ledger.borrow_mut().1.early += 1;
            kill_a_start(folder, Duration::from_millis(random.below(START_MS_MAX).into()));
        }
        server = folder.serve();
        let checks = async {
            load::check(server.address, &ledger).await;
            load::check_gets(server.address, &ledger).await;
        };
        timeout(PATIENCE, checks).await.expect("the server hangs");
    }
    std::mem::take(&mut ledger.borrow_mut().1)
}

/// Starts a server and kills it, most likely while it reads its logs.
fn kill_a_start(folder: &Folder, after: Duration) {
    let mut command = folder.command(START);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
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
