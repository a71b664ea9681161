//! Writes, as fast as the server takes them or at a rate. What it refuses is tried again after a
//! pause, which grows while it goes on refusing.

use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use super::{
    book::{Book, Shared},
    script::Sets,
    troubles,
};
use crate::{
    drive::{self, Arrival, Load},
    http2::{Http2, Shape},
    report::Report,
    script::amaters::PATH,
};

/// Writes on their way: enough to keep the server busy, and at 64 KiB each 2 MiB in all.
const CONNECTIONS: usize = 4;
const DEPTH_LARGE: usize = 8;
const DEPTH_SMALL: usize = 64;
/// What the server asks for when it refuses, and how long the pause may become.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// How long it may refuse before that is a failure.
const REFUSING_MAX: Duration = Duration::from_secs(120);
/// Runs end when their requests do.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// In which shape writes are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer {
    address: SocketAddr,
    arrival: Arrival,
    depth: usize,
}

impl Writer {
    /// As fast as the server answers.
    pub(crate) fn fast(address: SocketAddr, are_large: bool) -> Self {
        let depth = if are_large { DEPTH_LARGE } else { DEPTH_SMALL };
        Self { address, arrival: Arrival::Closed, depth }
    }

    /// So many a second, of both sizes.
    pub(crate) fn steady(address: SocketAddr, per_second: f64) -> Self {
        Self { address, arrival: Arrival::Bursts { per_second }, depth: DEPTH_SMALL }
    }

    /// Writes until `next` has no more and everything is answered.
    pub(crate) fn write(
        &self,
        book: &Shared,
        mut next: impl FnMut(&mut Book) -> Option<u32>,
    ) -> io::Result<Report> {
        let (mut total, mut pause) = (Report::empty(), PAUSE_MIN);
        let mut accepted_last = Instant::now();
        loop {
            let refusals = book.open().refusals;
            let mut is_over = false;
            let report = self.lap(book, || {
                let mut book = book.open();
                if book.refusals > refusals {
                    return None;
                }
                let request = book.issue_again().or_else(|| next(&mut book));
                is_over |= request.is_none();
                request
            })?;
            total.add(&report);
            troubles(&total)?;
            let mut book = book.open();
            book.rest();
            if is_over && !book.has_refused() {
                return Ok(total);
            }
            drop(book);
            if report.answered > 0 {
                (pause, accepted_last) = (PAUSE_MIN, Instant::now());
            } else if accepted_last.elapsed() > REFUSING_MAX {
                return Err(io::Error::other(format!("the server goes on refusing: {total}")));
            }
            thread::sleep(pause);
            pause = (2 * pause).min(PAUSE_MAX);
        }
    }

    /// Writes until there is no next one.
    fn lap(&self, book: &Shared, next: impl FnMut() -> Option<u32>) -> io::Result<Report> {
        let load = Load {
            connections: CONNECTIONS,
            depth: self.depth,
            arrival: self.arrival,
            warmup: Duration::ZERO,
            measured: FOR_EVER,
            tls: false,
        };
        let script = Rc::new(Sets::new(book));
        let shape = Shape::grpc(&self.address.to_string(), PATH);
        let wire = || Http2::new(script.clone(), shape.clone());
        drive::run(self.address, &load, wire, next, |_| {})
    }
}
