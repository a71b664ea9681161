//! Messages of the service, read.

use amaters_proto::admin::v1 as wire;
use bytes::Bytes;

use crate::{
    grpc::{inbound::Trouble, method::Method, unary::decode},
    jobs::Work,
    rpc::admin::jobs::COMMANDS,
    storage::Keep,
};

/// What is asked.
pub(super) enum Asked {
    /// A job, which goes on without its stream or does not.
    Begin {
        work: Work,
        detach: bool,
    },
    ListJobs,
    WatchJob(u64),
    CancelJob(u64),
    Logs(wire::LogsRequest),
    Stats {
        detailed: bool,
    },
    HotKeys {
        limit: u32,
    },
    BigValues {
        limit: u32,
    },
    Reload,
    Drain,
    ListConnections,
    Close(wire::CloseConnectionsRequest),
}

impl Asked {
    /// Reads a message of one of the methods of the service.
    ///
    /// # Errors
    /// It is malformed.
    pub(super) fn read(method: Method, message: Bytes) -> Result<Self, Trouble> {
        let named = |name: String| Some(name).filter(|name| !name.is_empty());
        Ok(match method {
            Method::AdminBackup => {
                let request: wire::BackupRequest = decode(message)?;
                let wire::BackupRequest { directory, incremental, parent, detach } = request;
                let (parent, keep) = (named(parent), Keep::default());
                Self::Begin { work: Work::Backup { directory, incremental, parent, keep }, detach }
            }
            Method::AdminRestore => {
                let request: wire::RestoreRequest = decode(message)?;
                let wire::RestoreRequest { directory, replace, dry_run, collection, detach } =
                    request;
                let collection = named(collection).unwrap_or_else(|| "default".into());
                let work = Work::Restore { directory, replace, dry_run, collection };
                Self::Begin { work, detach }
            }
            Method::AdminVerify => {
                let wire::VerifyRequest { directory, detach } = decode(message)?;
                Self::Begin { work: Work::Verify { directory: named(directory) }, detach }
            }
            Method::AdminCompact => {
                let wire::CompactRequest { collection, detach } = decode(message)?;
                Self::Begin { work: Work::Compact { collection: named(collection) }, detach }
            }
            Method::AdminListJobs => Self::ListJobs,
            Method::AdminWatchJob => {
                let wire::WatchJobRequest { id } = decode(message)?;
                Self::WatchJob(id)
            }
            Method::AdminCancelJob => {
                let wire::CancelJobRequest { id } = decode(message)?;
                Self::CancelJob(id)
            }
            Method::AdminLogs => Self::Logs(decode(message)?),
            Method::AdminStats => {
                let wire::StatsRequest { detailed } = decode(message)?;
                Self::Stats { detailed }
            }
            Method::AdminHotKeys => {
                let wire::HotKeysRequest { limit } = decode(message)?;
                Self::HotKeys { limit }
            }
            Method::AdminBigValues => {
                let wire::BigValuesRequest { limit } = decode(message)?;
                Self::BigValues { limit }
            }
            Method::AdminReload => Self::Reload,
            Method::AdminDrain => Self::Drain,
            Method::AdminListConnections => Self::ListConnections,
            _ => Self::Close(decode(message)?),
        })
    }

    /// As the audit calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Begin { work, .. } => COMMANDS[work.kind()],
            Self::ListJobs | Self::WatchJob(_) => "JOBS",
            Self::CancelJob(_) => "CANCEL",
            Self::Logs(_) => "LOGS",
            Self::Stats { .. } => "STATS",
            Self::HotKeys { .. } => "HOT_KEYS",
            Self::BigValues { .. } => "BIG_VALUES",
            Self::Reload => "RELOAD",
            Self::Drain => "DRAIN",
            Self::ListConnections => "CONNECTIONS",
            Self::Close(_) => "CLOSE",
        }
    }

    /// On what.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Begin { work, .. } => work.subject().to_owned(),
            Self::WatchJob(id) | Self::CancelJob(id) => format!("job {id}"),
            Self::Close(wire::CloseConnectionsRequest { ids, address }) if address.is_empty() => {
                format!("{} connections", ids.len())
            }
            Self::Close(request) => request.address.clone(),
            _ => String::new(),
        }
    }

    /// Whether it writes files or changes the server.
    pub(super) fn is_order(&self) -> bool {
        match self {
            Self::Begin { work, .. } => work.changes(),
            Self::CancelJob(_) | Self::Reload | Self::Drain | Self::Close(_) => true,
            _ => false,
        }
    }
}
