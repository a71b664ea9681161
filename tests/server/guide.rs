//! The operations guide: each of its commands and samples, tried on the real program.

mod http;
mod logs;
mod metrics;
