//! The pages: `/metrics`, and what probes and people ask for beside them.

use std::sync::atomic::Ordering::Relaxed;

use amaters_shards::{
    Watch,
    jobs::{Jobs, Work},
};
use serde_json::json;

use super::{
    audit,
    exposition::{Exposition, Form, Kind},
    http::{Request, Status},
    process, reactors,
    responder::Answer,
    shards, tls,
};
use crate::{
    health::State,
    logging,
    telemetry::{AuthResult, ReloadResult, Telemetry},
};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The answer to a request.
pub(super) fn answer(telemetry: &Telemetry, request: &Request) -> Answer {
    let state = State::of(telemetry);
    match request.path.as_str() {
        "/metrics" => {
            let form = Form::of(&request.accept);
            let body = metrics(telemetry, form);
            Answer { status: Status::Ok, content_type: form.content_type(), body }
        }
        "/livez" => probe(state, state.lives()),
        "/readyz" => probe(state, state.is_ready()),
        "/healthz" => {
            let body = health(telemetry, state);
            Answer { status: status_of(state.is_ready()), content_type: JSON, body }
        }
        "/version" => Answer { status: Status::Ok, content_type: JSON, body: version() },
        "/" => {
            let body = "/metrics\n/livez\n/readyz\n/healthz\n/version\n".to_owned();
            Answer { status: Status::Ok, content_type: TEXT, body }
        }
        _ => {
            let body = "there are /metrics, /livez, /readyz, /healthz and /version\n".to_owned();
            Answer { status: Status::NotFound, content_type: TEXT, body }
        }
    }
}

fn status_of(good: bool) -> Status {
    if good { Status::Ok } else { Status::ServiceUnavailable }
}

fn probe(state: State, good: bool) -> Answer {
    Answer { status: status_of(good), content_type: TEXT, body: format!("{state}\n") }
}

fn health(telemetry: &Telemetry, state: State) -> String {
    let poisoned: Vec<_> = telemetry
        .watch()
        .map(|watch| watch.shards())
        .unwrap_or_default()
        .iter()
        .enumerate()
        .filter_map(|(shard, stats)| {
            let cause = stats.as_ref()?.poisoned.clone()?;
            Some(json!({ "shard": shard, "cause": cause }))
        })
        .collect();
    let body = json!({
        "status": state.word(),
        "live": state.lives(),
        "ready": state.is_ready(),
        "message": state.to_string(),
        "uptime_seconds": telemetry.uptime().as_secs(),
        "poisoned_shards": poisoned,
    });
    format!("{body}\n")
}

fn version() -> String {
    let body = json!({ "name": "amaters-server", "version": env!("CARGO_PKG_VERSION") });
    format!("{body}\n")
}

/// All metrics at this moment.
fn metrics(telemetry: &Telemetry, form: Form) -> String {
    let mut out = Exposition::new(form);
    let version = env!("CARGO_PKG_VERSION");
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    out.family(Kind::Gauge, "amaters_build_info", "What runs here; always 1.")
        .sample(&[("version", version), ("profile", profile)], 1);
    server(&mut out, telemetry);
    if let Some(watch) = telemetry.watch() {
        reactors::write(&mut out, watch);
        tls::write(&mut out, telemetry, watch);
        shards::write(&mut out, &watch.shards());
        merges(&mut out, watch);
        jobs(&mut out, watch.jobs());
    }
    process::write(&mut out, telemetry.begun_at());
    out.finish()
}

