//! gRPC over HTTP/2: from requests of `h2` to calls, and back.
//!
//! `calls` is the way of a connection's requests; `serve` with `unary` and `streaming` is the long
//! way for those that are not a query of one key. Failures become codes in `status` alone.

mod admin;
pub mod calls;
mod foresight;
mod frame;
pub mod gzip;
pub mod headers;
pub mod inbound;
mod interactive;
pub mod meter;
pub mod method;
pub mod outbound;
pub mod serve;
pub mod status;
pub mod streaming;
pub mod timeout;
pub mod unary;
