//! Backups of the bank while it is open and its server is killed now and then: each that is there restores, into any number of
//! shards, to a state that the bank was in; what was cut short is no backup.
//!
//! `AMATERS_BACKUPS` says how many.

use std::{cell::RefCell, net::SocketAddr, process::Command, rc::Rc, time::Duration};

use amaters_load::script::Random;
use amaters_proto::query::query_result::Result as Outcome;
use serde_json::Value;
use tokio::{
    task::spawn_local,
    time::{sleep, timeout},
};

use super::{
    LIFE_MS,
    customers::{self, Shared},
};
use crate::{
    harness::{Folder, Server},
    torture::{
        alone,
        client::{Client, Trouble},
        life::{self, kill_within, patiently},
        sharded::Setting,
    },
    wire::{
        client::{Kind, ONE, TWO},
        queries::get,
    },
};

/// Backups in the short form.
const BACKUPS: usize = 12;
/// Fewer than so many backups come before the moment in which a kill may come.
const BACKUPS_IN_LIFE: u32 = 12;
/// How long it waits for them.
const BACKUPS_MAX: Duration = Duration::from_secs(10);
/// Backups of one data directory.
const BACKUPS_IN_FOLDER: usize = 50;

/// A backup that was answered, and the states of each owner that it may show.
struct Taken {
    name: String,
    incremental: bool,
    between: Vec<(usize, usize)>,
}

type Notes = Rc<RefCell<Vec<Taken>>>;

#[test]
fn every_backup_of_an_open_bank_shows_a_state_that_it_was_in() {
    let _alone = alone();
    let backups = life::times("AMATERS_BACKUPS", BACKUPS as u64) as usize;
    let cores = [TWO, ONE].into_iter().find(Kind::is_possible).unwrap().cores;
    let setting = Setting { sync_mode: "always", cores, bug: None };
    let mut random = life::random();
    let (mut done, mut kills, mut incremental, mut unfinished) = (0, 0, 0, 0);
    while done < backups {
        let folder = setting.folder(&mut random);
        let wanted = BACKUPS_IN_FOLDER.min(backups - done);
        let (taken, killed, left) = life::tell(back_up(&folder, &setting, wanted, &mut random));
        done += taken.len();
        kills += killed;
        unfinished += left;
        incremental += taken.iter().filter(|taken| taken.incremental).count();
    }
    println!(
        "{done} backups, {incremental} of them incremental, {kills} kills, {unfinished} folders of unfinished ones"
    );
    assert!(incremental > 0);
}

async fn back_up(
    folder: &Folder,
    setting: &Setting<'_>,
    wanted: usize,
    random: &mut Random,
) -> (Vec<Taken>, usize, usize) {
    let mut server = setting.serve(folder);
    let ledger: Shared = customers::open_bank(server.address).await;
    ledger.borrow_mut().remember();
    let (notes, mut kills) = (Notes::default(), 0);
    while notes.borrow().len() < wanted {
        let mut tasks = customers::start(server.address, &ledger, random.next() >> 1).await;
        let (keeper, seed) = (Rc::clone(&notes), random.next());
        tasks.push(spawn_local(keep(server.address, Rc::clone(&ledger), keeper, seed)));
        // On a busy machine a backup may take longer than the rest of the life.
        let enough = notes.borrow().len() + random.below(BACKUPS_IN_LIFE) as usize;
        let _ = timeout(BACKUPS_MAX, until(&notes, enough)).await;
        kill_within(LIFE_MS, &mut server, tasks, random).await;
        kills += 1;
        server = setting.serve(folder);
        patiently(customers::audit(server.address, &ledger)).await;
        let broken = std::mem::take(&mut ledger.borrow_mut().figures.broken);
        assert!(broken.is_empty(), "{}", broken.join("\n"));
        ledger.borrow_mut().remember();
    }
    drop(server);
    let root = folder.path().join("data/snapshots");
    let names = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    for name in &names {
        let verified = folder.run(&format!("verify data/snapshots/{name}"));
        let is_whole = verified.status.success();
        let is_finished = !name.ends_with(".partial");
        assert_eq!(is_whole, is_finished, "{name}: {verified:?}");
    }
    let taken = notes.take();
    for taken in &taken {
        check(folder, taken, &ledger, random).await;
    }
    let unfinished = names.iter().filter(|name| name.ends_with(".partial")).count();
    (taken, kills, unfinished)
}

/// Waits until so many backups have been taken.
async fn until(notes: &Notes, enough: usize) {
    while notes.borrow().len() < enough {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Takes one backup after the other, until the server is gone.
async fn keep(address: SocketAddr, ledger: Shared, notes: Notes, seed: u64) {
    let (client, mut random) = (Client::connect(address).await, Random::new(seed));
    loop {
        sleep(Duration::from_millis(random.below(60).into())).await;
        let name = format!("b{}", random.next());
        let kind = ["full", "incremental"][random.below(2) as usize];
        let before = ledger.borrow().known();
        let Some(mut answer) = asked(&client, &format!("BACKUP {name} {kind}")).await else {
            return;
        };
        // A command waits five seconds for its job.
        while answer["status"] == "running" {
            sleep(Duration::from_millis(100)).await;
            let words = format!("JOBS {}", answer["job_id"]);
            let Some(mut jobs) = asked(&client, &words).await else { return };
            let job = &mut jobs["jobs"][0];
            match job["state"].as_str() {
                Some("waiting" | "running") => {}
                _ => answer = job["result"].take(),
            }
        }
        assert_eq!(answer["status"], "success", "{answer}");
        let incremental = answer["kind"] == "incremental";
        let between = before.into_iter().zip(ledger.borrow().tried_to()).collect();
        notes.borrow_mut().push(Taken { name, incremental, between });
    }
}

/// The answer to an admin command; none once the server is gone.
async fn asked(client: &Client, words: &str) -> Option<Value> {
    match client.ask(get("any", format!("__admin__:{words}")).query.unwrap()).await {
        Ok(Outcome::Single(single)) => {
            Some(serde_json::from_slice(&single.value.unwrap().data).unwrap())
        }
        Err(Trouble::Gone(_)) => None,
        other => panic!("{other:?}"),
    }
}

/// Restores a backup into another number of shards, and compares.
async fn check(folder: &Folder, taken: &Taken, ledger: &Shared, random: &mut Random) {
    let shards = 1 + random.below(5);
    let (name, to) = (&taken.name, folder.path().join("restored"));
    let _ = std::fs::remove_dir_all(&to);
    let words = format!("restore data/snapshots/{name} --data-dir restored --shards {shards}");
    let restored = folder.run(&words);
    assert!(restored.status.success(), "{name}: {restored:?}");
    let mut command: Command =
        folder.command("start --data-dir restored --bind 127.0.0.1:0 --cores 1");
    let server = Server::spawn(&mut command);
    let values = patiently(customers::read_all(server.address)).await;
    let mut ledger = ledger.borrow_mut();
    ledger.check_total(&format!("backup {name}"), &values);
    ledger.check_history(name, &values, &taken.between);
    let broken = std::mem::take(&mut ledger.figures.broken);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
