//! Lines of a file or of standard input, with their numbers, within bounds.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::Path,
};

use super::{
    failure::{Failure, Kind},
    given::cannot_read,
};

/// Longest line. A value of 64 MiB, which the server takes by default, has a third more in base64.
const LINE_BYTES_MAX: u64 = 128 << 20;

/// Lines that are read one by one.
pub(crate) struct Lines {
    from: Box<dyn BufRead + Send>,
    name: String,
    number: u64,
    bytes: u64,
    line: Vec<u8>,
    /// Length of the file, where it is one.
    pub(crate) bytes_all: Option<u64>,
}

impl Lines {
    /// Opens a file, or takes standard input for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let (from, name, bytes_all): (Box<dyn BufRead + Send>, _, _) = if path.as_os_str() == "-" {
            (Box::new(BufReader::new(io::stdin())), "standard input".to_owned(), None)
        } else {
            let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
            let metadata = file.metadata().map_err(|error| cannot_read(path, &error))?;
            if metadata.is_dir() {
                return Err(Failure::usage(format!("{} is a folder", path.display())));
            }
            let length = metadata.is_file().then_some(metadata.len());
            (Box::new(BufReader::with_capacity(1 << 18, file)), path.display().to_string(), length)
        };
        Ok(Self { from, name, number: 0, bytes: 0, line: Vec::new(), bytes_all })
    }

    /// The next line that is not blank.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        loop {
            self.line.clear();
            let mut bounded = (&mut self.from).take(LINE_BYTES_MAX + 1);
            let read = bounded.read_until(b'\n', &mut self.line);
            let read = read.map_err(|error| Failure::file("cannot read", &self.name, &error))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.bytes += read as u64;
            if read as u64 > LINE_BYTES_MAX {
                let text = format!("the line has more than {LINE_BYTES_MAX} bytes");
                return Err(self.wrong(&Failure::usage(text)));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(&self.line));
            }
        }
    }

    /// The line that came last.
    pub(crate) fn last(&self) -> &[u8] {
        &self.line
    }

    /// What is wrong with the line that came last.
    pub(crate) fn wrong(&self, failure: &Failure) -> Failure {
        Failure::new(Kind::Usage, format!("{} line {}: {}", self.name, self.number, failure.text))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number of the line that came last, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes of all lines so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn blank_lines_count_and_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        fs::write(&path, "a\n\n  \nb").unwrap();
        let mut lines = Lines::open(&path).unwrap();
        assert_eq!(lines.next().unwrap(), Some(&b"a\n"[..]));
        assert_eq!(lines.next().unwrap(), Some(&b"b"[..]));
        assert_eq!((lines.number(), lines.bytes()), (4, 7));
        assert!(lines.wrong(&Failure::usage("x")).text.ends_with("lines line 4: x"));
        assert_eq!(lines.next().unwrap(), None);
        let text = Lines::open(folder.path()).err().unwrap().to_string();
        assert!(text.ends_with("is a folder"), "{text}");
    }
}
