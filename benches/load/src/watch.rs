//! A polite client and an eye on the server's memory, while something else goes on.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    drive::{Arrival, Load},
    process::resident_bytes_of,
    report::Report,
    script::{KeySet, Mix},
    target::{Target, Work},
};

/// Between two looks at the server's memory.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What the polite client works on: few small values.
pub const POLITE: KeySet = KeySet { keys_count: 1000, value_bytes: 100 };

/// What was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How the polite client fared: gets and sets at a fixed rate, so that a stall counts.
    pub polite: Report,
    /// Resident bytes of the server before.
    pub resident_before_bytes: u64,
    /// The most resident bytes meanwhile.
    pub resident_peak_bytes: u64,
}

/// Does something for `duration` or so, while a polite client asks `per_second` times a second. The
/// keys of [`POLITE`] must be there.
pub fn watch<T>(
    address: SocketAddr,
    pid: u32,
    per_second: f64,
    duration: Duration,
    something: impl FnOnce() -> io::Result<T>,
) -> io::Result<(T, Seen)> {
    let resident_before_bytes = resident_bytes_of(pid);
    let memory = Memory::watch(pid);
    let polite = thread::spawn(move || polite(address, per_second, duration));
    // Its connections should be open before the trouble begins.
    thread::sleep(Duration::from_millis(100));
    let done = something();
    let polite = polite.join().map_err(|_| io::Error::other("the polite client panicked"))?;
    let seen = Seen { polite: polite?, resident_before_bytes, resident_peak_bytes: memory.peak() };
    Ok((done?, seen))
}

/// Gets and sets of few small values at a fixed rate.
pub fn polite(address: SocketAddr, per_second: f64, duration: Duration) -> io::Result<Report> {
    let load = Load {
        connections: 2,
        depth: 64,
        arrival: Arrival::Open { per_second },
        warmup: Duration::ZERO,
        measured: duration,
        tls: false,
    };
    let work = Work { keys: POLITE, mix: Mix::Mixed(0.5), load };
    Target::Amaters.measure(address, &work, |_| {})
}

/// A thread that remembers the most memory that a process had.
#[derive(Debug)]
struct Memory {
    peak_bytes: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Memory {
    fn watch(pid: u32) -> Self {
        let peak_bytes = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (peak, stopped) = (peak_bytes.clone(), stop.clone());
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                peak.fetch_max(resident_bytes_of(pid), Ordering::Relaxed);
                thread::sleep(LOOK_EVERY);
            }
        });
        Self { peak_bytes, stop, thread: Some(thread) }
    }

    fn peak(&self) -> u64 {
        self.peak_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
