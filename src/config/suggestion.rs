//! "Did you mean": the known name that is nearest to an unknown one.

use std::collections::BTreeSet;

use super::keys::KEYS;

/// Longer names are no slip of a finger; comparing takes time by length.
const PATH_BYTES_MAX: usize = 100;

/// The key or table that somebody who wrote `path` most likely meant.
pub(crate) fn nearest(path: &str) -> Option<String> {
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let same_name = |known: &&String| last(known) == last(path);
    let mut candidates: Vec<String> = names().into_iter().collect();
    candidates.sort_by_cached_key(|known| distance(known, path));
    let close = candidates.first().filter(|known| distance(known, path) <= 1 + path.len() / 5);
    close.or_else(|| candidates.iter().find(same_name)).cloned()
}

/// Every key and every table.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for key in KEYS {
        let dots = key.path.match_indices('.').map(|(at, _)| &key.path[..at]);
        names.extend(dots.map(str::to_owned));
        names.insert(key.path.to_owned());
    }
    names
}

fn last(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, name)| name)
}

/// Levenshtein's: insertions, deletions and replacements that turn one into the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_find_their_key() {
        let meant = |path: &str| nearest(path).unwrap_or_default();
        assert_eq!(meant("server.bind_adress"), "server.bind_address");
        assert_eq!(meant("storage.wal.sync-mode"), "storage.wal.sync_mode");
        assert_eq!(meant("sever"), "server");
        assert_eq!(meant("max_connections"), "server.max_connections");
        assert_eq!(meant("storage.segment_size_mb"), "storage.wal.segment_size_mb");
    }

    #[test]
    fn nothing_near_is_not_guessed() {
        assert_eq!(nearest("colour.of.the_bikeshed"), None);
        assert_eq!(nearest(&"server.".repeat(100_000)), None);
    }

    #[test]
    fn distance_counts_single_steps() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
