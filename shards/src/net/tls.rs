//! TLS on a reactor: what it is made of, the handshake, and the records of a connection.
//!
//! ```text
//!   root: files ─► Parts ─► Credentials ─► Store          one writer
//!                                            │ one read a handshake
//!   bytes of a client ─► opening ─► handshake ─► Records ─► transport ─► h2
//! ```
//!
//! Always true: credentials are immutable, and session tickets of one set of authorities and
//! revocations open nothing under another.

pub mod certificate;
pub mod credentials;
pub mod failure;
#[cfg(test)]
mod fuzz;
pub mod handshake;
pub mod heads;
pub mod opening;
pub mod pem;
pub mod records;
pub mod tickets;

#[cfg(test)]
mod tests;
