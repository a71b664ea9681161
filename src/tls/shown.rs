//! What of the credentials is shown: in `status`, in metrics.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use crate::unix_time;

/// The credentials that are served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TlsStatus {
    /// Of the server's certificate.
    pub(crate) subject: String,
    /// Of the server's certificate.
    pub(crate) serial: String,
    /// Unix seconds.
    pub(crate) not_before: u64,
    /// Unix seconds.
    pub(crate) not_after: u64,
    /// `required`, `optional`, or `none` where clients are not asked for certificates.
    pub(crate) client_certificates: String,
    /// Unix seconds since when they are served.
    pub(crate) since: u64,
    /// Why what lies in the files is not served.
    pub(crate) problem: Option<String>,
}

/// What one thread writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    status: Mutex<Option<TlsStatus>>,
    published: AtomicU64,
    refused: AtomicU64,
}

impl Shown {
    /// These are served from now on. The first ones are no reload.
    pub(super) fn publish(&self, status: TlsStatus) {
        let previous = self.lock().replace(status);
        if previous.is_some() {
            self.published.fetch_add(1, Relaxed);
        }
    }

    /// Something is wrong with the files.
    pub(super) fn refuse(&self, problem: &str) {
        self.refused.fetch_add(1, Relaxed);
        self.set_problem(Some(problem.to_owned()));
    }

    /// Nothing is any more.
    pub(super) fn heal(&self) {
        self.set_problem(None);
    }

    /// What is served, if TLS is.
    pub(crate) fn status(&self) -> Option<TlsStatus> {
        self.lock().clone()
    }

    /// Reloads that were published, and those that were refused.
    pub(crate) fn reloads(&self) -> (u64, u64) {
        (self.published.load(Relaxed), self.refused.load(Relaxed))
    }

    fn set_problem(&self, problem: Option<String>) {
        if let Some(status) = self.lock().as_mut() {
            status.problem = problem;
        }
    }

    /// Whoever panicked with it left a whole status.
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<TlsStatus>> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TlsStatus {
    /// In one line.
    pub(crate) fn told(&self) -> String {
        let now = unix_time::seconds(SystemTime::now());
        let Self { subject, serial, not_before, not_after, client_certificates, .. } = self;
        let until = unix_time::date_of(*not_after);
        let validity = if now < *not_before {
            format!("NOT VALID before {}", unix_time::date_of(*not_before))
        } else if now > *not_after {
            format!("EXPIRED on {until}")
        } else {
            format!("until {until}")
        };
        let clients = match client_certificates.as_str() {
            "none" => "not asked for",
            other => other,
        };
        format!("{subject}, serial {serial}, {validity}; client certificates {clients}")
    }
}
