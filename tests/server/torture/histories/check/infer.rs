//! The order of the versions of each key, as far as it follows from what was found.
//!
//! Of a version *v* of a key that call *w* wrote and call *r* found, and any other call *o* that writes the key:
//!
//! ```text
//!   o before r   ⟹   o before w      or r would have found o's version, or a later one
//!   w before o   ⟹   r before o      the same
//! ```
//!
//! Each conclusion can allow others; they are drawn until none is left. A call that reads what it writes over makes both
//! premises true at once, so such calls put versions in a row. That a key is absent can be the work of several deletes:
//! those that cannot have been the last one are struck off until one is left.

use std::collections::{HashMap, HashSet};

use super::{
    super::{
        call::{ABSENT, Key, Version},
        effect::{Change, Effect},
    },
    graph::{Graph, Span, Why},
};

/// Who wrote a version, and who found it.
struct Source {
    /// None: it was there at the beginning.
    writer: Option<usize>,
    version: Version,
    readers: Vec<usize>,
}

/// One key.
#[derive(Default)]
struct Row {
    sources: Vec<Source>,
    /// The calls that write it, with their versions.
    writers: Vec<(usize, Version)>,
    /// Those that found it absent, where more than one call could be why.
    loose: Vec<usize>,
    /// Deletes of which nobody knows whether they happened.
    maybe_deleted: Vec<usize>,
}

/// All keys.
pub(super) struct Inference<'a> {
    spans: &'a [Span],
    rows: Vec<Row>,
}

/// Why there is no order.
pub(super) enum Contradiction {
    /// The call found a version of the key that no call wrote that can have happened.
    Unwritten(usize, Key, Version),
    /// The call found the key absent, but every delete comes too late.
    Undeleted(usize, Key),
}

/// What one round drew.
#[derive(Clone, Copy, Debug, Default)]
struct Drawn {
    edges: u64,
    /// Deletes that were made out.
    deletes: u64,
}

impl<'a> Inference<'a> {
    /// Gathers who wrote and who found what, and says so in the graph. Calls that must have happened count.
    pub(super) fn new(
        initial: &[Version],
        effects: &[Effect],
        spans: &'a [Span],
        graph: &mut Graph,
    ) -> Result<Self, Contradiction> {
        let found: HashSet<(Key, Version)> = effects.iter().flat_map(Effect::found).collect();
        let row = |version: &Version| Row {
            sources: vec![Source { writer: None, version: *version, readers: Vec::new() }],
            ..Row::default()
        };
        let mut rows: Vec<Row> = initial.iter().map(row).collect();
        let mut places = HashMap::new();
        for (key, version) in initial.iter().enumerate() {
            places.insert((key as Key, *version), 0);
        }
        for (call, effect) in effects.iter().enumerate() {
            for (key, change) in &effect.changes {
                let row = &mut rows[usize::from(*key)];
                let version = change.version();
                if !spans[call].must {
                    row.maybe_deleted.extend((version == ABSENT).then_some(call));
                    continue;
                }
                // What depends on the content before happened if someone saw it.
                if !matches!(change, Change::To(_)) && !found.contains(&(*key, version)) {
                    continue;
                }
                places.entry((*key, version)).or_insert(row.sources.len());
                row.sources.push(Source { writer: Some(call), version, readers: Vec::new() });
                row.writers.push((call, version));
            }
        }
        for (call, effect) in effects.iter().enumerate() {
            for (key, version) in effect.found() {
                let row = &mut rows[usize::from(key)];
                if version == ABSENT {
                    row.loose.push(call);
                    continue;
                }
                let Some(source) = places.get(&(key, version)) else {
                    return Err(Contradiction::Unwritten(call, key, version));
                };
                row.read(*source, call, key, graph);
            }
        }
        Ok(Self { spans, rows })
    }

