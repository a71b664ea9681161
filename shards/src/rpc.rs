//! What the services do, in messages: checks, plans, their execution, and the answers' bytes.

pub mod answer;
pub mod check;
pub mod plan;
pub mod reflection;
pub mod run;
pub mod server;
pub mod simple;
