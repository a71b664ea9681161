//! A request in few bytes, copied from its message so that no message is kept alive by it.

use std::fmt;

use amaters_proto::query::{Query, query::Query as Kind};

use crate::grpc::method::Method;

/// Bytes of a key or a name that are kept.
const TEXT_BYTES_MAX: usize = 46;

/// What a request asked for, and of what.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestLine {
    verb: Verb,
    /// Of the text, as it was; what is beyond the bound is not here.
    length: u32,
    text: [u8; TEXT_BYTES_MAX],
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A key.
    Get,
    /// A key.
    Set,
    /// A key.
    Delete,
    /// A collection.
    Range,
    /// A collection.
    Filter,
    /// A collection.
    Update,
    /// Nothing that can be named.
    Empty,
    /// A method of ours, or none.
    Method(Option<Method>),
}

impl RequestLine {
    /// Of a key or a collection.
    pub fn new(verb: Verb, text: &[u8]) -> Self {
        let mut line = Self { verb, length: text.len() as u32, text: [0; TEXT_BYTES_MAX] };
        let kept = text.len().min(TEXT_BYTES_MAX);
        line.text[..kept].copy_from_slice(&text[..kept]);
        line
    }

    /// Of a call of which no more is known.
    pub fn of_method(method: Option<Method>) -> Self {
        Self::new(Verb::Method(method), &[])
    }

    /// Of a query.
    pub fn of_query(query: Option<&Query>) -> Self {
        let Some(kind) = query.and_then(|query| query.query.as_ref()) else {
            return Self::new(Verb::Empty, &[]);
        };
        let key = |key: &Option<amaters_proto::types::Key>| {
            key.as_ref().map(|key| key.data.clone()).unwrap_or_default()
        };
        match kind {
            Kind::Get(get) => Self::new(Verb::Get, &key(&get.key)),
            Kind::Set(set) => Self::new(Verb::Set, &key(&set.key)),
            Kind::Delete(delete) => Self::new(Verb::Delete, &key(&delete.key)),
            Kind::Range(range) => Self::new(Verb::Range, range.collection.as_bytes()),
            Kind::Filter(filter) => Self::new(Verb::Filter, filter.collection.as_bytes()),
            Kind::Update(update) => Self::new(Verb::Update, update.collection.as_bytes()),
        }
    }

    /// What was asked for, without of what.
    pub fn verb(&self) -> &'static str {
        match self.verb {
            Verb::Get => "GET",
            Verb::Set => "SET",
            Verb::Delete => "DELETE",
            Verb::Range => "RANGE",
            Verb::Filter => "FILTER",
            Verb::Update => "UPDATE",
            Verb::Empty => "QUERY",
            Verb::Method(Some(method)) => method.path().rsplit('/').next().unwrap_or_default(),
            Verb::Method(None) => "UNKNOWN",
        }
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())?;
        if self.length == 0 {
            return Ok(());
        }
        let kept = (self.length as usize).min(TEXT_BYTES_MAX);
        let is_cut = kept < self.length as usize;
        let bytes = &self.text[..kept];
        // A character may have been cut in two.
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) if is_cut && error.error_len().is_none() => {
                std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        };
        match text.filter(|text| !text.chars().any(char::is_control)) {
            Some(text) => write!(f, " {text}")?,
            None => {
                f.write_str(" 0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            }
        }
        if is_cut { write!(f, "… ({} bytes)", self.length) } else { Ok(()) }
    }
}

impl fmt::Debug for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shown_as_text_or_as_hexadecimal_and_cut() {
        let shown = |key: &[u8]| RequestLine::new(Verb::Get, key).to_string();
        assert_eq!(shown(b"users:42"), "GET users:42");
        assert_eq!(shown(b""), "GET");
        assert_eq!(shown(&[0xff, 0]), "GET 0xff00");
        assert_eq!(shown(b"a\nb"), "GET 0x610a62");
        assert_eq!(shown(&[b'a'; 100]), format!("GET {}… (100 bytes)", "a".repeat(46)));
        let cut = "a".repeat(45) + "é" + &"a".repeat(10);
        assert_eq!(shown(cut.as_bytes()), format!("GET {}… (57 bytes)", "a".repeat(45)));
    }

    #[test]
    fn a_call_without_a_key_is_named_by_its_method() {
        let line = RequestLine::of_method(Some(Method::ExecuteBatch));
        assert_eq!(line.to_string(), "ExecuteBatch");
        assert_eq!(RequestLine::of_method(None).to_string(), "UNKNOWN");
        assert_eq!(RequestLine::of_query(None).to_string(), "QUERY");
    }

    #[test]
    fn a_line_is_small() {
        assert!(size_of::<RequestLine>() <= 56, "{}", size_of::<RequestLine>());
    }
}
