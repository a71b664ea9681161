//! What the services do, in messages: checks, plans, their execution, and the answers' bytes.

pub mod admin;
pub mod amount;
pub mod answer;
pub mod authorize;
pub mod batch;
pub mod check;
mod fields;
pub mod kv;
pub mod locality;
pub mod plan;
pub mod reflection;
pub mod run;
pub mod server;
pub mod simple;
