//! Ends a decoder that does not end.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

/// Far beyond what any input may take; what is merely slow is for the campaign to say.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks whether rounds go on; it ends with this.
pub(crate) struct Watch {
    round: Arc<AtomicU64>,
    _stop: Sender<()>,
}

impl Watch {
    pub(crate) fn begin(name: &str, seed: u64) -> Self {
        let (stop, stopped) = channel::<()>();
        let round = Arc::new(AtomicU64::new(0));
        let (watched, name) = (Arc::clone(&round), name.to_owned());
        thread::spawn(move || {
            let mut before = u64::MAX;
            while stopped.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let round = watched.load(Relaxed);
                if round == before {
                    eprintln!("{name}: round {round} does not end: AMATERS_FUZZ_SEED={seed}");
                    process::abort();
                }
                before = round;
            }
        });
        Self { round, _stop: stop }
    }

    pub(crate) fn round(&self, round: u64) {
        self.round.store(round, Relaxed);
    }
}
