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
}

const AQL: &str = "/amaters.aql.AqlService/";
const KV_GET: &str = "/amaters.kv.v1.KvService/Get";
const KV_CONDITIONAL_BATCH: &str = "/amaters.kv.v1.KvService/ConditionalBatch";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const REFLECTION_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

impl Method {
    /// All of them, each at the place that is its number.
    pub const ALL: [Self; 11] = [
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
    ];

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
        }
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
            | Self::Reflection => false,
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
