//! Objects as lines and columns.

use serde_json::Value;

/// An object becomes a line for each member, a list of objects a table.
pub(super) fn of(value: &Value) -> String {
    match value {
        Value::Array(rows) if rows.iter().all(Value::is_object) && !rows.is_empty() => table(rows),
        _ => {
            let mut lines = Vec::new();
            members("", value, &mut lines);
            let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
            lines.iter().map(|(name, text)| line(name, text, width)).collect()
        }
    }
}

fn line(name: &str, text: &str, width: usize) -> String {
    if name.is_empty() { format!("{text}\n") } else { format!("{name:<width$}  {text}\n") }
}

/// A member of a member is `outer.inner`; a list of objects has a line for each.
fn members(name: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    let below = |inner: &str| {
        if name.is_empty() { inner.to_owned() } else { format!("{name}.{inner}") }
    };
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(inner, value)| members(&below(inner), value, lines));
        }
        Value::Array(all) if all.iter().any(|each| each.is_object() || each.is_array()) => {
            let all = all.iter().enumerate();
            all.for_each(|(number, value)| members(&below(&number.to_string()), value, lines));
        }
        _ => lines.push((name.to_owned(), cell(value))),
    }
}

fn table(rows: &[Value]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for row in rows.iter().filter_map(Value::as_object) {
        for name in row.keys() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    with_columns(&names, rows)
}

/// A table of these members.
pub(super) fn with_columns(names: &[&str], rows: &[Value]) -> String {
    let head = names.iter().map(|name| name.to_uppercase()).collect();
    let cells = |row: &Value| names.iter().map(|name| cell(&row[*name])).collect();
    columns(std::iter::once(head).chain(rows.iter().map(cells)).collect())
}

/// Lines of cells, below each other.
pub(crate) fn columns(rows: Vec<Vec<String>>) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<_> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<_> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// What was not said is a dash: nothing is made up for it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => "none".into(),
        Value::Array(all) => all.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_a_line_for_each_member() {
        let value = json!({"status": "ok", "none": null, "tree": {"levels": [{"level": 0}], "count": 2}, "errors": []});
        let text = "errors               none\nnone                 -\nstatus               ok\n\
                    tree.count           2\ntree.levels.0.level  0\n";
        let mut lines: Vec<_> = of(&value).lines().map(str::to_owned).collect();
        lines.sort();
        assert_eq!(lines.join("\n") + "\n", text);
    }

    #[test]
    fn a_list_is_a_table_with_a_dash_for_what_is_not_there() {
        let text = of(&json!([{"id": 1, "state": "up"}, {"id": 200, "extra": "x"}]));
        let head: Vec<_> = text.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(head.len(), 3);
        assert!(text.lines().nth(1).unwrap().contains('-'), "{text}");
    }
}
