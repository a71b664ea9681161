//! Why a request was not done, in the words of the server; `grpc/status.rs` makes wire codes of it.
//!
//! A failure travels between reactors, so it owns everything and is `Send`. What it says is meant
//! for the person who reads it: what was wrong, where, and the bound or the way out.

use std::fmt;

use crate::storage::StorageError;

/// A request that was not done. Nothing it asked for was applied, except where the text says so.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The deadline passed. A write that was already logged may still become visible.
    #[error("deadline of {millis} ms exceeded{}", if *.write { "; the write may have been applied" } else { "" })]
    Timeout { millis: u64, write: bool },
    /// The deadline passed before a batch was decided.
    #[error(
        "deadline of {millis} ms exceeded before the batch was decided; nothing of it was applied"
    )]
    BatchTimeout { millis: u64 },
    /// The logs of all shards failed while a batch was being undone.
    #[error(
        "the batch could neither be applied nor undone ({0}); its outcome is known after a restart"
    )]
    Unknown(String),
    /// A protocol major version that this server does not speak.
    #[error("protocol version {major}.x is not supported; this server speaks 0.2")]
    Version { major: u32 },
    /// Bytes that are no message.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// A field that the request cannot do without.
    #[error("Missing required field: {0}")]
    MissingField(&'static str),
    /// A well-formed request that means nothing here.
    #[error("{0}")]
    InvalidRequest(String),
    /// What the storage of a shard said.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The checksum that came with a value is not that of its data.
    #[error(
        "checksum mismatch: metadata says {claimed:#010x}, CRC-32 of the data is {actual:#010x}; nothing was stored"
    )]
    Checksum { claimed: u32, actual: u32 },
    /// An operation that the values do not allow.
    #[error("{0}")]
    InvalidOperation(String),
    /// A scan that has lasted too long.
    #[error("a scan is kept at one instant for at most {seconds} s; ask in parts")]
    ScanTooLong { seconds: u64 },
    /// A backup whose bytes are not what was written.
    #[error("{0}")]
    Damaged(String),
    /// A key outside its bounds.
    #[error("invalid key: {0}")]
    Key(String),
    /// More bytes or rows than a bound allows.
    #[error("{0}")]
    TooLarge(String),
    /// A collection name outside its bounds.
    #[error("invalid collection: {0}")]
    Collection(String),
    /// Nobody can be recognised by what the request shows.
    #[error("authentication failed: {0}")]
    Unauthenticated(String),
    /// What the request shows was good once.
    #[error("authentication failed: {0}")]
    Expired(String),
    /// The client certificate is not one that is recognised.
    #[error("authentication failed: {0}")]
    Certificate(String),
    /// Whoever asks may not.
    #[error("access denied: {0}")]
    Forbidden(String),
    /// A bug of the server, contained.
    #[error("internal error: {0}")]
    Internal(String),
    /// More work than the server holds at once.
    #[error("overloaded: {0}")]
    Overloaded(String),
    /// The server is going away.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// An order from another machine, of somebody who does not have to say who he is.
    #[error(
        "{command} is taken from clients on the server's own machine only, as long as auth.enabled is false; \
         admin.allow_remote = true takes it from everywhere"
    )]
    NotLocal { command: String },
    /// Somebody asks more than an operator grants.
    #[error("over {limit}; try again in {retry_after} s")]
    Throttled { limit: &'static str, retry_after: u32 },
    /// Something that must be recorded and cannot be.
    #[error(
        "the audit cannot be written at the moment, and what it must record is not done without it \
         (authz.audit_fail_closed)"
    )]
    Unrecorded,
    /// A query of a batch; the batch changed nothing.
    #[error("Query {index} in batch failed: {cause}")]
    Batch { index: usize, cause: Box<Failure> },
    /// A condition of a batch that could not be looked at; the batch changed nothing.
    #[error("Condition {index} of batch failed: {cause}")]
    Condition { index: usize, cause: Box<Failure> },
}

/// A key as an operator can read it: text where it is text, hexadecimal otherwise, cut at 64 bytes.
pub struct ShownKey<'a>(pub &'a [u8]);

impl fmt::Display for ShownKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_BYTES_MAX: usize = 64;
        let shown = &self.0[..self.0.len().min(SHOWN_BYTES_MAX)];
        match std::str::from_utf8(shown) {
            Ok(text) if !text.chars().any(char::is_control) => write!(f, "\"{text}\"")?,
            _ => {
                f.write_str("0x")?;
                shown.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            }
        }
        if shown.len() < self.0.len() {
            write!(f, "… ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

/// Existing clients take an admin command's error with one of these words for a sign to invent a success.
const TRAPS: [&str; 9] = [
    "unimplemented",
    "not implemented",
    "connection",
    "transport",
    "empty response",
    "unavailable",
    "refused",
    "timed out",
    "timeout",
];

/// The text without them. Paths and the system may bring them in: a dot keeps them apart.
pub fn without_traps(text: &str) -> String {
    let mut text = text.to_owned();
    for trap in TRAPS {
        while let Some(at) = text.to_ascii_lowercase().find(trap) {
            text.insert(at + trap.len() / 2, '\u{b7}');
        }
    }
    text
}

/// Whether existing clients stumble over a text.
#[cfg(test)]
pub fn is_stumbled_over(text: &str) -> bool {
    let text = text.to_lowercase();
    TRAPS.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shown_as_text_or_as_hexadecimal_and_cut() {
        assert_eq!(ShownKey(b"users:42").to_string(), "\"users:42\"");
        assert_eq!(ShownKey(&[0xff, 0x00]).to_string(), "0xff00");
        assert_eq!(ShownKey(b"a\nb").to_string(), "0x610a62");
        assert!(ShownKey(&[b'a'; 100]).to_string().ends_with("… (100 bytes)"));
    }

    #[test]
    fn a_batch_failure_names_the_query_as_clients_expect() {
        let cause = Box::new(Failure::MissingField("key"));
        let failure = Failure::Batch { index: 3, cause };
        assert_eq!(failure.to_string(), "Query 3 in batch failed: Missing required field: key");
    }
}
