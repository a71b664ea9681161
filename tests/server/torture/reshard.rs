//! Another number of shards: every entry comes along, also when the move is killed at any moment.

use std::{env, fs, thread, time::Duration};

use amaters_load::script::pseudo_random;
use rustix::process::Signal;
use tokio::runtime;

use super::{
    alone,
    client::{self, Client},
};
use crate::harness::{Folder, Server, refusal};

/// Large values are many, so that a copy takes a moment.
const ENTRIES: u64 = 600;

fn value(number: u64) -> Vec<u8> {
    pseudo_random(number + 1, if number.is_multiple_of(3) { 100 } else { 64 * 1024 })
}

fn key(number: u64) -> String {
    format!("key-{number:06}")
}

/// A server's folder with entries in it, and nobody who uses it.
fn filled() -> Folder {
    let folder = Folder::new();
    folder.config("", "");
    on_a_server(&folder, async |client| {
        for number in 0..ENTRIES + 50 {
            client.set(&key(number), value(number)).await.unwrap();
        }
        for number in ENTRIES..ENTRIES + 50 {
            client.ask(client::delete(&key(number))).await.unwrap();
        }
    });
    folder
}

fn on_a_server(folder: &Folder, work: impl AsyncFnOnce(&Client)) {
    let mut server: Server = folder.serve();
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { work(&Client::connect(server.address).await).await });
    // With it goes the connection, which would be waited for.
    drop(runtime);
    server.signal(Signal::TERM);
    assert!(server.end().success());
}

fn assert_all_there(folder: &Folder) {
    on_a_server(folder, async |client| {
        assert_eq!(client.everything().await.unwrap().len() as u64, ENTRIES);
        for number in 0..ENTRIES {
            let found = client.get(&key(number)).await.unwrap().expect("it was there");
            assert!(found == value(number), "{}", key(number));
        }
    });
}

fn reshard(folder: &Folder, shards: u32) -> String {
    let output = folder.run(&format!("reshard --config a.toml --shards {shards}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_entry_comes_along_to_more_shards_and_to_fewer() {
    let _alone = alone();
    let folder = filled();
    for shards in [5, 1] {
        let told = reshard(&folder, shards);
        assert!(told.starts_with(&format!("{ENTRIES} entries in {shards} shards")), "{told}");
        assert!(reshard(&folder, shards).contains("already"));
        let checked = folder.run("check --config a.toml");
        let text = String::from_utf8(checked.stdout).unwrap();
        assert!(text.ends_with("\n0 damaged, 0 left over\n"), "{text}");
        assert_eq!(text.matches("shard ").count(), shards as usize, "{text}");
        assert_all_there(&folder);
    }
}

#[test]
fn a_reshard_that_is_killed_loses_nothing() {
    let _alone = alone();
    let folder = filled();
    let rounds = env::var("AMATERS_KILLS").map_or(4, |kills| kills.parse().unwrap());
    let mut finished = 0;
    for round in 0..rounds {
        let shards = 1 + (round + 1) % 4;
        let mut command = folder.command(&format!("reshard --config a.toml --shards {shards}"));
        let mut child = command.spawn().unwrap();
        let millis = u64::from_le_bytes(pseudo_random(round, 8)[..].try_into().unwrap()) % 400;
        thread::sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        finished += u64::from(child.wait().unwrap().success());
        assert_all_there(&folder);
        assert!(!folder.path().join("data/reshard").exists());
    }
    println!("{rounds} killed, {finished} of them too late");
}

#[test]
fn a_damaged_value_stops_a_reshard_and_nothing_has_happened() {
    let _alone = alone();
    let folder = filled();
    let shard = folder.path().join("data/shard-0000");
    let names = fs::read_dir(shard).unwrap().map(|entry| entry.unwrap().path());
    let ends = |path: &std::path::PathBuf| path.extension().is_some_and(|ending| ending == "blob");
    let blob = names.filter(ends).max().unwrap();
    let sound = fs::read(&blob).unwrap();
    let mut damaged = sound.clone();
    damaged[9000] ^= 1;
    fs::write(&blob, damaged).unwrap();
    let text = refusal(folder.command("reshard --config a.toml --shards 7"));
    assert!(text.contains("everything is as it was") && text.contains(".blob"), "{text}");
    assert!(!folder.path().join("data/reshard").exists());
    fs::write(&blob, sound).unwrap();
    assert_all_there(&folder);
}
