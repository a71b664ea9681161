//! The log of a shard.
//!
//! ```text
//! record  record │ record  record  record
//!                └ durable: a power cut takes any number of records off the end, but none before here
//! ```

use std::fmt;

/// A batch, or rather one try of it: each has a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    pub operation: u8,
    pub retry: bool,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// A single write.
    Write(u8),
    Part(Id),
    Commit(Id),
    Abort(Id),
}

/// The records that are not yet in a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log {
    pub records: Vec<Record>,
    pub durable: usize,
}

impl Log {
    pub fn append(&mut self, record: Record) {
        self.records.push(record);
    }

    pub fn sync(&mut self) {
        self.durable = self.records.len();
    }

    pub fn is_durable(&self) -> bool {
        self.durable == self.records.len()
    }

    pub fn has(&self, record: Record) -> bool {
        self.records.contains(&record)
    }

    pub fn has_durable(&self, record: Record) -> bool {
        self.records[..self.durable].contains(&record)
    }

    /// Whether a power cut could take such a record.
    pub fn may_lose(&self, record: Record) -> bool {
        self.records[self.durable..].contains(&record)
    }

    /// The power goes, and only so many records are left.
    pub fn cut(&mut self, left: usize) {
        assert!(left >= self.durable);
        self.records.truncate(left);
        self.durable = left;
    }

    /// All before here is in a table.
    pub fn drop_before(&mut self, place: usize) {
        self.records.drain(..place);
        self.durable = self.durable.saturating_sub(place);
    }

    /// Batches that have a part here and neither a commit nor an abort record.
    pub fn undecided(&self) -> impl Iterator<Item = Id> + '_ {
        self.parts().filter(|id| !self.has(Record::Commit(*id)) && !self.has(Record::Abort(*id)))
    }

    /// Batches that have a part here; those that have two, twice.
    pub fn parts(&self) -> impl Iterator<Item = Id> + '_ {
        self.records.iter().filter_map(|record| match record {
            Record::Part(id) => Some(*id),
            _ => None,
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", name(self.operation as usize), if self.retry { "'" } else { "" })
    }
}

/// How an operation is called.
pub fn name(operation: usize) -> char {
    char::from(b'A' + operation as u8)
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(operation) => write!(f, "write {}", name(*operation as usize)),
            Self::Part(id) => write!(f, "part {id}"),
            Self::Commit(id) => write!(f, "commit {id}"),
            Self::Abort(id) => write!(f, "abort {id}"),
        }
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, record) in self.records.iter().enumerate() {
            let border = if place == self.durable { "| " } else { "" };
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{border}{record}")?;
        }
        Ok(())
    }
}
