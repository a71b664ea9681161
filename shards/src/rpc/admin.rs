//! The admin protocol of existing clients: a get of `__admin__:COMMAND words`, answered by JSON in the value.
//! `docs/reference/admin.md` has every command.
//!
//! ```text
//! words    the text, taken apart                       pure
//! logs     LOGS                                        what happened lately
//! figures  STATS METRICS CLUSTER_INFO NODES            numbers
//! jobs     BACKUP RESTORE VERIFY COMPACT JOBS CANCEL   long work: answered when it has ended, or after a few seconds
//! ```
//!
//! A command that is not known has no value. What a known one refuses is an in-band error: a value would be taken for success.

pub mod figures;
pub mod jobs;
pub mod logs;
mod words;

use std::{borrow::Cow, rc::Rc};

use bytes::Bytes;

use self::{jobs::Order, logs::Logs};
use super::check;
use crate::{
    auth::access::Access, core::Core, failure::Failure, recent::merge, router::operation::Reply,
};

/// A command.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// `LOGS count follow since`: what happened lately.
    Logs(Logs),
    /// `STATS`
    Stats,
    /// `METRICS`
    Metrics,
    /// `CLUSTER_INFO`
    ClusterInfo,
    /// `NODES`
    Nodes,
    /// About a job.
    Job(Order),
    /// One that is not known.
    Unknown,
}

impl Command {
    /// What is asked, without its words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Logs(_) => "LOGS",
            Self::Stats => "STATS",
            Self::Metrics => "METRICS",
            Self::ClusterInfo => "CLUSTER_INFO",
            Self::Nodes => "NODES",
            Self::Job(order) => order.name(),
            Self::Unknown => "unknown",
        }
    }

    /// On what, for the audit; empty where that says nothing.
    pub fn subject(&self) -> Cow<'_, str> {
        match self {
            Self::Job(order) => order.subject(),
            _ => "".into(),
        }
    }

    /// Whether it writes files or changes the server.
    pub fn is_order(&self) -> bool {
        matches!(self, Self::Job(order) if order.changes())
    }

    /// Reads what stands behind the prefix.
    ///
    /// # Errors
    /// Words that the command does not take.
    pub fn parse(text: &[u8]) -> Result<Self, Failure> {
        let text = String::from_utf8_lossy(text);
        let name = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let known = ["LOGS", "STATS", "METRICS", "CLUSTER_INFO", "NODES"];
        if !known.contains(&&*name) && !jobs::COMMANDS.contains(&&*name) {
            return Ok(Self::Unknown);
        }
        let words = words::split(&text)?.split_off(1);
        match &*name {
            "LOGS" => Logs::parse(&words).map(Self::Logs),
            "STATS" => alone(&name, &words, Self::Stats),
            "METRICS" => alone(&name, &words, Self::Metrics),
            "CLUSTER_INFO" => alone(&name, &words, Self::ClusterInfo),
            "NODES" => alone(&name, &words, Self::Nodes),
            _ => Order::parse(&name, words).map(Self::Job),
        }
    }
}

/// A command that takes no words.
fn alone(name: &str, words: &[String], command: Command) -> Result<Command, Failure> {
    match words.first() {
        None => Ok(command),
        Some(word) => Err(Failure::InvalidRequest(format!("{name} takes no words; not {word:?}"))),
    }
}

/// Does what a command says.
///
/// # Errors
/// What it refuses.
pub async fn run(core: &Rc<Core>, access: &Access, command: Command) -> Result<Reply, Failure> {
    let json = match command {
        Command::Unknown => return Ok(Reply::Value(None)),
        Command::Logs(logs) => {
            let (entries, next) = merge(core.router.all_recent(logs.since).await?, logs.count);
            logs::lines(&entries, next)
        }
        Command::Stats => figures::stats(core).await?,
        Command::Metrics => figures::metrics(core),
        Command::ClusterInfo => figures::cluster_info(core),
        Command::Nodes => figures::nodes(core),
        Command::Job(order) => jobs::run(core, access, order).await?,
    };
    Ok(Reply::Value(Some(check::value(Bytes::from(json.to_string()), None)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recent::LINES_MAX;

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
}
