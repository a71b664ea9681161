//! What the server has promised, and whether it kept its word.
//!
//! Keys come in units that change together: one key by itself, or several by batches. A unit has one
//! writer, which waits for each answer; so at any moment at most one change of it is unanswered.
//!
//! ```text
//!   promised ──try──► promised, tried ──answer──► promised (what was tried)
//!                          │
//!                        crash: either may be there, nothing else
//! ```

use std::fmt;

/// The version of a unit's values; none: deleted.
pub(super) type Content = Option<u64>;

/// Keys that change together.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) keys: Vec<String>,
    promised: Content,
    tried: Option<Content>,
    /// The newest version that anyone has read.
    seen: u64,
    version: u64,
}

/// What was counted, and what was wrong.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Changes that were answered.
    pub(super) acknowledged: u64,
    /// Changes that a kill left unanswered, and those of them that had happened.
    pub(super) unanswered: u64,
    pub(super) happened: u64,
    pub(super) kills: u64,
    /// Of them while the server was starting.
    pub(super) early: u64,
    /// Values that were compared after a kill.
    pub(super) checked: u64,
    /// Answered changes that are gone.
    pub(super) lost: Vec<String>,
    /// Values that nobody wrote, halves of batches, keys that should not be.
    pub(super) wrong: Vec<String>,
}

impl Unit {
    pub(super) fn new(keys: Vec<String>) -> Self {
        Self { keys, promised: None, tried: None, seen: 0, version: 0 }
    }

    /// Begins to write a new version, which is what this gives.
    pub(super) fn try_write(&mut self) -> u64 {
        self.version += 1;
        self.tried = Some(Some(self.version));
        self.version
    }

    /// Begins to delete.
    pub(super) fn try_delete(&mut self) {
        self.tried = Some(None);
    }

    /// What was tried was answered.
    pub(super) fn answered(&mut self) {
        self.promised = self.tried.take().expect("something was tried");
    }

    /// What its writer must read.
    pub(super) fn promised(&self) -> Content {
        self.promised
    }

    /// Somebody has read this version.
    pub(super) fn saw(&mut self, version: u64) {
        self.seen = self.seen.max(version);
    }

    /// Compares with what is there after a crash, and goes on from it. `found` has the content of
    /// each key.
    pub(super) fn check(&mut self, found: &[Content], figures: &mut Figures) {
        figures.checked += found.len() as u64;
        let content = found[0];
        if found.iter().any(|other| *other != content) {
            figures.wrong.push(format!("half a batch: {found:?} of {self:?}"));
        }
        let tried = self.tried.take();
        figures.unanswered += u64::from(tried.is_some());
        figures.happened += u64::from(tried == Some(content) && self.promised != content);
        if content != self.promised && Some(content) != tried {
            figures.lost.push(format!("{content:?} in place of {:?}: {self:?}", self.promised));
        }
        // What anyone has seen is as good as promised: it was durable then.
        if content.is_some_and(|version| version < self.seen) {
            figures.lost.push(format!("{content:?}, but version {} was read", self.seen));
        }
        self.promised = content;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} kills ({} during a start), {} writes acknowledged, {} unanswered of which {} had \
             happened, {} values compared, {} lost, {} wrong",
            self.kills,
            self.early,
            self.acknowledged,
            self.unanswered,
            self.happened,
            self.checked,
            self.lost.len(),
            self.wrong.len()
        )
    }
}

#[test]
fn a_broken_promise_is_found() {
    let checked = |promise: &dyn Fn(&mut Unit), found: &[Content]| {
        let mut unit = Unit::new(vec!["a".into(), "b".into()]);
        unit.try_write();
        unit.answered();
        promise(&mut unit);
        let mut figures = Figures::default();
        unit.check(found, &mut figures);
        (figures.lost.len(), figures.wrong.len(), figures.happened)
    };
    let nothing = |_: &mut Unit| {};
    let write = |unit: &mut Unit| {
        unit.try_write();
    };
    assert_eq!(checked(&nothing, &[Some(1), Some(1)]), (0, 0, 0));
    assert_eq!(checked(&nothing, &[None, None]), (1, 0, 0));
    assert_eq!(checked(&nothing, &[Some(2), Some(2)]), (1, 0, 0));
    assert_eq!(checked(&write, &[Some(2), Some(2)]), (0, 0, 1));
    assert_eq!(checked(&write, &[Some(1), Some(1)]), (0, 0, 0));
    assert_eq!(checked(&write, &[Some(1), Some(2)]), (0, 1, 0));
    assert_eq!(checked(&Unit::try_delete, &[None, None]), (0, 0, 1));
    let read = |unit: &mut Unit| {
        write(unit);
        unit.saw(2);
    };
    assert_eq!(checked(&read, &[Some(1), Some(1)]), (1, 0, 0));
}
