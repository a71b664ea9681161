//! `batch`: queries of a file, all of them done in one step, or none.
//!
//! ```json
//! {"op": "set", "key": "a", "value": "1"}
//! {"op": "delete", "collection": "other", "key_hex": "00ff"}
//! {"op": "get", "key": "a"}
//! {"op": "range", "start": "a", "end": "b", "limit": 10}
//! {"op": "scan", "prefix": "user:"}
//! {"op": "filter", "predicate": ">= 18", "limit": 10, "offset": 0}
//! {"op": "update", "predicate": ">= 18", "updates": ["add 1"]}
//! ```

use std::path::PathBuf;

use amaters_proto::query::{KeyValue, Query, query_result::Result as Outcome};
use clap::Args;
use serde_json::{Value, json};

use super::{
    Session,
    entry::{Line, brief, name, object},
    failure::Failure,
    lines::Lines,
    output::Form,
    predicate,
    query::{self, Span},
};

/// Queries that the server takes in one batch.
const QUERIES_MAX: usize = 1024;

#[derive(Debug, Args)]
pub(crate) struct Batch {
    /// The file, or - for standard input: a line of JSON for each query, as {"op": "set", "key": "a", "value": "1"}; op is
    /// set, get, delete, range, scan, filter or update.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Batch {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let mut lines = Lines::open(&self.file)?;
        let (mut queries, mut asked) = (Vec::new(), Vec::new());
        while let Some(text) = lines.next()? {
            let (query, what) = Line::read(text)
                .and_then(|line| asked_for(line, session.collection()))
                .map_err(|failure| lines.wrong(&failure))?;
            queries.push(query);
            asked.push(what);
            if queries.len() > QUERIES_MAX {
                let text = format!(
                    "a batch has at most {QUERIES_MAX} queries; import takes more, in parts"
                );
                return Err(lines.wrong(&Failure::usage(text)));
            }
        }
        if queries.is_empty() {
            return Err(Failure::usage(format!("{} has no queries", lines.name())));
        }
        let outcomes = session.connection().await?.batch(queries).await?;
        let all = asked.iter().zip(&outcomes);
        if session.output.form == Form::Table {
            let text: String = all.map(|((op, key), outcome)| line(op, key, outcome)).collect();
            return session.output.raw(text.as_bytes());
        }
        let results = all.map(|((op, key), outcome)| result(op, key, outcome));
        session.output.show(&Value::Array(results.collect()))
    }
}

type Asked = (String, Vec<u8>);

/// The query of a line, and what the answer is told with.
fn asked_for(mut line: Line, collection: &str) -> Result<(Query, Asked), Failure> {
    let op = line.op.take().ok_or_else(|| Failure::usage("there is no op"))?;
    let collection = line.collection.take().unwrap_or_else(|| collection.to_owned());
    let needed = |what: &str, given: Option<String>| {
        given.ok_or_else(|| Failure::usage(format!("{op} needs {what}")))
    };
    let mut key = Vec::new();
    let query = match op.as_str() {
        "set" | "get" | "delete" => {
            let name = line.key()?;
            key = name.to_vec();
            match op.as_str() {
                "set" => query::set(&collection, name, line.value()?),
                "get" => query::get(&collection, name),
                _ => query::delete(&collection, name),
            }
        }
        "range" => {
            let (start, end) =
                (needed("start", line.start.take())?, needed("end", line.end.take())?);
            let span = Span { start: start.into(), end: end.into() };
            span.query(&collection, line.limit.take())
        }
        "scan" => {
            let prefix = line.prefix.take().unwrap_or_default();
            Span::of_prefix(prefix.into()).query(&collection, line.limit.take())
        }
        "filter" => {
            let predicate = predicate::predicate(&needed("predicate", line.predicate.take())?)?;
            query::filter(&collection, predicate, line.limit.take(), line.offset.take())
        }
        "update" => {
            let predicate = predicate::predicate(&needed("predicate", line.predicate.take())?)?;
            let updates = line.updates.take().unwrap_or_default();
            let updates: Result<_, _> =
                updates.iter().map(|text| predicate::change(text, None)).collect();
            query::update(&collection, predicate, updates?)
        }
        other => return Err(Failure::usage(format!("the op {other:?} is unknown"))),
    };
    match line.rest().first() {
        None => Ok((query, (op, key))),
        Some(name) => Err(Failure::usage(format!("{op} takes no {name}"))),
    }
}

