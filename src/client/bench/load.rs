//! Requests at their times: streams that wait for answers, and in the open loop a pacer that waits for nobody.
//!
//! ```text
//! closed   stream: send ─► answer ─► send …
//! open     pacer (a thread): ticket at each due time ─► queue ─► streams, as they are free
//! ```

use std::{
    cell::RefCell,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use amaters_proto::query::query_result::Result as Outcome;
use tokio::{
    sync::{Mutex, mpsc},
    task::LocalSet,
};

use super::{
    keys::{self, Chooser, Dice, Values},
    report::Report,
};
use crate::client::{connection::Connection, failure::Failure, query};

/// How long answers are waited for behind the measured time.
const GRACE: Duration = Duration::from_secs(10);

/// What is to be asked.
pub(super) struct Plan {
    pub(super) collection: Rc<str>,
    pub(super) reads: u8,
    pub(super) chooser: Chooser,
    pub(super) value_bytes: usize,
    /// Requests under way at once on a connection.
    pub(super) streams: u16,
    pub(super) rate: Option<u32>,
    pub(super) warmup: Duration,
    pub(super) seconds: Duration,
    pub(super) seed: u64,
}

/// What all streams share.
pub(super) struct Load {
    plan: Plan,
    values: Values,
    report: RefCell<Report>,
    /// From here on, what is due is measured.
    begin: Instant,
    end: Instant,
    tickets: Option<Mutex<mpsc::UnboundedReceiver<Instant>>>,
}

impl Load {
    /// Asks as planned, and waits for the answers.
    pub(super) async fn run(plan: Plan, connections: Vec<Connection>) -> Result<Report, Failure> {
        let start = Instant::now();
        let begin = start + plan.warmup;
        let end = begin + plan.seconds;
        let tickets = plan.rate.map(|rate| paced(rate, start, end)).transpose()?;
        let values = Values::new(plan.value_bytes, plan.seed);
        let report = RefCell::new(Report::new(plan.seconds));
        let load =
            Rc::new(Self { plan, values, report, begin, end, tickets: tickets.map(Mutex::new) });
        let streams = LocalSet::new();
        let mut number = load.plan.seed;
        for connection in connections {
            for _ in 0..load.plan.streams {
                number = number.wrapping_add(1);
                let stream = load.clone().stream(connection.clone(), Dice::new(number));
                streams.spawn_local(stream);
            }
        }
        let measured = load.clone();
        streams.spawn_local(async move {
            tokio::time::sleep_until(measured.begin.into()).await;
            measured.report.borrow_mut().cpu_begins();
            tokio::time::sleep_until(measured.end.into()).await;
            measured.report.borrow_mut().cpu_ends();
        });
        // Whoever does not answer in time ends as unfinished, and so does what was not even sent.
        let _ = tokio::time::timeout_at((end + GRACE).into(), streams).await;
        load.count_unsent().await;
        Ok(load.report.replace(Report::new(load.plan.seconds)))
    }

    async fn stream(self: Rc<Self>, connection: Connection, mut dice: Dice) {
        while let Some(due) = self.due().await {
            let measured = due >= self.begin && due < self.end;
            if measured {
                self.report.borrow_mut().begins();
            }
            let is_get = dice.below(100) < u64::from(self.plan.reads);
            let key = keys::name(self.plan.chooser.next(&mut dice));
            let outcome = if is_get {
                connection.ask(query::get(&self.plan.collection, key)).await
            } else {
                let value = query::blob(self.values.next(&mut dice));
                connection.ask(query::set(&self.plan.collection, key, value)).await
            };
            let lost = matches!(&outcome, Err(failure) if failure.kind == crate::client::failure::Kind::Unreachable);
            if measured {
                self.note(is_get, due.elapsed(), outcome);
            }
            if lost && self.tickets.is_none() {
                // A closed loop would ask again at once, and count nothing but that.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// When the next request of a stream is due; none at the end.
    async fn due(&self) -> Option<Instant> {
        match &self.tickets {
            Some(tickets) => tickets.lock().await.recv().await,
            None => Some(Instant::now()).filter(|now| *now < self.end),
        }
    }

    fn note(&self, is_get: bool, latency: Duration, outcome: Result<Outcome, Failure>) {
        let mut report = self.report.borrow_mut();
        match outcome {
            Ok(Outcome::Single(single)) => match single.value {
                Some(blob) if blob.data.len() == self.plan.value_bytes => {
                    report.answered(is_get, latency, blob.data.len());
                }
                Some(_) => {
                    report.failed("a value of another length: other values are in this collection")
                }
                None => report.absent(latency),
            },
            Ok(_) => report.answered(is_get, latency, self.plan.value_bytes),
            Err(failure) => report.failed(&failure.text),
        }
    }

    /// Requests that were due and found no free stream: they would have waited at least until now.
    async fn count_unsent(&self) {
        let Some(tickets) = &self.tickets else {
            return;
        };
        let mut tickets = tickets.lock().await;
        while let Ok(due) = tickets.try_recv() {
            if due >= self.begin && due < self.end {
                self.report.borrow_mut().begins();
            }
        }
    }
}

/// Tickets at fixed times. tokio's timers are a millisecond coarse, so a thread waits.
fn paced(
    rate: u32,
    start: Instant,
    end: Instant,
) -> Result<mpsc::UnboundedReceiver<Instant>, Failure> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let pace = move || {
        for number in 0u64.. {
            let due = start + Duration::from_nanos(number * 1_000_000_000 / u64::from(rate));
            if due >= end {
                break;
            }
            let now = Instant::now();
            if due > now {
                thread::sleep(due - now);
            }
            if sender.send(due).is_err() {
                break;
            }
        }
    };
    thread::Builder::new()
        .name("pacer".into())
        .spawn(pace)
        .map_err(|error| Failure::refused(format!("cannot begin a thread: {error}")))?;
    Ok(receiver)
}
