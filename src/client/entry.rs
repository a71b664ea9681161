//! Keys, values and their metadata as they are printed, and as a line of JSON that says them exactly.
//!
//! ```json
//! {"key": "user:1", "value": "text", "metadata": {"size": 4, "checksum": 984632021, "created_at": 1798542000}}
//! {"key_hex": "00ff", "value_base64": "AP8Q"}
//! ```
//!
//! Always true: what `object` writes, `Line` reads back to the same bytes and the same metadata.

use amaters_proto::types::{CipherBlob, CipherMetadata};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    failure::Failure,
    given::{Writing, from_hex},
    query,
};

/// Characters of a value in a table, where nobody asked for the whole.
const BRIEF_CHARS: usize = 60;

/// How bytes are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// The bytes as they are.
    Raw,
    /// Text; bytes that are none are refused.
    Utf8,
    Hex,
    Base64,
    /// An unsigned number, highest byte first, of at most 16 bytes; in JSON, its bytes in hex.
    Number,
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The number that the server takes a plain value for.
fn number(bytes: &[u8]) -> Option<u128> {
    let mut padded = [0; 16];
    let begin = padded.len().checked_sub(bytes.len())?;
    padded[begin..].copy_from_slice(bytes);
    Some(u128::from_be_bytes(padded))
}

/// Text without control characters, or nothing.
pub(crate) fn printable(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.chars().all(|each| !each.is_control() || each == '\n' || each == '\t').then_some(text)
}

/// The bytes in a form that was asked for.
pub(crate) fn formed(bytes: &[u8], form: Form) -> Result<Vec<u8>, Failure> {
    Ok(match form {
        Form::Raw => bytes.to_vec(),
        Form::Hex => hex(bytes).into_bytes(),
        Form::Base64 => STANDARD.encode(bytes).into_bytes(),
        Form::Number => match number(bytes) {
            Some(number) => number.to_string().into_bytes(),
            None => {
                let text = format!("a value of {} bytes is printed as no number", bytes.len());
                return Err(Failure::refused(text));
            }
        },
        Form::Utf8 => match std::str::from_utf8(bytes) {
            Ok(text) => text.as_bytes().to_vec(),
            Err(error) => {
                let text = format!("the value is no UTF-8: {error}; use --as hex or --as base64");
                return Err(Failure::refused(text));
            }
        },
    })
}

/// Bytes in a cell of a table: text if that is short, else what they are.
pub(crate) fn brief(bytes: &[u8]) -> String {
    match printable(bytes) {
        Some(text) if !text.contains(['\n', '\t']) && text.chars().count() <= BRIEF_CHARS => {
            text.to_owned()
        }
        _ if bytes.len() <= BRIEF_CHARS / 4 => format!("0x{}", hex(bytes)),
        _ => format!("({} bytes)", bytes.len()),
    }
}

/// A key in a cell: whole, as text if it is some.
pub(crate) fn name(bytes: &[u8]) -> String {
    match printable(bytes) {
        Some(text) if !text.contains(['\n', '\t']) => text.to_owned(),
        _ => format!("0x{}", hex(bytes)),
    }
}

/// Bytes as a member of an object: as text where they are some, unless a form is asked for.
pub(crate) fn put(object: &mut Map<String, Value>, name: &str, bytes: &[u8], form: Option<Form>) {
    let (ending, text) = match (form, std::str::from_utf8(bytes)) {
        (Some(Form::Hex | Form::Number), _) => ("_hex", hex(bytes)),
        (Some(Form::Base64), _) | (_, Err(_)) => ("_base64", STANDARD.encode(bytes)),
        (_, Ok(text)) => ("", text.to_owned()),
    };
    object.insert(format!("{name}{ending}"), text.into());
}

/// An entry as an object.
pub(crate) fn object(key: &[u8], value: Option<&CipherBlob>, form: Option<Form>) -> Value {
    let mut object = Map::new();
    put(&mut object, "key", key, None);
    match value {
        None => {}
        Some(blob) => {
            put(&mut object, "value", &blob.data, form);
            if let Some(metadata) = &blob.metadata {
                object.insert("metadata".into(), metadata_object(metadata));
            }
        }
    }
    Value::Object(object)
}

fn metadata_object(metadata: &CipherMetadata) -> Value {
    let mut object = json!({
        "size": metadata.size,
        "checksum": metadata.checksum,
        "created_at": metadata.created_at,
    });
    if metadata.compression != 0 {
        object["compression"] = metadata.compression.into();
    }
    if let Some(version) = metadata.version {
        object["version"] = version.into();
    }
    object
}

/// An entry, or a query of a batch, as a line of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) op: Option<String>,
    pub(crate) collection: Option<String>,
    key: Option<String>,
    key_hex: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_hex: Option<String>,
    value_base64: Option<String>,
    metadata: Option<Metadata>,
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) predicate: Option<String>,
    pub(crate) updates: Option<Vec<String>>,
    pub(crate) limit: Option<u32>,
    pub(crate) offset: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    size: u64,
    checksum: u32,
    created_at: i64,
    #[serde(default)]
    compression: i32,
    version: Option<u32>,
}

