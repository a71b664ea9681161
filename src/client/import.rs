//! `import`: the entries of a file of JSON Lines, stored by batches of which several are under way at once.
//!
//! ```text
//! reader (a thread) ─► parcels of lines ─► batches under way, at most `in_flight` ─► lines that are done, from the first on
//! ```
//!
//! Always true:
//! - A line counts as done when the server has confirmed it and every line before it; a checkpoint never says more.
//! - Two lines of one key are stored in the order of the file: a parcel waits while another one with such a key is under way.
//! - Whatever ends it early, it says which lines are stored for sure, and how to go on. Doing lines again changes nothing.

mod checkpoint;
mod done;
mod reader;

use std::{
    collections::HashSet,
    path::PathBuf,
    pin::Pin,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::json;
use tokio::task::JoinSet;

use self::{
    checkpoint::Checkpoint,
    done::Done,
    reader::{Parcel, Parcels, Place},
};
use super::{
    Session,
    connection::{Connection, changed},
    failure::{Failure, Kind},
    interrupt,
    progress::Progress,
};

/// How often a server that is overloaded is asked once more for the same.
const TRIES_MAX: u32 = 5;
/// Parcels that are read before they are needed.
const READ_AHEAD: usize = 4;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file, or - for standard input: a line of JSON for each entry, as {"key": "a", "value": "1"}; key_hex, key_base64,
    /// value_hex and value_base64 take what is no text, and collection goes elsewhere than --collection.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Begin with this line.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    from_line: u64,
    /// Note in this file which lines are done; if it is there, go on behind them. It is removed when all are.
    #[arg(long, value_name = "FILE", conflicts_with = "from_line")]
    checkpoint: Option<PathBuf>,
    /// Lines of a batch, which are stored together or not at all.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Batches that are under way at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=128))]
    in_flight: u16,
}

/// What is known of a parcel at its end.
struct Ended {
    place: Place,
    keys: HashSet<u64>,
    outcome: Result<(), Failure>,
}

/// An import that goes on.
struct Going {
    connection: Connection,
    under_way: JoinSet<Ended>,
    /// Keys of parcels under way.
    keys: HashSet<u64>,
    done: Done,
    progress: Progress,
    checkpoint: Option<Checkpoint>,
    failure: Option<Failure>,
    /// Comes with Ctrl-C; one for the whole import, so that none is missed.
    interrupted: Pin<Box<dyn Future<Output = ()>>>,
}

impl Import {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let checkpoint = self.checkpoint.clone().map(|path| Checkpoint::open(path, &self.file));
        let checkpoint = checkpoint.transpose()?;
        let from = checkpoint.as_ref().map_or(self.from_line, |noted| noted.lines + 1);
        let wish = reader::Wish {
            file: self.file.clone(),
            collection: session.collection().to_owned(),
            from,
            lines_max: self.batch.into(),
        };
        let connection = session.connection().await?.clone();
        let (parcels, bytes_all) = reader::begin(wish, READ_AHEAD)?;
        let begun = Instant::now();
        let mut going = Going {
            connection,
            under_way: JoinSet::new(),
            keys: HashSet::new(),
            done: Done::from(from - 1),
            progress: Progress::new(bytes_all, "lines stored"),
            checkpoint,
            failure: None,
            interrupted: Box::pin(interrupt()),
        };
        going.drive(parcels, self.in_flight.into()).await;
        let Going { done, mut progress, checkpoint, failure, .. } = going;
        progress.clear();
        if let Some(failure) = failure {
            return Err(self.stopped(failure, &done, from));
        }
        if let Some(checkpoint) = checkpoint {
            checkpoint.remove()?;
        }
        let (stored, took) = (done.lines(), begun.elapsed().as_secs_f64());
        let line = format!("{stored} lines stored in {took:.1} s");
        session.output.say(&line, &json!({"lines_stored": stored, "seconds": took}))
    }

    /// What is stored although it ended early, and how to go on.
    fn stopped(&self, failure: Failure, done: &Done, from: u64) -> Failure {
        let (last, file) = (done.last(), self.file.display());
        let stored = if last < from {
            "no line is stored for sure".to_owned()
        } else {
            format!("lines {from} to {last} are stored")
        };
        let maybe = match done.tried() {
            tried if tried > last => format!(", some up to {tried} may be too"),
            _ => String::new(),
        };
        let again = match &self.checkpoint {
            Some(path) => format!("--checkpoint {}", path.display()),
            None => format!("--from-line {}", last + 1),
        };
        let text =
            format!("{failure}\n{stored}{maybe}; go on with: amaters-cli import {file} {again}");
        failure.stopped(text)
    }
}

