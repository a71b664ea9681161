//! The audit: what it records, where it is written, and the thread that writes it.
//!
//! ```text
//! reactors, control thread ─► queues ─► the thread "audit" ─┬─► authz.audit_log_path
//!   (amaters_shards::audit)              ids, lines         └─► or the log, with the target amaters_net::audit
//! ```
//!
//! [`docs/reference/audit.md`](../docs/reference/audit.md) has the format and what is promised.

mod id;
mod line;
mod writer;

use std::{
    io, thread,
    time::{Duration, Instant},
};

use amaters_shards::audit::{Audit, Event, Outlet, Rules};
use crossbeam_channel::{Sender, bounded, unbounded};

use self::writer::{Order, Writer};
use crate::line_file::{FileSettings, LineFile, LineFileError};

/// How long the end of the process waits for lines that are on their way.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// `authz.audit_…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditSettings {
    /// What is recorded.
    pub(crate) rules: Rules,
    /// Where; none: in the log.
    pub(crate) file: Option<FileSettings>,
    /// The disk has a group of lines before the next is written.
    pub(crate) sync: bool,
}

/// Settings that can be applied: their file is open.
#[derive(Debug)]
pub(crate) struct Prepared {
    rules: Rules,
    file: Option<LineFile>,
    sync: bool,
}

/// Makes ready for these settings, or refuses them.
pub(crate) fn prepare(settings: &AuditSettings) -> Result<Prepared, LineFileError> {
    let AuditSettings { rules, file, sync } = settings;
    let file = file.clone().map(LineFile::open).transpose()?;
    Ok(Prepared { rules: *rules, file, sync: *sync })
}

/// The audit of this process, and its writer.
#[derive(Debug)]
pub(crate) struct AuditLog {
    audit: Audit,
    orders: Sender<Order>,
}

impl AuditLog {
    /// Begins to write.
    pub(crate) fn start(prepared: Prepared, outlet: Outlet) -> io::Result<Self> {
        let Prepared { rules, file, sync } = prepared;
        let audit = outlet.audit().clone();
        let (orders, orders_out) = unbounded();
        let mut writer = Writer::new(outlet, orders_out, file, sync)?;
        thread::Builder::new().name("audit".into()).spawn(move || writer.run())?;
        audit.set(rules);
        Ok(Self { audit, orders })
    }

    /// From now on it is as these settings say.
    pub(crate) fn apply(&self, prepared: Prepared) {
        let Prepared { rules, file, sync } = prepared;
        self.audit.set(rules);
        self.order(Order::Target { file, sync });
    }

    /// The file may have been moved away: the next lines go to the one at its path.
    pub(crate) fn reopen(&self) {
        self.order(Order::Reopen);
    }

    /// Something that the process does.
    pub(crate) fn note(&self, event: Event) {
        self.audit.note(event);
    }

    /// Whether anything is recorded.
    pub(crate) fn is_enabled(&self) -> bool {
        self.audit.is_enabled()
    }

    /// Waits until the lines so far are written, but not for ever.
    pub(crate) fn flush(&self) {
        let deadline = Instant::now() + FLUSH_MAX;
        let (done, written) = bounded(1);
        self.order(Order::Flush(done));
        // A disk that does not answer does not keep the process from its end.
        let _ = written.recv_deadline(deadline);
    }

    fn order(&self, order: Order) {
        // It fails only when the thread died, and then nothing is written at all.
        let _ = self.orders.send(order);
        self.audit.wake();
    }
}
