//! Log lines on their way to standard error, so that nobody waits for whoever reads it.
//!
//! ```text
//! any thread ─► line ─► queue of LINES_MAX ─► the thread "log" ─► standard error
//!                  └─ full: counted, and told of when there is room again
//! ```
//!
//! A write to a pipe that nobody empties, or to a file whose file system is busy with a sync, takes
//! as long as it takes (measured: 300 ms); a reactor that logs must not wait for it.

use std::{
    io::{self, Write},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait.
const LINES_MAX: usize = 4096;
/// How long the end of the process waits for lines that are on their way.
const FLUSH_MAX: Duration = Duration::from_secs(2);

static QUEUE: OnceLock<Sender<Message>> = OnceLock::new();
/// Since the start.
static DROPPED: AtomicU64 = AtomicU64::new(0);

enum Message {
    Line(Vec<u8>),
    /// Tell when all before it are written.
    Flush(Sender<()>),
}

/// Where lines are written to: nowhere, until the queue is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue;

/// One line, queued when it is complete.
#[derive(Debug)]
pub(crate) struct Line(Vec<u8>);

/// Opens the queue; once in a process.
pub(crate) fn open() -> io::Result<Queue> {
    let (sender, receiver) = bounded(LINES_MAX);
    thread::Builder::new().name("log".into()).spawn(move || write_all(&receiver))?;
    QUEUE.get_or_init(|| sender);
    Ok(Queue)
}

/// Waits until the lines so far are written, but not for ever.
pub(crate) fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let (done, written) = bounded(1);
    if queue.send_timeout(Message::Flush(done), FLUSH_MAX).is_ok() {
        // Whoever reads the lines may have gone to sleep: then the process ends all the same.
        let _ = written.recv_timeout(FLUSH_MAX);
    }
}

fn write_all(lines: &Receiver<Message>) {
    let mut told = 0;
    for message in lines {
        match message {
            Message::Line(line) => put(&line),
            Message::Flush(done) => {
                let _ = done.send(());
            }
        }
        if lines.is_empty() {
            tell_of_dropped(&mut told);
        }
    }
}

/// A line that cannot be written is gone: there is nowhere else to say so.
fn put(line: &[u8]) {
    let _ = io::stderr().lock().write_all(line);
}

/// Lines that were dropped since the start.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Relaxed)
}

fn tell_of_dropped(told: &mut u64) {
    let dropped = dropped();
    let count = dropped - std::mem::replace(told, dropped);
    if count > 0 {
        put(format!("{count} log lines were dropped: their reader is too slow\n").as_bytes());
    }
}

impl MakeWriter<'_> for Queue {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line(Vec::new())
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Some(queue) = QUEUE.get() else { return };
        if queue.try_send(Message::Line(std::mem::take(&mut self.0))).is_err() {
            DROPPED.fetch_add(1, Relaxed);
        }
    }
}
