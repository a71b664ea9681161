//! What the control thread knows, for whoever asks over HTTP or the control socket: written by one thread, read by others.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use amaters_shards::{Watch, audit::Audit};

use crate::{tls, unix_time};

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReloadResult {
    /// Keys were applied, or noted for the next restart.
    Successful,
    /// The configuration was as before.
    Unchanged,
    /// It was refused.
    Failed,
}

impl ReloadResult {
    /// All of them, each at the place that is its number.
    pub(crate) const ALL: [Self; 3] = [Self::Successful, Self::Unchanged, Self::Failed];

    /// As a label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Successful => "successful",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// How a look at the files of authentication ended, where there was something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthResult {
    /// They are in force.
    Successful,
    /// They are wrong; the old ones are in force.
    Failed,
}

impl AuthResult {
    /// All of them, each at the place that is its number.
    pub(crate) const ALL: [Self; 2] = [Self::Successful, Self::Failed];

    /// As a label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Successful => "successful",
            Self::Failed => "failed",
        }
    }
}

/// What the control thread knows.
#[derive(Debug)]
pub(crate) struct Telemetry {
    begun: Instant,
    begun_at: SystemTime,
    watch: OnceLock<Watch>,
    audit: OnceLock<Audit>,
    serving: AtomicBool,
    draining: AtomicBool,
    /// When the control thread was last seen at work, in milliseconds since the beginning.
    beat_millis: AtomicU64,
    /// How long the most silent reactor had not answered then.
    silence_millis: AtomicU64,
    /// The credentials of TLS.
    pub(crate) tls: tls::Shown,
    reloads: [AtomicU64; ReloadResult::ALL.len()],
    auth_reloads: [AtomicU64; AuthResult::ALL.len()],
    /// Unix seconds of the last reload that was not refused; the start counts as one.
    reloaded_at: AtomicU64,
}

impl Telemetry {
    /// Of a server that begins to start.
    pub(crate) fn new() -> Self {
        let begun_at = SystemTime::now();
        Self {
            begun: Instant::now(),
            begun_at,
            watch: OnceLock::new(),
            audit: OnceLock::new(),
            serving: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            beat_millis: AtomicU64::new(0),
            silence_millis: AtomicU64::new(0),
            tls: tls::Shown::default(),
            reloads: Default::default(),
            auth_reloads: Default::default(),
            reloaded_at: AtomicU64::new(unix_time::seconds(begun_at)),
        }
    }

    /// The reactors are there, though they may still be reading their logs back.
    pub(crate) fn has_reactors(&self, watch: &Watch) {
        let _ = self.watch.get_or_init(|| watch.clone());
    }

    /// All reactors listen.
    pub(crate) fn serves(&self) {
        self.beat(Duration::ZERO);
        self.serving.store(true, Relaxed);
    }

    /// The server is on its way out.
    pub(crate) fn drains(&self) {
        self.draining.store(true, Relaxed);
    }

    /// The control thread is at work, and no reactor is silent for longer than this.
    pub(crate) fn beat(&self, silence: Duration) {
        self.beat_millis.store(millis(self.begun.elapsed()), Relaxed);
        self.silence_millis.store(millis(silence), Relaxed);
    }

    /// A reload has ended.
    pub(crate) fn reloaded(&self, result: ReloadResult) {
        self.reloads[result as usize].fetch_add(1, Relaxed);
        if result != ReloadResult::Failed {
            self.reloaded_at.store(unix_time::seconds(SystemTime::now()), Relaxed);
        }
    }

    /// Files of authentication were new.
    pub(crate) fn auth_reloaded(&self, result: AuthResult) {
        self.auth_reloads[result as usize].fetch_add(1, Relaxed);
    }

    /// Times that they were, and how that ended.
    pub(crate) fn auth_reloads(&self, result: AuthResult) -> u64 {
        self.auth_reloads[result as usize].load(Relaxed)
    }

    /// The reactors, once there are some.
    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.watch.get()
    }

    /// What is recorded can be looked at.
    pub(crate) fn has_audit(&self, audit: &Audit) {
        let _ = self.audit.get_or_init(|| audit.clone());
    }

    /// What was recorded, once something could be.
    pub(crate) fn audit(&self) -> Option<&Audit> {
        self.audit.get()
    }

    /// Whether all reactors have begun to listen.
    pub(crate) fn is_serving(&self) -> bool {
        self.serving.load(Relaxed)
    }

    /// Whether the server is on its way out.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Since when the control thread has not been at work.
    pub(crate) fn control_silence(&self) -> Duration {
        let now = millis(self.begun.elapsed());
        Duration::from_millis(now.saturating_sub(self.beat_millis.load(Relaxed)))
    }

    /// The same, or how silent reactors were then; whichever is longer.
    pub(crate) fn silence(&self) -> Duration {
        let reactors = Duration::from_millis(self.silence_millis.load(Relaxed));
        self.control_silence().max(reactors)
    }

    /// Reloads that ended so.
    pub(crate) fn reloads(&self, result: ReloadResult) -> u64 {
        self.reloads[result as usize].load(Relaxed)
    }

    /// Unix seconds of the configuration that is in force.
    pub(crate) fn reloaded_at(&self) -> u64 {
        self.reloaded_at.load(Relaxed)
    }

    /// Unix seconds of the start.
    pub(crate) fn begun_at(&self) -> f64 {
        self.begun_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }

    /// Since the start.
    pub(crate) fn uptime(&self) -> Duration {
        self.begun.elapsed()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reloads_are_counted_by_their_end_and_a_refused_one_changes_no_date() {
        let telemetry = Telemetry::new();
        telemetry.reloaded_at.store(7, Relaxed);
        telemetry.reloaded(ReloadResult::Failed);
        assert_eq!(telemetry.reloaded_at(), 7);
        telemetry.reloaded(ReloadResult::Unchanged);
        assert!(telemetry.reloaded_at() > 7);
        let counts = ReloadResult::ALL.map(|result| telemetry.reloads(result));
        assert_eq!(counts, [0, 1, 1]);
    }
}
