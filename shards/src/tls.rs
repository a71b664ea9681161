//! What the process needs to make TLS credentials of files, and to publish them.

pub use crate::net::tls::{
    certificate::{Facts, RevocationFacts, Unreadable},
    credentials::{ClientParts, Credentials, CredentialsError, Parts, Store},
    pem,
    tickets::ROTATION as TICKET_ROTATION,
};
