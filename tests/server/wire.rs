//! The whole wire, asked by clients that we did not write: tonic, and `h2` where tonic is too
//! polite to send what must be refused.

mod batches;
pub(crate) mod client;
mod codes;
mod conditions;
mod deadlines;
mod drain;
mod filters;
mod gzip;
mod health;
mod interactive;
mod lasting;
mod limits;
pub(crate) mod queries;
mod ranges;
mod raw;
mod reflection;
mod snapshots;
mod streams;
mod updates;
mod values;
