//! Every command and sample of the operations guide, against the real program: a file for each of
//! its sections.

mod commands;
pub(crate) mod http;
mod live;
mod logs;
mod metrics;
pub(crate) mod reload;
mod signals;
