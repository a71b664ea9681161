//! The control thread while the server serves: signals, reloads, the pulse, and the end.

use std::time::{Duration, Instant};

use amaters_shards::{Reactors, StopError};
use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::{reload::Reload, signals::Request};

/// How often the reactors are looked at, so that none sleeps over work.
const PULSE: Duration = Duration::from_millis(10);

/// Why the control thread stops controlling.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Somebody asked for it.
    Asked,
    /// A reactor died, with this text. Its connections and its shards are gone.
    Died(String),
}

/// Handles signals and keeps the pulse until the end.
pub(crate) fn serve(requests: &Receiver<Request>, reload: &mut Reload<'_>) -> End {
    loop {
        reload.reactors.pulse();
        if let Some(panic) = reload.reactors.dead() {
            return End::Died(panic);
        }
        match requests.recv_timeout(PULSE) {
            Ok(Request::Stop) => return End::Asked,
            Ok(Request::Reload) => reload.run(),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return End::Died("signals: thread died".into()),
        }
    }
}

/// Finishes requests in flight for at most `timeout`, then syncs and closes.
pub(crate) fn stop(reactors: Reactors, timeout: Duration) -> Result<(), StopError> {
    let deadline = Instant::now() + timeout;
    tracing::info!("stopping: up to {} s for requests in flight", timeout.as_secs());
    reactors.drain();
    while !reactors.drained() && reactors.dead().is_none() && Instant::now() < deadline {
        reactors.pulse();
        std::thread::sleep(PULSE);
    }
    if !reactors.drained() {
        tracing::warn!("requests are still in flight after {} s; closing", timeout.as_secs());
    }
    reactors.stop(deadline)
}
