//! What the server says of itself: health in two dialects, and its versions and abilities.

use amaters_proto::{
    aql::{HealthCheckRequest, HealthCheckResponse, HealthStatus, ServerInfoResponse},
    health::health_check_response::ServingStatus,
    types::Version,
};

use crate::core::{Health, Process};

/// The services whose health can be asked for; the empty name means the server.
const SERVICES: [&str; 3] = ["", "amaters.aql.AqlService", "amaters.kv.v1.KvService"];

/// The protocol that is spoken.
const PROTOCOL: Version = Version { major: 0, minor: 2, patch: 0 };

/// What clients may ask for.
const CAPABILITIES: [&str; 12] = [
    "query.get",
    "query.set",
    "query.delete",
    "query.range",
    "query.update",
    "query.filter",
    "batch",
    "stream.range",
    "stream.filter",
    "interactive",
    "kv.get",
    "kv.conditional_batch",
];

/// Answers `AqlService.HealthCheck`.
pub fn health_check(process: &Process, request: HealthCheckRequest) -> HealthCheckResponse {
    if !SERVICES.contains(&request.service.unwrap_or_default().as_str()) {
        let status = HealthStatus::HealthServiceUnknown.into();
        return HealthCheckResponse { status, message: None };
    }
    let health = process.health();
    let status = match health {
        Health::Serving => HealthStatus::HealthServing,
        Health::Draining | Health::Broken(_) => HealthStatus::HealthNotServing,
    };
    HealthCheckResponse { status: status.into(), message: explanation(health) }
}

/// Answers `grpc.health.v1`; none for a service that is not known.
pub fn serving_status(process: &Process, service: &str) -> Option<ServingStatus> {
    SERVICES.contains(&service).then(|| match process.health() {
        Health::Serving => ServingStatus::Serving,
        Health::Draining | Health::Broken(_) => ServingStatus::NotServing,
    })
}

fn explanation(health: Health) -> Option<String> {
    match health {
        Health::Serving => None,
        Health::Draining => Some("the server is shutting down".into()),
        Health::Broken(shards) => Some(format!(
            "{shards} shards refuse writes after a failed write or sync; see the log, mend the \
             disk and restart"
        )),
    }
}

/// Answers `AqlService.GetServerInfo`.
pub fn info(process: &Process) -> ServerInfoResponse {
    ServerInfoResponse {
        version: Some(PROTOCOL),
        supported_versions: vec![PROTOCOL],
        capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
        uptime_seconds: process.started.elapsed().as_secs(),
    }
}
