//! The lines of a file as parcels, each of which becomes one batch. A thread of its own reads and decodes them.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    path::PathBuf,
    thread,
};

use amaters_proto::query::Query;
use tokio::sync::mpsc;

use crate::client::{entry::Line, failure::Failure, lines::Lines, query};

/// Bytes of keys and values of a parcel, unless one entry alone has more.
const PARCEL_BYTES_MAX: usize = 1 << 20;

/// What is to be read.
pub(super) struct Wish {
    pub(super) file: PathBuf,
    pub(super) collection: String,
    /// The first line, from 1.
    pub(super) from: u64,
    /// Lines of a parcel.
    pub(super) lines_max: usize,
}

/// Lines that are stored together.
pub(super) struct Parcel {
    pub(super) place: Place,
    /// Hashes of collections and keys. Two that are alike only wait for each other.
    pub(super) keys: HashSet<u64>,
    pub(super) queries: Vec<Query>,
}

/// Where in the file a parcel is.
#[derive(Debug)]
pub(super) struct Place {
    /// From 0.
    pub(super) number: u64,
    pub(super) name: String,
    /// The number of each line.
    pub(super) lines: Vec<u64>,
    /// Bytes of the file up to its end.
    pub(super) bytes: u64,
}

impl Place {
    pub(super) fn last(&self) -> u64 {
        self.lines.last().copied().unwrap_or(0)
    }

    /// The same failure with the line that it is about: the server counts queries of the batch.
    pub(super) fn blamed(&self, failure: Failure) -> Failure {
        let counted = failure.text.strip_prefix("Query ").and_then(|rest| {
            let (number, why) = rest.split_once(" in batch failed: ")?;
            Some((*self.lines.get(number.parse::<usize>().ok()?)?, why.to_owned()))
        });
        let text = match counted {
            Some((line, why)) => format!("{} line {line}: {why}", self.name),
            None => failure.text.clone(),
        };
        Failure { text, ..failure }
    }
}

/// Parcels as they are read; behind a failure, nothing comes.
pub(super) type Parcels = mpsc::Receiver<Result<Parcel, Failure>>;

/// Begins to read, so many parcels ahead; and the length of the file, where it has one.
pub(super) fn begin(wish: Wish, ahead: usize) -> Result<(Parcels, Option<u64>), Failure> {
    let lines = Lines::open(&wish.file)?;
    let bytes_all = lines.bytes_all;
    let (sender, receiver) = mpsc::channel(ahead);
    thread::Builder::new()
        .name("import".into())
        .spawn(move || {
            let mut reader = Reader { lines, wish, number: 0, hasher: RandomState::new() };
            while let Some(parcel) = reader.parcel().transpose() {
                let last = parcel.is_err();
                // Nobody takes it where the import has failed.
                if sender.blocking_send(parcel).is_err() || last {
                    break;
                }
            }
        })
        .map_err(|error| Failure::refused(format!("cannot begin a thread: {error}")))?;
    Ok((receiver, bytes_all))
}

struct Reader {
    lines: Lines,
    wish: Wish,
    number: u64,
    hasher: RandomState,
}

impl Reader {
    fn parcel(&mut self) -> Result<Option<Parcel>, Failure> {
        let (mut numbers, mut keys, mut queries) = (Vec::new(), HashSet::new(), Vec::new());
        let mut bytes = 0;
        while queries.len() < self.wish.lines_max && bytes < PARCEL_BYTES_MAX {
            if self.lines.next()?.is_none() {
                break;
            }
            if self.lines.number() < self.wish.from {
                continue;
            }
            let (query, hash) = Line::read(self.lines.last())
                .and_then(|line| self.entry(line))
                .map_err(|failure| self.lines.wrong(&failure))?;
            bytes += self.lines.last().len();
            numbers.push(self.lines.number());
            keys.insert(hash);
            queries.push(query);
        }
        if queries.is_empty() {
            return Ok(None);
        }
        let (name, bytes) = (self.lines.name().to_owned(), self.lines.bytes());
        let place = Place { number: self.number, name, lines: numbers, bytes };
        self.number += 1;
        Ok(Some(Parcel { place, keys, queries }))
    }

    fn entry(&self, mut line: Line) -> Result<(Query, u64), Failure> {
        if line.op.take().is_some_and(|op| op != "set") {
            return Err(Failure::usage("import only sets; batch does other queries"));
        }
        let collection = line.collection.take();
        let collection = collection.as_deref().unwrap_or(&self.wish.collection);
        let (key, value) = (line.key()?, line.value()?);
        if let Some(name) = line.rest().first() {
            return Err(Failure::usage(format!("an entry takes no {name}")));
        }
        let hash = self.hasher.hash_one((collection, &key));
        Ok((query::set(collection, key, value), hash))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn parcels(text: &str, from: u64, lines_max: usize) -> Vec<Result<Vec<u64>, String>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, text).unwrap();
        let wish = Wish { file, collection: "c".into(), from, lines_max };
        let (mut parcels, _) = begin(wish, 1).unwrap();
        let mut all = Vec::new();
        while let Some(parcel) = parcels.blocking_recv() {
            let told = parcel.map(|parcel| parcel.place.lines).map_err(|failure| failure.text);
            all.push(told);
        }
        all
    }

    #[test]
    fn parcels_have_the_numbers_of_their_lines() {
        let line = "{\"key\":\"a\",\"value\":\"\"}\n";
        let text = format!("{line}\n{line}{line}");
        assert_eq!(parcels(&text, 1, 2), [Ok(vec![1, 3]), Ok(vec![4])]);
        assert_eq!(parcels(&text, 3, 10), [Ok(vec![3, 4])]);
        assert_eq!(parcels("", 1, 10), []);
    }

    #[test]
    fn a_wrong_line_ends_it_by_its_number() {
        let text =
            "{\"key\":\"a\",\"value\":\"\"}\n{\"key\":\"b\"}\n{\"key\":\"c\",\"value\":\"\"}\n";
        let all = parcels(text, 1, 1);
        assert_eq!(all[0], Ok(vec![1]));
        assert!(all[1].as_ref().unwrap_err().ends_with("f line 2: there is no value"), "{all:?}");
        assert_eq!(all.len(), 2);
        let all = parcels("{\"op\":\"delete\",\"key\":\"a\",\"value\":\"\"}", 1, 1);
        assert!(all[0].as_ref().unwrap_err().contains("import only sets"));
    }

    #[test]
    fn the_server_counts_queries_and_people_count_lines() {
        let place = Place { number: 0, name: "f".into(), lines: vec![7, 9], bytes: 0 };
        let text = |text: &str| place.blamed(Failure::refused(text)).text;
        assert_eq!(text("Query 1 in batch failed: bad key (6000)"), "f line 9: bad key (6000)");
        assert_eq!(text("Query 2 in batch failed: bad"), "Query 2 in batch failed: bad");
        assert_eq!(text("overloaded"), "overloaded");
    }
}
