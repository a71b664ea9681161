//! More data than memory, and then a crash: what the server takes and gives with a small budget of
//! memory, and whether everything is there afterwards.
//!
//! ```text
//! load large ─► load small ─► rest ─► gets ─► gets beside sets ─► sets, kill -9 ─► start, look
//! ```
//!
//! Keys and values follow from their numbers, so that every answer is compared whole and nothing
//! has to be remembered. A value that is lost or wrong ends the run with an error, and its folder
//! stays.

use std::{
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use self::{
    book::{Book, Shared, Size},
    progress::while_working,
    room::{Room, Watch},
    writer::Writer,
};
use crate::{
    process::{memory_of, written_bytes_of},
    report::Report,
    script::KeySet,
    server::{Server, data_folder_in},
};

pub(crate) mod book;
mod budget;
pub(crate) mod ledger;
mod outcome;
mod progress;
mod reader;
mod room;
mod script;
pub(crate) mod writer;

pub use self::{
    outcome::{Endured, Restart, Written},
    progress::Say,
};

/// Bytes of the values of both sizes.
const LARGE_BYTES: usize = 64 * 1024;
const SMALL_BYTES: usize = 100;
/// Beside gets, one set in so many is of a large value.
const LARGE_EVERY: u32 = 64;
/// A server at rest writes less than this while it is looked at.
const REST_BYTES: u64 = 1 << 20;

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Values of 64 KiB, in GiB.
    pub gib: f64,
    /// Values of 100 bytes, in millions.
    pub millions: f64,
    /// Memory that the server's configuration adds up to, in MiB.
    pub memory_mib: u64,
    /// How long each of the two loads may take; what is not there by then is left out.
    pub load_max: Duration,
    /// How long to wait until compaction has come to rest.
    pub rest_max: Duration,
    /// How long sets go on before gets are measured beside them, and before the crash; and how long
    /// the server must write nothing to be at rest.
    pub settle: Duration,
    /// How long gets are measured, each time.
    pub measured: Duration,
    /// Gets a second.
    pub gets_per_second: f64,
    /// Sets a second beside them.
    pub sets_per_second: f64,
    /// Keys that are looked at after the crash.
    pub sample: u32,
    /// The core of the server; without it, the scheduler chooses among all.
    pub server_core: Option<usize>,
}

impl Plan {
    fn book(&self) -> Book {
        let keys = |count: f64, value_bytes| KeySet { keys_count: count as u32, value_bytes };
        let large_count = (self.gib * (1u64 << 30) as f64 / LARGE_BYTES as f64).max(1.0);
        Book::new(keys(large_count, LARGE_BYTES), keys((self.millions * 1e6).max(1.0), SMALL_BYTES))
    }
}

/// Does it all; `say` gets a line whenever something is known.
pub fn endure(program: &Path, folder: &Path, plan: &Plan, say: Say<'_>) -> io::Result<Endured> {
    let config = budget::config(plan.memory_mib);
    say(&format!("memory budget {} MiB:\n{config}", plan.memory_mib));
    let mut data = data_folder_in(folder)?;
    // What went wrong is in there.
    data.disable_cleanup(true);
    say(&format!("folder {}, which stays if this fails", data.path().display()));
    let server = Server::amaters_in(program, plan.server_core, &config, data)?;
    let book = Shared::new(plan.book());
    let run = Run { plan, say, book: &book, server };

    let (loaded, rested) = run.load_and_rest()?;
    let quiet = run.gets()?;
    let (beside, sets) = run.gets_beside_sets()?;
    let (data, peak_before) = run.crash()?;

    let started = Instant::now();
    let server = Server::amaters_in(program, plan.server_core, &config, data)?;
    let listening = started.elapsed();
    reader::sample(server.address, &book, 1)?;
    let restart = Restart { listening, answered: started.elapsed() };
    say(&restart.to_string());
    let looked = reader::sample(server.address, &book, plan.sample)?.answered;
    say(&format!("{looked} keys, half of them written last: none lost, none wrong"));
    let peak_after = memory_of(server.process.pid()).peak_bytes;
    server.stop()?.disable_cleanup(false);
    let peak_bytes = peak_before.max(peak_after);
    Ok(Endured { loaded, rested, quiet, beside, sets, restart, looked, peak_bytes })
}

/// The first life of the server.
struct Run<'a> {
    plan: &'a Plan,
    say: Say<'a>,
    book: &'a Shared,
    server: Server,
}

