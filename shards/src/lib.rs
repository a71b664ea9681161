//! One core, one owner: reactors, their listeners, their gRPC and their storage.

pub mod limits;
pub mod partition;
pub mod settings;
pub mod storage;
