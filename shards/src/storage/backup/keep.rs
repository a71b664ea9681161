//! Which backups are kept: so many of the newest, all of the last days, and everything that those rest on.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::{
    BackupError, Folder,
    chain::{Link, siblings},
    copy::PARTIAL,
    meta::BackupId,
};
use crate::utc::unix_time;

/// How many, and for how long. A backup goes when neither keeps it; where both are 0, none goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest.
    pub count: usize,
    /// All that are no older.
    pub age: Duration,
}

/// What is known of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    name: String,
    id: BackupId,
    parent: Option<BackupId>,
    created_at_ms: u64,
}

/// What the names of scheduled backups begin with; others are never removed.
pub const SCHEDULED: &str = "auto-";

/// The newest scheduled backup of one data directory in a folder: when it was begun, in seconds since the Unix epoch, and how
/// long its chain is.
///
/// # Errors
/// The folder cannot be read.
pub fn newest_scheduled(
    folder: &Folder,
    directory_id: u64,
) -> Result<Option<(u64, usize)>, BackupError> {
    let known = known(folder, directory_id)?;
    let scheduled = known.iter().filter(|known| known.name.starts_with(SCHEDULED));
    let Some(newest) = scheduled.max_by_key(|known| known.created_at_ms) else { return Ok(None) };
    let parents: HashMap<BackupId, Option<BackupId>> =
        known.iter().map(|known| (known.id, known.parent)).collect();
    let (mut next, mut length) = (Some(newest.id), 0);
    while let Some(id) = next
        && length < known.len()
    {
        length += 1;
        next = parents.get(&id).copied().flatten();
    }
    Ok(Some((newest.created_at_ms / 1000, length)))
}

/// Removes the scheduled backups of one data directory from a folder that need not be kept, the newest first, so that nothing
/// is removed before what rests on it. Tells their names.
///
/// # Errors
/// The disk refuses something.
pub fn prune(folder: &Folder, directory_id: u64, keep: Keep) -> Result<Vec<String>, BackupError> {
    let known = known(folder, directory_id)?;
    let gone = superfluous(known, keep, unix_time());
    for name in &gone {
        // First the name: half a backup is not to look like a whole one.
        let partial = format!("{name}{PARTIAL}");
        folder.rename(name, &partial)?;
        folder.sync()?;
        folder.remove(&partial)?;
    }
    Ok(gone)
}

/// Removes what is left of scheduled backups that were not finished.
///
/// # Errors
/// The disk refuses something.
pub fn sweep(folder: &Folder) -> Result<(), BackupError> {
    for name in folder.names()? {
        if name.starts_with(SCHEDULED) && name.ends_with(PARTIAL) {
            folder.remove(&name)?;
        }
    }
    Ok(())
}

fn known(folder: &Folder, directory_id: u64) -> Result<Vec<Known>, BackupError> {
    let mut known = Vec::new();
    for (name, _) in siblings(folder)? {
        let Ok(link) = folder.folder(&name).and_then(Link::open) else { continue };
        let manifest = link.manifest;
        if manifest.directory_id == directory_id {
            let (id, parent, created_at_ms) =
                (manifest.id, manifest.parent, manifest.created_at_ms);
            known.push(Known { name, id, parent, created_at_ms });
        }
    }
    Ok(known)
}

/// Names of those that need not be kept, the newest first: nothing is removed before what rests on it.
fn superfluous(mut known: Vec<Known>, keep: Keep, now: Duration) -> Vec<String> {
    if keep == Keep::default() {
        return Vec::new();
    }
    known.sort_by_key(|known| std::cmp::Reverse(known.created_at_ms));
    let is_scheduled = |known: &Known| known.name.starts_with(SCHEDULED);
    let oldest = now.saturating_sub(keep.age).as_millis() as u64;
    let is_kept = |(age, known): &(usize, &Known)| {
        !is_scheduled(known)
            || *age < keep.count
            || (!keep.age.is_zero() && known.created_at_ms >= oldest)
    };
    let parents: HashMap<BackupId, Option<BackupId>> =
        known.iter().map(|known| (known.id, known.parent)).collect();
    let mut needed = BTreeSet::new();
    let mut scheduled = 0;
    let aged = known.iter().map(|known| {
        let age = scheduled;
        scheduled += usize::from(is_scheduled(known));
        (age, known)
    });
    for (_, kept) in aged.filter(is_kept) {
        let mut next = Some(kept.id);
        while let Some(id) = next.filter(|id| needed.insert(*id)) {
            next = parents.get(&id).copied().flatten();
        }
    }
    known.into_iter().filter(|known| !needed.contains(&known.id)).map(|known| known.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;

    /// A backup of each day, the numbers of those that are full.
    fn days(count: u8, full: &[u8]) -> Vec<Known> {
        let id = |day: u8| BackupId([day; 16]);
        let known = |day: u8| Known {
            name: format!("{SCHEDULED}{day}"),
            id: id(day),
            parent: (!full.contains(&day)).then(|| id(day - 1)),
            created_at_ms: u64::from(day) * DAY,
        };
        (1..=count).map(known).collect()
    }

    fn gone(known: Vec<Known>, count: usize, days: u64) -> Vec<String> {
        let age = Duration::from_millis(days * DAY);
        let gone = superfluous(known, Keep { count, age }, Duration::from_millis(10 * DAY));
        gone.into_iter().map(|name| name.trim_start_matches(SCHEDULED).to_owned()).collect()
    }

    #[test]
    fn the_newest_are_kept_by_number_and_by_age() {
        let all: Vec<u8> = (1..=10).collect();
        assert_eq!(gone(days(10, &all), 8, 0), ["2", "1"]);
        assert_eq!(gone(days(10, &all), 0, 7), ["2", "1"]);
        assert_eq!(gone(days(10, &all), 3, 8), ["1"]);
        assert_eq!(gone(days(10, &all), 0, 0), [""; 0], "nobody asked for anything to go");
    }

    #[test]
    fn what_somebody_has_asked_for_stays_and_does_not_count() {
        let mut known = days(10, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        known[9].name = "mine".into();
        known[0].name = "oldest".into();
        assert_eq!(gone(known, 7, 0), ["2"]);
    }

    #[test]
    fn what_a_kept_incremental_rests_on_stays() {
        assert_eq!(gone(days(10, &[1, 5, 9]), 1, 0), ["8", "7", "6", "5", "4", "3", "2", "1"]);
        assert_eq!(gone(days(10, &[1, 5]), 1, 0), ["4", "3", "2", "1"]);
        assert_eq!(gone(days(10, &[1]), 1, 0), [""; 0]);
    }
}
