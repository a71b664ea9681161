//! Commands for the server, by the key `__admin__:COMMAND words`: what clients of AmateRS send too.

use bytes::Bytes;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Session, connection::Connection, failure::Failure, jobs::by_key, logs::Logs};

/// What stands before a command.
const PREFIX: &str = "__admin__:";

/// Every command may be written in capitals too.
#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Take a backup into a folder on the server's machine.
    #[command(alias = "BACKUP")]
    Backup(Backup),
    /// Restore a backup from a folder on the server's machine.
    #[command(alias = "RESTORE")]
    Restore(Words),
    /// Print what the server stores.
    #[command(alias = "STATS")]
    Stats(Words),
    /// Have the server read all of its files and say what is damaged.
    #[command(alias = "VERIFY")]
    Verify(Words),
    /// Have the server merge its tables: of a collection, or of all.
    #[command(alias = "COMPACT")]
    Compact(Words),
    /// Print what the server did lately.
    #[command(alias = "LOGS")]
    Logs(AdminLogs),
    /// Print rates and latencies.
    #[command(alias = "METRICS")]
    Metrics(Words),
    /// Print what the cluster is.
    #[command(aliases = ["CLUSTER_INFO", "cluster_info", "CLUSTER-INFO", "cluster"])]
    ClusterInfo(Words),
    /// Print the nodes of the cluster.
    #[command(alias = "NODES")]
    Nodes(Words),
    /// Any other command goes to the server as it is.
    #[command(external_subcommand)]
    Other(Vec<String>),
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The folder, as the server sees it.
    #[arg(value_name = "DIR")]
    dir: String,
    /// Everything (full), or what changed since the last backup beside it (incremental).
    #[arg(value_name = "KIND", value_parser = ["full", "incremental"], ignore_case = true)]
    kind: Option<String>,
    /// The same as incremental.
    #[arg(long, conflicts_with_all = ["kind", "full"])]
    incremental: bool,
    /// Of an incremental one: the backup before, instead of the newest beside DIR.
    #[arg(long, value_name = "DIR", conflicts_with = "full")]
    parent: Option<String>,
    /// The same as full, which it is by default.
    #[arg(long, conflicts_with = "kind")]
    full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Words {
    /// What the command takes.
    #[arg(value_name = "WORD", allow_hyphen_values = true)]
    words: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AdminLogs {
    /// So many lines, the newest.
    #[arg(value_name = "N", default_value_t = 100)]
    count: u64,
    /// Whether to go on with what happens from now on.
    #[arg(value_name = "FOLLOW", default_value_t = false, action = clap::ArgAction::Set)]
    follow: bool,
    /// The same as true.
    #[arg(short, long = "follow", id = "flag")]
    flag: bool,
}

impl AdminLogs {
    pub(crate) fn follows(&self) -> bool {
        self.follow || self.flag
    }
}

impl Admin {
    pub(crate) async fn run(&self, session: &mut Session, no_wait: bool) -> Result<(), Failure> {
        let command = match self {
            Self::Logs(logs) => {
                let logs = Logs { count: logs.count, follow: logs.follows() };
                return logs.by_key(session).await;
            }
            Self::Backup(backup) => {
                let kind = match (&backup.kind, backup.incremental) {
                    (Some(kind), _) => kind.to_ascii_lowercase(),
                    (None, true) => "incremental".into(),
                    (None, false) => "full".into(),
                };
                let words = [backup.dir.clone(), kind].into_iter().chain(backup.parent.clone());
                command("BACKUP", &words.collect::<Vec<_>>())
            }
            Self::Restore(words) if words.words.is_empty() => {
                return Err(Failure::usage("restore needs the folder of a backup"));
            }
            Self::Restore(words) => command("RESTORE", &words.words),
            Self::Stats(words) => command("STATS", &words.words),
            Self::Verify(words) => command("VERIFY", &words.words),
            Self::Compact(words) => command("COMPACT", &words.words),
            Self::Metrics(words) => command("METRICS", &words.words),
            Self::ClusterInfo(words) => command("CLUSTER_INFO", &words.words),
            Self::Nodes(words) => command("NODES", &words.words),
            Self::Other(words) => {
                let (name, words) =
                    words.split_first().unwrap_or_else(|| unreachable!("clap gives a name"));
                command(&name.to_uppercase(), words)
            }
        }?;
        let connection = session.connection().await?;
        let mut answer = ask(connection, &command).await?;
        if let (false, Some(id)) = (no_wait, job(&answer)) {
            eprintln!(
                "job {id} goes on; Ctrl-C leaves it so, and `amaters-cli jobs watch {id}` shows it"
            );
            answer = by_key::ended(connection, id).await?;
        }
        session.output.show(&answer)?;
        let goes_on = job(&answer).is_some();
        // An answer that says that not all is well is no success.
        let is_bad = (answer["ok"] == false && !goes_on) || answer["status"] == "failed";
        if is_bad { Err(Failure::refused("the server says that not all is well")) } else { Ok(()) }
    }
}

/// The number of a job that still goes on.
pub(super) fn job(answer: &Value) -> Option<u64> {
    answer["job_id"].as_u64().filter(|_| answer["status"] == "running")
}

/// A command with its words, those with spaces in quotes.
pub(crate) fn command(name: &str, words: &[String]) -> Result<String, Failure> {
    let mut text = name.to_owned();
    for word in words {
        if word.contains(['"', '\n', '\r']) {
            let text =
                format!("the word {word:?} has a quote or a line end, which no command takes");
            return Err(Failure::usage(text));
        }
        text.push(' ');
        if word.is_empty() || word.contains(char::is_whitespace) {
            text.push_str(&format!("\"{word}\""));
        } else {
            text.push_str(word);
        }
    }
    Ok(text)
}

/// Sends a command, and reads the JSON that it is answered by.
pub(crate) async fn ask(connection: &Connection, command: &str) -> Result<Value, Failure> {
    let key = Bytes::from(format!("{PREFIX}{command}"));
    let Some(blob) = connection.get("default", key).await? else {
        let name = command.split(' ').next().unwrap_or_default();
        return Err(Failure::refused(format!("this server does not know the command {name}")));
    };
    let answer: Value = serde_json::from_slice(&blob.data)
        .map_err(|error| Failure::nonsense(format!("an answer that is no JSON: {error}")))?;
    // What other servers of this protocol say in place of an error.
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        return Err(Failure::refused(error));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_spaces_are_quoted() {
        let words = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            command("BACKUP", &words)
        };
        assert_eq!(words(&["/a b/c", "full"]).unwrap(), "BACKUP \"/a b/c\" full");
        assert_eq!(words(&[]).unwrap(), "BACKUP");
        assert!(words(&["a\"b"]).is_err() && words(&["a\nb"]).is_err());
    }
}
