//! The thread that writes the audit: a group of lines at a time, and again what could not be written.
//!
//! ```text
//! queues ─► gather: ids, lines, gaps ─► batch ─► write ─┬─► done
//!              ▲                          ▲             └─► failed: kept, tried again each RETRY
//!              └── only when it is empty ─┘
//! ```
//!
//! Always true: a line of the batch is written once, whole; nothing is taken from a queue while the batch waits, so what
//! comes meanwhile stays in the queues, and what does not fit is counted there.

use std::{
    io,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use amaters_shards::audit::{AuditResult, Event, Kind, Outlet};
use crossbeam_channel::{Receiver, Sender};

use super::{id::Ids, line};
use crate::line_file::LineFile;

/// Bytes of lines that are written at once.
const BATCH_BYTES: usize = 64 * 1024;
/// How often what could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Batches that are written before an order that came behind their events.
const BATCHES_MAX: usize = 64;

/// What is wanted of the thread beside lines. Events that were recorded before it go where they were to go.
pub(super) enum Order {
    /// Lines go to this file, or to the log.
    Target { file: Option<LineFile>, sync: bool },
    /// The file may have been moved away.
    Reopen,
    /// Tell when all before it are written.
    Flush(Sender<()>),
}

/// The thread.
pub(super) struct Writer {
    outlet: Outlet,
    orders: Receiver<Order>,
    file: Option<LineFile>,
    sync: bool,
    ids: Ids,
    batch: Batch,
    queues: Vec<Progress>,
    /// When the batch is tried again that could not be written.
    retry_at: Option<Instant>,
}

/// Lines that are not written yet.
#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    kinds: Vec<Kind>,
}

/// How far a queue was followed.
#[derive(Clone, Default)]
struct Progress {
    /// Dropped events that a line tells of.
    told: u64,
    gap: Option<Gap>,
    /// The last line of which it is known that the queue had lost nothing more before it.
    whole_until: String,
}

/// Events that were dropped, and are to be told of.
#[derive(Clone)]
struct Gap {
    /// Dropped events up to here.
    until: u64,
    /// Events that wait and are older.
    before: usize,
}

impl Writer {
    pub(super) fn new(
        outlet: Outlet,
        orders: Receiver<Order>,
        file: Option<LineFile>,
        sync: bool,
    ) -> io::Result<Self> {
        let queues = vec![Progress::default(); outlet.queues()];
        let (ids, batch) = (Ids::new()?, Batch::default());
        Ok(Self { outlet, orders, file, sync, ids, batch, queues, retry_at: None })
    }

    pub(super) fn run(&mut self) {
        loop {
            let went_on = self.turn();
            while let Ok(order) = self.orders.try_recv() {
                self.obey(order);
            }
            if !went_on {
                let longest = self.retry_at.map_or(RETRY, |at| at - Instant::now().min(at));
                let (orders, is_stuck) = (&self.orders, self.retry_at.is_some());
                let audit = self.outlet.audit();
                let is_idle = || orders.is_empty() && (is_stuck || audit.waiting() == 0);
                self.outlet.sleep(longest, is_idle);
            }
        }
    }

    /// Writes a batch, if there is one and it is time; says whether it did.
    fn turn(&mut self) -> bool {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        if self.batch.lines.is_empty() {
            self.gather();
        }
        // Whether a failed sync is over has to be seen without a line.
        let is_due = !self.batch.lines.is_empty() || self.retry_at.is_some();
        if is_due {
            self.write();
        }
        is_due
    }

    /// Takes events of all queues by turns, and tells of those that are missing.
    fn gather(&mut self) {
        let mut is_dry = false;
        while !is_dry && self.batch.lines.len() < BATCH_BYTES {
            is_dry = true;
            for queue in 0..self.queues.len() {
                is_dry &= !self.take(queue);
            }
        }
    }