impl Line {
    /// Reads a line; blanks around it are nothing.
    pub(crate) fn read(text: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(text)
            .map_err(|error| Failure::usage(format!("not a line that is understood: {error}")))
    }

    /// The key, which must be there.
    pub(crate) fn key(&mut self) -> Result<Bytes, Failure> {
        let written = (self.key.take(), self.key_hex.take(), self.key_base64.take());
        one_of("key", written)?.ok_or_else(|| Failure::usage("there is no key"))
    }

    /// The value, which must be there, with its metadata or with such as a client computes.
    pub(crate) fn value(&mut self) -> Result<CipherBlob, Failure> {
        let written = (self.value.take(), self.value_hex.take(), self.value_base64.take());
        let data = one_of("value", written)?.ok_or_else(|| Failure::usage("there is no value"))?;
        let Some(given) = self.metadata.take() else {
            return Ok(query::blob(data));
        };
        let Metadata { size, checksum, created_at, compression, version } = given;
        let metadata = CipherMetadata { size, compression, checksum, created_at, version };
        Ok(CipherBlob { data, metadata: Some(metadata) })
    }

    /// The names of the members that are there still.
    pub(crate) fn rest(&self) -> Vec<&'static str> {
        let is_there = [
            ("key", self.key.is_some() || self.key_hex.is_some() || self.key_base64.is_some()),
            (
                "value",
                self.value.is_some() || self.value_hex.is_some() || self.value_base64.is_some(),
            ),
            ("metadata", self.metadata.is_some()),
            ("start", self.start.is_some()),
            ("end", self.end.is_some()),
            ("prefix", self.prefix.is_some()),
            ("predicate", self.predicate.is_some()),
            ("updates", self.updates.is_some()),
            ("limit", self.limit.is_some()),
            ("offset", self.offset.is_some()),
        ];
        is_there.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
    }
}

type Written = (Option<String>, Option<String>, Option<String>);

fn one_of(what: &str, written: Written) -> Result<Option<Bytes>, Failure> {
    Ok(match written {
        (Some(text), None, None) => Some(text.into()),
        (None, Some(digits), None) => {
            let bytes = from_hex(digits.as_bytes());
            let wrong = |why| Failure::usage(format!("{what}_hex is not hexadecimal: {why}"));
            Some(bytes.map_err(wrong)?.into())
        }
        (None, None, Some(text)) => {
            Some(Writing::Base64.read(&format!("{what}_base64"), text.into_bytes())?)
        }
        (None, None, None) => None,
        _ => return Err(Failure::usage(format!("there is more than one {what}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_from_their_lines_byte_by_byte() {
        let metadata = CipherMetadata {
            size: 7,
            compression: 2,
            checksum: 9,
            created_at: -1,
            version: Some(3),
        };
        for data in [&b"text"[..], b"", &[0, 255, 7], "\u{1f600}\n\"".as_bytes()] {
            for form in [None, Some(Form::Hex), Some(Form::Base64)] {
                let data = Bytes::copy_from_slice(data);
                let blob = CipherBlob { data: data.clone(), metadata: Some(metadata) };
                let text = object(&data, Some(&blob), form).to_string();
                let mut line = Line::read(text.as_bytes()).unwrap();
                assert_eq!(line.key().unwrap(), data, "{text}");
                assert_eq!(line.value().unwrap(), blob, "{text}");
                assert!(line.rest().is_empty());
            }
        }
    }

    #[test]
    fn lines_that_say_too_little_or_too_much_are_refused() {
        for (text, why) in [
            (r#"{"value":"x"}"#, "there is no key"),
            (r#"{"key":"x"}"#, "there is no value"),
            (r#"{"key":"x","key_hex":"00","value":""}"#, "more than one key"),
            (r#"{"key":"x","value_hex":"0"}"#, "value_hex is not hexadecimal"),
            (r#"{"key":"x","value_base64":"*"}"#, "value_base64 is not base64"),
            (r#"{"key":"x","vaule":"y"}"#, "unknown field `vaule`"),
            ("[]", "not a line that is understood"),
            ("{\"key\":\"x\"", "not a line that is understood"),
        ] {
            let read = Line::read(text.as_bytes())
                .and_then(|mut line| line.key().and_then(|_| line.value()));
            let told = read.unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    #[test]
    fn cells_are_short() {
        assert_eq!(brief(b"note"), "note");
        assert_eq!(brief(&[0, 255]), "0x00ff");
        assert_eq!(brief(&[0; 100]), "(100 bytes)");
        assert_eq!(brief("x".repeat(61).as_bytes()), "(61 bytes)");
        assert_eq!(formed(&[1, 0], Form::Number).unwrap(), b"256");
        assert_eq!(formed(b"", Form::Number).unwrap(), b"0");
        assert!(formed(&[0; 17], Form::Number).is_err());
        assert_eq!(brief(b"two\nlines"), "0x74776f0a6c696e6573");
    }
}
