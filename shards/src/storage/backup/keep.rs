//! Which backups are kept: so many of the newest, all of the last days, and everything that those rest on.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    BackupError, Folder,
    chain::{Link, siblings},
    copy::PARTIAL,
    meta::BackupId,
};

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

/// Removes the backups of one data directory from a folder that need not be kept, the oldest last, and what is left of those
/// that were not finished. Tells the names that it removed.
///
/// # Errors
/// The disk refuses something.
pub fn prune(folder: &Folder, directory_id: u64, keep: Keep) -> Result<Vec<String>, BackupError> {
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
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let gone = superfluous(known, keep, now);
    for name in &gone {
        // First the name: half a backup is not to look like a whole one.
        let partial = format!("{name}{PARTIAL}");
        folder.rename(name, &partial)?;
        folder.sync()?;
        folder.remove(&partial)?;
    }
    Ok(gone)
}

/// Names of those that need not be kept, the newest first: nothing is removed before what rests on it.
fn superfluous(mut known: Vec<Known>, keep: Keep, now: Duration) -> Vec<String> {
    if keep == Keep::default() {
        return Vec::new();
    }
    known.sort_by_key(|known| std::cmp::Reverse(known.created_at_ms));
    let oldest = now.saturating_sub(keep.age).as_millis() as u64;
    let is_kept = |(age, known): &(usize, &Known)| {
        *age < keep.count || (!keep.age.is_zero() && known.created_at_ms >= oldest)
    };
    let parents: HashMap<BackupId, Option<BackupId>> =
        known.iter().map(|known| (known.id, known.parent)).collect();
    let mut needed = BTreeSet::new();
    for (_, kept) in known.iter().enumerate().filter(is_kept) {
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
            name: day.to_string(),
            id: id(day),
            parent: (!full.contains(&day)).then(|| id(day - 1)),
            created_at_ms: u64::from(day) * DAY,
        };
        (1..=count).map(known).collect()
    }

    fn gone(known: Vec<Known>, count: usize, days: u64) -> Vec<String> {
        let age = Duration::from_millis(days * DAY);
        superfluous(known, Keep { count, age }, Duration::from_millis(10 * DAY))
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
    fn what_a_kept_incremental_rests_on_stays() {
        assert_eq!(gone(days(10, &[1, 5, 9]), 1, 0), ["8", "7", "6", "5", "4", "3", "2", "1"]);
        assert_eq!(gone(days(10, &[1, 5]), 1, 0), ["4", "3", "2", "1"]);
        assert_eq!(gone(days(10, &[1]), 1, 0), [""; 0]);
    }
}
