//! What a reload would change: every key whose value differs.

use super::{
    keys::{KEYS, Key},
    written::Written,
};

/// One key whose value differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The key's path.
    pub(crate) path: &'static str,
    /// The value that the server runs with, as it may be shown.
    pub(crate) old: String,
    /// The value that is written now, as it may be shown.
    pub(crate) new: String,
    /// The running server takes it; otherwise a restart does.
    pub(crate) live: bool,
}

/// The keys whose value differs between what runs and what is written, in the table's order.
pub(crate) fn changes(running: &Written, written: &Written) -> Vec<Change> {
    let value = |written: &Written, key: &Key| written.entry(key.path).map(|e| e.value.clone());
    KEYS.iter()
        .filter(|key| value(running, key) != value(written, key))
        .map(|key| Change {
            path: key.path,
            old: running.shown(key.path),
            new: written.shown(key.path),
            live: key.live,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{file::File, written::Gathered},
        *,
    };

    fn written(text: &str) -> Written {
        Gathered::new(Some(&File::new("a.toml".into(), text.into())), &[]).written
    }

    #[test]
    fn a_value_that_only_moved_is_no_change() {
        let default = Gathered::new(None, &[]).written;
        assert_eq!(changes(&default, &written("\n\n[server]\nmax_connections = 1000\n")), []);
    }

    #[test]
    fn each_differing_key_is_named_with_both_values() {
        let old = written("[server]\nmax_connections = 10\n[storage.wal]\nsync_mode = \"none\"\n");
        let new = written("[server]\nmax_connections = 20\n[auth.jwt]\nsecret = \"s3\"\n");
        let told: Vec<_> = changes(&old, &new)
            .into_iter()
            .map(|change| (change.path, change.old, change.new, change.live))
            .collect();
        let expected = [
            ("server.max_connections", "10", "20", true),
            ("storage.wal.sync_mode", "\"none\"", "\"interval\"", false),
            ("auth.jwt.secret", "(unset)", "(secret)", true),
        ];
        let expected = expected.map(|(path, old, new, live)| (path, old.into(), new.into(), live));
        assert_eq!(told, expected);
    }
}
