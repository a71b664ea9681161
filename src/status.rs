//! `status`: how the server of this configuration is, for people and for scripts.
//!
//! Whether it runs is what the lock of its data directory says; how it is, it says itself, over the
//! control socket. A server that does not answer is not called running: its exit status is one of
//! its own.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use serde_json::{Value, json};

use crate::{
    board::{Phase, Status},
    config::{Place, Source},
    instance::{self, Found},
    socket::{self, Answer, AskError, Question},
};

/// LSB: dead, and its pid file is there.
const EXIT_DEAD: u8 = 1;
/// LSB: not running.
pub(crate) const EXIT_STOPPED: u8 = 3;
/// LSB: unknown.
pub(crate) const EXIT_UNKNOWN: u8 = 4;
/// The first of those that LSB leaves to applications: it runs and does not answer.
pub(crate) const EXIT_SILENT: u8 = 150;

/// How the answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// One word, and some lines about it.
    Text,
    /// One object.
    Json,
}

/// What is known of the server.
#[derive(Debug)]
enum Known {
    Answered(Box<Status>),
    Silent { pid: u32, data_dir: PathBuf, why: String },
    Unknown { pid: Option<u32>, why: String },
    Dead { why: String },
    Stopped,
}

/// Prints how the server is; the exit status says it as well.
pub(crate) fn run(source: &Source, form: Form) -> ExitCode {
    let place = match source.place() {
        Ok(place) => place,
        Err(refusal) => {
            eprintln!("{refusal}");
            return ExitCode::from(EXIT_UNKNOWN);
        }
    };
    let known = Known::of(&place);
    match form {
        Form::Text => print!("{}", known.text()),
        Form::Json => println!("{}", known.json(&place)),
    }
    ExitCode::from(known.exit())
}

impl Known {
    fn of(place: &Place) -> Self {
        let instance = match instance::look(place) {
            Found::Running(instance) => instance,
            Found::Nobody => return Self::Stopped,
            Found::Hidden(why) => return Self::Unknown { pid: None, why },
            Found::Dead { pid_file, pid } => {
                let file = pid_file.display();
                let why = format!("process {pid} did not end well: it left {file}");
                return Self::Dead { why };
            }
        };
        let answer = socket::ask(&instance.data_dir, Question::Status);
        let (pid, data_dir) = (instance.pid, instance.data_dir);
        match answer {
            Ok(Answer::Status(status)) if status.hangs.is_empty() => Self::Answered(status),
            Ok(Answer::Status(status)) => {
                Self::Silent { pid, data_dir, why: status.hangs.join("; ") }
            }
            Ok(Answer::Error(why)) => Self::Unknown { pid: Some(pid), why },
            Ok(Answer::Reload(_)) => {
                Self::Unknown { pid: Some(pid), why: "another question was answered".into() }
            }
            Err(AskError::Nobody) => Self::without_socket(place, pid),
            Err(error @ AskError::Silent(_)) => {
                Self::Silent { pid, data_dir, why: error.to_string() }
            }
            Err(error) => Self::Unknown { pid: Some(pid), why: error.to_string() },
        }
    }

    /// The lock is held by something without a socket, unless it has just ended.
    fn without_socket(place: &Place, pid: u32) -> Self {
        match instance::find(place) {
            None => Self::Stopped,
            Some(_) => {
                let why = "it has no control socket: it is no server that serves, but a `check`, \
                           a `reshard`, or a server in the first moment of its start or the last \
                           of its end";
                Self::Unknown { pid: Some(pid), why: why.into() }
            }
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Answered(status) => match status.phase {
                Phase::Starting => "Starting",
                Phase::Serving => "Running",
                Phase::Stopping => "Stopping",
            },
            Self::Silent { .. } => "Not answering",
            Self::Unknown { .. } => "Unknown",
            Self::Dead { .. } | Self::Stopped => "Stopped",
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::Answered(_) => 0,
            Self::Silent { .. } => EXIT_SILENT,
            Self::Unknown { .. } => EXIT_UNKNOWN,
            Self::Dead { .. } => EXIT_DEAD,
            Self::Stopped => EXIT_STOPPED,
        }
    }

