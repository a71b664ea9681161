//! `range`, `scan`, `filter` and `update`: many keys at once.

use amaters_proto::query::{KeyValue, Query};
use clap::Args;
use serde_json::json;

use super::{
    Session,
    entry::{Form, brief, formed, name, object},
    failure::Failure,
    output::{Form as OutputForm, Rows},
    predicate,
    query::{self, Span},
    scan,
    values::KeyWriting,
};

/// Flags of everything that prints entries.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Shown {
    /// At most so many entries.
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<u32>,
    /// Print the keys alone.
    #[arg(long)]
    keys_only: bool,
    /// How values are printed, whole. By default a table has short text, and the length of everything else; filter has numbers.
    #[arg(long = "as", value_enum, value_name = "FORM", conflicts_with = "keys_only")]
    form: Option<Form>,
}

#[derive(Debug, Args)]
pub(crate) struct Range {
    /// The first key.
    #[arg(value_name = "START", allow_hyphen_values = true)]
    start: String,
    /// The first key that is no more among them.
    #[arg(value_name = "END", allow_hyphen_values = true)]
    end: String,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    keys: KeyWriting,
}

impl Range {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let span = Span { start: self.keys.read(&self.start)?, end: self.keys.read(&self.end)? };
        let query = span.query(session.collection(), self.shown.limit);
        show(session, query, self.shown).await
    }
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// Only keys that begin so.
    #[arg(
        long,
        value_name = "PREFIX",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    prefix: String,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    keys: KeyWriting,
}

impl Scan {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let span = Span::of_prefix(self.keys.read(&self.prefix)?);
        let query = span.query(session.collection(), self.shown.limit);
        show(session, query, self.shown).await
    }
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// The condition, as '>= 18 and not = 99'. Values are unsigned numbers, highest byte first; 0x002a is a number too.
    #[arg(value_name = "CONDITION")]
    condition: String,
    /// Leave out so many of the first that match.
    #[arg(long, value_name = "N")]
    offset: Option<u32>,
    #[command(flatten)]
    shown: Shown,
}

impl Filter {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let predicate = predicate::predicate(&self.condition)?;
        let query = query::filter(session.collection(), predicate, self.shown.limit, self.offset);
        // What was compared as a number is shown as one.
        let table = session.output.form == OutputForm::Table;
        let form = self.shown.form.or(table.then_some(Form::Number));
        show(session, query, Shown { form, ..self.shown }).await
    }
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The condition, as in filter.
    #[arg(value_name = "CONDITION")]
    condition: String,
    /// What is done, one after the other: 'set 5', 'add 1', 'mul 2'. Numbers of add and mul must be as long as the values.
    #[arg(value_name = "CHANGE", required = true)]
    changes: Vec<String>,
    /// Numbers in decimal take so many bytes.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u8).range(1..=64))]
    width: Option<u8>,
}

impl Update {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let predicate = predicate::predicate(&self.condition)?;
        let width = self.width.map(usize::from);
        let changes = self
            .changes
            .iter()
            .map(|text| predicate::change(text, width))
            .collect::<Result<_, _>>()?;
        let query = query::update(session.collection(), predicate, changes);
        let updated = session.connection().await?.change(query).await?;
        session.output.say(&format!("{updated} updated"), &json!({"updated": updated}))
    }
}

/// Prints rows as they come. Where they stop too early, the document has no end, and the failure says how many were printed.
async fn show(session: &mut Session, query: Query, shown: Shown) -> Result<(), Failure> {
    let form = session.output.form;
    let mut scan = scan::Scan::begin(session.connection().await?, query).await?;
    let mut rows = Rows::new(form);
    let mut width = None;
    loop {
        let chunk = match scan.next().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(failure) if scan.rows() == 0 => return Err(failure),
            Err(failure) => {
                rows.flush()?;
                let text =
                    format!("these are not all rows, but the first {}: {failure}", scan.rows());
                return Err(failure.stopped(text));
            }
        };
        let width = *width.get_or_insert_with(|| key_width(&chunk));
        for row in &chunk {
            print(&mut rows, row, shown, width)?;
        }
        rows.flush()?;
    }
    rows.end()?;
    Ok(())
}

/// Columns of keys, from the first rows: those that come later are not waited for.
fn key_width(rows: &[KeyValue]) -> usize {
    let width = |row: &KeyValue| name(key(row)).chars().count();
    rows.iter().map(width).max().unwrap_or(0).min(40)
}

fn key(row: &KeyValue) -> &[u8] {
    row.key.as_ref().map_or(&[], |key| &key.data)
}

fn print(rows: &mut Rows, row: &KeyValue, shown: Shown, width: usize) -> Result<(), Failure> {
    let value = row.value.as_ref().filter(|_| !shown.keys_only);
    let data = value.map_or(&[][..], |blob| &blob.data);
    let printed = match shown.form {
        None | Some(Form::Raw) => brief(data),
        // Values that are no text are told in hex, and look like it.
        Some(form) => match formed(data, form) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(_) => brief(data),
        },
    };
    let line = || {
        if shown.keys_only {
            return name(key(row));
        }
        format!("{:<width$}  {printed}", name(key(row)))
    };
    rows.row(line, || object(key(row), value, shown.form))
}
