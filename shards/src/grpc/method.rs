//! The methods that this server has, by their path.

/// A method of one of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One query, one answer.
    ExecuteQuery,
    /// Many queries, all or nothing.
    ExecuteBatch,
    /// One query, its rows in chunks.
    ExecuteStream,
    /// Queries one after the other.
    ExecuteInteractive,
    /// Health in the words of AmateRS.
    HealthCheck,
    /// Version and capabilities.
    GetServerInfo,
    /// A value and its digest.
    KvGet,
    /// Many queries, all or nothing, if something is true.
    KvConditionalBatch,
    /// Health in the words of gRPC.
    GrpcHealthCheck,
    /// The same whenever it changes.
    GrpcHealthWatch,
    /// What services there are, in either version.
    Reflection,
    /// Writes a backup.
    AdminBackup,
    /// Reads a backup into the shards.
    AdminRestore,
    /// Looks for damage.
    AdminVerify,
    /// Merges tables.
    AdminCompact,
    /// Tells of long work.
    AdminListJobs,
    /// Tells how it goes.
    AdminWatchJob,
    /// Ends it.
    AdminCancelJob,
    /// What happened lately, and what happens.
    AdminLogs,
    /// Figures.
    AdminStats,
    /// Keys that are asked for most.
    AdminHotKeys,
    /// The largest values.
    AdminBigValues,
    /// Reads the configuration again.
    AdminReload,
    /// Ends the server in good order.
    AdminDrain,
    /// Who is connected.
    AdminListConnections,
    /// Says goodbye to some.
    AdminCloseConnections,
}

const AQL: &str = "/amaters.aql.AqlService/";
const KV_GET: &str = "/amaters.kv.v1.KvService/Get";
const KV_CONDITIONAL_BATCH: &str = "/amaters.kv.v1.KvService/ConditionalBatch";
const ADMIN: &str = "/amaters.admin.v1.AdminService/";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const REFLECTION_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

impl Method {
    /// All of them, each at the place that is its number.
    pub const ALL: [Self; 26] = [
        Self::ExecuteQuery,
        Self::ExecuteBatch,
        Self::ExecuteStream,
        Self::ExecuteInteractive,
        Self::HealthCheck,
        Self::GetServerInfo,
        Self::KvGet,
        Self::KvConditionalBatch,
        Self::GrpcHealthCheck,
        Self::GrpcHealthWatch,
        Self::Reflection,
        Self::AdminBackup,
        Self::AdminRestore,
        Self::AdminVerify,
        Self::AdminCompact,
        Self::AdminListJobs,
        Self::AdminWatchJob,
        Self::AdminCancelJob,
        Self::AdminLogs,
        Self::AdminStats,
        Self::AdminHotKeys,
        Self::AdminBigValues,
        Self::AdminReload,
        Self::AdminDrain,
        Self::AdminListConnections,
        Self::AdminCloseConnections,
    ];

    /// Whether it is for operators.
    #[must_use]
    pub fn is_admin(self) -> bool {
        self.path().starts_with(ADMIN)
    }

    /// The method at a path.
    pub fn of(path: &str) -> Option<Self> {
        if let Some(name) = path.strip_prefix(AQL) {
            return match name {
                "ExecuteQuery" => Some(Self::ExecuteQuery),
                "ExecuteBatch" => Some(Self::ExecuteBatch),
                "ExecuteStream" => Some(Self::ExecuteStream),
                "ExecuteInteractive" => Some(Self::ExecuteInteractive),
                "HealthCheck" => Some(Self::HealthCheck),
                "GetServerInfo" => Some(Self::GetServerInfo),
                _ => None,
            };
        }
        if path.starts_with(ADMIN) {
            return Self::ALL.into_iter().find(|method| method.path() == path);
        }
        match path {
            KV_GET => Some(Self::KvGet),
            KV_CONDITIONAL_BATCH => Some(Self::KvConditionalBatch),
            "/grpc.health.v1.Health/Check" => Some(Self::GrpcHealthCheck),
            "/grpc.health.v1.Health/Watch" => Some(Self::GrpcHealthWatch),
            REFLECTION | REFLECTION_ALPHA => Some(Self::Reflection),
            _ => None,
        }
    }