fn server(out: &mut Exposition, telemetry: &Telemetry) {
    let state = State::of(telemetry);
    let mut family =
        out.family(Kind::Gauge, "amaters_state", "1 for the state that the server is in.");
    for word in State::WORDS {
        family.sample(&[("state", word)], u8::from(word == state.word()));
    }
    let uptime = telemetry.uptime().as_secs_f64();
    out.single(Kind::Gauge, "amaters_uptime_seconds", "Time since the start.", uptime);
    let help = "Reloads of the configuration, by how they ended.";
    let mut family = out.family(Kind::Counter, "amaters_config_reloads", help);
    for result in ReloadResult::ALL {
        family.sample(&[("result", result.label())], telemetry.reloads(result));
    }
    let help = "When the configuration in force was read, since the Unix epoch in seconds.";
    let name = "amaters_config_last_reload_success_timestamp_seconds";
    out.single(Kind::Gauge, name, help, telemetry.reloaded_at());
    let help =
        "Times that files or settings of authentication were new, by whether they were taken.";
    let mut family = out.family(Kind::Counter, "amaters_auth_reloads", help);
    for result in AuthResult::ALL {
        family.sample(&[("result", result.label())], telemetry.auth_reloads(result));
    }
    let help = "Log lines that were dropped because their reader was too slow.";
    out.single(Kind::Counter, "amaters_log_lines_dropped", help, logging::dropped());
    let help = "Log lines that are not in the log file because it could not be written.";
    out.single(Kind::Counter, "amaters_log_file_lines_lost", help, logging::lost());
    telemetry.audit().into_iter().for_each(|audit| audit::write(out, audit));
}

fn merges(out: &mut Exposition, watch: &Watch) {
    let help = "Merges of tables that run at this moment, over all shards.";
    out.single(Kind::Gauge, "amaters_storage_merges_running", help, watch.merges_running());
    let help = "Merges of tables that may run at once: storage.compaction.max_concurrent.";
    out.single(Kind::Gauge, "amaters_storage_merges_max", help, watch.merges_max());
}

fn jobs(out: &mut Exposition, jobs: &Jobs) {
    let totals = &jobs.totals;
    let at = totals.backup_at.load(Relaxed);
    let help = "When the last backup of this process was begun, since the Unix epoch in seconds; 0 if there was none.";
    out.single(Kind::Gauge, "amaters_backup_last_success_timestamp_seconds", help, at);
    let seconds = totals.backup_millis.load(Relaxed) as f64 / 1000.0;
    let help = "How long that took.";
    out.single(Kind::Gauge, "amaters_backup_last_duration_seconds", help, seconds);
    let bytes = totals.backup_bytes.load(Relaxed);
    let help = "Bytes of its files.";
    out.single(Kind::Gauge, "amaters_backup_last_size_bytes", help, bytes);
    let help = "Whether the server takes backups by itself (snapshot.schedule): 1, or 0.";
    out.single(Kind::Gauge, "amaters_backup_scheduled", help, u8::from(jobs.is_scheduled()));
    let help = "Backups, restores, checks and compactions that ended, by how.";
    let mut family = out.family(Kind::Counter, "amaters_jobs", help);
    for (kind, ended) in Work::KINDS.into_iter().zip(&totals.ended) {
        for (result, count) in ["done", "failed", "cancelled"].into_iter().zip(ended) {
            family.sample(&[("kind", kind), ("result", result)], count.load(Relaxed));
        }
    }
    let open = jobs.list().iter().filter(|job| !job.has_ended()).count();
    let help = "Those that wait or run.";
    out.single(Kind::Gauge, "amaters_jobs_open", help, open);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(telemetry: &Telemetry, path: &str) -> (Status, String) {
        let request = Request {
            path: path.into(),
            head_only: false,
            accept: String::new(),
            keep_alive: true,
        };
        let Answer { status, body, .. } = answer(telemetry, &request);
        (status, body)
    }

    #[test]
    fn a_server_that_starts_lives_and_is_not_ready() {
        let telemetry = Telemetry::new();
        assert_eq!(get(&telemetry, "/livez").0, Status::Ok);
        assert_eq!(get(&telemetry, "/readyz").0, Status::ServiceUnavailable);
        let (status, body) = get(&telemetry, "/healthz");
        assert_eq!(status, Status::ServiceUnavailable);
        assert!(body.contains("\"status\":\"starting\""), "{body}");
        let (status, body) = get(&telemetry, "/metrics");
        assert_eq!(status, Status::Ok);
        assert!(body.contains("amaters_state{state=\"starting\"} 1\n"), "{body}");
        assert!(body.contains("amaters_state{state=\"serving\"} 0\n"), "{body}");
        assert!(get(&telemetry, "/version").1.contains(env!("CARGO_PKG_VERSION")));
        assert_eq!(get(&telemetry, "/favicon.ico").0, Status::NotFound);
    }
}
