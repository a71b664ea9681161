//! Answers as they are printed: tables for people, JSON and YAML for programs.
//!
//! Only what the server said is printed, and what is printed is said to be so by the server. Everything else (warnings,
//! progress) goes to standard error.

mod table;
mod yaml;

use std::io::{self, IsTerminal as _, Write};

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;

pub(crate) use table::columns;

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// Lines and columns for people.
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// Where answers go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) form: Form,
    pub(crate) color: bool,
}

impl Output {
    /// Prints one thing. In a table an object is a line for each of its members.
    pub(crate) fn show(self, value: &Value) -> Result<(), Failure> {
        let text = match self.form {
            Form::Table => table::of(value),
            Form::Json => format!("{value:#}\n"),
            Form::Yaml => yaml::of(value),
        };
        self.raw(text.as_bytes())
    }

    /// Prints objects; in a table, these of their members, in this order.
    pub(crate) fn list(self, names: &[&str], rows: Vec<Value>) -> Result<(), Failure> {
        match self.form {
            Form::Table => self.raw(table::with_columns(names, &rows).as_bytes()),
            _ => self.show(&Value::Array(rows)),
        }
    }

    /// Prints a line for people, or the object for programs.
    pub(crate) fn say(self, line: &str, value: &Value) -> Result<(), Failure> {
        match self.form {
            Form::Table => self.raw(format!("{line}\n").as_bytes()),
            _ => self.show(value),
        }
    }

    /// Prints bytes.
    pub(crate) fn raw(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| cannot_print(&error))
    }

    /// A text in bold, where there are colours.
    pub(crate) fn bold(self, text: &str) -> String {
        if self.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Rows that are printed as they come.
pub(crate) struct Rows {
    form: Form,
    /// In JSON each row is a document, so that readers need not wait for the end.
    endless: bool,
    count: u64,
    out: io::BufWriter<io::StdoutLock<'static>>,
}

impl Rows {
    pub(crate) fn new(form: Form) -> Self {
        let out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
        Self { form, endless: false, count: 0, out }
    }

    /// Rows that go on until somebody ends them.
    pub(crate) fn endless(form: Form) -> Self {
        Self { endless: true, ..Self::new(form) }
    }

    /// Prints a row: a line of a table, or an object.
    pub(crate) fn row(
        &mut self,
        line: impl FnOnce() -> String,
        object: impl FnOnce() -> Value,
    ) -> Result<(), Failure> {
        let first = self.count == 0;
        self.count += 1;
        let text = match self.form {
            Form::Table => format!("{}\n", line()),
            Form::Json if self.endless => format!("{}\n", object()),
            Form::Json => {
                let object = object();
                if first { format!("[\n{object}") } else { format!(",\n{object}") }
            }
            Form::Yaml => yaml::of(&Value::Array(vec![object()])),
        };
        self.out.write_all(text.as_bytes()).map_err(|error| cannot_print(&error))
    }

    /// What is there so far is to be seen.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| cannot_print(&error))
    }

    /// All rows were there: ends the document.
    pub(crate) fn end(mut self) -> Result<u64, Failure> {
        let text = match (self.form, self.count) {
            (Form::Table, _) => "",
            (Form::Json, _) if self.endless => "",
            (Form::Json, 0) | (Form::Yaml, 0) => "[]\n",
            (Form::Json, _) => "\n]\n",
            (Form::Yaml, _) => "",
        };
        self.out.write_all(text.as_bytes()).map_err(|error| cannot_print(&error))?;
        self.flush()?;
        Ok(self.count)
    }
}

fn cannot_print(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        // Whoever reads has enough, as `head` does: not worth a word.
        std::process::exit(0);
    }
    Failure::refused(format!("cannot print: {error}"))
}

/// Whether people look at what is printed.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}
