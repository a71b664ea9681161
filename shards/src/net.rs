//! Sockets: listening, accepting, spreading, and HTTP/2 on each connection.

pub mod connection;
pub mod control_frames;
pub mod listener;
pub mod peer;
pub mod registry;
pub mod seldom;
pub mod sources;
pub mod tls;
pub mod transport;
