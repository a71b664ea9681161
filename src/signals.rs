//! Signals as messages, so that the control thread handles them between two pulses.
//!
//! The second signal that asks for the end does not wait for anything: the process exits at once,
//! whatever the control thread is doing.

use std::{io, process, thread};

use crossbeam_channel::{Receiver, unbounded};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals,
};

use crate::logging;

/// What somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    Report,
}

/// Begins to listen for signals.
pub(crate) fn listen() -> io::Result<Receiver<Request>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
    let (sender, receiver) = unbounded();
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut stopping = false;
        for signal in signals.forever() {
            let request = match signal {
                SIGHUP => Request::Reload,
                SIGUSR1 => Request::Report,
                _ => Request::Stop,
            };
            if request == Request::Stop && stopping {
                tracing::error!("second signal to stop: exiting at once");
                logging::flush();
                process::exit(1);
            }
            stopping |= request == Request::Stop;
            // Without a receiver the process is ending already.
            let _ = sender.send(request);
        }
    })?;
    Ok(receiver)
}
