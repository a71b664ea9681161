//! The words of a command: between white space, or in double quotes, where a backslash takes the next character as it is.

use crate::failure::Failure;

/// Takes a text apart.
///
/// # Errors
/// A quote that does not end.
pub fn split(text: &str) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    let mut signs = text.chars().peekable();
    while let Some(first) = signs.next() {
        if first.is_whitespace() {
            continue;
        }
        let mut word = String::new();
        let mut next = Some(first);
        while let Some(sign) = next.filter(|sign| !sign.is_whitespace()) {
            if sign == '"' {
                quoted(&mut signs, &mut word)?;
            } else {
                word.push(sign);
            }
            next = signs.next();
        }
        words.push(word);
    }
    Ok(words)
}

fn quoted(signs: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), Failure> {
    let open = || Failure::InvalidRequest("a double quote in the command has no end".into());
    loop {
        match signs.next().ok_or_else(open)? {
            '"' => return Ok(()),
            '\\' => word.push(signs.next().ok_or_else(open)?),
            sign => word.push(sign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_apart_and_quotes_keep_them_together() {
        for (text, expected) in [
            ("", &[][..]),
            ("  a\tb\n c ", &["a", "b", "c"]),
            ("\"a b\" c", &["a b", "c"]),
            ("x\"a b\"y", &["xa by"]),
            ("\"a \\\" \\\\ b\"", &["a \" \\ b"]),
            ("\"\" b", &["", "b"]),
            ("C:\\x", &["C:\\x"]),
        ] {
            assert_eq!(split(text).unwrap(), expected, "{text}");
        }
        assert!(split("a \"b").is_err());
        assert!(split("\"b\\").is_err());
    }
}
