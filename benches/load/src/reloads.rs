//! What reloads cost the requests of others: the same load without them and with them, in turns.

use std::{
    fmt, fs, io,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    drive::{Load, Mark},
    report::Report,
    script::{KeySet, Mix},
    server::Server,
    target::{Target, Work},
};

const KEYS: KeySet = KeySet { keys_count: 100_000, value_bytes: 100 };
/// From one reload to the next; the server does not begin them closer together.
const EVERY: Duration = Duration::from_millis(105);
/// Turns of each kind.
const TURNS: usize = 5;

/// What was measured.
#[derive(Debug)]
pub struct Reloads {
    /// Reloads that the server did.
    pub reloads: usize,
    /// Requests in the turns without.
    pub without: Report,
    /// Requests in the turns with.
    pub with: Report,
}

/// Starts the server, loads it with 8 connections × 32 requests, half of them sets, and has it reload
/// about `count` times.
///
/// # Errors
/// The server does not start or does not answer.
pub fn reloads(program: &Path, core: Option<usize>, count: usize) -> io::Result<Reloads> {
    let server = Server::amaters(program, core, &config(1000))?;
    Target::Amaters.fill(server.address, KEYS)?;
    let turn = EVERY.mul_f64(count as f64 / TURNS as f64);
    let work = Work { keys: KEYS, mix: Mix::Mixed(0.5), load: Load::closed(8, 32, turn) };
    let (mut without, mut with) = (Report::empty(), Report::empty());
    let written = AtomicU32::new(0);
    for _ in 0..TURNS {
        without.add(&Target::Amaters.measure(server.address, &work, |_| {})?);
        let (is_measured, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        let report = thread::scope(|scope| {
            let reloading = scope.spawn(|| {
                while !stop.load(Relaxed) {
                    if is_measured.load(Relaxed) {
                        reload(&server, &written)?;
                    }
                    thread::sleep(EVERY);
                }
                Ok(())
            });
            let note = |mark| is_measured.store(mark == Mark::Begin, Relaxed);
            let report = Target::Amaters.measure(server.address, &work, note);
            stop.store(true, Relaxed);
            // A panic there is one here.
            let reloaded =
                reloading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            reloaded.and(report)
        });
        with.add(&report?);
    }
    let reloads = server.process.log().matches("Config reload successful: 1 applied").count();
    server.stop()?;
    Ok(Reloads { reloads, without, with })
}

/// Changes a live key and signals.
fn reload(server: &Server, written: &AtomicU32) -> io::Result<()> {
    let connections_max = 1001 + written.fetch_add(1, Relaxed) % 1000;
    let (path, new) = (server.folder().join("config.toml"), server.folder().join("new.toml"));
    fs::write(&new, config(connections_max))?;
    fs::rename(&new, &path)?;
    server.process.signal(Signal::HUP)
}

fn config(connections_max: u32) -> String {
    format!("[server]\nmax_connections = {connections_max}\n")
}

impl fmt::Display for Reloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reloads, without, with } = self;
        writeln!(f, "without reloads: {without}")?;
        write!(f, "with {reloads} reloads: {with}")
    }
}
