//! Why a handshake came to nothing, in the words of the log and in the classes of the metrics.

use std::{fmt, io};

use rustls::{CertificateError, Error};

use super::opening::Opening;
use crate::counters::TlsFailure;

/// Why a handshake came to nothing.
#[derive(Debug)]
pub enum Failure {
    /// The client speaks something else.
    Opening(Opening),
    /// It took longer than `network.connection_timeout_secs`.
    Timeout,
    /// The client let others wait in line too long.
    Crowded,
    /// The server goes away.
    Draining,
    /// The connection broke, or the client closed it.
    Gone(io::Error),
    /// What rustls says.
    Tls(Error),
    /// The client's certificate was verified, but cannot be used.
    Certificate(&'static str),
}

impl Failure {
    /// Its class.
    pub fn class(&self) -> TlsFailure {
        match self {
            Self::Opening(_) => TlsFailure::PlainText,
            Self::Timeout | Self::Crowded => TlsFailure::Timeout,
            Self::Gone(_) | Self::Draining => TlsFailure::Gone,
            Self::Tls(Error::AlertReceived(_)) => TlsFailure::Alert,
            Self::Tls(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => {
                TlsFailure::Incompatible
            }
            Self::Tls(Error::InvalidCertificate(CertificateError::Revoked)) => TlsFailure::Revoked,
            Self::Certificate(_)
            | Self::Tls(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => {
                TlsFailure::ClientCertificate
            }
            Self::Tls(_) => TlsFailure::Malformed,
        }
    }

    /// Whether an operator should see it without having asked.
    pub fn is_worth_a_line(&self) -> bool {
        !matches!(self, Self::Timeout | Self::Draining | Self::Gone(_))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Tls(error)
    }
}

impl fmt::Display for Failure {
    /// Goes on from "no TLS connection: ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening(opening) => {
                write!(f, "it sent {}; let it use https://, this port speaks TLS", opening.name())
            }
            Self::Timeout => {
                f.write_str("the handshake took longer than network.connection_timeout_secs")
            }
            Self::Crowded => f.write_str("it let the handshake rest while others waited in line"),
            Self::Draining => f.write_str("the server goes away"),
            Self::Gone(error) => write!(f, "it went away: {error}"),
            Self::Tls(Error::AlertReceived(alert)) => write!(
                f,
                "it refused ours with the alert {alert:?}; if that is about the certificate, the \
                 client does not trust who signed it, or connects by another name"
            ),
            Self::Tls(Error::NoApplicationProtocol) => {
                f.write_str("it speaks no HTTP/2 (ALPN \"h2\")")
            }
            Self::Tls(Error::NoCertificatesPresented) => f.write_str(
                "it has no client certificate, and network.require_client_cert wants one",
            ),
            Self::Tls(Error::InvalidCertificate(CertificateError::UnknownRevocationStatus)) => f
                .write_str(
                    "its certificate: auth.mtls.crl_path has no list of whoever signed it, or \
                     signed its signer",
                ),
            Self::Tls(Error::InvalidCertificate(error)) => write!(f, "its certificate: {error}"),
            Self::Tls(error) => error.fmt(f),
            Self::Certificate(why) => write!(f, "its certificate {why}"),
        }
    }
}
