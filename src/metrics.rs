//! Metrics, health and version over HTTP, on a thread of their own.
//!
//! ```text
//! reactors ─ counters, read relaxed ─► watch ─┐
//! control thread ─► telemetry ────────────────┼─► page ─► exposition ─► responder ◄─ scraper, probe
//! kernel ─► process ──────────────────────────┘
//! ```
//!
//! No reactor is asked for anything: a scrape reads what they have written, so it costs them a cache line now and then.

mod audit;
mod exposition;
mod http;
mod page;
mod process;
mod reactors;
mod responder;
mod shards;
pub(crate) mod summary;
mod tls;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use thiserror::Error;

use self::responder::{Door, Responder};
use crate::telemetry::Telemetry;

/// `metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetricsSettings {
    /// Serve them.
    pub(crate) enabled: bool,
    /// Where.
    pub(crate) bind_address: SocketAddr,
    /// Somebody wrote the address.
    pub(crate) bind_address_written: bool,
    /// Between two lines of the log that sum them up.
    pub(crate) export_interval: Duration,
}

/// The address cannot be listened on.
#[derive(Debug, Error)]
#[error(
    "metrics.bind_address: cannot listen on {address}: {error}; choose another address, or set \
     metrics.enabled = false"
)]
pub(crate) struct EndpointError {
    address: SocketAddr,
    error: io::Error,
}

/// The endpoint, open or closed.
pub(crate) struct Endpoint {
    telemetry: Arc<Telemetry>,
    /// As the settings want it; a default address that was taken has left it closed all the same.
    enabled: bool,
    responder: Option<Responder>,
}

/// An endpoint that is to be as these settings say, and can be.
pub(crate) enum Prepared {
    /// As it is.
    Unchanged,
    /// The address is bound already.
    Open(Opened),
    /// To be closed.
    Closed,
}

/// An address that is bound, and at which nobody answers yet.
pub(crate) struct Opened(Door);

impl Endpoint {
    /// Opens it if the settings say so. A default address that is taken gives way to none, with a line in the log.
    pub(crate) fn open(
        settings: &MetricsSettings,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, EndpointError> {
        let mut endpoint = Self { telemetry, enabled: false, responder: None };
        match endpoint.prepare(settings) {
            Ok(prepared) => endpoint.apply(prepared),
            Err(error) if settings.bind_address_written => return Err(error),
            Err(error) => {
                endpoint.enabled = true;
                tracing::warn!("no metrics are served: {error}");
            }
        }
        Ok(endpoint)
    }

    /// Makes ready for these settings, or refuses them; changes nothing.
    pub(crate) fn prepare(&self, settings: &MetricsSettings) -> Result<Prepared, EndpointError> {
        if settings.enabled == self.enabled {
            return Ok(Prepared::Unchanged);
        }
        if !settings.enabled {
            return Ok(Prepared::Closed);
        }
        let address = settings.bind_address;
        let door = Door::open(address).map_err(|error| EndpointError { address, error })?;
        Ok(Prepared::Open(Opened(door)))
    }

    /// Opens or closes it, at once.
    pub(crate) fn apply(&mut self, prepared: Prepared) {
        match prepared {
            Prepared::Unchanged => {}
            Prepared::Closed => {
                self.enabled = false;
                self.responder = None;
                tracing::info!("metrics are not served any more");
            }
            Prepared::Open(Opened(door)) => {
                self.enabled = true;
                let (address, telemetry) = (door.address(), Arc::clone(&self.telemetry));
                let handler =
                    Arc::new(move |request: &http::Request| page::answer(&telemetry, request));
                match Responder::start(door, handler) {
                    Ok(responder) => {
                        self.responder = Some(responder);
                        tracing::info!("Metrics on http://{address}/metrics");
                    }
                    Err(error) => tracing::error!("no metrics are served: no thread: {error}"),
                }
            }
        }
    }
}