/// What became of a query, in a line; its rows below it.
fn line(op: &str, key: &[u8], outcome: &Outcome) -> String {
    let key = name(key);
    match outcome {
        Outcome::Success(success) => match (op, success.affected_rows) {
            ("set", 1) => format!("set {key}: stored\n"),
            ("delete", 0) => format!("delete {key}: it had no value\n"),
            ("delete", _) => format!("delete {key}: deleted\n"),
            (_, rows) => format!("{op}: {rows} changed\n"),
        },
        Outcome::Single(single) => match &single.value {
            Some(blob) => format!("{op} {key}: {}\n", brief(&blob.data)),
            None => format!("{op} {key}: no value\n"),
        },
        Outcome::Multi(multi) => {
            let row = |row: &KeyValue| {
                let data = row.value.as_ref().map_or(&[][..], |blob| &blob.data);
                format!("  {}  {}\n", name(row_key(row)), brief(data))
            };
            let rows: String = multi.values.iter().map(row).collect();
            format!("{op}: {} entries\n{rows}", multi.values.len())
        }
    }
}

fn row_key(row: &KeyValue) -> &[u8] {
    row.key.as_ref().map_or(&[], |key| &key.data)
}

/// What became of a query, as an object.
fn result(op: &str, key: &[u8], outcome: &Outcome) -> Value {
    let mut told = match outcome {
        Outcome::Success(success) => {
            let mut told = if key.is_empty() { json!({}) } else { object(key, None, None) };
            told["affected"] = success.affected_rows.into();
            told
        }
        Outcome::Single(single) => {
            let mut told = object(key, single.value.as_ref(), None);
            told["found"] = single.value.is_some().into();
            told
        }
        Outcome::Multi(multi) => {
            let row = |row: &KeyValue| object(row_key(row), row.value.as_ref(), None);
            json!({"count": multi.values.len(), "rows": multi.values.iter().map(row).collect::<Vec<_>>()})
        }
    };
    told["op"] = op.into();
    told
}

#[cfg(test)]
mod tests {
    use amaters_proto::query::query::Query as Kind;

    use super::*;

    fn read(text: &str) -> Result<Query, String> {
        let asked = Line::read(text.as_bytes()).and_then(|line| asked_for(line, "c"));
        asked.map(|(query, _)| query).map_err(|failure| failure.to_string())
    }

    #[test]
    fn lines_are_queries() {
        let kind = |text| read(text).unwrap().query.unwrap();
        let Kind::Set(set) = kind(r#"{"op":"set","key":"a","value":"1"}"#) else { panic!() };
        assert_eq!((set.collection.as_str(), &set.value.unwrap().data[..]), ("c", &b"1"[..]));
        let Kind::Delete(delete) = kind(r#"{"op":"delete","collection":"d","key_hex":"ff"}"#)
        else {
            panic!()
        };
        assert_eq!((delete.collection.as_str(), &delete.key.unwrap().data[..]), ("d", &[255][..]));
        let Kind::Range(range) = kind(r#"{"op":"scan","prefix":"a","limit":3}"#) else { panic!() };
        assert_eq!((&range.end.unwrap().data[..], range.limit), (&b"b"[..], Some(3)));
        assert!(matches!(kind(r#"{"op":"filter","predicate":"> 1"}"#), Kind::Filter(_)));
        let text = r#"{"op":"update","predicate":"> 1","updates":["add 1","mul 2"]}"#;
        let Kind::Update(update) = kind(text) else { panic!() };
        assert_eq!(update.updates.len(), 2);
    }

    #[test]
    fn lines_that_are_no_queries_are_refused() {
        for (text, why) in [
            (r#"{"key":"a"}"#, "there is no op"),
            (r#"{"op":"put","key":"a"}"#, "\"put\" is unknown"),
            (r#"{"op":"get","key":"a","value":"x"}"#, "get takes no value"),
            (r#"{"op":"range","start":"a"}"#, "range needs end"),
            (r#"{"op":"filter","predicate":"a"}"#, "no comparison"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
