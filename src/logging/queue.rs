//! Log lines on their way out, so that nobody waits for whoever reads them.
//!
//! ```text
//! any thread ─► line ─► queue of LINES_MAX ─► the thread "log" ─┬─► standard error
//!                  └─ full: counted, and told of                └─► file, if there is one
//!                     when there is room again
//! ```
//!
//! A write to a pipe that nobody empties, or to a file whose file system is busy with a sync, takes as long as it takes
//! (measured: 300 ms); a reactor that logs must not wait for it, nor may a reload: what it wants goes by the queue, or beside
//! it where that is full.

use std::{
    io::{self, Write},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, SystemTime},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::stderr::Stderr;
use crate::line_file::LineFile;

/// Lines that may wait.
const LINES_MAX: usize = 4096;
/// How long the end of the process waits for lines that are on their way.
const FLUSH_MAX: Duration = Duration::from_secs(2);

static QUEUE: OnceLock<Ends> = OnceLock::new();
/// Since the start.
static DROPPED: AtomicU64 = AtomicU64::new(0);
static LOST: AtomicU64 = AtomicU64::new(0);

struct Ends {
    lines: Sender<Message>,
    /// For orders that find the queue full.
    orders: Sender<Order>,
}

enum Message {
    Line(Level, Vec<u8>),
    /// Lines before it go where they were to go, those behind it where it says.
    Order(Order),
    /// Tell when all before it are written.
    Flush(Sender<()>),
}

/// What is wanted of the thread beside lines.
enum Order {
    /// Lines go to this file too, or to none.
    File(Option<LineFile>),
    /// The file may have been moved away.
    Reopen,
}

/// Where lines are written to: nowhere, until the queue is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue;

/// One line, queued when it is complete.
#[derive(Debug)]
pub(super) struct Line {
    level: Level,
    text: Vec<u8>,
}

/// Opens the queue; once in a process.
pub(super) fn open(file: Option<LineFile>) -> io::Result<Queue> {
    let (lines, lines_out) = bounded(LINES_MAX);
    let (orders, orders_out) = unbounded();
    let mut outlet = Outlet { stderr: Stderr::new(), file, told: 0, is_failing: false };
    let run = move || outlet.run(&lines_out, &orders_out);
    thread::Builder::new().name("log".into()).spawn(run)?;
    QUEUE.get_or_init(|| Ends { lines, orders });
    Ok(Queue)
}

/// From now on lines go to this file too, or to none.
pub(super) fn set_file(file: Option<LineFile>) {
    order(Order::File(file));
}

/// The log file may have been moved away: the next lines go to the one at its path.
pub(crate) fn reopen() {
    order(Order::Reopen);
}

/// Never waits: where the queue is full, the order overtakes it.
fn order(order: Order) {
    let Some(queue) = QUEUE.get() else { return };
    if let Err(TrySendError::Full(Message::Order(order))) =
        queue.lines.try_send(Message::Order(order))
    {
        // It fails only when the thread died, and then nothing is logged at all.
        let _ = queue.orders.send(order);
    }
}

/// Waits until the lines so far are written, but not for ever.
pub(crate) fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let (done, written) = bounded(1);
    if queue.lines.send_timeout(Message::Flush(done), FLUSH_MAX).is_ok() {
        // Whoever reads the lines may have gone to sleep: then the process ends all the same.
        let _ = written.recv_timeout(FLUSH_MAX);
    }
}

/// Lines that were dropped since the start, because the queue was full.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Relaxed)
}

/// Lines that are not in the log file, because it could not be written; since the start.
pub(crate) fn lost() -> u64 {
    LOST.load(Relaxed)
}

/// The thread.
struct Outlet {
    stderr: Stderr,
    file: Option<LineFile>,
    /// Dropped lines that were told of.
    told: u64,
    /// The last line could not be written to the file.
    is_failing: bool,
}

impl Outlet {
    fn run(&mut self, lines: &Receiver<Message>, orders: &Receiver<Order>) {
        for message in lines {
            match message {
                Message::Line(level, line) => self.put(level, &line),
                Message::Order(order) => self.obey(order),
                Message::Flush(done) => {
                    // Whoever waited for it may have given up.
                    let _ = done.send(());
                }
            }
            orders.try_iter().for_each(|order| self.obey(order));
            if lines.is_empty() {
                self.tell_of_dropped();
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match (order, &mut self.file) {
            (Order::File(file), _) => {
                self.file = file;
                self.is_failing = false;
            }
            (Order::Reopen, Some(file)) => {
                if let Err(error) = file.reopen() {
                    self.say(Level::ERROR, &format!("{error}; lines go on to the file of before"));
                }
            }
            (Order::Reopen, None) => {}
        }
    }

    fn put(&mut self, level: Level, line: &[u8]) {
        self.stderr.write(level, line);
        let Some(file) = &mut self.file else { return };
        match file.write(line, SystemTime::now()) {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                let text = format!("the log file {} is written again", file.path().display());
                self.say(Level::WARN, &text);
            }
            Ok(()) => {}
            Err(error) => {
                LOST.fetch_add(1, Relaxed);
                if !std::mem::replace(&mut self.is_failing, true) {
                    self.say(Level::ERROR, &format!("{error}; lines are on standard error only"));
                }
            }
        }
    }

    fn tell_of_dropped(&mut self) {
        let dropped = dropped();
        let count = dropped - std::mem::replace(&mut self.told, dropped);
        if count > 0 {
            let text = format!("{count} log lines were dropped: their reader is too slow");
            self.say(Level::WARN, &text);
        }
    }

    /// About the log itself: on standard error, because the file may be what it is about.
    fn say(&self, level: Level, text: &str) {
        self.stderr.write(level, format!("{level} {text}\n").as_bytes());
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { level: Level::INFO, text: Vec::new() }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line {
        Line { level: *event.level(), text: Vec::new() }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Some(queue) = QUEUE.get() else { return };
        let line = Message::Line(self.level, std::mem::take(&mut self.text));
        if queue.lines.try_send(line).is_err() {
            DROPPED.fetch_add(1, Relaxed);
        }
    }
}
