//! Who calls, and what they may do.
//!
//! ```text
//!   headers, certificate ─► gate ─► guard: which method, is it right ─► Access { principal, grants }
//!                             │       ▲ published by the process, replaced by a reload
//!                             │       └ jwt · api_keys · certificate · roles · policies
//!   query ─► rpc/authorize ─► Access::check ─► grants ─► verdict ─► done, or error 3002
//! ```
//!
//! - A [`Guard`] never changes; files become one outside of the reactors, and a request sees one guard from its beginning to
//!   its end.
//! - What a principal may do is worked out when its credentials are verified, so a check allocates nothing.
//! - Every decision passes through `verdict::note`, which counts it and hands it to the audit (`record`).

#![expect(dead_code, reason = "methods, roles and policies follow")]

pub(crate) mod access;
mod action;
pub(crate) mod gate;
mod grants;
mod guard;
mod principal;
mod record;
mod shown;
pub(crate) mod verdict;

pub use self::{
    action::{Action, Keys, Target},
    guard::Guard,
    principal::{AuthMethod, Principal},
};
