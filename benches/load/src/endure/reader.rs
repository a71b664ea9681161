//! Gets whose answers are all judged: at a rate, to see how long they take, or as fast as may be, to
//! see whether everything is there.

use std::{io, net::SocketAddr, rc::Rc, time::Duration};

use super::{
    book::{Shared, Size},
    script::Gets,
    troubles,
};
use crate::{
    drive::{self, Arrival, Load},
    http2::{Http2, Shape},
    report::Report,
    script::{Random, amaters::PATH},
};

/// One get in so many is of a large value.
const LARGE_EVERY: u64 = 8;
/// Half of a sample is of the last so many writes: what a crash would take first.
const RECENT: u32 = 10_000;

/// Gets of any keys at a fixed rate.
pub(super) fn gets(
    address: SocketAddr,
    book: &Shared,
    per_second: f64,
    measured: Duration,
) -> io::Result<Report> {
    let load = Load {
        connections: 4,
        depth: 256,
        arrival: Arrival::Open { per_second },
        warmup: Duration::from_secs(1),
        measured,
        tls: false,
    };
    let mut places = Places::new(book, 0);
    run(address, book, &load, || Some(places.next()))
}

/// Gets of so many keys, half of them written last, each answered once.
pub(super) fn sample(address: SocketAddr, book: &Shared, count: u32) -> io::Result<Report> {
    let mut load = Load::closed(4, 16, Duration::from_secs(1_000_000));
    load.warmup = Duration::ZERO;
    let mut places = Places::new(book, RECENT);
    let mut left = 0..count;
    let report = run(address, book, &load, || left.next().map(|_| places.next()))?;
    match report.answered == u64::from(count) {
        true => Ok(report),
        false => Err(io::Error::other(format!("not all were answered: {report}"))),
    }
}

fn run(
    address: SocketAddr,
    book: &Shared,
    load: &Load,
    next: impl FnMut() -> Option<u32>,
) -> io::Result<Report> {
    let script = Rc::new(Gets::new(book));
    let shape = Shape::grpc(&address.to_string(), PATH);
    let wire = || Http2::new(script.clone(), shape.clone());
    let report = drive::run(address, load, wire, next, |_| {})?;
    troubles(&report)?;
    Ok(report)
}

/// Places to look at.
struct Places {
    book: super::book::Book,
    random: Random,
    recent: u32,
}

impl Places {
    fn new(book: &Shared, recent: u32) -> Self {
        Self { book: book.open().clone(), random: Random::new(7), recent }
    }

    fn next(&mut self) -> u32 {
        let draw = self.random.next() >> 32;
        let size = if draw.is_multiple_of(LARGE_EVERY) { Size::Large } else { Size::Small };
        let ledger = self.book.ledger(size);
        let is_recent = self.recent > 0 && (draw / LARGE_EVERY).is_multiple_of(2);
        size.request(match is_recent {
            true => ledger.recent_place(self.recent, &mut self.random),
            false => ledger.any_place(&mut self.random),
        })
    }
}
