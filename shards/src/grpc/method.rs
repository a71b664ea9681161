//! The methods that this server has, by their path.

/// A method of one of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    ExecuteQuery,
    ExecuteBatch,
    ExecuteStream,
    ExecuteInteractive,
    HealthCheck,
    GetServerInfo,
    KvGet,
    KvConditionalBatch,
    GrpcHealthCheck,
    GrpcHealthWatch,
    Reflection,
}

impl Method {
    /// The method at a path.
    pub fn of(path: &str) -> Option<Self> {
        if let Some(name) = path.strip_prefix("/amaters.aql.AqlService/") {
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
            "/amaters.kv.v1.KvService/Get" => Some(Self::KvGet),
            "/amaters.kv.v1.KvService/ConditionalBatch" => Some(Self::KvConditionalBatch),
            "/grpc.health.v1.Health/Check" => Some(Self::GrpcHealthCheck),
            "/grpc.health.v1.Health/Watch" => Some(Self::GrpcHealthWatch),
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => {
                Some(Self::Reflection)
            }
            _ => None,
        }
    }
}
