//! Who is at the other end of a connection: learned once, when it is made, and asked for by each request.

use std::{fmt, net::SocketAddr, time::SystemTime};

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it comes from.
    pub address: SocketAddr,
    /// What it showed in the TLS handshake, if it was asked and had one.
    pub certificate: Option<ClientCertificate>,
}

/// What a client certificate says. The handshake has verified its chain, its dates and that it is not revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Common name of the subject.
    pub common_name: Option<String>,
    /// Organizations of the subject.
    pub organizations: Vec<String>,
    /// Alternative names of the subject: DNS names, URIs and e-mail addresses.
    pub names: Vec<String>,
    /// Serial number, hexadecimal with colons, as `openssl x509` prints it.
    pub serial: String,
    /// The last moment at which it is valid.
    pub not_after: SystemTime,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.certificate.as_ref().and_then(|shown| shown.common_name.as_deref());
        match name {
            // Debug escapes what would break a line of the log.
            Some(name) => write!(f, "{} ({name:?})", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}
