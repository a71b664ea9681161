//! What connections cost that do nothing, and what those leave behind that came and went.
//!
//! The bounds here are generous, because a build without optimisation takes more; the figures that
//! count come from `amaters-load idle` and `amaters-load churn` at a release build.

use amaters_load::{
    connections::{churn, idle},
    process::raise_open_files,
};

use super::alone;
use crate::harness::{Folder, Server};

/// Idle connections, twice: the second crowd must not cost what the first has paid.
const IDLE: usize = 500;
/// What each may cost the process and, on both ends together, the kernel.
const BYTES_EACH_MAX: f64 = 48.0 * 1024.0;
const KERNEL_BYTES_EACH_MAX: f64 = 48.0 * 1024.0;
/// Connections that come and go, and how many at once.
const CHURNED: usize = 10_000;
const AT_ONCE: usize = 50;
/// What they may leave: a leak of 512 bytes for each would be more.
const LEFT_BYTES_MAX: u64 = 4 << 20;

fn server() -> (Folder, Server) {
    raise_open_files().unwrap();
    let folder = Folder::new();
    folder.config(&format!("max_connections = {}", IDLE + AT_ONCE), "");
    let server = folder.serve();
    (folder, server)
}

#[test]
fn an_idle_connection_is_cheap() {
    let _alone = alone();
    let (_folder, server) = server();
    let first = idle(server.address, server.pid(), IDLE).unwrap();
    let second = idle(server.address, server.pid(), IDLE).unwrap();
    println!("{first}\n{second}");
    assert!(first.bytes_each() < BYTES_EACH_MAX, "{first}");
    assert!(first.kernel_bytes_each() < KERNEL_BYTES_EACH_MAX, "{first}");
    assert!(second.bytes_each() < BYTES_EACH_MAX / 2.0, "{second}");
}

#[test]
fn connections_that_came_and_went_leave_nothing() {
    let _alone = alone();
    let (_folder, server) = server();
    let mut looks = Vec::new();
    churn(server.address, server.pid(), CHURNED, AT_ONCE, |_, bytes| looks.push(bytes)).unwrap();
    // The first tenth is a start: threads, tables and the allocator find their size.
    let (early, late) = (looks[2], looks[looks.len() - 1]);
    println!(
        "{} KiB after {} connections, {} KiB after all",
        early >> 10,
        CHURNED / 10,
        late >> 10
    );
    assert!(late < early + LEFT_BYTES_MAX, "resident bytes: {looks:?}");
}
