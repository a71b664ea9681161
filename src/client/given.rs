//! Keys and values as they are given: as text, in hex or base64, in a file, or on standard input.
//!
//! ```text
//! WORD     the bytes of the word        @FILE    what is in the file       -    what comes on standard input
//! @@WORD   the word with one @ less
//! ```

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::failure::Failure;

/// Largest file that is taken for one key or value; the server takes messages of 64 MiB by default, and at most of so many.
const BYTES_MAX: u64 = 1 << 30;

/// How bytes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Writing {
    /// As they are.
    #[default]
    Plain,
    Hex,
    Base64,
}

impl Writing {
    /// What two flags say, which exclude each other.
    pub(crate) fn of(hex: bool, base64: bool) -> Self {
        match (hex, base64) {
            (true, _) => Self::Hex,
            (_, true) => Self::Base64,
            _ => Self::Plain,
        }
    }

    /// The bytes that are meant.
    pub(crate) fn read(self, what: &str, written: Vec<u8>) -> Result<Bytes, Failure> {
        let text = match self {
            Self::Plain => return Ok(written.into()),
            _ => written.trim_ascii(),
        };
        match self {
            Self::Hex => from_hex(text),
            _ => STANDARD.decode(text).map_err(|error| error.to_string()),
        }
        .map(Bytes::from)
        .map_err(|why| {
            let name = if self == Self::Hex { "hexadecimal" } else { "base64" };
            Failure::usage(format!("the {what} is not {name}: {why}"))
        })
    }
}

/// The bytes of a word.
pub(crate) fn bytes(what: &str, word: &str, writing: Writing) -> Result<Bytes, Failure> {
    let written = match word.strip_prefix('@') {
        _ if word == "-" => all_of("standard input", io::stdin().lock())?,
        Some(rest) if rest.starts_with('@') => rest.as_bytes().to_vec(),
        Some(name) => file(Path::new(name))?,
        None => word.as_bytes().to_vec(),
    };
    writing.read(what, written)
}

/// What is in a file.
pub(crate) fn file(path: &Path) -> Result<Vec<u8>, Failure> {
    let open = File::open(path).map_err(|error| cannot_read(path, &error))?;
    all_of(&path.display().to_string(), open)
}

/// A value is the word, or what is in a file; without either, what comes on standard input.
pub(crate) fn value(
    word: Option<&str>,
    path: Option<&PathBuf>,
    writing: Writing,
) -> Result<Bytes, Failure> {
    match (word, path) {
        (Some(word), _) => bytes("value", word, writing),
        (None, Some(path)) => writing.read("value", file(path)?),
        (None, None) => {
            if io::IsTerminal::is_terminal(&io::stdin()) {
                eprintln!("The value is read from the terminal; end it with Ctrl-D.");
            }
            bytes("value", "-", writing)
        }
    }
}

fn all_of(name: &str, from: impl Read) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    let mut bounded = from.take(BYTES_MAX + 1);
    bounded.read_to_end(&mut all).map_err(|error| Failure::file("cannot read", name, &error))?;
    if all.len() as u64 > BYTES_MAX {
        return Err(Failure::usage(format!("{name} has more than {BYTES_MAX} bytes")));
    }
    Ok(all)
}

pub(crate) fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::file("cannot read", path.display(), error)
}

/// The bytes of pairs of hexadecimal digits.
pub(crate) fn from_hex(text: &[u8]) -> Result<Vec<u8>, String> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .map(|digit| digit as u8)
            .ok_or_else(|| format!("{:?} is no digit", char::from(*byte)))
    };
    if !text.len().is_multiple_of(2) {
        return Err(format!("{} digits are not pairs", text.len()));
    }
    text.chunks_exact(2).map(|pair| Ok(digit(&pair[0])? << 4 | digit(&pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(word: &str, writing: Writing) -> Result<Vec<u8>, String> {
        bytes("key", word, writing)
            .map(|bytes| bytes.to_vec())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn words_are_bytes_in_three_writings() {
        assert_eq!(read("user:1", Writing::Plain), Ok(b"user:1".to_vec()));
        assert_eq!(read("00fF10", Writing::Hex), Ok(vec![0, 255, 16]));
        assert_eq!(read("AP8Q", Writing::Base64), Ok(vec![0, 255, 16]));
        assert_eq!(read("@@home", Writing::Plain), Ok(b"@home".to_vec()));
        assert_eq!(read("", Writing::Hex), Ok(vec![]));
        for (wrong, writing, why) in [
            ("0", Writing::Hex, "1 digits are not pairs"),
            ("0g", Writing::Hex, "'g' is no digit"),
            ("A*==", Writing::Base64, "not base64"),
        ] {
            let text = read(wrong, writing).unwrap_err();
            assert!(text.contains(why), "{text}");
        }
    }

    #[test]
    fn files_are_taken_whole_and_their_encoded_text_without_the_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        fs::write(&path, "6162\n").unwrap();
        let word = format!("@{}", path.display());
        assert_eq!(read(&word, Writing::Plain), Ok(b"6162\n".to_vec()));
        assert_eq!(read(&word, Writing::Hex), Ok(b"ab".to_vec()));
        let text = read("@/no/such/file", Writing::Plain).unwrap_err();
        assert!(text.starts_with("cannot read /no/such/file: "), "{text}");
    }
}
