//! Whether the addresses of a configuration can be listened on, tried by listening for a moment.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use crate::{
    config::{
        Config, Place, Problem,
        keys::{KEYS, Key, Kind},
    },
    instance,
};

/// A default of this key that is taken is no reason not to start.
const GIVES_WAY: &str = "metrics.bind_address";

/// What trying the addresses has shown.
#[derive(Default)]
pub(crate) struct Tried {
    /// Addresses that cannot be listened on.
    pub(crate) problems: Vec<Problem>,
    /// Addresses that cannot either, and why that keeps no server from starting.
    pub(crate) notes: Vec<String>,
}

/// Tries every address.
///
/// One that the server of this very data directory holds is right: that server would hold it again.
pub(crate) fn check(config: &Config) -> Tried {
    // Not one that a pid file leads to, which may be that of another directory.
    let own = instance::find(&Place { data_dir_written: true, ..config.place() });
    let mut tried = Tried::default();
    for key in KEYS {
        let Some(address) = address(config, key) else { continue };
        let Err(error) = TcpListener::bind(address) else { continue };
        match (error.kind(), &own) {
            (io::ErrorKind::AddrInUse, Some(server)) => {
                let held = "is held, as the server runs: process";
                tried.notes.push(format!("{key}: {address} {held} {}", server.pid));
            }
            _ if key.path == GIVES_WAY && !config.written.is_written(key.path) => {
                let without = "which nobody wrote: a server goes without";
                tried.notes.push(format!("{key}: {address} ({error}), {without}"));
            }
            _ => {
                let why = format!("cannot listen on {address}: {error}");
                tried.problems.push(Problem::of_key(&config.written, key.path, why));
            }
        }
    }
    tried
}

/// What is listened on because of a key.
fn address(config: &Config, key: &Key) -> Option<SocketAddr> {
    let is_meant = key.kind == Kind::Address
        && key.switched_off(&|switch| config.written.is_on(switch)).is_none();
    config.written.text(key.path).filter(|_| is_meant)?.parse().ok()
}
