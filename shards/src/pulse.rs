//! The pulse: makes sure that a reactor with work never sleeps.
//!
//! glommio can park with runnable tasks: a completion in a small window makes it believe that
//! nothing is left to run (reproduced in `tests/lost_wakeup.rs`). A wake from another thread ends
//! such a sleep. So the control thread looks at each reactor's turn counter about every 10 ms.
//!
//! ```text
//!            turns moved                       looked, turns stand still
//!   ┌──────────────────────► ACTIVE ──────────────────────────────────────► wake, up to 3 times,
//!   └────────────────────────────────────────────────── then every 100 ms, for what we overlook
//! ```
//!
//! A sleep with runnable tasks begins just after turns were made; so when turns stand still after
//! the last wakes, and those made no turns either, the reactor has nothing to do.
//!
//! The time from a wake to its answer is how long the reactor went without a turn: the longest is
//! kept, because it bounds what any request had to wait.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// Wakes after the last turn that was seen.
const WAKES_AFTER_TURN: u32 = 3;
/// Looks between two wakes of a reactor that seems to have nothing to do.
const LOOKS_BETWEEN_WAKES: u32 = 10;

/// The reactor's side: a task that answers wakes.
///
/// The waker is kept and used again, never taken: a wake that is itself lost must not be the last.
#[derive(Default)]
pub struct Beat {
    waker: OnceLock<Waker>,
    answered: AtomicU64,
}

impl Beat {
    /// To be polled by one task of the reactor, always the same; each wake runs it once.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.get_or_init(|| cx.waker().clone());
        self.answered.store(self.answered.load(Relaxed) + 1, Relaxed);
        Poll::Pending
    }

    /// Wakes the reactor from another thread.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

/// The control thread's side, for one reactor.
pub struct Pulse {
    beat: Arc<Beat>,
    turns: u64,
    /// Looks since turns were last seen to move.
    looks: u32,
    /// The wake that is not answered yet: when, and how many were answered before.
    asked: Option<(Instant, u64)>,
    longest: Duration,
}

impl Pulse {
    /// For a reactor that answers with `beat`.
    pub fn new(beat: Arc<Beat>) -> Self {
        Self { beat, turns: 0, looks: 0, asked: None, longest: Duration::ZERO }
    }

    /// Looks at the reactor, and wakes it if it may be asleep over work.
    pub fn look(&mut self, turns: u64, now: Instant) {
        if let Some((since, answered)) = self.asked {
            self.longest = self.longest.max(now.saturating_duration_since(since));
            if self.beat.answered.load(Relaxed) != answered {
                self.asked = None;
            }
        }
        let moved = turns != self.turns;
        self.turns = turns;
        self.looks = if moved { 0 } else { self.looks.saturating_add(1) };
        let due = (1..=WAKES_AFTER_TURN).contains(&self.looks)
            || (self.looks > 0 && self.looks.is_multiple_of(LOOKS_BETWEEN_WAKES));
        if due || self.asked.is_some() {
            let answered = self.beat.answered.load(Relaxed);
            self.asked.get_or_insert((now, answered));
            self.beat.wake();
        }
    }

    /// The longest time that the reactor was seen to go without a turn, since it was last asked
    /// for. Accurate to one interval of looking.
    pub fn take_longest(&mut self) -> Duration {
        std::mem::take(&mut self.longest)
    }

    /// How long the reactor has not answered.
    pub fn silent(&self, now: Instant) -> Duration {
        self.asked.map_or(Duration::ZERO, |(since, _)| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicUsize, task::Wake};

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    struct Reactor {
        beat: Arc<Beat>,
        wakes: Arc<Wakes>,
        waker: Waker,
    }

    impl Reactor {
        fn new() -> Self {
            let wakes = Arc::<Wakes>::default();
            let reactor =
                Self { beat: Arc::default(), waker: Waker::from(Arc::clone(&wakes)), wakes };
            reactor.turn();
            reactor
        }

        fn turn(&self) {
            let _ = self.beat.poll(&mut Context::from_waker(&self.waker));
        }

        fn woken(&self) -> usize {
            self.wakes.0.load(Relaxed)
        }
    }

    #[test]
    fn a_reactor_that_stops_is_woken_and_an_idle_one_is_nearly_left_alone() {
        let reactor = Reactor::new();
        let mut pulse = Pulse::new(Arc::clone(&reactor.beat));
        let now = Instant::now();
        for turns in 1..=50 {
            pulse.look(turns, now);
        }
        assert_eq!(reactor.woken(), 0, "a reactor that turns is not disturbed");
        for _ in 0..100 {
            pulse.look(50, now);
            reactor.turn();
        }
        assert_eq!(reactor.woken(), 3 + 10);
    }

    #[test]
    fn the_longest_silence_is_kept_once() {
        let reactor = Reactor::new();
        let mut pulse = Pulse::new(Arc::clone(&reactor.beat));
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        pulse.look(0, start);
        pulse.look(0, after(10));
        pulse.look(0, after(150));
        assert_eq!(pulse.silent(after(150)), Duration::from_millis(150));
        reactor.turn();
        pulse.look(1, after(160));
        assert_eq!(pulse.silent(after(170)), Duration::ZERO);
        assert_eq!(pulse.take_longest(), Duration::from_millis(160));
        assert_eq!(pulse.take_longest(), Duration::ZERO);
    }
}
