//! YAML in block style. Strings are written as JSON writes them, which is YAML too, unless they are plain words.

use serde_json::Value;

/// Words that mean something else when they stand alone.
const RESERVED: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// A document without its marks.
pub(super) fn of(value: &Value) -> String {
    let mut text = String::new();
    node(value, 0, &mut text);
    text
}

/// Writes what stands on lines of its own.
fn node(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (name, value) in object {
                indent(depth, text);
                text.push_str(&string(name));
                text.push(':');
                below(value, depth + 1, text);
            }
        }
        Value::Array(all) if !all.is_empty() => {
            for value in all {
                indent(depth, text);
                text.push('-');
                match value {
                    // The first member stands behind the dash.
                    Value::Object(object) if !object.is_empty() => {
                        let mut inner = String::new();
                        node(value, depth + 1, &mut inner);
                        text.push(' ');
                        text.push_str(inner.trim_start());
                    }
                    _ => below(value, depth + 1, text),
                }
            }
        }
        scalar => {
            text.push_str(&one(scalar));
            text.push('\n');
        }
    }
}

fn below(value: &Value, depth: usize, text: &mut String) {
    let nested = match value {
        Value::Object(object) => !object.is_empty(),
        Value::Array(all) => !all.is_empty(),
        _ => false,
    };
    text.push(if nested { '\n' } else { ' ' });
    node(value, depth, text);
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn one(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        other => other.to_string(),
    }
}

fn string(text: &str) -> String {
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let plain = text.chars().all(|each| each.is_ascii_alphanumeric() || "_-/".contains(each));
    if begins && plain && !RESERVED.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_yaml() {
        let value = json!([
            {"key": "user:1", "metadata": {"size": 3}, "none": null},
            {"list": [], "deep": [1, [2, "no"]], "word": "word"},
        ]);
        let text = "- key: \"user:1\"\n  metadata:\n    size: 3\n  none: null\n\
                    - deep:\n    - 1\n    -\n      - 2\n      - \"no\"\n  list: []\n  word: word\n";
        assert_eq!(of(&value), text);
        assert_eq!(of(&json!({})), "{}\n");
        assert_eq!(of(&json!("a: b\n")), "\"a: b\\n\"\n");
    }
}
