//! `export`: the entries of a collection as lines of JSON, which `import` takes.
//!
//! A file has its name only when it is whole: until then it is beside it, with `.part` behind the name.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use amaters_proto::query::KeyValue;
use bytes::Bytes;
use clap::Args;
use serde_json::json;

use super::{
    Session,
    connection::Connection,
    entry::{Form, object},
    failure::{Failure, Kind},
    interrupt,
    progress::Progress,
    query::Span,
    scan::Scan,
    values::KeyWriting,
};

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file, or - for standard output, which it is by default.
    #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
    file: PathBuf,
    /// Only keys that begin so.
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Write values so, also those that are text.
    #[arg(long = "as", value_name = "FORM", value_parser = ["hex", "base64"])]
    form: Option<String>,
    /// Leave out the metadata of values.
    #[arg(long)]
    without_metadata: bool,
    /// Where the server ends a scan that takes too long, go on with another. The entries are then not of one instant.
    #[arg(long)]
    in_parts: bool,
    #[command(flatten)]
    keys: KeyWriting,
}

/// An export that goes on.
struct Going<'a> {
    export: &'a Export,
    out: Box<dyn Write>,
    progress: Progress,
    entries: u64,
    bytes: u64,
    last: Option<Bytes>,
}

impl Export {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let span = Span::of_prefix(self.keys.read(&self.prefix)?);
        let collection = session.collection().to_owned();
        let connection = session.connection().await?.clone();
        let to_stdout = self.file.as_os_str() == "-";
        let part = part(&self.file);
        let out: Box<dyn Write> = match to_stdout {
            true => Box::new(BufWriter::new(io::stdout())),
            false => {
                let file = File::create(&part).map_err(|error| self.cannot_write(&error))?;
                Box::new(BufWriter::with_capacity(1 << 18, file))
            }
        };
        let progress = Progress::new(None, "entries");
        let mut going = Going { export: self, out, progress, entries: 0, bytes: 0, last: None };
        let done = tokio::select! {
            done = going.drive(&connection, &collection, span) => done,
            () = interrupt() => Err(Failure::new(Kind::Interrupted, "interrupted")),
        };
        let Going { out, mut progress, entries, bytes, .. } = going;
        progress.clear();
        drop(out);
        let done = match done {
            Ok(parts) if !to_stdout => self.keep(&part).map(|()| parts),
            done => done,
        };
        match done {
            Ok(parts) => {
                let said = json!({"entries": entries, "bytes": bytes, "instants": parts});
                let more = if parts > 1 { format!(", of {parts} instants") } else { String::new() };
                let line = format!("{entries} entries, {bytes} bytes{more}");
                if to_stdout {
                    eprintln!("{line}");
                    return Ok(());
                }
                session.output.say(&format!("{line}, in {}", self.file.display()), &said)
            }
            Err(failure) if to_stdout => {
                let text = format!("{failure}\nonly {entries} entries were written");
                Err(failure.stopped(text))
            }
            Err(failure) => {
                // What is not whole is not kept, and what cannot be removed is told by its name.
                let _ = fs::remove_file(&part);
                let text = format!("{}\n{} was not written", failure.text, self.file.display());
                Err(Failure { text, ..failure })
            }
        }
    }

    /// The file is whole: it gets its name.
    fn keep(&self, part: &Path) -> Result<(), Failure> {
        let sync = || {
            File::open(part)?.sync_all()?;
            fs::rename(part, &self.file)
        };
        sync().map_err(|error| self.cannot_write(&error))
    }

    fn cannot_write(&self, error: &io::Error) -> Failure {
        Failure::file("cannot write", self.file.display(), error)
    }

    fn form(&self) -> Option<Form> {
        match self.form.as_deref() {
            Some("hex") => Some(Form::Hex),
            Some(_) => Some(Form::Base64),
            None => None,
        }
    }
}

fn part(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

impl Going<'_> {
    /// Writes all entries; and how many instants they are of.
    async fn drive(
        &mut self,
        connection: &Connection,
        collection: &str,
        span: Span,
    ) -> Result<u64, Failure> {
        let mut parts = 1;
        let mut rest = span.clone();
        loop {
            let before = self.entries;
            match self.scan(connection, collection, &rest).await {
                Ok(()) => break,
                // Status 11: the server keeps an instant for a while only. Without progress, another try would not help.
                Err(failure)
                    if self.export.in_parts && is_over(&failure) && self.entries > before =>
                {
                    rest = span.behind(self.last.as_deref().unwrap_or_default());
                    parts += 1;
                }
                Err(failure) if is_over(&failure) => {
                    let more = "--in-parts goes on, with entries of a later instant";
                    let text = format!("{}; {more}", failure.text);
                    return Err(Failure { text, ..failure });
                }
                Err(failure) => return Err(failure),
            }
        }
        self.out.flush().map_err(|error| self.export.cannot_write(&error))?;
        Ok(parts)
    }

    async fn scan(
        &mut self,
        connection: &Connection,
        collection: &str,
        span: &Span,
    ) -> Result<(), Failure> {
        let mut scan = Scan::begin(connection, span.query(collection, None)).await?;
        while let Some(rows) = scan.next().await? {
            for row in &rows {
                self.write(row)?;
            }
            self.progress.set(self.entries, self.bytes);
        }
        Ok(())
    }

    fn write(&mut self, row: &KeyValue) -> Result<(), Failure> {
        let (Some(key), Some(blob)) = (&row.key, &row.value) else {
            return Err(Failure::nonsense("a row without key or value"));
        };
        let mut entry = object(&key.data, Some(blob), self.export.form());
        if let (true, Some(entry)) = (self.export.without_metadata, entry.as_object_mut()) {
            entry.remove("metadata");
        }
        let text = format!("{entry}\n");
        self.out.write_all(text.as_bytes()).map_err(|error| self.export.cannot_write(&error))?;
        self.entries += 1;
        self.bytes += text.len() as u64;
        self.last = Some(key.data.clone());
        Ok(())
    }
}

/// Whether a scan ended because its instant is kept no longer.
fn is_over(failure: &Failure) -> bool {
    failure.text.ends_with("(status 11 OutOfRange)")
}
