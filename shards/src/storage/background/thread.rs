//! The thread of one reactor: SCHED_IDLE, pinned to the reactor's core.

use std::{
    io,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    thread::{self, JoinHandle, Thread},
};

use crossbeam_channel::{Receiver, Sender};
use futures_util::future::LocalBoxFuture;
use rustix::thread::{CpuSet, sched_setaffinity};

use super::{Background, Job, Work};
use crate::storage::disk::{Disk, blocking::StdDisk};

/// A background thread; dropping it gives up all its work, and waits until that has cleaned up.
pub(in crate::storage) struct BackgroundThread {
    /// `None` once it is being stopped.
    sender: Option<Sender<Work>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl BackgroundThread {
    /// Starts it on a CPU, or on any.
    pub(in crate::storage) fn start(cpu: Option<usize>) -> io::Result<Self> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let stopping = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopping);
        let thread = thread::Builder::new().name("background".to_owned()).spawn(move || {
            settle_down(cpu);
            Worker { receiver, stopping: told, jobs: Vec::new() }.run();
        })?;
        Ok(Self { sender: Some(sender), stopping, thread: Some(thread) })
    }
}

impl Background for BackgroundThread {
    fn take(&self, work: Work) -> LocalBoxFuture<'static, ()> {
        if let (Some(sender), Some(thread)) = (&self.sender, &self.thread) {
            // If the thread has died, the work is dropped, and who waits for it hears that.
            let _ = sender.send(work);
            thread.thread().unpark();
        }
        Box::pin(std::future::ready(()))
    }
}

impl Drop for BackgroundThread {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It contains the panics of its work.
            let _ = thread.join();
        }
    }
}

/// Gives this thread the lowest priority.
pub(in crate::storage) fn work_quietly() {
    settle_down(None);
}

/// Lowest priority, one core. What the system refuses is worth a warning: work goes on, and reactors feel it.
fn settle_down(cpu: Option<usize>) {
    if let Some(cpu) = cpu {
        let mut set = CpuSet::new();
        set.set(cpu);
        if let Err(error) = sched_setaffinity(None, &set) {
            tracing::warn!("background work cannot be pinned to CPU {cpu}: {error}");
        }
    }
    if let Err(error) = set_idle() {
        tracing::warn!("background work has no low priority: {error}");
    }
}

#[expect(unsafe_code, reason = "no safe wrapper of sched_setscheduler is at hand")]
fn set_idle() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 names this thread; the kernel reads the parameters and keeps no pointer to them.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

struct Worker {
    receiver: Receiver<Work>,
    stopping: Arc<AtomicBool>,
    /// In the order in which they came.
    jobs: Vec<Running>,
}

struct Running {
    job: Job,
    bell: Arc<Bell>,
}

impl Worker {
    fn run(mut self) {
        let disk: Rc<dyn Disk> = Rc::new(StdDisk);
        loop {
            if self.jobs.is_empty() {
                // Ends once the other end is gone and everything has been taken.
                let Ok(work) = self.receiver.recv() else { return };
                self.begin(work, &disk);
            }
            while let Ok(work) = self.receiver.try_recv() {
                self.begin(work, &disk);
            }
            if self.stopping.load(Ordering::Relaxed) {
                self.jobs.iter().for_each(|running| running.job.ending.0.give_up());
            }
            match self.most_urgent() {
                Some(index) => self.go_on(index),
                None if self.jobs.is_empty() => {}
                None => thread::park(),
            }
        }
    }

    fn begin(&mut self, work: Work, disk: &Rc<dyn Disk>) {
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), thread: thread::current() });
        self.jobs.extend(Job::begin(work, disk).map(|job| Running { job, bell }));
    }

    /// The most urgent job that can go on, of those the oldest.
    fn most_urgent(&self) -> Option<usize> {
        let ready = |running: &&Running| running.bell.rung.load(Ordering::Acquire);
        let least = self.jobs.iter().filter(ready).map(|running| running.job.urgency).min()?;
        let is_least = |running: &Running| running.job.urgency == least && ready(&running);
        self.jobs.iter().position(is_least)
    }

    fn go_on(&mut self, index: usize) {
        let Running { job, bell } = &mut self.jobs[index];
        bell.rung.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(bell));
        if job.poll(&mut Context::from_waker(&waker)).is_ready() {
            self.jobs.remove(index);
        }
    }
}

/// Wakes the thread for one job.
struct Bell {
    rung: AtomicBool,
    thread: Thread,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        if self.thread.id() != thread::current().id() {
            self.thread.unpark();
        }
    }
}
