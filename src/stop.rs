//! `stop`: SIGTERM to the server of this configuration, and the wait for its end.
//!
//! ```text
//! SIGTERM ──► gone within --timeout ──► Stopped
//!        └──► not gone ──► --force: SIGKILL ──► Killed;  otherwise a failure that says what it waits for
//! ```
//!
//! The process is held by a descriptor from before it is examined until it is gone, so that its
//! id cannot pass to a stranger in between.

use std::{os::fd::OwnedFd, process::ExitCode, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use thiserror::Error;

use crate::{
    cli::Stop,
    config::Place,
    instance::{self, Found},
};

/// What a server may need beyond its patience with requests: to sync and to close.
const GRACE: Duration = Duration::from_secs(30);
/// How long the kernel may take to end a process that was killed; only its open I/O delays it.
const KILL_MAX: Duration = Duration::from_secs(30);

/// Why a server was not stopped.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum StopFailure {
    #[error("it cannot be told whether the server runs: {0}")]
    Hidden(String),
    #[error("cannot signal process {pid}: {error}")]
    Signal { pid: u32, error: Errno },
    #[error(
        "process {pid} still runs after {} s; it ends by itself when it has closed, or at once, \
         with what is not synced lost as in a crash, with `stop --force`", waited.as_secs()
    )]
    StillRuns { pid: u32, waited: Duration },
    #[error("process {pid} was killed and still runs after {} s", KILL_MAX.as_secs())]
    Immortal { pid: u32 },
}

/// Stops the server and waits until it is gone. That none runs is no failure.
pub(crate) fn run(place: &Place, wish: &Stop) -> Result<ExitCode, StopFailure> {
    let found = match instance::look(place) {
        Found::Running(found) => found,
        Found::Hidden(why) => return Err(StopFailure::Hidden(why)),
        Found::Dead { .. } | Found::Nobody => return Ok(not_running(place)),
    };
    let process = Process::hold(found.pid)?;
    if instance::find(place).as_ref() != Some(&found) {
        return Ok(not_running(place));
    }
    process.signal(Signal::TERM)?;
    let waited = wish.timeout.map_or(place.shutdown_timeout + GRACE, Duration::from_secs);
    if process.ends_within(waited)? {
        println!("Stopped");
        return Ok(ExitCode::SUCCESS);
    }
    if !wish.force {
        return Err(StopFailure::StillRuns { pid: found.pid, waited });
    }
    process.signal(Signal::KILL)?;
    if !process.ends_within(KILL_MAX)? {
        return Err(StopFailure::Immortal { pid: found.pid });
    }
    println!("Killed, as it did not stop within {} s", waited.as_secs());
    Ok(ExitCode::SUCCESS)
}

fn not_running(place: &Place) -> ExitCode {
    println!("Server is not running");
    eprintln!(
        "no server uses the data directory {}; --data-dir or --config names another one",
        place.data_dir.display()
    );
    ExitCode::SUCCESS
}

/// A process that is held: nobody else gets its id.
struct Process {
    pid: u32,
    held: OwnedFd,
}

impl Process {
    fn hold(pid: u32) -> Result<Self, StopFailure> {
        let failed = |error| StopFailure::Signal { pid, error };
        let process = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(failed(Errno::SRCH))?;
        let held = pidfd_open(process, PidfdFlags::empty()).map_err(failed)?;
        Ok(Self { pid, held })
    }

    fn signal(&self, signal: Signal) -> Result<(), StopFailure> {
        match pidfd_send_signal(&self.held, signal) {
            // It has just ended.
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(StopFailure::Signal { pid: self.pid, error }),
        }
    }

    fn ends_within(&self, time: Duration) -> Result<bool, StopFailure> {
        let mut ends = [PollFd::new(&self.held, PollFlags::IN)];
        let limit = Timespec::try_from(time).expect("a day fits");
        match poll(&mut ends, Some(&limit)) {
            Ok(count) => Ok(count > 0),
            Err(error) => Err(StopFailure::Signal { pid: self.pid, error }),
        }
    }
}