impl Run<'_> {
    fn pid(&self) -> u32 {
        self.server.process.pid()
    }

    fn say(&self, line: &str) {
        (self.say)(line);
    }

    /// Does some work with a line every few seconds.
    fn while_working<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        self.say(what);
        while_working(self.say, self.pid(), self.book, work)
    }

    /// Writes everything once and waits until the server has sorted it.
    fn load_and_rest(&self) -> io::Result<(Written, Written)> {
        let watch = Watch::begin(self.server.data_dir());
        for size in [Size::Large, Size::Small] {
            self.load(size)?;
        }
        let loaded = self.written(&watch);
        self.say(&format!("loaded: {loaded}"));
        let waited = self.while_working("waiting for compaction to come to rest", || self.rest());
        let rested = self.written(&watch);
        let how = if waited < self.plan.rest_max { "at rest" } else { "not yet at rest" };
        self.say(&format!("{how} after {:.0} s: {rested}", waited.as_secs_f64()));
        Ok((loaded, rested))
    }

    fn load(&self, size: Size) -> io::Result<()> {
        let until = Instant::now() + self.plan.load_max;
        let writer = Writer::fast(self.server.address, size == Size::Large);
        let report = self.while_working(&format!("loading {size:?} values"), || {
            writer.write(self.book, |book| {
                let goes_on = !book.ledger(size).is_loaded() && Instant::now() < until;
                goes_on.then(|| book.issue(size))
            })
        })?;
        let mut book = self.book.open();
        if !book.is_settled() {
            return Err(io::Error::other(format!("writes have no answer: {report}")));
        }
        let is_whole = book.ledger(size).is_loaded();
        book.ledger_mut(size).end_loading();
        let cut = if is_whole { "" } else { ", which is not all: the time is over" };
        drop(book);
        self.say(&format!("loaded {size:?} values: {report}{cut}"));
        Ok(())
    }

    fn written(&self, watch: &Watch) -> Written {
        let book = self.book.open();
        Written {
            sent_bytes: book.answered_bytes,
            live_bytes: book.live_bytes(),
            kernel_bytes: written_bytes_of(self.pid()),
            files: watch.so_far(),
            taken: Room::taken_by(&self.server.data_dir()),
        }
    }

    /// Waits until the server has stopped writing, or for long enough.
    fn rest(&self) -> Duration {
        let started = Instant::now();
        let (mut since, mut before) = (started, written_bytes_of(self.pid()));
        while since.elapsed() < self.plan.settle && started.elapsed() < self.plan.rest_max {
            thread::sleep(Duration::from_millis(500));
            let written = written_bytes_of(self.pid());
            if written > before + REST_BYTES {
                (since, before) = (Instant::now(), written);
            }
        }
        started.elapsed()
    }

    fn gets(&self) -> io::Result<Report> {
        let Plan { gets_per_second, measured, .. } = *self.plan;
        let title = format!("{gets_per_second} gets a second, of any keys");
        let report = self.while_working(&title, || {
            reader::gets(self.server.address, self.book, gets_per_second, measured)
        })?;
        self.say(&format!("gets: {report}"));
        Ok(report)
    }

    /// Gets while keys are written over, so that memtables are flushed and tables merged.
    fn gets_beside_sets(&self) -> io::Result<(Report, Report)> {
        let per_second = self.plan.sets_per_second;
        let settle = self.plan.settle;
        let until = Instant::now() + 2 * settle + self.plan.measured;
        let written_before = written_bytes_of(self.pid());
        self.say(&format!("{per_second} sets a second beside them"));
        let (gets, sets) = thread::scope(|scope| {
            let writer = Writer::steady(self.server.address, per_second);
            let sets = scope.spawn(move || writer.write(self.book, both_sizes(until)));
            thread::sleep(settle);
            (self.gets(), sets.join())
        });
        let sets = sets.map_err(|_| io::Error::other("the writer panicked"))??;
        let written = written_bytes_of(self.pid()) - written_before;
        self.say(&format!(
            "sets: {sets}\nthe server wrote {:.2} bytes for each of theirs",
            written as f64 / sets.value_bytes as f64
        ));
        Ok((gets?, sets))
    }

    /// Kills the server while it takes writes. Gives back its folder, and the most memory that it
    /// ever had.
    fn crash(self) -> io::Result<(TempDir, u64)> {
        let (address, book, say, settle) =
            (self.server.address, self.book, self.say, self.plan.settle);
        thread::scope(|scope| {
            let writer = Writer::fast(address, false);
            // Beyond the crash, so that this does not end before it.
            let until = Instant::now() + 2 * settle + Duration::from_secs(60);
            let writes = scope.spawn(move || writer.write(book, both_sizes(until)));
            thread::sleep(settle);
            let peak_bytes = memory_of(self.server.process.pid()).peak_bytes;
            let data = self.server.kill()?;
            match writes.join() {
                Ok(Err(error)) => say(&format!("killed; the writer says: {error}")),
                _ => return Err(io::Error::other("nothing was being written at the crash")),
            }
            Ok((data, peak_bytes))
        })
    }
}

/// Writes over what is there, mostly small values.
fn both_sizes(until: Instant) -> impl FnMut(&mut Book) -> Option<u32> {
    let mut count = 0u32;
    move |book| {
        count = count.wrapping_add(1);
        let is_large = count.is_multiple_of(LARGE_EVERY);
        let size = if is_large { Size::Large } else { Size::Small };
        (Instant::now() < until).then(|| book.issue(size))
    }
}

/// Anything that went wrong but for refusals, which the server may say.
fn troubles(report: &Report) -> io::Result<()> {
    let is_refusal = |text: &String| {
        script::AGAIN.iter().any(|code| text.starts_with(&format!("in-band error {code}")))
    };
    match report.failures.keys().all(is_refusal) {
        true => Ok(()),
        false => Err(io::Error::other(report.to_string())),
    }
}
