//! What stories of servers that are killed have in common.

use std::{
    env,
    ops::Range,
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use amaters_load::script::Random;
use rustix::process::Signal;
use tokio::{
    runtime,
    task::{JoinHandle, LocalSet},
    time::{sleep, timeout},
};

use crate::harness::Server;

/// Longest that anything may take that follows a kill; only what hangs takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest time that a start gets before it is killed.
const START_MS_MAX: u32 = 60;

/// How often: what the environment variable says, or the short form.
pub(super) fn times(variable: &str, short: u64) -> u64 {
    env::var(variable).map_or(short, |count| count.parse().unwrap())
}

/// It decides when and what; the kernel decides the rest.
pub(super) fn random() -> Random {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Random::new(since.as_nanos() as u64)
}

/// Tells a story on this thread.
pub(super) fn tell<T>(story: impl Future<Output = T>) -> T {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, story)
}

/// Kills a server after so many milliseconds, and waits for it and for its clients.
pub(super) async fn kill_within(
    millis: Range<u32>,
    server: &mut Server,
    clients: Vec<JoinHandle<()>>,
    random: &mut Random,
) {
    let life = millis.start + random.below(millis.end - millis.start);
    sleep(Duration::from_millis(life.into())).await;
    server.signal(Signal::KILL);
    for client in clients {
        patiently(client).await.unwrap();
    }
    server.end();
}

/// One time in four, starts a server and kills it, most likely while it reads its logs; tells whether it did.
pub(super) fn perhaps_kill_a_start(mut command: Command, random: &mut Random) -> bool {
    if random.below(4) > 0 {
        return false;
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(Duration::from_millis(random.below(START_MS_MAX).into()));
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// Waits for what must not hang.
pub(super) async fn patiently<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it hangs")
}
