//! What connections cost a server that do nothing, and what those leave behind that came and went.

use std::{
    fmt, io,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use crate::{
    hostile::enemy::Enemy,
    process::{resident_bytes_of, slab_bytes},
};

/// Connections from one address; the kernel has about 28,000 ports for each.
const PER_HOST: usize = 16_384;
/// How long a server may take to answer a preface.
const GREETING_MAX: Duration = Duration::from_secs(5);
/// How long after a change before memory is looked at.
const SETTLE: Duration = Duration::from_secs(1);

/// What idle connections cost.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// How many were open at once.
    pub connections: usize,
    /// Resident bytes before the first.
    pub before_bytes: u64,
    /// Resident bytes while all were open.
    pub open_bytes: u64,
    /// Resident bytes when all were closed again.
    pub closed_bytes: u64,
    /// By how much the kernel's slabs grew, for both ends of all connections.
    pub kernel_bytes: u64,
}

impl Idle {
    /// Resident bytes of each.
    pub fn bytes_each(&self) -> f64 {
        (self.open_bytes as f64 - self.before_bytes as f64) / self.connections as f64
    }

    /// Bytes of the kernel for both ends of each, near enough: all processes count.
    pub fn kernel_bytes_each(&self) -> f64 {
        self.kernel_bytes as f64 / self.connections as f64
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} idle connections: {:.1} KiB each in the server, {:.1} KiB in the kernel for both \
             ends; resident {} KiB before, {} KiB open, {} KiB closed",
            self.connections,
            self.bytes_each() / 1024.0,
            self.kernel_bytes_each() / 1024.0,
            self.before_bytes / 1024,
            self.open_bytes / 1024,
            self.closed_bytes / 1024,
        )
    }
}

/// Opens connections as far as the first settings of both sides, and measures.
pub fn idle(address: SocketAddr, pid: u32, connections: usize) -> io::Result<Idle> {
    let (before_bytes, slab_before) = (resident_bytes_of(pid), slab_bytes());
    let mut held = Vec::with_capacity(connections);
    for index in 0..connections {
        held.push(open(index / PER_HOST, address)?);
    }
    thread::sleep(SETTLE);
    let open_bytes = resident_bytes_of(pid);
    let kernel_bytes = slab_bytes().saturating_sub(slab_before);
    for enemy in &mut held {
        enemy.drain();
        if enemy.is_ended() {
            let verdict = enemy.verdict().unwrap_or_default();
            return Err(io::Error::other(format!("an idle connection was ended: {verdict}")));
        }
    }
    held.into_iter().for_each(Enemy::reset);
    thread::sleep(SETTLE);
    let closed_bytes = resident_bytes_of(pid);
    Ok(Idle { connections, before_bytes, open_bytes, closed_bytes, kernel_bytes })
}

/// Opens and closes `total` connections, `at_once` of them open together, and calls `look` with
/// the count so far and the server's resident bytes, twenty times in all.
pub fn churn(
    address: SocketAddr,
    pid: u32,
    total: usize,
    at_once: usize,
    mut look: impl FnMut(usize, u64),
) -> io::Result<()> {
    look(0, resident_bytes_of(pid));
    let step = (total / 20).max(1);
    let mut held = Vec::with_capacity(at_once);
    for done in 1..=total {
        held.push(open(done / PER_HOST % 200, address)?);
        if held.len() == at_once {
            held.drain(..).for_each(Enemy::reset);
        }
        if done.is_multiple_of(step) {
            look(done, resident_bytes_of(pid));
        }
    }
    held.into_iter().for_each(Enemy::reset);
    thread::sleep(SETTLE);
    look(total, resident_bytes_of(pid));
    Ok(())
}

fn open(host: usize, address: SocketAddr) -> io::Result<Enemy> {
    let mut enemy = Enemy::connect_from(1 + host as u8, address)?;
    enemy.open(&[]);
    let deadline = Instant::now() + GREETING_MAX;
    if !enemy.await_that(deadline, |enemy| enemy.settled || enemy.is_ended()) {
        return Err(io::Error::other("the server does not greet"));
    }
    match enemy.is_ended() {
        true => Err(io::Error::other(enemy.verdict().unwrap_or_default())),
        false => Ok(enemy),
    }
}
