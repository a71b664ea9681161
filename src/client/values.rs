//! `set`, `get` and `delete`: one key, or a few.

use std::{fs, path::PathBuf};

use amaters_proto::{
    kv::v1::{Absent, Present, condition::Expected},
    types::CipherBlob,
};
use clap::Args;
use serde_json::json;

use super::{
    Session,
    connection::changed,
    entry::{Form, formed, hex, object, printable},
    failure::{Failure, Kind},
    given::{self, Writing},
    output::{self, Form as OutputForm},
    query,
};

/// Flags that say how keys are written.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct KeyWriting {
    /// Keys are hexadecimal.
    #[arg(long)]
    key_hex: bool,
    /// Keys are base64.
    #[arg(long, conflicts_with = "key_hex")]
    key_base64: bool,
}

impl KeyWriting {
    pub(crate) fn read(self, word: &str) -> Result<bytes::Bytes, Failure> {
        given::bytes("key", word, Writing::of(self.key_hex, self.key_base64))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The key: a word, or @FILE, or - for standard input.
    #[arg(value_name = "KEY", allow_hyphen_values = true)]
    key: String,
    /// The value: a word, or @FILE, or - for standard input, which is also what is read if there is none.
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    value: Option<String>,
    /// The value is what is in this file.
    #[arg(long, value_name = "FILE", conflicts_with = "value")]
    value_file: Option<PathBuf>,
    /// The value is hexadecimal.
    #[arg(long)]
    hex: bool,
    /// The value is base64.
    #[arg(long, conflicts_with = "hex")]
    base64: bool,
    #[command(flatten)]
    keys: KeyWriting,
    #[command(flatten)]
    condition: Only,
}

/// Under which condition a value is stored; exit status 8 if it does not hold.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Only {
    /// Only if the key has no value; exit status 8 if it has.
    #[arg(long)]
    if_absent: bool,
    /// Only if the key has a value; exit status 8 if it has none.
    #[arg(long)]
    if_present: bool,
    /// Only if the key has a value with this SHA-256, as get --sha256 prints it; exit status 8 if not.
    #[arg(long, value_name = "HEX")]
    if_sha256: Option<String>,
}

impl Only {
    fn condition(&self) -> Result<Option<Expected>, Failure> {
        Ok(match &self.if_sha256 {
            Some(digits) => {
                let digest = Writing::Hex.read("SHA-256", digits.clone().into_bytes())?;
                Some(Expected::Sha256(digest))
            }
            None if self.if_absent => Some(Expected::Absent(Absent {})),
            None if self.if_present => Some(Expected::Present(Present {})),
            None => None,
        })
    }
}

impl Set {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        if self.key == "-"
            && self.value.as_deref().unwrap_or("-") == "-"
            && self.value_file.is_none()
        {
            return Err(Failure::usage("key and value cannot both come on standard input"));
        }
        let key = self.keys.read(&self.key)?;
        let writing = Writing::of(self.hex, self.base64);
        let value = given::value(self.value.as_deref(), self.value_file.as_ref(), writing)?;
        let bytes = value.len();
        let collection = session.collection().to_owned();
        let query = query::set(&collection, key.clone(), query::blob(value));
        let condition = self.condition.condition()?;
        let connection = session.connection().await?;
        match condition {
            None => drop(connection.change(query).await?),
            Some(expected) => connection.set_if(query, &collection, key, expected).await?,
        }
        let said = json!({"status": "stored", "value_bytes": bytes});
        session.output.say(&format!("stored, {bytes} bytes"), &said)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The key: a word, or @FILE, or - for standard input.
    #[arg(value_name = "KEY", allow_hyphen_values = true)]
    key: String,
    /// How the value is printed. By default its bytes go out as they are; on a terminal, only if they are text.
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// Write the bytes of the value to this file.
    #[arg(long, value_name = "FILE", conflicts_with = "form")]
    to: Option<PathBuf>,
    /// Print the SHA-256 of the value instead, which set --if-sha256 takes.
    #[arg(long, conflicts_with_all = ["form", "to"])]
    sha256: bool,
    #[command(flatten)]
    keys: KeyWriting,
}

impl Get {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let key = self.keys.read(&self.key)?;
        let collection = session.collection().to_owned();
        let absent = || {
            let text = format!("there is no value of this key in the collection {collection:?}");
            Failure::new(Kind::NotFound, text)
        };
        let connection = session.connection().await?;
        if self.sha256 {
            let digest = connection.sha256(&collection, key).await?.ok_or_else(absent)?;
            let digest = hex(&digest);
            return session.output.say(&digest, &json!({"sha256": digest}));
        }
        let blob = connection.get(&collection, key.clone()).await?.ok_or_else(absent)?;
        if let Some(path) = &self.to {
            fs::write(path, &blob.data)
                .map_err(|error| Failure::file("cannot write", path.display(), &error))?;
            let bytes = blob.data.len();
            let said = json!({"file": path.display().to_string(), "value_bytes": bytes});
            return session.output.say(&format!("{bytes} bytes in {}", path.display()), &said);
        }
        match session.output.form {
            OutputForm::Table => session.output.raw(&self.printed(&blob)?),
            _ => session.output.show(&object(&key, Some(&blob), self.form)),
        }
    }

    /// The bytes for standard output. A terminal gets text only, and a line end behind it.
    fn printed(&self, blob: &CipherBlob) -> Result<Vec<u8>, Failure> {
        let terminal = output::is_terminal();
        let mut bytes = match self.form {
            Some(form) => formed(&blob.data, form)?,
            None if terminal && printable(&blob.data).is_none() => {
                eprintln!(
                    "The value is no text ({} bytes): in base64. --as raw prints it as it is.",
                    blob.data.len()
                );
                formed(&blob.data, Form::Base64)?
            }
            None => blob.data.to_vec(),
        };
        let encoded = matches!(self.form, Some(Form::Hex | Form::Base64 | Form::Number));
        if encoded || (terminal && !bytes.ends_with(b"\n")) {
            bytes.push(b'\n');
        }
        Ok(bytes)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The keys: words, or @FILE, or - for standard input. Several are removed in one step.
    #[arg(value_name = "KEY", required = true, allow_hyphen_values = true)]
    keys: Vec<String>,
    #[command(flatten)]
    writing: KeyWriting,
}

impl Delete {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let collection = session.collection().to_owned();
        let mut queries = Vec::new();
        for word in &self.keys {
            queries.push(query::delete(&collection, self.writing.read(word)?));
        }
        let connection = session.connection().await?;
        let mut deleted = 0;
        match queries.pop() {
            Some(only) if queries.is_empty() => deleted = connection.change(only).await?,
            last => {
                queries.extend(last);
                for outcome in connection.batch(queries).await? {
                    deleted += changed(&outcome)?;
                }
            }
        }
        let asked = self.keys.len();
        let line = match (asked, deleted) {
            (1, 0) => "nothing deleted: the key had no value".to_owned(),
            (1, _) => "deleted".to_owned(),
            _ if asked as u64 == deleted => format!("{deleted} deleted"),
            _ => format!("{deleted} of {asked} deleted, the others had no value"),
        };
        session.output.say(&line, &json!({"asked": asked, "deleted": deleted}))
    }
}