    /// Its path; of two, the newer one.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::ExecuteQuery => "/amaters.aql.AqlService/ExecuteQuery",
            Self::ExecuteBatch => "/amaters.aql.AqlService/ExecuteBatch",
            Self::ExecuteStream => "/amaters.aql.AqlService/ExecuteStream",
            Self::ExecuteInteractive => "/amaters.aql.AqlService/ExecuteInteractive",
            Self::HealthCheck => "/amaters.aql.AqlService/HealthCheck",
            Self::GetServerInfo => "/amaters.aql.AqlService/GetServerInfo",
            Self::KvGet => KV_GET,
            Self::KvConditionalBatch => KV_CONDITIONAL_BATCH,
            Self::GrpcHealthCheck => "/grpc.health.v1.Health/Check",
            Self::GrpcHealthWatch => "/grpc.health.v1.Health/Watch",
            Self::Reflection => REFLECTION,
            Self::AdminBackup => "/amaters.admin.v1.AdminService/Backup",
            Self::AdminRestore => "/amaters.admin.v1.AdminService/Restore",
            Self::AdminVerify => "/amaters.admin.v1.AdminService/Verify",
            Self::AdminCompact => "/amaters.admin.v1.AdminService/Compact",
            Self::AdminListJobs => "/amaters.admin.v1.AdminService/ListJobs",
            Self::AdminWatchJob => "/amaters.admin.v1.AdminService/WatchJob",
            Self::AdminCancelJob => "/amaters.admin.v1.AdminService/CancelJob",
            Self::AdminLogs => "/amaters.admin.v1.AdminService/Logs",
            Self::AdminStats => "/amaters.admin.v1.AdminService/Stats",
            Self::AdminHotKeys => "/amaters.admin.v1.AdminService/HotKeys",
            Self::AdminBigValues => "/amaters.admin.v1.AdminService/BigValues",
            Self::AdminReload => "/amaters.admin.v1.AdminService/Reload",
            Self::AdminDrain => "/amaters.admin.v1.AdminService/Drain",
            Self::AdminListConnections => "/amaters.admin.v1.AdminService/ListConnections",
            Self::AdminCloseConnections => "/amaters.admin.v1.AdminService/CloseConnections",
        }
    }

    /// Whether it asks for the server's health, which is answered whatever else is.
    #[must_use]
    pub fn is_health(self) -> bool {
        matches!(self, Self::HealthCheck | Self::GrpcHealthCheck | Self::GrpcHealthWatch)
    }

    /// Whether a call is one request and one answer, so that its time is a round trip.
    #[must_use]
    pub fn is_unary(self) -> bool {
        match self {
            Self::ExecuteQuery
            | Self::ExecuteBatch
            | Self::KvGet
            | Self::KvConditionalBatch
            | Self::HealthCheck
            | Self::GetServerInfo
            | Self::GrpcHealthCheck => true,
            Self::ExecuteStream
            | Self::ExecuteInteractive
            | Self::GrpcHealthWatch
            | Self::Reflection
            | Self::AdminBackup
            | Self::AdminRestore
            | Self::AdminVerify
            | Self::AdminCompact
            | Self::AdminListJobs
            | Self::AdminWatchJob
            | Self::AdminCancelJob
            | Self::AdminLogs
            | Self::AdminStats
            | Self::AdminHotKeys
            | Self::AdminBigValues
            | Self::AdminReload
            | Self::AdminDrain
            | Self::AdminListConnections
            | Self::AdminCloseConnections => false,
        }
    }
}

impl Method {
    /// Whether its answer has room for an error: one that is not in the status of the call.
    #[must_use]
    pub fn has_band(self) -> bool {
        matches!(
            self,
            Self::ExecuteQuery | Self::ExecuteBatch | Self::KvGet | Self::KvConditionalBatch
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_at_its_path_and_stands_at_its_number() {
        for (number, method) in Method::ALL.into_iter().enumerate() {
            assert_eq!(method as usize, number);
            assert_eq!(Method::of(method.path()), Some(method));
        }
        assert_eq!(Method::of(REFLECTION_ALPHA), Some(Method::Reflection));
        assert_eq!(Method::of("/amaters.aql.AqlService/executequery"), None);
    }
}
