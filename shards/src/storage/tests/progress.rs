//! What a start that takes long says in the log meanwhile.

use std::{
    cell::Cell,
    fmt,
    rc::Rc,
    sync::mpsc::{Sender, channel},
    time::Duration,
};

use futures_util::future::LocalBoxFuture;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::machine::{Machine, finish, value};
use crate::{
    settings::SyncMode,
    storage::{Shard, Workshop, clock::Clock, disk::sim::Crash},
};

/// Time flies: each look at it finds it so much later.
struct Hasty(Cell<Duration>, Duration);

impl Clock for Hasty {
    fn now(&self) -> Duration {
        self.0.set(self.0.get() + self.1);
        self.0.get()
    }

    fn sleep(&self, _: Duration) -> LocalBoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Passes on the lines of the level `info`.
#[derive(Clone)]
struct Lines(Sender<String>);

impl Visit for Lines {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.send(format!("{value:?}")).unwrap();
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Tables and a log that are read back with such a clock; what is said meanwhile.
fn told(step: Duration) -> Vec<String> {
    let mut machine = Machine::new(1, SyncMode::Always, 16_384);
    machine.options.memtable_bytes_max = 60_000;
    machine.start().unwrap();
    for key in 0..200u8 {
        machine.shard().set("c", &[key], value(vec![key; 100])).unwrap();
        machine.settle();
    }
    assert!(machine.shard().stats().tables > 0);
    machine.crash(Crash::Power);
    let disk = Rc::new(machine.disk.clone());
    let (clock, workshop) = (Rc::new(Hasty(Cell::default(), step)), Workshop::inline(disk.clone()));
    let (sender, lines) = channel();
    let opened = tracing::subscriber::with_default(Lines(sender), || {
        finish(Shard::open(disk, clock, workshop, machine.options.clone()))
    });
    assert!(opened.unwrap().1.records > 10);
    lines.iter().collect()
}

#[test]
fn a_long_start_says_how_far_it_is_and_how_long_it_took() {
    // Three looks at the clock take more than a second.
    let lines = told(Duration::from_millis(400));
    let of_log: Vec<_> = lines.iter().filter(|line| line.contains("reading the log: ")).collect();
    assert!(of_log.len() > 3, "{lines:?}");
    assert!(of_log.iter().all(|line| line.starts_with("shard 0: ")), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("shard 0: ready after "), "{lines:?}");
    // Where each look takes two, the files are told as well.
    let lines = told(Duration::from_secs(2));
    assert!(lines[0].starts_with("shard 0: opening tables and blob files: 1 of "), "{lines:?}");
}

#[test]
fn a_quick_start_says_nothing() {
    assert_eq!(told(Duration::from_micros(1)), [""; 0]);
}
