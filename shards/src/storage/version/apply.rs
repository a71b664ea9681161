//! From one version to the next. What an edit says is checked against everything that is always true of a version.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    rc::Rc,
};

use super::{Collections, LiveTable, SortedRun, Version};
use crate::storage::manifest::{Addition, Edit};

/// Why an edit does not fit.
type Misfit = String;

/// Level, and run: the newer first.
type Place = (usize, Reverse<u64>);

impl Version {
    /// The version after `edit`; this one stays. An error says what does not fit.
    pub(in crate::storage) fn apply(&self, edit: &Edit) -> Result<Self, Misfit> {
        let mut next = self.clone();
        next.raise_numbers(edit)?;
        next.change_blobs(edit)?;
        next.change_tables(edit)?;
        next.name_collections(edit)?;
        next.check_sequences(edit)?;
        next.coverage = edit.coverage.unwrap_or(next.coverage);
        Ok(next)
    }

    fn raise_numbers(&mut self, edit: &Edit) -> Result<(), Misfit> {
        let raise = |what: &str, number: &mut u64, to: Option<u64>| match to {
            Some(to) if to < *number => Err(format!("{what} falls from {number} to {to}")),
            to => {
                *number = to.unwrap_or(*number);
                Ok(())
            }
        };
        raise("the flushed sequence", &mut self.flushed_sequence, edit.flushed_sequence)?;
        raise("the next file number", &mut self.file_number, edit.file_number)?;
        let tables = edit.tables_added.iter().flat_map(|added| [added.meta.number, added.run]);
        let mut numbers = tables.chain(edit.blobs.iter().map(|blob| blob.file));
        match numbers.find(|number| *number >= self.file_number) {
            Some(number) => Err(format!("{number} is not below the next file number")),
            None => Ok(()),
        }
    }

    fn change_blobs(&mut self, edit: &Edit) -> Result<(), Misfit> {
        if edit.blobs.is_empty() && edit.garbage.is_empty() && edit.blobs_removed.is_empty() {
            return Ok(());
        }
        let blobs = Rc::make_mut(&mut self.blobs);
        for file in &edit.blobs_removed {
            blobs.remove(file).ok_or_else(|| format!("blob file {file} is removed twice"))?;
        }
        for added in &edit.blobs {
            let blob = blobs.entry(added.file).or_default();
            if added.bytes < blob.bytes {
                return Err(format!("blob file {} becomes shorter", added.file));
            }
            blob.bytes = added.bytes;
        }
        for more in &edit.garbage {
            let file = more.file;
            let blob = blobs.get_mut(&file);
            let blob = blob.ok_or_else(|| format!("garbage in blob file {file}, which is gone"))?;
            let garbage = blob.garbage.checked_add(more.bytes);
            let garbage = garbage.filter(|garbage| *garbage <= blob.bytes);
            blob.garbage =
                garbage.ok_or_else(|| format!("more garbage in blob file {file} than data"))?;
        }
        Ok(())
    }

    fn change_tables(&mut self, edit: &Edit) -> Result<(), Misfit> {
        if edit.tables_added.is_empty() && edit.tables_removed.is_empty() {
            return Ok(());
        }
        let mut runs: BTreeMap<Place, Rc<SortedRun>> = BTreeMap::new();
        for (level, of_level) in self.levels.iter().enumerate() {
            runs.extend(of_level.iter().map(|run| ((level, Reverse(run.number)), Rc::clone(run))));
        }
        let removed = remove(&mut runs, &edit.tables_removed)?;
        add(&mut runs, &edit.tables_added, &removed)?;
        self.levels =
            vec![Vec::new(); runs.last_key_value().map_or(0, |((level, _), _)| level + 1)];
        for ((level, _), run) in runs {
            self.levels[level].push(run);
        }
        let mut numbers = HashSet::new();
        match self.tables().find(|table| !numbers.insert(table.meta.number)) {
            Some(twice) => Err(format!("table {} is there twice", twice.meta.number)),
            None => Ok(()),
        }
    }

    fn name_collections(&mut self, edit: &Edit) -> Result<(), Misfit> {
        if edit.collections.is_empty() {
            return Ok(());
        }
        let Collections { names, ids } = Rc::make_mut(&mut self.collections);
        for (id, name) in &edit.collections {
            let before = names.insert(*id, Rc::clone(name)).is_some();
            if ids.insert(Rc::clone(name), *id).is_some() || before {
                return Err(format!("collection {} ({name}) is named twice", id.number()));
            }
        }
        Ok(())
    }

    /// What tables hold is flushed. That blob files which they refer to are there is not looked at: entries beneath newer
    /// ones may refer to files that have been collected.
    fn check_sequences(&self, edit: &Edit) -> Result<(), Misfit> {
        let early = |added: &&Addition| added.meta.sequence_max > self.flushed_sequence;
        match edit.tables_added.iter().find(early) {
            Some(Addition { meta, .. }) => {
                Err(format!("table {} holds records that are not flushed", meta.number))
            }
            None => Ok(()),
        }
    }
}

/// Takes tables away, and gives those that it took.
fn remove(
    runs: &mut BTreeMap<Place, Rc<SortedRun>>,
    numbers: &[u64],
) -> Result<HashMap<u64, Rc<LiveTable>>, Misfit> {
    let mut due: HashSet<u64> = numbers.iter().copied().collect();
    let mut removed = HashMap::new();
    for run in runs.values_mut() {
        if !run.tables.iter().any(|table| due.contains(&table.meta.number)) {
            continue;
        }
        let (gone, tables) =
            run.tables.iter().cloned().partition(|table| due.remove(&table.meta.number));
        removed.extend(Vec::into_iter(gone).map(|table| (table.meta.number, table)));
        *run = Rc::new(SortedRun { number: run.number, tables });
    }
    runs.retain(|_, run| !run.tables.is_empty());
    if removed.len() < numbers.len() {
        return Err(match numbers.iter().find(|number| !removed.contains_key(number)) {
            Some(missing) => format!("table {missing} is removed, but is not there"),
            None => "a table is removed twice".to_owned(),
        });
    }
    Ok(removed)
}

/// Puts tables in their places; those that only move stay open.
fn add(
    runs: &mut BTreeMap<Place, Rc<SortedRun>>,
    added: &[Addition],
    moved: &HashMap<u64, Rc<LiveTable>>,
) -> Result<(), Misfit> {
    let mut by_place: BTreeMap<Place, Vec<Rc<LiveTable>>> = BTreeMap::new();
    for Addition { level, run, meta } in added {
        let same = moved.get(&meta.number).filter(|table| table.meta == *meta);
        let table = same.map_or_else(|| Rc::new(LiveTable::new(meta.clone())), Rc::clone);
        by_place.entry((usize::from(*level), Reverse(*run))).or_default().push(table);
    }
    for (place, mut tables) in by_place {
        let (level, Reverse(number)) = place;
        tables.extend(runs.get(&place).into_iter().flat_map(|run| run.tables.iter().cloned()));
        tables.sort_by(|a, b| a.meta.smallest.cmp(&b.meta.smallest));
        let overlap = |pair: &&[Rc<LiveTable>]| pair[0].meta.largest >= pair[1].meta.smallest;
        if let Some(pair) = tables.windows(2).find(overlap) {
            let (a, b) = (pair[0].meta.number, pair[1].meta.number);
            return Err(format!("tables {a} and {b} overlap in run {number} of level {level}"));
        }
        runs.insert(place, Rc::new(SortedRun { number, tables }));
    }
    Ok(())
}