    /// The process, whether it counts as running, and why that is all.
    fn outline(&self) -> (Option<u32>, Option<bool>, Option<&str>) {
        match self {
            Self::Answered(status) => (Some(status.pid), Some(true), None),
            Self::Silent { pid, why, .. } => (Some(*pid), Some(true), Some(why)),
            Self::Unknown { pid, why } => (*pid, None, Some(why)),
            Self::Dead { why } => (None, Some(false), Some(why)),
            Self::Stopped => (None, Some(false), None),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", self.word());
        let mut line = |name: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:<12} {value}");
        };
        if let Self::Answered(status) = self {
            details(status, &mut line);
            return text;
        }
        let (pid, _, why) = self.outline();
        pid.into_iter().for_each(|pid| line("process", pid.to_string()));
        why.into_iter().for_each(|why| line("why", why.to_owned()));
        text
    }

    fn json(&self, place: &Place) -> Value {
        let (pid, running, why) = self.outline();
        let data_dir = match self {
            Self::Answered(status) => &status.data_dir,
            Self::Silent { data_dir, .. } => data_dir,
            _ => &place.data_dir,
        };
        let mut object = json!({
            "status": self.word(),
            "running": running,
            "pid": pid,
            "data_dir": data_dir.to_string_lossy(),
            "version": env!("CARGO_PKG_VERSION"),
        });
        let more = match self {
            Self::Answered(status) => json!({
                "version": status.version,
                "uptime_seconds": status.uptime_seconds,
                "addresses": { "grpc": status.address },
                "shards": status.shards,
                "cpus": status.cpus,
                "connections": status.connections,
                "connections_max": status.connections_max,
                "tls": status.tls,
                "poisoned_shards": status.poisoned_shards,
                "pending_restart": status.pending_restart,
                "last_reload": status.last_reload,
            }),
            _ => json!({ "why": why }),
        };
        if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
            object.extend(more);
        }
        object
    }
}

/// A line for each thing that the server says of itself.
fn details(status: &Status, line: &mut impl FnMut(&str, String)) {
    line("process", format!("{}, up {}", status.pid, duration(status.uptime_seconds)));
    line("version", status.version.clone());
    if let Some(address) = status.address {
        line("address", address.to_string());
    }
    line("directory", status.data_dir.display().to_string());
    let cpus = crate::cores::Ranges(&status.cpus);
    line("shards", format!("{} on {} reactors, CPU {cpus}", status.shards, status.cpus.len()));
    line("connections", format!("{} of {}", status.connections, status.connections_max));
    if let Some(tls) = &status.tls {
        line("tls", tls.told());
        tls.problem.iter().for_each(|why| line("TLS STAYS", why.clone()));
    }
    if status.poisoned_shards > 0 {
        let shards = status.poisoned_shards;
        line("BROKEN", format!("{shards} shards refuse writes after a failure of their disk"));
    }
    match &status.last_reload {
        Some(last) => {
            let summary = last.summary.lines().next().unwrap_or_default();
            line("reload", format!("{summary} (Unix time {})", last.at));
        }
        None => line("reload", "none so far".into()),
    }
    for change in &status.pending_restart {
        line("restart", format!("{}: {} -> {}", change.key, change.old, change.new));
    }
}

/// The two largest units.
fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min {} s", seconds % 60),
        () => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_two_units() {
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(61), "1 min 1 s");
        assert_eq!(duration(3 * 3600 + 120), "3 h 2 min");
        assert_eq!(duration(90_000), "1 d 1 h");
    }

    #[test]
    fn a_server_that_hangs_is_not_called_running() {
        let why = "reactor 0 has made no turn for 7.2 s".to_owned();
        let known = Known::Silent { pid: 7, data_dir: "d".into(), why };
        assert_eq!(known.exit(), 150);
        let text = "Not answering\n  process      7\n  why          reactor 0 has made no turn";
        assert!(known.text().starts_with(text), "{}", known.text());
    }
}
