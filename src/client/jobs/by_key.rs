//! Jobs of a server that does not answer `amaters.admin.v1.AdminService`, by admin commands.

use std::time::Duration;

use serde_json::Value;

use super::OnInterrupt;
use crate::client::{
    Session,
    admin::{ask, command, job},
    connection::Connection,
    failure::{Failure, Kind},
    interrupt,
    progress::Progress,
};

/// How often a job is asked for.
const PACE: Duration = Duration::from_millis(500);
/// What a table of jobs shows of each.
const COLUMNS: [&str; 7] = ["id", "kind", "state", "subject", "keys", "bytes", "message"];

/// Begins a job, and waits for its end unless it is to go on alone.
pub(super) async fn begin(
    session: &Session,
    connection: &Connection,
    words: (&str, Vec<String>),
    detach: bool,
) -> Result<(), Failure> {
    let mut answer = ask(connection, &command(words.0, &words.1)?).await?;
    if let (false, Some(id)) = (detach, job(&answer)) {
        answer = watched(connection, id, OnInterrupt::Cancel).await?;
    }
    finish(session, &answer)
}

/// Shows an answer; one that has found damage is a failure.
fn finish(session: &Session, answer: &Value) -> Result<(), Failure> {
    session.output.show(answer)?;
    match answer["ok"] == false && job(answer).is_none() {
        true => Err(Failure::refused("damages were found")),
        false => Ok(()),
    }
}

pub(super) async fn list(session: &Session, connection: &Connection) -> Result<(), Failure> {
    let answer = ask(connection, "JOBS").await?;
    let jobs = answer["jobs"].as_array().cloned().unwrap_or_default();
    session.output.list(&COLUMNS, jobs)
}

pub(super) async fn watch(
    session: &Session,
    connection: &Connection,
    id: u64,
) -> Result<(), Failure> {
    let answer = watched(connection, id, OnInterrupt::Leave).await?;
    finish(session, &answer)
}

pub(super) async fn cancel(
    session: &Session,
    connection: &Connection,
    id: u64,
) -> Result<(), Failure> {
    let answer = ask(connection, &format!("CANCEL {id}")).await?;
    session.output.show(&answer)
}

/// What came of a job, unless Ctrl-C comes before.
async fn watched(
    connection: &Connection,
    id: u64,
    on_interrupt: OnInterrupt,
) -> Result<Value, Failure> {
    let interrupted = |text: String| Err(Failure::new(Kind::Interrupted, text));
    tokio::select! {
        ended = ended(connection, id) => return ended,
        () = interrupt() => {}
    }
    if on_interrupt == OnInterrupt::Leave {
        return interrupted(format!("interrupted; job {id} goes on"));
    }
    match ask(connection, &format!("CANCEL {id}")).await {
        Ok(answer) => {
            let state = answer["jobs"][0]["state"].as_str().unwrap_or("unknown").to_owned();
            interrupted(format!("interrupted: job {id} is to end, and is {state} now"))
        }
        Err(failure) => {
            interrupted(format!("interrupted, and job {id} could not be cancelled: {failure}"))
        }
    }
}

/// What came of a job: it is asked for until it has ended.
pub(in crate::client) async fn ended(connection: &Connection, id: u64) -> Result<Value, Failure> {
    let mut progress = Progress::new(None, "keys");
    loop {
        let told = ask(connection, &format!("JOBS {id}")).await?;
        let told = &told["jobs"][0];
        match told["state"].as_str() {
            Some("waiting" | "running") => {
                let number = |name: &str| told[name].as_u64().unwrap_or(0);
                let step = told["step"].as_str().unwrap_or_default();
                progress.set_part(step, number("keys"), number("bytes"), number("bytes_total"));
            }
            Some("done") => {
                progress.clear();
                return Ok(told["result"].clone());
            }
            state => {
                progress.clear();
                let why = told["message"].as_str().or(state).unwrap_or("nothing more was said");
                return Err(Failure::refused(format!("job {id} has not come to its end: {why}")));
            }
        }
        tokio::time::sleep(PACE).await;
    }
}
