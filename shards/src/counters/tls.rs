//! What handshakes come to, as labels of metrics.

/// Version of a TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

/// How much a handshake had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsKind {
    /// All of it.
    Full,
    /// It went on from an earlier connection of the client.
    Resumed,
}

/// Why a handshake came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFailure {
    /// The client spoke no TLS.
    PlainText,
    /// It took too long.
    Timeout,
    /// The client went away.
    Gone,
    /// The client refused us.
    Alert,
    /// No version, suite or protocol that both speak.
    Incompatible,
    /// The client's certificate is missing or was refused.
    ClientCertificate,
    /// The client's certificate is revoked.
    Revoked,
    /// The client broke the rules of TLS.
    Malformed,
}

impl TlsVersion {
    /// All, each at the place that is its number.
    pub const ALL: [Self; 2] = [Self::V12, Self::V13];

    /// As a label.
    pub fn label(self) -> &'static str {
        match self {
            Self::V12 => "1.2",
            Self::V13 => "1.3",
        }
    }
}

impl TlsKind {
    /// All, each at the place that is its number.
    pub const ALL: [Self; 2] = [Self::Full, Self::Resumed];

    /// As a label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
        }
    }
}

impl TlsFailure {
    /// All, each at the place that is its number.
    pub const ALL: [Self; 8] = [
        Self::PlainText,
        Self::Timeout,
        Self::Gone,
        Self::Alert,
        Self::Incompatible,
        Self::ClientCertificate,
        Self::Revoked,
        Self::Malformed,
    ];

    /// As a label.
    pub fn label(self) -> &'static str {
        match self {
            Self::PlainText => "plain_text",
            Self::Timeout => "timeout",
            Self::Gone => "gone",
            Self::Alert => "alert",
            Self::Incompatible => "incompatible",
            Self::ClientCertificate => "client_certificate",
            Self::Revoked => "revoked",
            Self::Malformed => "malformed",
        }
    }
}
