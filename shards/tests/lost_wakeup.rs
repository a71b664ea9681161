//! The hang that the pulse exists for, and that it ends.
//!
//! Two executors play ping-pong. glommio at times parks one of them although its task is runnable;
//! from then on nothing moves, because each waits for the other. A short preempt timer makes the
//! window wide enough to be hit within seconds. Each game is a process of its own, because an
//! executor that hangs cannot be taken apart.

use std::{
    env,
    future::poll_fn,
    process::{Command, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use amaters_shards::{Beat, Pulse};
use glommio::{
    LocalExecutorBuilder, Placement,
    channels::shared_channel::{self, ConnectedReceiver, ConnectedSender},
    timer::sleep,
};

const ROUND_TRIPS: u64 = 40_000;
/// No round trip for so long is a hang.
const PATIENCE: Duration = Duration::from_secs(2);
/// Games with the pulse, none of which may hang.
const GAMES: usize = 4;
/// Games without the pulse, of which one should hang. How many do depends on the machine: of games
/// of 150,000 round trips 5 in 6 did on one, and on another none of 30 shorter ones.
const TRIES: usize = 100;
const HANG: i32 = 3;

#[test]
fn with_the_pulse_no_reactor_hangs() {
    for _ in 0..GAMES {
        assert!(game("with").success(), "a reactor hung in spite of the pulse");
    }
}

/// Whether the pulse is still needed, to be asked when glommio is updated.
#[test]
#[ignore = "a chance of the machine: a kernel may hide the hang"]
fn without_the_pulse_a_reactor_hangs() {
    let hung = (0..TRIES).any(|_| game("without").code() == Some(HANG));
    assert!(hung, "{TRIES} games without the pulse, and none hung: is it still needed?");
}

fn game(pulse: &str) -> ExitStatus {
    let this = env::current_exe().expect("the test knows its own path");
    Command::new(this)
        .args(["--ignored", "--exact", "play", "--quiet"])
        .env("LOST_WAKEUP_PULSE", pulse)
        .status()
        .expect("the test can run itself")
}

/// One game; run by the tests above, in a process of its own.
#[test]
#[ignore = "a part of the tests above"]
fn play() {
    let with_pulse = env::var("LOST_WAKEUP_PULSE").is_ok_and(|pulse| pulse == "with");
    let turns: [Arc<AtomicU64>; 2] = Default::default();
    let beats: [Arc<Beat>; 2] = Default::default();
    let (ping, pings) = shared_channel::new_bounded(1024);
    let (pong, pongs) = shared_channel::new_bounded(1024);

    let (turn, beat) = (Arc::clone(&turns[0]), Arc::clone(&beats[0]));
    executor(0, beat, async move || {
        let (ping, pongs) = (ping.connect().await, pongs.connect().await);
        // A timer that fired makes the window wider.
        sleep(Duration::from_millis(50)).await;
        serve(&turn, &ping, &pongs).await;
    });
    let (turn, beat) = (Arc::clone(&turns[1]), Arc::clone(&beats[1]));
    executor(1, beat, async move || {
        let (pings, pong) = (pings.connect().await, pong.connect().await);
        while let Some(number) = pings.recv().await {
            turn.fetch_add(1, Relaxed);
            pong.send(number).await.expect("the other side listens");
        }
    });
    watch(&turns, beats.map(Pulse::new), with_pulse);
}

fn executor<F: Future<Output = ()>>(
    cpu: usize,
    beat: Arc<Beat>,
    player: impl FnOnce() -> F + Send + 'static,
) {
    LocalExecutorBuilder::new(Placement::Fixed(cpu))
        .io_memory(64 << 10)
        .preempt_timer(Duration::from_millis(1))
        .spawn(move || async move {
            glommio::spawn_local(async move { poll_fn(|cx| beat.poll(cx)).await }).detach();
            player().await;
        })
        .expect("an executor can be made on each of two CPUs");
}

async fn serve(turn: &AtomicU64, ping: &ConnectedSender<u64>, pongs: &ConnectedReceiver<u64>) {
    for number in 0..ROUND_TRIPS {
        ping.send(number).await.expect("the other side listens");
        assert_eq!(pongs.recv().await, Some(number));
        turn.fetch_add(1, Relaxed);
    }
}

/// What the control thread does, and a look at whether the game goes on.
#[expect(clippy::disallowed_methods, reason = "this is the control thread, not a reactor")]
fn watch(turns: &[Arc<AtomicU64>; 2], mut pulses: [Pulse; 2], with_pulse: bool) {
    let (mut last, mut since) = (0, Instant::now());
    while turns[0].load(Relaxed) < ROUND_TRIPS {
        thread::sleep(Duration::from_millis(10));
        if with_pulse {
            for (pulse, turns) in pulses.iter_mut().zip(turns) {
                pulse.look(turns.load(Relaxed), Instant::now());
            }
        }
        let now = turns[0].load(Relaxed);
        if now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > PATIENCE {
            std::process::exit(HANG);
        }
    }
    std::process::exit(0);
}
