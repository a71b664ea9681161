//! The commit loop: takes a group, logs it, makes it durable as far as the sync mode says, then visible, then tells.
//!
//! ```text
//!          ┌────────────────────────────────── next group, if one has gathered ◄─────────┐
//!          ▼                                                                             │
//! wait ─► append ─► (always) sync ─► settle: visible ─► tickets ─► (interval) sync if due ─┘
//!  ▲                                                                                     │
//!  └── nothing queued ◄──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! One group is in flight, and there is no timer before it: while one is written, the next gathers. The loop owns the log;
//! the state is borrowed only between waits.

use std::{pin::pin, time::Duration};

use futures_util::future::select;

use super::{
    StorageError,
    group::Group,
    log::{AppendError, Log},
    shard::Inner,
    ticket::Ticket,
};
use crate::settings::SyncMode;

/// Runs until the shard is closed. A second call waits for the first.
pub(super) async fn run(inner: &Inner) {
    let log = inner.log.take();
    let Some(log) = log else {
        // It ends well or by an error that the tickets have told.
        let _ = Ticket::new(&inner.stopped).await;
        return;
    };
    let _guard = Guard(inner);
    Loop { inner, log, dirty_since: None }.run().await;
}

struct Loop<'a> {
    inner: &'a Inner,
    log: Log,
    /// When the oldest group was logged that is not synced yet.
    dirty_since: Option<Duration>,
}

impl Loop<'_> {
    async fn run(mut self) {
        loop {
            let group = self.inner.state.borrow_mut().take();
            if let Some(group) = group {
                self.commit(group).await;
            }
            if self.sync_is_due() {
                self.sync_or_poison().await;
            }
            let (queued, closing) = {
                let state = self.inner.state.borrow();
                (state.has_queued(), state.is_closing())
            };
            if queued {
                continue;
            }
            if closing {
                break;
            }
            self.wait().await;
        }
        if !self.is_poisoned()
            && let Err(error) = self.log.seal().await
        {
            self.poison(&error);
        }
        self.note_log();
        self.log.close().await;
    }

    /// One group, from the queue to its tickets.
    async fn commit(&mut self, group: Group) {
        let appended = {
            let inner = self.inner;
            self.log
                .append(group.bytes, |records| group.write(&inner.state.borrow().memtable, records))
                .await
        };
        let durable = match (appended, self.inner.sync) {
            (Ok(()), SyncMode::Always) => self.sync().await.map_err(AppendError::Fatal),
            (appended, _) => appended,
        };
        if self.dirty_since.is_none() && self.log.is_dirty() {
            self.dirty_since = Some(self.inner.clock.now());
        }
        self.note_log();
        match durable {
            Ok(()) => {
                let outcome = self.inner.state.borrow_mut().settle(group, 0, |_, _| ());
                outcome.settle(Ok(()));
            }
            Err(AppendError::NoSpace(error)) => self.fail(&error),
            Err(AppendError::Fatal(error)) => self.poison(&error),
        }
    }

    /// Nothing more is written: what the disk holds is unknown.
    fn poison(&self, error: &StorageError) {
        self.inner.state.borrow_mut().poison(error);
        self.fail(error);
    }

    /// Everything staged fails: what is queued may rest on what has failed.
    fn fail(&self, error: &StorageError) {
        let forgotten = self.inner.state.borrow_mut().forget_staged();
        for outcome in forgotten {
            outcome.settle(Err(error.clone()));
        }
    }

    /// Until there is work, or a sync is due.
    async fn wait(&self) {
        let Some(left) = self.until_sync() else {
            return self.inner.work.wait().await;
        };
        let sleep = self.inner.clock.sleep(left);
        select(pin!(self.inner.work.wait()), sleep).await;
    }

    /// Time until a sync is due; `None` if none will be.
    fn until_sync(&self) -> Option<Duration> {
        let SyncMode::Interval(interval) = self.inner.sync else { return None };
        let since = self.dirty_since.filter(|_| !self.is_poisoned())?;
        Some((since + interval).saturating_sub(self.inner.clock.now()))
    }

    fn sync_is_due(&self) -> bool {
        self.until_sync() == Some(Duration::ZERO)
    }

    async fn sync_or_poison(&mut self) {
        if let Err(error) = self.sync().await {
            self.poison(&error);
        }
    }

    async fn sync(&mut self) -> Result<(), StorageError> {
        self.log.sync().await?;
        self.dirty_since = None;
        self.inner.state.borrow_mut().stats.syncs += 1;
        Ok(())
    }

    fn is_poisoned(&self) -> bool {
        self.inner.state.borrow().poisoned().is_some()
    }

    fn note_log(&self) {
        let stats = &mut self.inner.state.borrow_mut().stats;
        stats.log_bytes = self.log.bytes();
        stats.segments = self.log.segments();
    }
}

/// Tells that the loop has ended, also when the host has dropped it half way: then what it was writing is unknown.
struct Guard<'a>(&'a Inner);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut forgotten = Vec::new();
        let mut result = Ok(());
        {
            let mut state = self.0.state.borrow_mut();
            if !state.is_closing() || state.has_queued() {
                state.close();
                result = state.check_open();
                forgotten = state.forget_staged();
            }
        }
        for outcome in &forgotten {
            outcome.settle(result.clone());
        }
        self.0.stopped.settle(result);
    }
}
