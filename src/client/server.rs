//! `ping`, `health`, `info` and `stats`: how the server is.

use std::time::{Duration, Instant};

use amaters_proto::aql::{
    HealthCheckRequest, HealthCheckResponse, HealthStatus, ServerInfoRequest,
};
use serde_json::json;

use super::{Session, admin, command::Ping, connection::Connection, failure::Failure};

/// Pause between two pings.
const PACE: Duration = Duration::from_millis(250);

async fn check(connection: &Connection) -> Result<HealthCheckResponse, Failure> {
    let request = HealthCheckRequest { service: None };
    let request = connection.call(request, Some(connection.timeout()));
    Ok(connection.stub().health_check(request).await?.into_inner())
}

/// Whether the server serves; a failure if it does not.
pub(crate) async fn health(session: &mut Session) -> Result<(), Failure> {
    let answer = check(session.connection().await?).await?;
    let status = match answer.status() {
        HealthStatus::HealthServing => "serving",
        HealthStatus::HealthNotServing => "not serving",
        HealthStatus::HealthServiceUnknown => "service unknown",
        HealthStatus::HealthUnknown => "unknown",
    };
    let message = answer.message.clone().filter(|message| !message.is_empty());
    let line = message.as_ref().map_or(status.to_owned(), |why| format!("{status}: {why}"));
    session.output.say(&line, &json!({"status": status, "message": message}))?;
    match answer.status() {
        HealthStatus::HealthServing => Ok(()),
        _ => Err(Failure::refused(format!("the server says: {line}"))),
    }
}

pub(crate) async fn info(session: &mut Session) -> Result<(), Failure> {
    let connection = session.connection().await?;
    let request = connection.call(ServerInfoRequest {}, Some(connection.timeout()));
    let info = connection.stub().get_server_info(request).await?.into_inner();
    let version = |version: &amaters_proto::types::Version| {
        format!("{}.{}.{}", version.major, version.minor, version.patch)
    };
    session.output.show(&json!({
        "protocol": info.version.as_ref().map(version),
        "protocols": info.supported_versions.iter().map(version).collect::<Vec<_>>(),
        "capabilities": info.capabilities,
        "uptime_seconds": info.uptime_seconds,
    }))
}

pub(crate) async fn stats(session: &mut Session) -> Result<(), Failure> {
    let answer = admin::ask(session.connection().await?, "STATS").await?;
    session.output.show(&answer)
}

/// Asks the server for its health a few times, one after the other.
pub(crate) async fn ping(session: &mut Session, ping: &Ping) -> Result<(), Failure> {
    let (output, address) = (session.output, session.settings.address.to_string());
    let connection = session.connection().await?;
    let mut millis = Vec::new();
    for number in 1..=ping.count {
        let begun = Instant::now();
        check(connection).await?;
        millis.push(begun.elapsed().as_secs_f64() * 1e3);
        if output.form == super::output::Form::Table {
            let took = millis[millis.len() - 1];
            output.raw(format!("answer {number} from {address}: {took:.3} ms\n").as_bytes())?;
        }
        if number < ping.count {
            tokio::time::sleep(PACE).await;
        }
    }
    millis.sort_by(f64::total_cmp);
    let (least, most) = (millis[0], millis[millis.len() - 1]);
    let median = millis[millis.len() / 2];
    let count = millis.len();
    output.say(
        &format!("{count} answers: least {least:.3} ms, median {median:.3} ms, most {most:.3} ms"),
        &json!({"answers": count, "least_ms": least, "median_ms": median, "most_ms": most}),
    )
}
