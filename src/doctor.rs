//! `doctor`: whether this machine grants what the server of this configuration needs.
//!
//! One line for each thing that is looked at, with what to do where it is not right. Nothing is made
//! that stays, so it may be asked beside a server that runs.

mod disk;
mod host;
mod names;

use std::{fmt, process::ExitCode};

use crate::config::Source;

/// What is found of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    verdict: Verdict,
    subject: &'static str,
    /// What was seen, and, unless it is right, what to do.
    text: String,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// As it should be.
    Ok,
    /// The server runs, but not as well as it could, or not for long.
    Warn,
    /// The server does not start.
    Fail,
}

impl Finding {
    fn new(verdict: Verdict, subject: &'static str, text: impl Into<String>) -> Self {
        Self { verdict, subject, text: text.into() }
    }

    /// Right with this text, or a failure with that of the error.
    fn of<E: fmt::Display>(subject: &'static str, result: Result<String, E>) -> Self {
        match result {
            Ok(text) => Self::new(Verdict::Ok, subject, text),
            Err(error) => Self::new(Verdict::Fail, subject, error.to_string()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "OK",
            Verdict::Warn => "WARN",
            Verdict::Fail => "FAIL",
        };
        write!(f, "{verdict:<4}  {:<13}  {}", self.subject, self.text)
    }
}

/// Prints what is found; the exit status is 1 if the server would not start.
pub(crate) fn run(source: &Source) -> ExitCode {
    let mut findings = host::kernel();
    match source.load() {
        Ok(config) => {
            findings.push(Finding::new(Verdict::Ok, "configuration", "is valid"));
            findings.extend(host::limits(&config));
            findings.extend(disk::check(&config));
            findings.extend(names::check(&config));
        }
        Err(refusal) => {
            let fail = |problem: &str| Finding::new(Verdict::Fail, "configuration", problem);
            findings.extend(refusal.to_string().lines().map(fail));
            let text = "limits, disk, files and ports were not looked at: correct the \
                        configuration first";
            findings.push(Finding::new(Verdict::Warn, "configuration", text));
        }
    }
    findings.iter().for_each(|finding| println!("{finding}"));
    let is_fail = |finding: &Finding| finding.verdict == Verdict::Fail;
    if findings.iter().any(is_fail) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
