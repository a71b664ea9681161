//! Roles and policies as files: TOML, or JSON for those that are.

use serde::de::DeserializeOwned;

/// Reads a file of either kind.
///
/// # Errors
/// What is wrong, with its line.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    if bytes.trim_ascii_start().starts_with(b"{") {
        // Its text ends with line and column.
        return serde_json::from_slice(bytes).map_err(|error| error.to_string());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        format!("line {}: it is not UTF-8", line_of(bytes, error.valid_up_to()))
    })?;
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(bytes, span.start));
        format!("line {line}: {}", error.message().replace('\n', "; "))
    })
}

fn line_of(bytes: &[u8], place: usize) -> usize {
    1 + bytes[..place.min(bytes.len())].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        type Table = std::collections::BTreeMap<String, u32>;
        let wrong = |text: &[u8]| read::<Table>(text).unwrap_err();
        assert!(wrong(b"a = 1\nb = \n").starts_with("line 2: "));
        assert!(wrong(b"a = 1\nb = 'x'\n").starts_with("line 2: "));
        assert!(wrong(b"a = 1\n\n\xff").starts_with("line 3: "));
        assert!(wrong(b"\n{\"a\": 1,\n \"b\": \"x\"}").contains("at line 3"));
        assert_eq!(read::<Table>(b" {\"a\": 1}").unwrap(), read::<Table>(b"a = 1").unwrap());
    }
}
