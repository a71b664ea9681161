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

pub(crate) mod access;
mod action;
mod api_keys;
pub(crate) mod cache;
mod certificate;
mod date;
mod der;
mod file;
pub(crate) mod gate;
mod grants;
mod guard;
mod jwt;
mod law;
mod network;
mod policies;
mod principal;
mod record;
mod resource;
mod roles;
mod settings;
mod shown;
mod store;
pub(crate) mod verdict;

pub use self::{
    action::{Action, Keys, ServerCommand, Target},
    guard::Guard,
    jwt::{Algorithm, Family},
    principal::{AuthMethod, Principal},
    settings::{
        ApiKeySettings, AuthzSettings, GuardProblem, GuardSettings, JwtSettings, MtlsSettings,
        Public, Source, Sources,
    },
    store::Guards,
};
