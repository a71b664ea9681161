//! gRPC status codes, and the one place where failures become codes, on the wire's two levels.
//!
//! A unary call or a batch carries its failure in-band, as an `ErrorResponse` under status OK. A
//! stream, and a call that never was a message, carries it as `grpc-status` in the trailers.

use amaters_proto::errors::{ErrorCategory, ErrorCode, ErrorResponse};
use http::{HeaderMap, HeaderValue};

use super::{frame::FrameError, gzip::GzipError};
use crate::{failure::Failure, storage::StorageError};

/// Codes of the gRPC specification that this server uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// What the trailers of a call say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The code.
    pub code: Code,
    /// What happened, for a person.
    pub message: String,
}

impl Status {
    /// A status with a text.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Puts the status into trailers.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert("grpc-status", HeaderValue::from(self.code as u16));
        if let Ok(message) = HeaderValue::from_str(&percent_encoded(&self.message)) {
            headers.insert("grpc-message", message);
        }
    }
}

impl From<FrameError> for Status {
    fn from(error: FrameError) -> Self {
        let code = match error {
            FrameError::TooLarge { .. } => Code::ResourceExhausted,
            FrameError::Flag(_) | FrameError::Cut { .. } => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<GzipError> for Status {
    fn from(error: GzipError) -> Self {
        let code = match error {
            GzipError::TooLarge { .. } => Code::ResourceExhausted,
            GzipError::Malformed(_) | GzipError::Length => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<&Failure> for Status {
    fn from(failure: &Failure) -> Self {
        Self::new(grpc_code(error_code(failure)), failure.to_string())
    }
}

/// The in-band form of a failure.
pub fn error_response(failure: &Failure) -> ErrorResponse {
    let code = error_code(failure);
    ErrorResponse {
        code: code.into(),
        message: failure.to_string(),
        details: None,
        retry_after: retry_after(failure),
        category: category(code).into(),
    }
}

fn error_code(failure: &Failure) -> ErrorCode {
    match failure {
        Failure::Timeout { .. } | Failure::BatchTimeout { .. } => ErrorCode::ErrorNetworkTimeout,
        Failure::Version { .. } => ErrorCode::ErrorProtocolUnsupportedVersion,
        Failure::Malformed(_) => ErrorCode::ErrorProtocolMalformedMessage,
        Failure::MissingField(_) => ErrorCode::ErrorProtocolMissingField,
        Failure::InvalidRequest(_) => ErrorCode::ErrorProtocolInvalidRequest,
        Failure::Damaged(_) => ErrorCode::ErrorStorageCorrupted,
        Failure::Storage(error) => storage_code(error),
        Failure::Checksum { .. } => ErrorCode::ErrorStorageIo,
        Failure::InvalidOperation(_) => ErrorCode::ErrorComputeInvalidOperation,
        Failure::Key(_) => ErrorCode::ErrorValidationInvalidKey,
        Failure::TooLarge(_) | Failure::ScanTooLong { .. } => {
            ErrorCode::ErrorValidationSizeExceeded
        }
        Failure::Collection(_) => ErrorCode::ErrorValidationInvalidCollection,
        Failure::Unauthenticated(_) => ErrorCode::ErrorAuthFailed,
        Failure::Expired(_) => ErrorCode::ErrorAuthExpired,
        Failure::Certificate(_) => ErrorCode::ErrorAuthInvalidCertificate,
        Failure::Forbidden(_) => ErrorCode::ErrorAuthInsufficientPermissions,
        Failure::Internal(_) => ErrorCode::ErrorServerInternal,
        Failure::Unknown(_) => ErrorCode::ErrorStorageIo,
        Failure::Overloaded(_) | Failure::Throttled { .. } => ErrorCode::ErrorServerOverloaded,
        Failure::Unrecorded => ErrorCode::ErrorServerUnavailable,
        Failure::ShuttingDown => ErrorCode::ErrorServerShuttingDown,
        Failure::NotLocal { .. } => ErrorCode::ErrorAuthInsufficientPermissions,
        Failure::Batch { cause, .. } | Failure::Condition { cause, .. } => error_code(cause),
    }
}

fn storage_code(error: &StorageError) -> ErrorCode {
    match error {
        StorageError::Full { .. } | StorageError::NoSpace { .. } => ErrorCode::ErrorStorageFull,
        StorageError::Corrupt { .. } | StorageError::Foreign { .. } => {
            ErrorCode::ErrorStorageCorrupted
        }
        StorageError::Busy { .. } | StorageError::Held { .. } => ErrorCode::ErrorServerOverloaded,
        StorageError::TooLarge { .. } | StorageError::Outdated { .. } => {
            ErrorCode::ErrorValidationSizeExceeded
        }
        StorageError::Closed { .. } => ErrorCode::ErrorServerShuttingDown,
        StorageError::Poisoned { .. } | StorageError::Io { .. } => ErrorCode::ErrorStorageIo,
        // The latter never leaves the storage.
        StorageError::Background { .. }
        | StorageError::OnDisk
        | StorageError::Locked
        | StorageError::GivenUp
        | StorageError::Partner { .. } => ErrorCode::ErrorServerInternal,
    }
}

fn category(code: ErrorCode) -> ErrorCategory {
    use ErrorCode as E;
    match code {
        E::ErrorNetworkTimeout | E::ErrorServerUnavailable | E::ErrorServerOverloaded => {
            ErrorCategory::CategoryRetryable
        }
        E::ErrorAuthFailed | E::ErrorAuthExpired => ErrorCategory::CategoryAuth,
        E::ErrorProtocolInvalidRequest
        | E::ErrorProtocolUnsupportedVersion
        | E::ErrorProtocolMalformedMessage
        | E::ErrorProtocolMissingField
        | E::ErrorAuthInsufficientPermissions
        | E::ErrorValidationInvalidKey
        | E::ErrorValidationInvalidValue
        | E::ErrorValidationSizeExceeded
        | E::ErrorValidationInvalidCollection => ErrorCategory::CategoryClientError,
        E::ErrorServerInternal | E::ErrorServerShuttingDown => ErrorCategory::CategoryServerError,
        _ => ErrorCategory::CategoryNonRetryable,
    }
}

/// Seconds after which trying again may help.
fn retry_after(failure: &Failure) -> Option<u32> {
    match failure {
        Failure::Throttled { retry_after, .. } => Some(*retry_after),
        Failure::Overloaded(_)
        | Failure::ShuttingDown
        | Failure::Unrecorded
        | Failure::Timeout { .. }
        | Failure::BatchTimeout { .. }
        | Failure::Storage(
            StorageError::Busy { .. } | StorageError::Held { .. } | StorageError::Closed { .. },
        ) => Some(1),
        Failure::Batch { cause, .. } | Failure::Condition { cause, .. } => retry_after(cause),
        _ => None,
    }
}

fn grpc_code(code: ErrorCode) -> Code {
    use ErrorCode as E;
    match code {
        E::ErrorNetworkTimeout | E::ErrorComputeTimeout => Code::DeadlineExceeded,
        E::ErrorProtocolInvalidRequest
        | E::ErrorProtocolUnsupportedVersion
        | E::ErrorProtocolMalformedMessage
        | E::ErrorProtocolMissingField
        | E::ErrorValidationInvalidKey
        | E::ErrorValidationInvalidValue
        | E::ErrorValidationInvalidCollection => Code::InvalidArgument,
        E::ErrorValidationSizeExceeded => Code::OutOfRange,
        E::ErrorComputeInvalidOperation => Code::FailedPrecondition,
        E::ErrorAuthFailed | E::ErrorAuthExpired | E::ErrorAuthInvalidCertificate => {
            Code::Unauthenticated
        }
        E::ErrorAuthInsufficientPermissions => Code::PermissionDenied,
        E::ErrorStorageNotFound => Code::NotFound,
        E::ErrorStorageCorrupted => Code::DataLoss,
        E::ErrorStorageFull | E::ErrorServerOverloaded => Code::ResourceExhausted,
        E::ErrorServerUnavailable | E::ErrorServerShuttingDown => Code::Unavailable,
        _ => Code::Internal,
    }
}

/// Percent-encoding of `grpc-message`: everything outside printable ASCII, and the percent sign.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_categories_are_those_that_clients_expect() {
        let cases = [
            (Failure::Timeout { millis: 5, write: false }, 1000, 1, Some(1)),
            (Failure::Version { major: 9 }, 2001, 4, None),
            (Failure::MissingField("key"), 2003, 4, None),
            (Failure::Checksum { claimed: 1, actual: 2 }, 4004, 2, None),
            (Failure::InvalidOperation(String::new()), 5001, 2, None),
            (Failure::TooLarge(String::new()), 6002, 4, None),
            (Failure::ScanTooLong { seconds: 60 }, 6002, 4, None),
            (StorageError::Outdated { shard: 1, max: 2 }.into(), 6002, 4, None),
            (Failure::Unauthenticated(String::new()), 3000, 3, None),
            (Failure::Expired(String::new()), 3001, 3, None),
            (Failure::Forbidden(String::new()), 3002, 4, None),
            (Failure::Certificate(String::new()), 3003, 2, None),
            (Failure::Internal(String::new()), 7000, 5, None),
            (Failure::Overloaded(String::new()), 7002, 1, Some(1)),
            (Failure::ShuttingDown, 7003, 5, Some(1)),
            (Failure::Throttled { limit: "limits.x", retry_after: 7 }, 7002, 1, Some(7)),
            (Failure::Unrecorded, 7001, 1, Some(1)),
            (Failure::NotLocal { command: String::new() }, 3002, 4, None),
        ];
        for (failure, code, category, retry_after) in cases {
            let response = error_response(&failure);
            assert_eq!(
                (response.code, response.category, response.retry_after),
                (code, category, retry_after),
                "{failure}"
            );
        }
        let cause = Box::new(Failure::Version { major: 9 });
        assert_eq!(error_response(&Failure::Batch { index: 0, cause }).code, 2001);
    }

    #[test]
    fn messages_are_percent_encoded() {
        let mut trailers = HeaderMap::new();
        Status::new(Code::Internal, "100 % – no").write(&mut trailers);
        assert_eq!(trailers["grpc-status"], "13");
        assert_eq!(trailers["grpc-message"], "100 %25 %E2%80%93 no");
    }
}
