//! The real program as a child process: what an operator does to it, and what it answers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
mod audit;
mod auth;
#[cfg(feature = "cli")]
mod cli;
mod commands;
#[cfg(feature = "cli")]
mod documented;
mod foreign;
mod guide;
mod harness;
mod life;
mod limits;
mod notify;
mod refusals;
mod reload;
mod remote;
mod report;
mod tls;
mod torture;
mod unlogged;
mod wire;
