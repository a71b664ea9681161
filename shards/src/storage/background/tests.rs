//! A background thread of this machine, and its simulated twin.

use std::{
    future::{Future, Ready},
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use super::{Background, BackgroundThread, Desk, GivenUp, Inline, Lost, Urgency, run};
use crate::storage::{
    disk::{Opening, sim::SimDisk},
    tests::machine::{finish, poll},
};

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits without turning: whoever has the result must wake this thread.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let end = Instant::now() + PATIENCE;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let left = end.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "nobody wakes this thread");
        thread::park_timeout(left);
    }
}

fn background() -> BackgroundThread {
    BackgroundThread::start(None).unwrap()
}

/// Works until it is told to end; false if nobody tells it.
async fn work_until(desk: Desk, ended: Arc<AtomicBool>) -> Result<bool, GivenUp> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        desk.pace.spend(100_000).await?;
        if ended.load(Ordering::Relaxed) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[test]
fn work_is_done_on_a_thread_of_the_lowest_priority_on_one_core() {
    let cpu = rustix::thread::sched_getcpu();
    let background = BackgroundThread::start(Some(cpu)).unwrap();
    let look = run(&background, Urgency::Care, |_| async {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // Behind the name in parentheses: field 3 and what follows. Policy is field 41.
        let fields = stat[stat.rfind(')').unwrap() + 2..].split(' ').map(str::to_owned);
        let policy = fields.collect::<Vec<_>>()[41 - 3].clone();
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        (thread::current().name().map(str::to_owned), policy, cpus.unwrap().trim().to_owned())
    });
    let (name, policy, cpus) = wait(look).unwrap();
    assert_eq!((name.as_deref(), policy.as_str()), (Some("background"), "5"), "5 is SCHED_IDLE");
    assert_eq!(cpus, cpu.to_string());
}

#[test]
fn the_disk_of_this_machine_is_at_hand() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let written = run(&background(), Urgency::Flush, {
        let path = path.clone();
        |desk| async move {
            let file = desk.disk.open(&path, Opening::Fresh).await?;
            let mut buffer = file.buffer(4096);
            buffer.fill(7);
            file.write_at(0, buffer).await?;
            file.sync().await
        }
    });
    wait(written).unwrap().unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().len(), 4096);
}

#[test]
fn a_panic_is_an_error_of_that_work_only() {
    let background = background();
    let other = run(&background, Urgency::Care, |desk| async move {
        desk.pace.spend(1 << 30).await.unwrap();
        5
    });
    let early = run(&background, Urgency::Flush, |_| -> Ready<()> { panic!("early") });
    let late = run(&background, Urgency::Flush, |desk| async move {
        desk.pace.spend(1 << 30).await.unwrap();
        if desk.pace.spend(0).await.is_ok() {
            panic!("number {}", 7);
        }
    });
    assert_eq!(wait(early), Err(Lost::Panicked("early".to_owned())));
    assert_eq!(wait(late), Err(Lost::Panicked("number 7".to_owned())));
    assert_eq!(wait(other), Ok(5));
}

#[test]
fn urgent_work_overtakes_what_has_been_begun() {
    let background = background();
    let ended = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ended);
    let long = run(&background, Urgency::Compaction, |desk| work_until(desk, told));
    let flush = run(&background, Urgency::Flush, |_| async move {
        ended.store(true, Ordering::Relaxed);
    });
    wait(flush).unwrap();
    assert_eq!(wait(long), Ok(Ok(true)));
}

#[test]
fn work_that_nobody_waits_for_learns_that_and_ends() {
    let background = background();
    let (sender, receiver) = mpsc::channel();
    let work = run(&background, Urgency::Care, move |desk| async move {
        let ended = work_until(desk, Arc::default()).await;
        sender.send(ended).unwrap();
    });
    drop(work);
    assert_eq!(receiver.recv_timeout(PATIENCE), Ok(Err(GivenUp)));
}

#[test]
fn stopping_the_thread_ends_its_work_in_good_order() {
    let background = background();
    let works: Vec<_> = (0..3)
        .map(|_| run(&background, Urgency::Care, |desk| work_until(desk, Arc::default())))
        .collect();
    drop(background);
    for mut work in works {
        let ended = poll(pin!(&mut work));
        assert_eq!(ended, Poll::Ready(Ok(Err(GivenUp))), "the thread has been joined");
    }
}

#[test]
fn work_for_a_thread_that_is_gone_is_lost_and_nobody_waits_for_it() {
    struct Nowhere;
    impl Background for Nowhere {
        fn take(&self, work: super::Work) -> futures_util::future::LocalBoxFuture<'static, ()> {
            drop(work);
            Box::pin(std::future::ready(()))
        }
    }
    assert_eq!(finish(run(&Nowhere, Urgency::Care, |_| async {})), Err(Lost::Stopped));
}

#[test]
fn results_reach_a_reactor() {
    let reactor = glommio::LocalExecutorBuilder::new(glommio::Placement::Unbound);
    let sum = reactor.spawn(|| async {
        let background = background();
        let mut sum = 0;
        for number in 0..200u64 {
            let work = run(&background, Urgency::Care, move |_| async move { number });
            sum += work.await.unwrap();
        }
        sum
    });
    assert_eq!(sum.unwrap().join().unwrap(), 199 * 100);
}

#[test]
fn the_simulated_twin_works_where_it_is_waited_for() {
    let disk = SimDisk::new(1);
    let background = Inline(Rc::new(disk.clone()));
    let work = run(&background, Urgency::Flush, |desk| async move {
        let file = desk.disk.open("/a".as_ref(), Opening::Fresh).await?;
        desk.pace.spend(1 << 30).await.unwrap();
        file.sync().await
    });
    let mut work = Box::pin(work);
    assert!(poll(work.as_mut()).is_pending());
    assert_eq!(disk.calls(), 0, "it waits as the disk does");
    finish(work).unwrap().unwrap();
    assert_eq!(disk.calls(), 2);

    let panics = run(&background, Urgency::Flush, |desk| async move {
        desk.pace.spend(1 << 30).await.unwrap();
        if desk.pace.spend(0).await.is_ok() {
            panic!("as planned");
        }
    });
    assert_eq!(finish(panics), Err(Lost::Panicked("as planned".to_owned())));
}