    /// Takes an event of a queue, or tells of those that are missing at this place; says whether there was anything.
    fn take(&mut self, queue: usize) -> bool {
        let progress = &mut self.queues[queue];
        // What was dropped so far is younger than what waited then, and older than what is queued from now on.
        let dropped = self.outlet.dropped(queue);
        if progress.gap.is_none() && dropped > progress.told {
            progress.gap = Some(Gap { until: dropped, before: self.outlet.waiting(queue) });
        }
        if let Some(gap) = progress.gap.take_if(|gap| gap.before == 0) {
            let missing = gap.until - std::mem::replace(&mut progress.told, gap.until);
            self.tell_of_missing(queue, missing);
            return true;
        }
        let Some(event) = self.outlet.take(queue) else { return false };
        let id = self.put(&event);
        let progress = &mut self.queues[queue];
        match &mut progress.gap {
            Some(gap) => gap.before -= 1,
            None => progress.whole_until = id,
        }
        true
    }

    /// A line about the events of a queue that are in no line.
    fn tell_of_missing(&mut self, queue: usize, missing: u64) {
        let is_of_process = queue + 1 == self.queues.len();
        let name = if is_of_process { "process".into() } else { format!("reactor {queue}") };
        let after = std::mem::take(&mut self.queues[queue].whole_until);
        let event = Event::new(Kind::SecurityViolation, AuditResult::Failure)
            .action("audit.lost")
            .error("the audit could not be written for too long, or not fast enough")
            .with("events", missing.to_string())
            .with("queue", name)
            .with("after", after);
        self.queues[queue].whole_until = self.put(&event);
        tracing::error!("{missing} audit events are lost: their queue was full");
    }

