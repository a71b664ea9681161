//! Files and addresses that the configuration names, and the server that may run already.

use super::{Finding, Verdict};
use crate::{
    config::{Config, Problem},
    instance::{self, Found},
    unix_time, validate,
};

/// Looks at the files, then at the ports.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![server(config)];
    let named = "those that are named can be read";
    findings.extend(told("files", validate::check_files(&config.written), named));
    findings.extend(tls(config));
    let tried = validate::check_addresses(config);
    if tried.notes.is_empty() || !tried.problems.is_empty() {
        findings.extend(told("ports", tried.problems, "can be listened on"));
    }
    findings.extend(tried.notes.iter().map(|note| Finding::new(Verdict::Ok, "ports", note)));
    findings
}

/// The credentials, and whatever of them will not be good for long.
fn tls(config: &Config) -> Vec<Finding> {
    match validate::check_tls(config) {
        Ok(None) => vec![Finding::new(Verdict::Ok, "tls", "is off")],
        Ok(Some(loaded)) => {
            let facts = &loaded.credentials.facts;
            let until = unix_time::date(facts.not_after);
            let text = format!("{} with its key, until {until}", facts.subject);
            let warn = |warning| Finding::new(Verdict::Warn, "tls", warning);
            let good = Finding::new(Verdict::Ok, "tls", text);
            [good].into_iter().chain(loaded.warnings().into_iter().map(warn)).collect()
        }
        Err(problem) => vec![Finding::new(Verdict::Fail, "tls", problem.told())],
    }
}

fn server(config: &Config) -> Finding {
    match instance::look(&config.place()) {
        Found::Running(found) => {
            Finding::new(Verdict::Ok, "server", format!("runs as process {}", found.pid))
        }
        Found::Nobody => Finding::new(Verdict::Ok, "server", "does not run"),
        Found::Dead { pid_file, pid } => {
            let file = pid_file.display();
            let text = format!(
                "process {pid} did not end well, and left {file}: look at its last log lines"
            );
            Finding::new(Verdict::Warn, "server", text)
        }
        Found::Hidden(why) => Finding::new(Verdict::Warn, "server", why),
    }
}

fn told(subject: &'static str, problems: Vec<Problem>, right: &str) -> Vec<Finding> {
    if problems.is_empty() {
        return vec![Finding::new(Verdict::Ok, subject, right)];
    }
    let fail = |problem: &Problem| Finding::new(Verdict::Fail, subject, problem.told());
    problems.iter().map(fail).collect()
}
