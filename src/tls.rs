//! TLS credentials: files of the operator, checked and published, and looked after by one thread.
//!
//! ```text
//!   watch: inotify, every 10 s, an operator ─► files: read ─► load: parse, check ─► judge ─► Store, for every handshake
//!                                                 │             │                    │
//!                                                 └─────────────┴────────────────────┴─► keep what is served, warn once
//! ```
//!
//! Always true: what is published is a certificate with its own key, and whoever reads the log line
//! `TLS credentials reloaded` meets it in the next handshake. `docs/reference/tls.md` is the page for operators.

mod expiry;
mod files;
mod judge;
mod keeper;
mod load;
mod retire;
mod shown;
mod watch;

use std::{path::PathBuf, time::Duration};

pub use self::keeper::{TlsOutcome, TlsReport};
pub(crate) use self::{
    files::read,
    keeper::{Keeper, Opened, open},
    load::{LoadError, Loaded, load},
    retire::Retirements,
    shown::{Shown, TlsStatus},
};

/// `network.tls_…`, and what of `auth.mtls` a handshake needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsSettings {
    /// `network.tls_cert`.
    pub(crate) certificate: PathBuf,
    /// `network.tls_key`.
    pub(crate) key: PathBuf,
    /// Clients are asked for certificates.
    pub(crate) client: Option<ClientSettings>,
    /// `network.tls_revocation_grace_secs`.
    pub(crate) grace: Duration,
}

/// How clients are asked for certificates. At least one of file and folder is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientSettings {
    /// `network.require_client_cert`.
    pub(crate) required: bool,
    /// `network.tls_ca`.
    pub(crate) authorities: Option<PathBuf>,
    /// `auth.mtls.ca_certs_dir`.
    pub(crate) folder: Option<PathBuf>,
    /// `auth.mtls.crl_path`.
    pub(crate) revocations: Option<PathBuf>,
}
