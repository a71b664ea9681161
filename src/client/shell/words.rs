//! A line as words, as shells split them: blanks between, quotes around, a backslash before.

use crate::client::failure::Failure;

/// The words of a line.
pub(super) fn split(line: &str) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => words.extend(word.take()),
            '\'' => quoted(&mut letters, '\'', word.get_or_insert_default())?,
            '"' => quoted(&mut letters, '"', word.get_or_insert_default())?,
            '\\' => {
                let next = letters.next();
                let next = next.ok_or_else(|| Failure::usage("a backslash stands at the end"))?;
                word.get_or_insert_default().push(next);
            }
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

/// What stands up to the quote; between double ones, a backslash makes quotes and backslashes plain.
fn quoted(
    letters: &mut std::str::Chars<'_>,
    quote: char,
    word: &mut String,
) -> Result<(), Failure> {
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter == quote => return Ok(()),
            '\\' if quote == '"' => match letters.next() {
                Some(next @ ('"' | '\\')) => word.push(next),
                Some(next) => word.extend(['\\', next]),
                None => break,
            },
            letter => word.push(letter),
        }
    }
    Err(Failure::usage(format!("a quote is not closed: {quote}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_shells_do() {
        for (line, expected) in [
            ("", &[][..]),
            ("  get  a\t", &["get", "a"]),
            ("set k 'two words'", &["set", "k", "two words"]),
            ("set k \"a \\\"b\\\" \\n\" ''", &["set", "k", "a \"b\" \\n", ""]),
            ("a'b c'd \\'e\\ f", &["ab cd", "'e f"]),
        ] {
            assert_eq!(split(line).unwrap(), expected, "{line}");
        }
        for wrong in ["'a", "\"a", "a\\", "\"a\\"] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
