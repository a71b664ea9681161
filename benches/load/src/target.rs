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
        let depth = (FILL_BYTES / 4 / keys.value_bytes.max(1)).clamp(1, 32);
        let mut load = Load::closed(4, depth, FILL_MAX);
        load.warmup = Duration::ZERO;
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

    fn run(
        self,
        address: SocketAddr,
        keys: KeySet,
        mix: Mix,
        load: &Load,
        next: impl FnMut() -> Option<u32>,
        mark: impl FnMut(Mark),
    ) -> io::Result<Report> {
        let authority = address.to_string();
        if mix == Mix::Batch {
            let (dialect, path) = match self {
                Self::Amaters => (Dialect::Amaters, batch::AMATERS_PATH),
                Self::Etcd => (Dialect::Etcd, batch::ETCD_PATH),
                Self::Redis => (Dialect::Redis, ""),
                Self::Nghttpd => return Err(io::Error::other("files have no batches")),
            };
            let script = Rc::new(Batches::new(dialect, keys));
            if self == Self::Redis {
                return drive::run(address, load, || Resp::new(script.clone()), next, mark);
            }
            let shape = Shape::grpc(&authority, path);
            let wire = || Http2::new(script.clone(), shape.clone());
            return drive::run(address, load, wire, next, mark);
        }
        match self {
            Self::Amaters => {
                let script = Rc::new(Amaters::new(keys));
                let shape = Shape::grpc(&authority, amaters::PATH);
                let wire = || Http2::new(script.clone(), shape.clone());
                drive::run(address, load, wire, next, mark)
            }
            Self::Redis => {
                let script = Rc::new(Redis::new(keys));
                drive::run(address, load, || Resp::new(script.clone()), next, mark)
            }
            Self::Etcd => {
                let script = Rc::new(Etcd::new(keys));
                let path = match mix {
                    Mix::Get => etcd::RANGE_PATH,
                    Mix::Set => etcd::PUT_PATH,
                    Mix::Mixed(_) | Mix::Batch => {
                        return Err(io::Error::other("etcd has a path for each"));
                    }
                };
                let shape = Shape::grpc(&authority, path);
                let wire = || Http2::new(script.clone(), shape.clone());
                drive::run(address, load, wire, next, mark)
            }
            Self::Nghttpd => {
                let script = Rc::new(Download { length: keys.value_bytes });
                let shape = Shape::get(&authority, &format!("/value-{}", keys.value_bytes));
                let wire = || Http2::new(script.clone(), shape.clone());
                drive::run(address, load, wire, next, mark)
            }
        }
    }
}
