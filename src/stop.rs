//! `stop`: SIGTERM to the server of this configuration, and the wait for its end.
//!
//! The process is held by a descriptor from before it is examined until it is gone, so that its
//! id cannot pass to a stranger in between.

use std::{process::ExitCode, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use thiserror::Error;

use crate::{config::Config, instance};

/// What a server may need beyond its patience with requests: to sync and to close.
const GRACE: Duration = Duration::from_secs(30);

/// Why a server was not stopped.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum StopFailure {
    #[error("cannot signal process {pid}: {error}")]
    Signal { pid: u32, error: Errno },
    #[error(
        "process {pid} still runs after {} s; it ends by itself when it has closed, or at once \
         with a second SIGTERM", waited.as_secs()
    )]
    StillRuns { pid: u32, waited: Duration },
}

/// Stops the server and waits until it is gone. That none runs is no failure.
pub(crate) fn run(config: &Config) -> Result<ExitCode, StopFailure> {
    let Some(found) = instance::find(config) else {
        println!("Server is not running");
        return Ok(ExitCode::SUCCESS);
    };
    let pid = found.pid;
    let failed = |error| StopFailure::Signal { pid, error };
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(failed(Errno::SRCH))?;
    let held = pidfd_open(process, PidfdFlags::empty()).map_err(failed)?;
    if instance::find(config).as_ref() != Some(&found) {
        println!("Server is not running");
        return Ok(ExitCode::SUCCESS);
    }
    pidfd_send_signal(&held, Signal::TERM).map_err(failed)?;

    let waited = config.shutdown_timeout + GRACE;
    let mut ends = [PollFd::new(&held, PollFlags::IN)];
    let limit = Timespec::try_from(waited).expect("an hour fits");
    match poll(&mut ends, Some(&limit)) {
        Ok(0) => Err(StopFailure::StillRuns { pid, waited }),
        Ok(_) => {
            println!("Stopped");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(failed(error)),
    }
}
