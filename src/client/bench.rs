//! `bench`: how many requests a server answers, and how fast.
//!
//! - **Closed loop**: so many streams, each of which sends when its answer is there. A server that stalls is asked less meanwhile,
//!   so the latencies leave out what others would have waited.
//! - **Open loop** (`--rate`): requests are due at fixed times, whether earlier ones are answered or not, and latency counts from
//!   when a request was due. This is what users of a busy server see.
//!
//! Always true: a request is measured only if it was due in the measured time; each of those is answered, failed, or counted as
//! unfinished.

mod keys;
mod load;
mod report;

use std::{rc::Rc, time::Duration};

use clap::{Args, ValueEnum};

use self::{
    keys::{Chooser, Dice},
    load::{Load, Plan},
};
use super::{
    Session,
    connection::{Connection, changed},
    failure::Failure,
    progress::Progress,
    query,
};

/// The collection if nobody names one: values of others are not written over.
const COLLECTION: &str = "bench";
/// Keys that are filled in one batch, and bytes of them.
const FILL: (usize, usize) = (256, 1 << 20);

#[derive(Clone, Debug, Args)]
pub(crate) struct Bench {
    /// Of a hundred requests, so many are gets; the others are sets.
    #[arg(long, value_name = "PERCENT", default_value_t = 90, value_parser = clap::value_parser!(u8).range(0..=100))]
    reads: u8,
    /// Keys, which are bench:0000000000 and so on in the collection (by default "bench", not "default").
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    keys: u64,
    /// Bytes of a value.
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=33_554_432))]
    value_bytes: u32,
    /// Which keys are asked for: all alike, or few of them most of the time (zipf, exponent 0.99).
    #[arg(long, value_enum, value_name = "NAME", default_value = "uniform")]
    distribution: Distribution,
    /// Connections.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Requests under way at once on each connection.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    streams: u16,
    /// Open loop: so many requests a second are due, and latency counts from then.
    #[arg(long, value_name = "PER SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Measure so long.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Ask so long before anything is measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=3600))]
    warmup: u32,
    /// Do not set all keys first; gets of keys that are not there are counted as such.
    #[arg(long)]
    no_fill: bool,
    /// Remove the keys at the end.
    #[arg(long)]
    clean: bool,
    /// Choose keys by this number; the same gives the same keys.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Which keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Distribution {
    Uniform,
    Zipf,
}

impl Bench {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let collection: Rc<str> =
            session.settings.collection.as_deref().unwrap_or(COLLECTION).into();
        let mut connections = vec![session.connection().await?.clone()];
        for _ in 1..self.connections {
            connections.push(Connection::open(&session.settings).await?);
        }
        let first = connections[0].clone();
        if !self.no_fill {
            self.fill(&first, &collection).await?;
        }
        let (warmup, seconds) = (self.warmup, self.seconds);
        eprintln!("Asking for {warmup} s, then measuring for {seconds} s.");
        let plan = Plan {
            collection: collection.clone(),
            reads: self.reads,
            chooser: Chooser::new(self.keys, self.distribution),
            value_bytes: self.value_bytes as usize,
            streams: self.streams,
            rate: self.rate,
            warmup: Duration::from_secs(warmup.into()),
            seconds: Duration::from_secs(seconds.into()),
            seed: self.seed,
        };
        let report = Load::run(plan, connections).await?;
        if self.clean {
            self.remove(&first, &collection).await?;
        }
        session.output.say(report.text(self).trim_end(), &report.json(self))
    }

    /// Sets every key once.
    async fn fill(&self, connection: &Connection, collection: &str) -> Result<(), Failure> {
        let values = keys::Values::new(self.value_bytes as usize, self.seed);
        let mut dice = Dice::new(self.seed);
        self.each_key("keys set", connection, |number| {
            let value = query::blob(values.next(&mut dice));
            query::set(collection, keys::name(number), value)
        })
        .await
    }

    async fn remove(&self, connection: &Connection, collection: &str) -> Result<(), Failure> {
        let delete = |number| query::delete(collection, keys::name(number));
        self.each_key("keys removed", connection, delete).await
    }

    async fn each_key(
        &self,
        what: &'static str,
        connection: &Connection,
        mut query: impl FnMut(u64) -> amaters_proto::query::Query,
    ) -> Result<(), Failure> {
        let mut progress = Progress::new(None, what);
        let count = (FILL.1 / (self.value_bytes as usize + 64)).clamp(1, FILL.0) as u64;
        let mut next = 0;
        while next < self.keys {
            let end = (next + count).min(self.keys);
            let outcomes = connection.batch((next..end).map(&mut query).collect()).await?;
            outcomes.iter().try_for_each(|outcome| changed(outcome).map(drop))?;
            next = end;
            progress.set(next, next * u64::from(self.value_bytes));
        }
        progress.clear();
        Ok(())
    }
}
