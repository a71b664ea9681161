//! The four kinds of server that the generator can talk to.

use std::{io, net::SocketAddr, rc::Rc, time::Duration};

use crate::{
    drive::{self, Load, Mark},
    http2::{Http2, Shape},
    report::Report,
    resp::Resp,
    script::{
        Download, KeySet, Mix,
        amaters::{self, Amaters},
        batch::{self, Batches, Dialect},
        etcd::{self, Etcd},
        once,
        redis::Redis,
    },
    wire::Script,
};

/// Bytes on their way while a server is filled; some have small windows, all have buffers.
const FILL_BYTES: usize = 8 * 1024 * 1024;
/// Longest time to fill a server with its keys.
const FILL_MAX: Duration = Duration::from_secs(300);

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// Our own protocol.
    Amaters,
    /// RESP.
    Redis,
    /// gRPC with etcd's messages.
    Etcd,
    /// Plain HTTP/2 downloads of `/value-N`.
    Nghttpd,
}

/// What to do to a server.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// On what.
    pub keys: KeySet,
    /// Which operations.
    pub mix: Mix,
    /// In which shape.
    pub load: Load,
}

impl Target {
    /// Writes every key once.
    pub fn fill(self, address: SocketAddr, keys: KeySet) -> io::Result<Report> {
        self.fill_with(address, keys, false)
    }

    /// The same, with or without TLS.
    pub fn fill_with(self, address: SocketAddr, keys: KeySet, tls: bool) -> io::Result<Report> {
        let depth = (FILL_BYTES / 4 / keys.value_bytes.max(1)).clamp(1, 32);
        let mut load = Load::closed(4, depth, FILL_MAX);
        load.warmup = Duration::ZERO;
        load.tls = tls;
        if self == Self::Nghttpd {
            return Ok(Report::empty());
        }
        let report = self.run(address, keys, Mix::Set, &load, once(keys.writes()), |_| {})?;
        if report.failed() > 0 || report.answered != u64::from(keys.keys_count) {
            return Err(io::Error::other(format!("not filled: {report}")));
        }
        Ok(report)
    }

    /// Does some work and reports.
    pub fn measure(
        self,
        address: SocketAddr,
        work: &Work,
        mark: impl FnMut(Mark),
    ) -> io::Result<Report> {
        let next = work.mix.requests(work.keys, 1);
        self.run(address, work.keys, work.mix, &work.load, next, mark)
    }

    /// Does some work until it is told to end, or its time is up.
    pub fn measure_while(
        self,
        address: SocketAddr,
        work: &Work,
        goes_on: impl Fn() -> bool,
    ) -> io::Result<Report> {
        let mut next = work.mix.requests(work.keys, 1);
        let next = || if goes_on() { next() } else { None };
        self.run(address, work.keys, work.mix, &work.load, next, |_| {})
    }

    fn run(
        self,
        address: SocketAddr,
        keys: KeySet,
        mix: Mix,
        load: &Load,
        next: impl FnMut() -> Option<u32>,
        mark: impl FnMut(Mark),
    ) -> io::Result<Report> {
        let token = std::env::var("AMATERS_TOKEN").ok();
        let grpc = |path| Shape::grpc(&address.to_string(), path).bearing(token.as_deref());
        let run = Run { address, load };
        match (self, mix) {
            (Self::Amaters, Mix::Batch) => {
                let script = Batches::new(Dialect::Amaters, keys);
                run.http2(script, grpc(batch::AMATERS_PATH), next, mark)
            }
            (Self::Amaters, _) => run.http2(Amaters::new(keys), grpc(amaters::PATH), next, mark),
            (Self::Redis, Mix::Batch) => run.resp(Batches::new(Dialect::Redis, keys), next, mark),
            (Self::Redis, _) => run.resp(Redis::new(keys), next, mark),
            (Self::Etcd, Mix::Batch) => {
                run.http2(Batches::new(Dialect::Etcd, keys), grpc(batch::ETCD_PATH), next, mark)
            }
            (Self::Etcd, Mix::Get) => {
                run.http2(Etcd::new(keys), grpc(etcd::RANGE_PATH), next, mark)
            }
            (Self::Etcd, Mix::Set) => run.http2(Etcd::new(keys), grpc(etcd::PUT_PATH), next, mark),
            (Self::Etcd, Mix::Mixed(_)) => Err(io::Error::other("etcd has a path for each")),
            (Self::Nghttpd, Mix::Batch) => Err(io::Error::other("files have no batches")),
            (Self::Nghttpd, _) => {
                let script = Download { length: keys.value_bytes };
                let path = format!("/value-{}", keys.value_bytes);
                run.http2(script, Shape::get(&address.to_string(), &path), next, mark)
            }
        }
    }
}

/// Where a load goes, and in which shape.
struct Run<'a> {
    address: SocketAddr,
    load: &'a Load,
}

impl Run<'_> {
    fn http2(
        &self,
        script: impl Script,
        shape: Shape,
        next: impl FnMut() -> Option<u32>,
        mark: impl FnMut(Mark),
    ) -> io::Result<Report> {
        let script = Rc::new(script);
        let wire = || Http2::new(script.clone(), shape.clone());
        drive::run(self.address, self.load, wire, next, mark)
    }

    fn resp(
        &self,
        script: impl Script,
        next: impl FnMut() -> Option<u32>,
        mark: impl FnMut(Mark),
    ) -> io::Result<Report> {
        let script = Rc::new(script);
        drive::run(self.address, self.load, || Resp::new(script.clone()), next, mark)
    }
}