impl Going {
    /// Stores parcel after parcel, until there is none, one fails, or someone interrupts; then waits for those under way.
    async fn drive(&mut self, mut parcels: Parcels, in_flight: usize) {
        while self.failure.is_none() {
            let parcel = tokio::select! {
                biased;
                () = &mut self.interrupted => Err(Failure::new(Kind::Interrupted, "interrupted")),
                Some(ended) = self.under_way.join_next() => {
                    self.note(ended);
                    continue;
                }
                parcel = parcels.recv() => match parcel {
                    Some(parcel) => parcel,
                    None => break,
                },
            };
            match parcel {
                Ok(parcel) => self.begin(parcel, in_flight).await,
                Err(failure) => self.failure = Some(failure),
            }
        }
        // Nobody reads on.
        drop(parcels);
        while let Some(ended) = self.under_way.join_next().await {
            self.note(ended);
        }
        self.save(true);
    }

    /// Waits until there is room for a parcel and none of its keys is under way, and sends it.
    async fn begin(&mut self, parcel: Parcel, in_flight: usize) {
        while self.under_way.len() >= in_flight || !self.keys.is_disjoint(&parcel.keys) {
            let ended = tokio::select! {
                () = &mut self.interrupted => {
                    self.failure = Some(Failure::new(Kind::Interrupted, "interrupted"));
                    return;
                }
                ended = self.under_way.join_next() => ended,
            };
            match ended {
                Some(ended) => self.note(ended),
                None => break,
            }
            if self.failure.is_some() {
                return;
            }
        }
        self.keys.extend(&parcel.keys);
        self.done.begin(&parcel.place);
        self.under_way.spawn(send(self.connection.clone(), parcel));
    }

    fn note(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let failure =
                    Failure::refused(format!("a batch was lost in this program: {error}"));
                self.failure.get_or_insert(failure);
                return;
            }
        };
        ended.keys.iter().for_each(|key| {
            self.keys.remove(key);
        });
        match ended.outcome {
            Ok(()) => self.done.end(&ended.place),
            Err(failure) => {
                if failure.did_nothing() {
                    self.done.refuse(&ended.place);
                }
                self.failure.get_or_insert(failure);
            }
        }
        self.progress.set(self.done.lines(), self.done.bytes());
        self.save(false);
    }

    fn save(&mut self, now: bool) {
        let Some(checkpoint) = &mut self.checkpoint else {
            return;
        };
        if let Err(failure) = checkpoint.save(self.done.last(), now) {
            self.failure.get_or_insert(failure);
        }
    }
}

/// Sends a parcel; once more if the server is overloaded.
async fn send(connection: Connection, parcel: Parcel) -> Ended {
    let Parcel { place, keys, queries } = parcel;
    let mut tries = 1;
    let outcome = loop {
        match connection.batch(queries.clone()).await {
            Ok(outcomes) => {
                break outcomes.iter().try_for_each(|outcome| changed(outcome).map(drop));
            }
            Err(failure) if failure.code == Some(7002) && tries < TRIES_MAX => {
                let seconds = failure.retry_after.unwrap_or(1).into();
                tokio::time::sleep(Duration::from_secs(seconds) * tries).await;
                tries += 1;
            }
            Err(failure) => break Err(place.blamed(failure)),
        }
    };
    Ended { place, keys, outcome }
}