    /// Draws what follows from the graph as it is closed now; tells whether anything new did.
    pub(super) fn round(&mut self, graph: &mut Graph) -> Result<bool, Contradiction> {
        let mut drawn = Drawn::default();
        for (key, row) in self.rows.iter_mut().enumerate() {
            let key = key as Key;
            drawn.deletes += row.settle_absent(key, self.spans, graph)?;
            drawn.edges += row.order(key, graph);
        }
        Ok(drawn.edges + drawn.deletes > 0)
    }
}

impl Row {
    fn read(&mut self, source: usize, reader: usize, key: Key, graph: &mut Graph) {
        let source = &mut self.sources[source];
        source.readers.push(reader);
        if let Some(writer) = source.writer {
            graph.add(writer, reader, Why::Found(key));
        }
    }

    /// Adds the edges that follow.
    fn order(&self, key: Key, graph: &mut Graph) -> u64 {
        let mut new = Vec::new();
        for source in self.sources.iter().filter(|source| !source.readers.is_empty()) {
            for (other, _) in self.writers.iter().filter(|(other, _)| Some(*other) != source.writer)
            {
                let mut readers = source.readers.iter().filter(|reader| *reader != other);
                let is_behind = source.writer.is_none_or(|writer| graph.reaches(writer, *other));
                if is_behind {
                    for reader in readers.filter(|reader| !graph.reaches(**reader, *other)) {
                        new.push((*reader, *other, Why::Replaced(key)));
                    }
                } else if let Some(writer) = source.writer.filter(|w| !graph.reaches(*other, *w))
                    && let Some(reader) = readers.find(|reader| graph.reaches(*other, **reader))
                {
                    let why = Why::Overwritten { key, by_reader: *reader as u32 };
                    new.push((*other, writer, why));
                }
            }
        }
        let count = new.len() as u64;
        new.into_iter().for_each(|(from, to, why)| graph.add(from, to, why));
        count
    }

    /// Finds the deletes behind which a key was found absent, where only one is possible.
    fn settle_absent(
        &mut self,
        key: Key,
        spans: &[Span],
        graph: &mut Graph,
    ) -> Result<u64, Contradiction> {
        let mut settled = 0;
        for reader in std::mem::take(&mut self.loose) {
            let maybe = |call: &usize| spans[*call].begun < spans[reader].ended;
            let is_open = self.maybe_deleted.iter().any(maybe);
            let in_time: Vec<usize> =
                (0..self.sources.len()).filter(|s| self.is_in_time(*s, reader, graph)).collect();
            let possible = in_time.iter().filter(|s| !self.is_hidden(**s, reader, graph)).copied();
            let why = match (&possible.collect::<Vec<_>>()[..], &in_time[..]) {
                _ if is_open => None,
                ([source], _) => Some(*source),
                // What is wrong with all of them will be told of the last one, as a cycle.
                ([], [.., last]) => Some(*last),
                ([], []) => return Err(Contradiction::Undeleted(reader, key)),
                _ => None,
            };
            match why {
                Some(source) => self.read(source, reader, key, graph),
                None => self.loose.push(reader),
            }
            settled += u64::from(why.is_some());
        }
        Ok(settled)
    }

    /// Whether a reader can have found a key absent because of this, as far as time goes.
    fn is_in_time(&self, source: usize, reader: usize, graph: &Graph) -> bool {
        let Source { writer, version, .. } = &self.sources[source];
        let is_late = |writer: usize| writer == reader || graph.reaches(reader, writer);
        *version == ABSENT && !writer.is_some_and(is_late)
    }

    /// Whether something was written between this and the reader.
    fn is_hidden(&self, source: usize, reader: usize, graph: &Graph) -> bool {
        let writer = self.sources[source].writer;
        self.writers.iter().any(|(other, version)| {
            *version != ABSENT
                && *other != reader
                && graph.reaches(*other, reader)
                && writer.is_none_or(|writer| graph.reaches(writer, *other))
        })
    }
}
