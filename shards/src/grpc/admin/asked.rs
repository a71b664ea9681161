//! Messages of the service, read.

use amaters_proto::admin::v1 as wire;
use bytes::Bytes;

use crate::{
    grpc::{inbound::Trouble, method::Method, unary::decode},
    jobs::Work,
    rpc::admin::jobs::Order,
    storage::Keep,
};

/// What is asked.
pub(super) enum Asked {
    /// About jobs; one that is begun goes on without its stream or does not.
    Job {
        order: Order,
        detach: bool,
    },
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
        let begin = |work, detach| Self::Job { order: Order::Begin(work), detach };
        let job = |order| Self::Job { order, detach: false };
        Ok(match method {
            Method::AdminBackup => {
                let request: wire::BackupRequest = decode(message)?;
                let wire::BackupRequest { directory, incremental, parent, detach } = request;
                let (parent, keep) = (named(parent), Keep::default());
                begin(Work::Backup { directory, incremental, parent, keep }, detach)
            }
            Method::AdminRestore => {
                let request: wire::RestoreRequest = decode(message)?;
                let wire::RestoreRequest { directory, replace, dry_run, collection, detach } =
                    request;
                let collection = named(collection).unwrap_or_else(|| "default".into());
                let work = Work::Restore { directory, replace, dry_run, collection };
                begin(work, detach)
            }
            Method::AdminVerify => {
                let wire::VerifyRequest { directory, detach } = decode(message)?;
                begin(Work::Verify { directory: named(directory) }, detach)
            }
            Method::AdminCompact => {
                let wire::CompactRequest { collection, detach } = decode(message)?;
                begin(Work::Compact { collection: named(collection) }, detach)
            }
            Method::AdminListJobs => job(Order::List(None)),
            Method::AdminWatchJob => {
                let wire::WatchJobRequest { id } = decode(message)?;
                job(Order::List(Some(id)))
            }
            Method::AdminCancelJob => {
                let wire::CancelJobRequest { id } = decode(message)?;
                job(Order::Cancel(id))
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
            Self::Job { order, .. } => order.name(),
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
            Self::Job { order, .. } => order.subject().into_owned(),
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
            Self::Job { order, .. } => order.changes(),
            Self::Reload | Self::Drain | Self::Close(_) => true,
            _ => false,
        }
    }
}
