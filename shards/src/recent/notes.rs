//! Warnings from any thread on their way to the reactor that keeps them: the first.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{LINES_MAX, micros};
use crate::utc::unix_time;

/// A queue of warnings. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Notes {
    sender: Sender<Note>,
    receiver: Receiver<Note>,
}

#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) text: String,
    pub(crate) unix_millis: u64,
}

impl Default for Notes {
    fn default() -> Self {
        let (sender, receiver) = bounded(LINES_MAX);
        Self { sender, receiver }
    }
}

impl Notes {
    /// Adds a warning. Where too many wait, the oldest makes room, as it would among the lines.
    pub fn push(&self, text: String) {
        let mut note = Note { text, unix_millis: micros(unix_time()) / 1000 };
        while let Err(full) = self.sender.try_send(note) {
            note = full.into_inner();
            let _ = self.receiver.try_recv();
        }
    }

    /// The warnings so far.
    pub(crate) fn take(&self) -> impl Iterator<Item = Note> {
        self.receiver.try_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_in_order() {
        let notes = Notes::default();
        for number in 0..LINES_MAX + 3 {
            notes.push(number.to_string());
        }
        let kept: Vec<_> = notes.take().map(|note| note.text).collect();
        assert_eq!((kept.len(), kept[0].as_str()), (LINES_MAX, "3"));
    }
}
