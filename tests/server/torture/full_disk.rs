//! A disk that is full: writes are refused with 4003, reads go on, and when there is room again
//! writes are taken, without a restart and without a loss.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use amaters_load::script::pseudo_random;
use rustix::process::Signal;
use tokio::runtime;

use super::{
    alone,
    client::{Client, Trouble},
};
use crate::harness::{Folder, Server, refusal};

/// Room of the file system: more than an empty data directory, less than the memory for entries.
const DISK_MIB: u64 = 64;
/// What is taken away at the beginning, to be given back.
const BALLAST_BYTES: u64 = 8 << 20;
const VALUE_BYTES: usize = 64 * 1024;
/// Writes after there is room again, for which half of it is enough.
const WRITES_AFTER: u64 = 64;
/// Refused writes in a row that say that no shard has room left.
const REFUSED_IN_A_ROW: u64 = 32;
/// ERROR_STORAGE_FULL.
const FULL: i32 = 4003;
const START: &str = "start --config a.toml --bind 127.0.0.1:0 --data-dir disk/data";

/// A small file system at `disk` in a folder; gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// Mounts one, or says why the test is left out.
    fn mount(folder: &Folder) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("LEFT OUT: only root can mount a small disk");
            return None;
        }
        let place = folder.path().join("disk");
        fs::create_dir(&place).unwrap();
        let image = folder.path().join("image");
        fs::File::create(&image).unwrap().set_len(DISK_MIB << 20).unwrap();
        let (image, at) = (image.to_str().unwrap(), place.to_str().unwrap());
        let size = format!("size={DISK_MIB}m");
        let mounted = run("mkfs.ext4", &["-q", "-F", image])
            && run("mount", &["-o", "loop", image, at])
            || run("mount", &["-t", "tmpfs", "-o", &size, "none", at]);
        if !mounted {
            eprintln!("LEFT OUT: neither a loop device nor a tmpfs can be mounted here");
            return None;
        }
        Some(Self(place))
    }

    /// Takes room away.
    fn fill(&self, name: &str, bytes: u64) -> PathBuf {
        let path = self.0.join(name);
        let bytes = bytes.to_string();
        assert!(run("fallocate", &["-l", &bytes, path.to_str().unwrap()]), "no room for {name}");
        path
    }

    /// Takes all room away, to the last block.
    fn fill_up(&self) {
        let mut file = fs::File::create(self.0.join("rest")).unwrap();
        for bytes in [1 << 20, 4096, 1] {
            while file.write_all(&vec![0; bytes]).is_ok() {}
            file.sync_all().unwrap();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.to_str().unwrap_or_default()]);
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).status().is_ok_and(|status| status.success())
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room_and_loses_nothing() {
    let _alone = alone();
    for sync_mode in ["always", "interval"] {
        let folder = Folder::new();
        let Some(disk) = Disk::mount(&folder) else { return };
        let ballast = disk.fill("ballast", BALLAST_BYTES);
        let wal = format!("[storage.wal]\nsync_mode = \"{sync_mode}\"\nsegment_size_mb = 4");
        folder.config("", &format!("[storage]\nmemtable_size_mb = 256\n{wal}"));
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(fill_and_free(&folder, &ballast));
    }
}

async fn fill_and_free(folder: &Folder, ballast: &Path) {
    let mut server = Server::spawn(&mut folder.command(START));
    let client = Client::connect(server.address).await;
    let (mut number, mut taken, mut refused) = (0, Vec::new(), 0);
    while refused < REFUSED_IN_A_ROW {
        match write(&client, number).await {
            Ok(()) => {
                taken.push(number);
                refused = 0;
            }
            Err(refusal) => {
                assert!(is_full(&refusal), "{refusal:?}");
                refused += 1;
            }
        }
        number += 1;
    }
    assert!(!taken.is_empty());
    check(&client, &taken).await;

    fs::remove_file(ballast).unwrap();
    for number in number..number + WRITES_AFTER {
        write(&client, number).await.unwrap();
        taken.push(number);
    }
    check(&client, &taken).await;
    println!(
        "{} values of {VALUE_BYTES} bytes, the last {WRITES_AFTER} with new room",
        taken.len()
    );

    server.signal(Signal::KILL);
    server.end();
    let server = Server::spawn(&mut folder.command(START));
    check(&Client::connect(server.address).await, &taken).await;
}

async fn write(client: &Client, number: u64) -> Result<(), Trouble> {
    client.set(&key(number), pseudo_random(number + 1, VALUE_BYTES)).await
}

/// All that was taken is there, and nothing that was refused.
async fn check(client: &Client, taken: &[u64]) {
    for number in taken {
        let found = client.get(&key(*number)).await.unwrap().expect("it was taken");
        assert!(found == pseudo_random(number + 1, VALUE_BYTES), "{}", key(*number));
    }
    assert_eq!(client.everything().await.unwrap().len(), taken.len());
}

fn key(number: u64) -> String {
    format!("key-{number:06}")
}

fn is_full(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Refused { code: FULL, message } if message.contains("no space left"))
}

#[test]
fn a_start_on_a_full_disk_is_refused_by_name() {
    let _alone = alone();
    let folder = Folder::new();
    let Some(disk) = Disk::mount(&folder) else { return };
    folder.config("", "");
    disk.fill_up();
    let text = refusal(folder.command(START));
    let last = text.lines().last().unwrap();
    assert!(last.to_lowercase().contains("no space left") && last.contains("disk/data"), "{text}");
}
