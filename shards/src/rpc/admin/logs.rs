//! `LOGS`: what happened lately.

use serde_json::{Value, json};

use crate::{
    failure::Failure,
    recent::{Entry, Event, LINES_MAX},
    utc::rfc3339,
};

/// Which lines are wanted.
#[derive(Debug, PartialEq, Eq)]
pub struct Logs {
    /// So many, the newest.
    pub count: usize,
    /// None before this number.
    pub since: u64,
}

/// Lines where nobody says how many.
const COUNT: usize = 100;
const LOGS_USAGE: &str = "LOGS takes a count, then true or false for follow, then with true the next_seq of the answer before";

impl Logs {
    /// Reads the words behind the command.
    ///
    /// # Errors
    /// Words that it does not take.
    pub fn parse(words: &[String]) -> Result<Self, Failure> {
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

/// The union of what existing clients read, and numbers to follow by.
pub fn lines(entries: &[Entry], next: u64) -> Value {
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

/// A line in words.
pub fn message(event: &Event) -> String {
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
