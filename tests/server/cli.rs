//! `amaters-cli` against the real server, as people and scripts call it.

mod access;
mod backups;
mod files;
mod operator;
mod orders;
mod settings;
mod tls;
mod tools;
mod traffic;
mod values;

use std::{
    io::Write as _,
    net::SocketAddr,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::harness::{Folder, Server};

/// A server, and clients of it in a folder.
pub(crate) struct Site {
    pub(crate) folder: Folder,
    pub(crate) server: Server,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// A server with more configuration.
    pub(crate) fn with(more: &str) -> Self {
        let folder = Folder::new();
        folder.config("cores = 1", more);
        let server = folder.serve();
        Self { folder, server }
    }

    /// The client with these words, of which each is one.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        command(&self.folder, self.server.address, words)
    }

    /// Runs the client to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Told {
        self.command(words).output().unwrap().into()
    }

    /// What the client prints, which must have done what it was asked for.
    pub(crate) fn said(&self, words: &[&str]) -> String {
        let told = self.run(words);
        assert_eq!(told.status, Some(0), "{words:?}: {told:?}");
        told.stdout
    }

    /// The same as JSON.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let words = [&["-o", "json"], words].concat();
        serde_json::from_str(&self.said(&words)).unwrap()
    }

    /// Runs the client with something on its standard input.
    pub(crate) fn fed(&self, words: &[&str], input: &[u8]) -> Told {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A client that does not read it all has ended.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap().into()
    }
}

/// The client for a server there, free of the environment's own settings.
pub(crate) fn command(folder: &Folder, address: SocketAddr, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amaters-cli"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AMATERS_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder.path()).env("HOME", folder.path()).env_remove("XDG_CONFIG_HOME");
    command.env("AMATERS_ADDRESS", address.to_string()).args(words).stdin(Stdio::null());
    command
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Told {
    /// It failed so, and said this.
    pub(crate) fn failed(&self, status: i32, part: &str) {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(self.stderr.contains(part), "{part:?} is not in {self:?}");
    }
}
