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

/// Every address that cannot be listened on.
///
/// One that the server of this very data directory holds is right: that server would hold it again.
pub(crate) fn check(config: &Config) -> Vec<Problem> {
    // Not one that a pid file leads to, which may be that of another directory.
    let own = instance::find(&Place { data_dir_written: true, ..config.place() });
    let tried = |key: &Key| {
        let address = address(config, key)?;
        let error = TcpListener::bind(address).err()?;
        if let (io::ErrorKind::AddrInUse, Some(server)) = (error.kind(), &own) {
            eprintln!("{key}: {address} is held, as the server runs: process {}", server.pid);
            return None;
        }
        if key.path == GIVES_WAY && !config.written.is_written(key.path) {
            eprintln!("{key}: {address}, which nobody wrote: {error}; a server goes without");
            return None;
        }
        let why = format!("cannot listen on {address}: {error}");
        Some(Problem::of_key(&config.written, key.path, why))
    };
    KEYS.iter().filter_map(tried).collect()
}

/// What is listened on because of a key.
fn address(config: &Config, key: &Key) -> Option<SocketAddr> {
    let is_meant =
        key.kind == Kind::Address && key.switch.is_none_or(|switch| config.written.is_on(switch));
    config.written.text(key.path).filter(|_| is_meant)?.parse().ok()
}
