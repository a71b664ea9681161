//! A disk for the logs alone, which is full again and again while there is room for tables. Nobody makes room on it but the
//! shards themselves: by flushes, each of which wants a commit record in the full log of the other.

use std::{cell::Cell, path::Path, time::Duration};

use super::{super::machine::with_seeds, Story};
use crate::settings::SyncMode;

struct FullLogs {
    story: Story,
}

impl FullLogs {
    fn tell(seed: u64) -> u64 {
        let mut story = Story::new(seed, SyncMode::Always);
        story.cluster.count = 2;
        story.cluster.memtable_bytes_max = [6000, 1 << 30][story.dice.below(2) as usize];
        story.cluster.blob_bytes_min = usize::MAX;
        let room = (5 + story.dice.below(8)) * 8192;
        story.cluster.disk.limit_folder(Path::new("/wal"), room);
        story.cluster.start().unwrap();
        story.lengths = [20, 20, 40];
        let mut this = Self { story };
        let refused = (0..8).map(|_| this.fill()).sum();
        this.story.cluster.disk.limit_folder(Path::new("/wal"), u64::MAX);
        this.story.end();
        this.story.cluster.start().unwrap();
        this.story.check_recovered();
        refused
    }

    /// Writes until something is refused, and then until something is taken.
    fn fill(&mut self) -> u64 {
        let mut refused = 0;
        for _ in 0..100 {
            refused += u64::from(!self.batch());
        }
        for _ in 0..100 {
            if self.batch() {
                return refused;
            }
            self.story.cluster.clock.advance(Duration::from_secs(1));
        }
        let files = self.story.cluster.disk.files();
        panic!("the logs make no room for each other: {files:?}");
    }

    /// Runs one batch to its end; tells whether it was committed.
    fn batch(&mut self) -> bool {
        let story = &mut self.story;
        let committed = story.committed;
        if story.dice.one_in(3) {
            story.set();
        }
        story.begin_batch();
        for _ in 0..6 {
            (0..2).for_each(|shard| story.cluster.step(shard));
            story.look();
            while !story.letters.is_empty() {
                story.deliver();
            }
        }
        story.committed > committed
    }
}

pub(in crate::storage::tests) fn fill_logs(seed: u64) -> u64 {
    FullLogs::tell(seed)
}

#[test]
fn full_logs_make_room_for_each_other() {
    let refused = Cell::new(0);
    with_seeds(20, |seed| refused.set(refused.get() + fill_logs(seed)));
    println!("{} batches found no room for a while", refused.get());
    assert!(refused.get() > 0 || std::env::var_os("AMATERS_SEED").is_some(), "the logs are full");
}
