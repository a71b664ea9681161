//! Signals as messages, so that the control thread handles them between two pulses.
//!
//! The second signal that asks for the end does not wait for anything: the process exits at once,
//! whatever the control thread is doing.

use std::{
    io, process,
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals,
};

use crate::{
    auth::Made,
    config::{Config, Refusal},
    logging,
    reload::ReloadReport,
    tls::TlsReport,
};

/// What the control thread is told.
#[derive(Debug)]
pub(crate) enum Request {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP, or a question at the control socket, which wants the report.
    Reload(Option<Sender<ReloadReport>>),
    /// What a reload has read.
    Loaded(Box<Loaded>),
    /// Other authorities or revocations hold for client certificates.
    Retire {
        /// Who was verified under an older one goes,
        trust: u64,
        /// after so long.
        grace: Duration,
    },
    /// SIGUSR1.
    Report,
}

/// What a reload has read.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The configuration.
    pub(crate) config: Result<Config, Refusal>,
    /// What came of a look at the files of TLS, if it is served.
    pub(crate) tls: Option<TlsReport>,
    /// The guard that it makes, with what is in use where that needs a restart.
    pub(crate) auth: Result<Made, Refusal>,
}

/// Where the control thread is told something.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// For whoever tells it something.
    pub(crate) requests: Sender<Request>,
    /// For the control thread.
    pub(crate) received: Receiver<Request>,
    listener: JoinHandle<()>,
}

impl Inbox {
    /// Whether signals are still listened for.
    pub(crate) fn is_heard(&self) -> bool {
        !self.listener.is_finished()
    }
}

/// Begins to listen for signals.
pub(crate) fn listen() -> io::Result<Inbox> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
    let (requests, received) = unbounded();
    let sender = requests.clone();
    let listener = thread::Builder::new().name("signals".into()).spawn(move || {
        let mut stopping = false;
        for signal in signals.forever() {
            let request = match signal {
                SIGHUP => Request::Reload(None),
                SIGUSR1 => Request::Report,
                _ => Request::Stop,
            };
            let is_stop = matches!(request, Request::Stop);
            if is_stop && stopping {
                tracing::error!("second signal to stop: exiting at once");
                logging::flush();
                process::exit(1);
            }
            stopping |= is_stop;
            // Without a receiver the process is ending already.
            let _ = sender.send(request);
        }
    })?;
    Ok(Inbox { requests, received, listener })
}
