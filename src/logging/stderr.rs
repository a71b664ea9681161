//! Lines on standard error; with a priority in front where the journal reads them (sd-daemon(3)).

use std::{
    env,
    io::{self, Write as _},
};

use tracing::Level;

/// Standard error, and whether the journal reads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stderr {
    is_journal: bool,
}

impl Stderr {
    /// As it is at the start of the process.
    pub(super) fn new() -> Self {
        let named = env::var("JOURNAL_STREAM").ok();
        Self { is_journal: named.is_some_and(|stream| is_stderr(&stream)) }
    }

    /// A line that cannot be written is gone: there is nowhere else to say so.
    pub(super) fn write(self, level: Level, line: &[u8]) {
        let mut stderr = io::stderr().lock();
        let _ = if self.is_journal {
            stderr.write_all(&prioritized(level, line))
        } else {
            stderr.write_all(line)
        };
    }
}

/// Whether `device:inode` is what standard error is connected to.
fn is_stderr(stream: &str) -> bool {
    let Ok(stat) = rustix::fs::fstat(io::stderr()) else { return false };
    stream.split_once(':').is_some_and(|(device, inode)| {
        device.parse() == Ok(stat.st_dev) && inode.parse() == Ok(stat.st_ino)
    })
}

/// The journal makes an entry of each line, so each has its priority.
fn prioritized(level: Level, lines: &[u8]) -> Vec<u8> {
    let priority = match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    };
    let mut marked = Vec::with_capacity(lines.len() + 16);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        // Writing to a Vec cannot fail.
        let _ = write!(marked, "<{priority}>");
        marked.extend_from_slice(line);
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_message_has_its_priority() {
        let text = String::from_utf8(prioritized(Level::ERROR, b"panic\n  at a\n")).unwrap();
        assert_eq!(text, "<3>panic\n<3>  at a\n");
        assert_eq!(prioritized(Level::DEBUG, b"x\n"), b"<7>x\n");
    }

    #[test]
    fn a_stream_is_told_by_device_and_inode() {
        let stat = rustix::fs::fstat(io::stderr()).unwrap();
        assert!(is_stderr(&format!("{}:{}", stat.st_dev, stat.st_ino)));
        for other in ["", "1", "x:y", &format!("{}:{}", stat.st_dev, stat.st_ino + 1)] {
            assert!(!is_stderr(other), "{other}");
        }
    }
}
