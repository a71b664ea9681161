//! The admin protocol of existing clients: a get of `__admin__:COMMAND words`, answered by JSON in the value.
//!
//! A command that is not known has no value. What a known one refuses is an in-band error: a value would be taken for success.

use std::rc::Rc;

use bytes::Bytes;
use serde_json::json;

use super::check;
use crate::{
    core::Core,
    failure::Failure,
    recent::{Entry, Event, LINES_MAX, merge},
    router::operation::Reply,
    utc::rfc3339,
};

/// A command.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// `LOGS count follow since`: what happened lately.
    Logs(Logs),
    /// One that is not known.
    Unknown,
}

/// Which lines are wanted.
#[derive(Debug, PartialEq, Eq)]
pub struct Logs {
    /// So many, the newest.
    count: usize,
    /// None before this number.
    since: u64,
}

/// Lines where nobody says how many.
const COUNT: usize = 100;
const LOGS_USAGE: &str = "LOGS takes a count, then true or false for follow, then with true the next_seq of the answer before";

impl Command {
    /// What is asked, without its words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Logs(_) => "LOGS",
            Self::Unknown => "unknown",
        }
    }

    /// Reads what stands behind the prefix.
    ///
    /// # Errors
    /// Words that the command does not take.
    pub fn parse(text: &[u8]) -> Result<Self, Failure> {
        let text = String::from_utf8_lossy(text);
        let mut words = text.split_whitespace();
        let command = words.next().unwrap_or_default().to_ascii_uppercase();
        let words: Vec<_> = words.map(unquoted).collect();
        match command.as_str() {
            "LOGS" => Logs::parse(&words).map(Self::Logs),
            _ => Ok(Self::Unknown),
        }
    }
}

/// Clients quote words that have spaces; those of ours have none.
fn unquoted(word: &str) -> &str {
    word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word)
}

impl Logs {
    fn parse(words: &[&str]) -> Result<Self, Failure> {
        let refuse = |word: &str| Failure::InvalidRequest(format!("{LOGS_USAGE}; not {word:?}"));
        let mut logs = Self { count: COUNT, since: 0 };
        if let Some(word) = words.first() {
            let count = word.parse::<u64>().map_err(|_| refuse(word))?;
            logs.count = usize::try_from(count).unwrap_or(LINES_MAX).min(LINES_MAX);
        }
        let follows = match words.get(1).map(|word| word.to_ascii_lowercase()).as_deref() {
            None | Some("false" | "0") => false,
            Some("true" | "1" | "follow") => true,
            Some(word) => return Err(refuse(word)),
        };
        match words.get(2) {
            None => {}
            Some(word) if follows => logs.since = word.parse().map_err(|_| refuse(word))?,
            Some(word) => return Err(refuse(word)),
        }
        match words.get(3) {
            None => Ok(logs),
            Some(word) => Err(refuse(word)),
        }
    }
}

/// Does what a command says.
///
/// # Errors
/// What it refuses.
pub async fn run(core: &Rc<Core>, command: Command) -> Result<Reply, Failure> {
    match command {
        Command::Unknown => Ok(Reply::Value(None)),
        Command::Logs(logs) => {
            let (entries, next) = merge(core.router.all_recent(logs.since).await?, logs.count);
            value(lines(&entries, next))
        }
    }
}

fn value(json: serde_json::Value) -> Result<Reply, Failure> {
    Ok(Reply::Value(Some(check::value(Bytes::from(json.to_string()), None)?)))
}

/// The union of what existing clients read, and numbers to follow by.
fn lines(entries: &[Entry], next: u64) -> serde_json::Value {
    let line = |entry: &Entry| {
        json!({
            "message": message(&entry.event),
            "timestamp": entry.unix_millis / 1000,
            "timestamp_ms": entry.unix_millis,
            "seq": entry.sequence,
        })
    };
    let text = |entry: &Entry| format!("{} {}", rfc3339(entry.unix_millis), message(&entry.event));
    json!({
        "lines": entries.iter().map(line).collect::<Vec<_>>(),
        "logs": entries.iter().map(text).collect::<Vec<_>>(),
        "follow_supported": true,
        "next_seq": next,
    })
}

fn message(event: &Event) -> String {
    match event {
        Event::Request { line, latency, failed } => {
            let failed = if *failed { ", failed" } else { "" };
            format!("{line} ({} ms{failed})", latency.as_millis())
        }
        Event::Note(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::recent::{RequestLine, Verb};

    fn parsed(text: &str) -> Result<Command, String> {
        Command::parse(text.as_bytes()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn logs_are_asked_for_in_any_case_with_words_that_may_be_left_out() {
        let logs = |count, since| Ok(Command::Logs(Logs { count, since }));
        assert_eq!(parsed("LOGS"), logs(100, 0));
        assert_eq!(parsed("logs 5 FALSE"), logs(5, 0));
        assert_eq!(parsed("Logs  7\ttrue 123"), logs(7, 123));
        assert_eq!(parsed("LOGS 999999999999 true"), logs(LINES_MAX, 0));
        assert_eq!(parsed("LOGS \"3\""), logs(3, 0));
        for wrong in ["LOGS x", "LOGS -1", "LOGS 1 perhaps", "LOGS 1 false 5", "LOGS 1 true 5 6"] {
            let text = parsed(wrong).unwrap_err();
            assert!(text.starts_with("LOGS takes a count"), "{wrong}: {text}");
        }
        for unknown in ["", "LOG 1", "NOSUCHCOMMAND with words"] {
            assert_eq!(parsed(unknown), Ok(Command::Unknown), "{unknown}");
        }
    }

    #[test]
    fn lines_are_as_the_guide_shows_them() {
        let request = Event::Request {
            line: RequestLine::new(Verb::Get, b"users:42"),
            latency: Duration::from_micros(3999),
            failed: false,
        };
        let entries =
            [Entry { sequence: 77, unix_millis: 1_746_690_000_123, event: request.clone() }];
        let lines = lines(&entries, 78);
        let expected = json!({
            "lines": [{
                "message": "GET users:42 (3 ms)",
                "timestamp": 1_746_690_000u64,
                "timestamp_ms": 1_746_690_000_123u64,
                "seq": 77,
            }],
            "logs": ["2025-05-08T07:40:00.123Z GET users:42 (3 ms)"],
            "follow_supported": true,
            "next_seq": 78,
        });
        assert_eq!(lines, expected);
    }
}