    /// Puts the line of an event into the batch.
    fn put(&mut self, event: &Event) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let id = self.ids.next(now.as_millis() as u64);
        line::write(&mut self.batch.lines, &id, event);
        self.batch.kinds.push(event.kind);
        id
    }

    fn write(&mut self) {
        let written = match &mut self.file {
            None => {
                log(&self.batch.lines);
                Ok(())
            }
            Some(file) => file.write(&self.batch.lines, SystemTime::now()),
        };
        if written.is_ok() {
            self.batch.kinds.drain(..).for_each(|kind| self.outlet.wrote(kind));
            self.batch.lines.clear();
        }
        let synced = match self.file.as_ref().filter(|_| self.sync) {
            Some(file) => written.and_then(|()| file.sync()),
            None => written,
        };
        self.outlet.could_write(synced.is_ok());
        match synced {
            Ok(()) => {
                if self.retry_at.take().is_some() {
                    tracing::warn!("the audit is written again");
                }
            }
            Err(error) => {
                if self.retry_at.replace(Instant::now() + RETRY).is_none() {
                    tracing::error!("{error}; the audit waits, as far as there is room for it");
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let all_is_written = self.catch_up();
        match order {
            Order::Target { file, sync } => {
                (self.file, self.sync) = (file, sync);
                self.try_again();
            }
            Order::Reopen => {
                if let Some(file) = &mut self.file
                    && let Err(error) = file.reopen()
                {
                    tracing::error!("{error}; lines go on to the file of before");
                }
                self.try_again();
            }
            Order::Flush(done) => {
                if !all_is_written {
                    let waiting = self.outlet.audit().waiting() + self.batch.kinds.len();
                    tracing::error!("{waiting} audit events could not be written");
                }
                // Whoever waited for it may have given up.
                let _ = done.send(());
            }
        }
    }

    /// Writes what is queued; says whether that is all.
    fn catch_up(&mut self) -> bool {
        self.try_again();
        (0..BATCHES_MAX).find(|_| !self.turn());
        self.batch.lines.is_empty() && self.outlet.audit().waiting() == 0
    }

    /// Something has changed: a batch that could not be written is not left waiting.
    fn try_again(&mut self) {
        if let Some(at) = &mut self.retry_at {
            *at = Instant::now();
        }
    }
}

fn log(lines: &[u8]) {
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line = String::from_utf8_lossy(line);
        tracing::info!(target: "amaters_net::audit", "{line}");
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use amaters_shards::audit::{Audit, EVENTS_MAX, Rules};
    use crossbeam_channel::unbounded;
    use serde_json::Value;

    use super::*;
    use crate::line_file::{FileKey, FileSettings};

    struct Site {
        _folder: tempfile::TempDir,
        path: PathBuf,
        audit: Audit,
        writer: Writer,
        orders: Sender<Order>,
    }

    fn file(path: PathBuf) -> LineFile {
        let key = FileKey { path: "authz.audit_log_path", otherwise: "do without" };
        LineFile::open(FileSettings { key, path, rotation: None }).unwrap()
    }

    impl Site {
        fn new(fail_closed: bool) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("audit.log");
            let (audit, outlet) = Audit::new(1);
            audit.set(Rules { enabled: true, fail_closed, ..Rules::default() });
            let (orders, orders_out) = unbounded();
            let writer = Writer::new(outlet, orders_out, Some(file(path.clone())), true).unwrap();
            Self { _folder: folder, path, audit, writer, orders }
        }

        fn note(&self, number: usize) {
            self.audit.note(event(number));
        }

        /// Writes what there is.
        fn write(&mut self) {
            while self.writer.turn() {}
        }

        fn lines(&self) -> Vec<Value> {
            let text = fs::read_to_string(&self.path).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }

        /// The disk is full.
        fn fill(&mut self) {
            self.writer.file = Some(file("/dev/full".into()));
        }

        fn make_room(&mut self) {
            let file = Some(file(self.path.clone()));
            self.writer.obey(Order::Target { file, sync: false });
            self.write();
        }
    }

    fn event(number: usize) -> Event {
        Event::new(Kind::Admin, AuditResult::Success).action(number.to_string())
    }

    #[test]
    fn lines_are_in_the_order_of_their_ids() {
        let mut site = Site::new(false);
        (0..3000).for_each(|number| site.note(number));
        site.write();
        let lines = site.lines();
        assert_eq!(lines.len(), 3000);
        assert!(
            lines
                .iter()
                .enumerate()
                .all(|(n, line)| line["action"].as_str() == Some(&n.to_string()))
        );
        assert!(lines.windows(2).all(|pair| pair[0]["id"].as_str() < pair[1]["id"].as_str()));
        assert_eq!(site.audit.lines(Kind::Admin), 3000);
    }

    /// What a full disk keeps out is written when there is room, as far as the queue reaches; what it does not reach is told
    /// between the ids that it says.
    #[test]
    fn a_gap_is_told_at_its_place() {
        let mut site = Site::new(false);
        site.note(0);
        site.write();
        site.fill();
        site.note(1);
        site.write();
        assert!(site.audit.is_failing());
        (2..EVENTS_MAX + 10).for_each(|number| site.note(number));
        site.make_room();
        site.note(99_999);
        site.write();
        assert!(!site.audit.is_failing());
        let lines = site.lines();
        // The second event was in the batch, so eight did not fit.
        assert_eq!(lines.len(), 1 + 1 + EVENTS_MAX + 1 + 1);
        let gap = &lines[lines.len() - 2];
        assert_eq!(
            (&gap["action"], &gap["metadata"]["events"]),
            (&"audit.lost".into(), &"8".into())
        );
        assert_eq!(gap["metadata"]["queue"], "process");
        assert_eq!(gap["event_type"], "security_violation");
        let after = lines.iter().position(|line| line["id"] == gap["metadata"]["after"]).unwrap();
        assert!(after < lines.len() - 2, "{after}");
        assert_eq!(lines.last().unwrap()["action"], "99999");
        assert!((0..EVENTS_MAX + 2).all(|n| lines[n]["action"].as_str() == Some(&n.to_string())));
    }

    #[test]
    fn fail_closed_opens_when_the_file_can_be_written_again() {
        let mut site = Site::new(true);
        site.fill();
        site.note(1);
        site.write();
        assert!(site.audit.is_closed());
        site.write();
        assert_eq!(site.audit.failures(), 1, "not tried again before its time");
        site.make_room();
        assert!(!site.audit.is_closed());
        assert_eq!(site.lines().len(), 1);
    }

    #[test]
    fn orders_come_behind_the_events_before_them() {
        let mut site = Site::new(false);
        site.note(1);
        let path = site.path.with_file_name("other.log");
        let order = Order::Target { file: Some(file(path.clone())), sync: false };
        site.orders.send(order).unwrap();
        let order = site.writer.orders.recv().unwrap();
        site.writer.obey(order);
        site.note(2);
        let (done, is_done) = crossbeam_channel::bounded(1);
        site.writer.obey(Order::Flush(done));
        assert!(is_done.try_recv().is_ok());
        assert_eq!(site.lines()[0]["action"], "1");
        site.path = path;
        assert_eq!(site.lines()[0]["action"], "2");
    }
}
