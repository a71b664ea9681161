//! `logs`: what the server did lately, and what it does from now on.

use std::time::Duration;

use amaters_proto::admin::v1::{LogLine, LogsRequest};
use amaters_shards::utc::rfc3339;
use clap::Args;
use serde_json::{Value, json};
use tonic::Streaming;

use super::{
    Session,
    admin::ask,
    failure::{Failure, Kind},
    jobs::{is_unknown, stub},
    output::{Form, Rows},
};

/// How often a server is asked for what is new.
const PACE: Duration = Duration::from_millis(500);
/// Lines that a server keeps, and so what may be missed between two questions.
const LINES_MAX: u64 = 256;

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// So many lines, the newest.
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 100)]
    pub(crate) count: u64,
    /// Go on with what happens from now on, until Ctrl-C.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

impl Logs {
    /// Follows one stream: questions would be among what happens.
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        if self.follow {
            let form = session.output.form;
            let connection = session.connection().await?;
            let lines = u32::try_from(self.count).unwrap_or(u32::MAX);
            let request = LogsRequest { lines, follow: true, since: 0 };
            match stub(connection).logs(connection.call(request, None)).await {
                Ok(answer) => return follow(form, answer.into_inner()).await,
                Err(status) if is_unknown(&status) => {}
                Err(status) => return Err(status.into()),
            }
        }
        self.by_key(session).await
    }

    /// The same by admin commands, as every server of this protocol knows them.
    pub(crate) async fn by_key(&self, session: &mut Session) -> Result<(), Failure> {
        let form = session.output.form;
        let connection = session.connection().await?;
        let command = format!("LOGS {} {}", self.count, self.follow);
        let mut answer = ask(connection, &command).await?;
        if !self.follow {
            if form != Form::Table {
                return session.output.show(&answer);
            }
            let mut rows = Rows::new(form);
            print(&mut rows, &answer)?;
            return rows.end().map(drop);
        }
        if answer["follow_supported"] != Value::Bool(true) {
            return Err(Failure::refused("this server cannot be followed"));
        }
        let mut rows = Rows::endless(form);
        loop {
            print(&mut rows, &answer)?;
            rows.flush()?;
            let Some(next) = answer["next_seq"].as_u64() else {
                return Err(Failure::nonsense("LOGS without next_seq"));
            };
            tokio::time::sleep(PACE).await;
            answer = ask(connection, &format!("LOGS {LINES_MAX} true {next}")).await?;
            if lines(&answer).len() as u64 >= LINES_MAX {
                eprintln!(
                    "warning: more happened than the server keeps; lines may be missing here"
                );
            }
        }
    }
}

async fn follow(form: Form, mut stream: Streaming<LogLine>) -> Result<(), Failure> {
    let mut rows = Rows::endless(form);
    while let Some(LogLine { sequence, at_ms, message }) = stream.message().await? {
        let at = u64::try_from(at_ms).unwrap_or_default();
        let object = || {
            let timestamp = at / 1000;
            json!({"message": message, "timestamp": timestamp, "timestamp_ms": at, "seq": sequence})
        };
        rows.row(|| format!("{} {message}", rfc3339(at)), object)?;
        rows.flush()?;
    }
    rows.end()?;
    Err(Failure::new(Kind::Unreachable, "the server is going away"))
}

fn lines(answer: &Value) -> &[Value] {
    answer["lines"].as_array().map_or(&[], Vec::as_slice)
}

/// A line says when and what; a server that gives the time in text only is believed as it is.
fn print(rows: &mut Rows, answer: &Value) -> Result<(), Failure> {
    let texts = answer["logs"].as_array().map_or(&[][..], Vec::as_slice);
    for (number, line) in lines(answer).iter().enumerate() {
        let text = || match texts.get(number).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => format!("{} {}", line["timestamp"], line["message"].as_str().unwrap_or("-")),
        };
        rows.row(text, || line.clone())?;
    }
    Ok(())
}
