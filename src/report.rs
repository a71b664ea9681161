//! SIGUSR1: what the reactors have done so far and how long they stood still, as lines of the log.

use std::time::Instant;

use crate::control::Control;

impl Control<'_> {
    /// Logs a line for each reactor. Gaps count since the last report.
    pub(crate) fn report(&mut self) {
        self.look_at_gaps();
        let (watch, gaps) = (self.reactors.watch(), self.gaps.take());
        let all = watch.counters().iter().zip(watch.connections()).zip(gaps);
        for (reactor, ((counters, connections), gap)) in all.enumerate() {
            tracing::info!(
                "reactor {reactor}: turns {}, requests {}, connections {connections}, longest gap \
                 {:.1} ms",
                counters.turns.get(),
                counters.requests(),
                gap.as_secs_f64() * 1e3,
            );
        }
        #[cfg(feature = "count-allocations")]
        {
            let allocations = crate::allocations::so_far();
            tracing::info!("allocations {} bytes {}", allocations.count, allocations.bytes);
        }
    }

    /// Warns of reactors that stand still.
    pub(crate) fn look_at_gaps(&mut self) {
        let gaps = self.reactors.take_longest_gaps();
        for news in self.gaps.note(&gaps, Instant::now()) {
            tracing::warn!("{news}");
        }
    }
}
