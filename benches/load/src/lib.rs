//! Load generators, hostile clients and peers for the tests and benchmarks of `amaters-server`.
//!
//! - `frames`, `hpack`, `outbox`: HTTP/2 as bytes.
//! - `wire`: what a protocol is to the generator; `http2` and `resp` are the two there are.
//! - `script`: requests, encoded once, and what their answers must be.
//! - `drive`, `report`: the event loop and what it found out.
//! - `target`: the kinds of server that it can talk to.
//! - `hostile`, `watch`: a client that means harm, and what it looks like to others.
//! - `connections`, `soak`: many connections, and everything at once.
//! - `endure`: more data than memory, then a crash.
//! - `handshakes`: of TLS.
//! - `backups`: what a backup costs, and how fast it is.
//! - `reloads`: what reloads cost the requests of others.
//! - `process`, `server`: our server and its peers, started and watched.

pub mod backups;
pub mod connections;
pub mod drive;
pub mod endure;
pub mod frames;
pub mod handshakes;
pub mod hostile;
pub mod hpack;
pub mod http2;
pub mod outbox;
pub mod process;
pub mod reloads;
pub mod report;
pub mod resp;
pub mod script;
pub mod secure;
pub mod server;
pub mod soak;
pub mod target;
pub mod watch;
pub mod wire;
