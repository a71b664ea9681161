//! A data directory of several shards, whatever the number of reactors that serve it.

use std::process::Command;

use amaters_load::script::Random;
use rustix::process::Signal;

use crate::harness::{Folder, Server};

/// Shards of the data directory: more of them have smaller memtables.
const SHARDS: [u32; 2] = [4, 16];

/// Length from which on values go to blob files: few do, so that many fill memtables, which are flushed then.
const THRESHOLD_BYTES: u32 = 128 * 1024;

/// A server, and how it is run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    pub(super) sync_mode: &'a str,
    /// One reactor on each.
    pub(super) cores: usize,
    /// A bug that it makes, if it was built for that.
    pub(super) bug: Option<&'a str>,
}

impl Setting<'_> {
    /// An empty data directory of several shards.
    pub(super) fn folder(&self, random: &mut Random) -> Folder {
        let folder = Folder::new();
        let storage = "[storage]\nmemtable_size_mb = 1\n";
        let blob = format!("[storage.blob]\nthreshold_bytes = {THRESHOLD_BYTES}\n");
        let sync_mode = self.sync_mode;
        let wal = format!("[storage.wal]\nsegment_size_mb = 1\nsync_mode = \"{sync_mode}\"\n");
        folder.config("", &format!("{storage}{blob}{wal}"));
        let mut server = Setting { bug: None, ..*self }.serve(&folder);
        server.signal(Signal::TERM);
        assert!(server.end().success());
        let shards = SHARDS[random.below(SHARDS.len() as u32) as usize];
        let told = folder.run(&format!("reshard --config a.toml --shards {shards}"));
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        folder
    }

    /// A server in that folder.
    pub(super) fn serve(&self, folder: &Folder) -> Server {
        Server::spawn(&mut self.command(folder))
    }

    /// What starts it.
    pub(super) fn command(&self, folder: &Folder) -> Command {
        let cores = self.cores;
        let words = format!("start --config a.toml --bind 127.0.0.1:0 --cores {cores}");
        let mut command = folder.command(&words);
        if let Some(bug) = self.bug {
            command.env("AMATERS_PLANTED_BUG", bug);
        }
        command
    }
}
