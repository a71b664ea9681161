//! A person or a program that was recognised.

use std::fmt;

use super::grants::Grants;

/// How somebody was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// By a client certificate.
    Mtls,
    /// By a signed token.
    Jwt,
    /// By a key that the server knows.
    ApiKey,
    /// Not at all, and that was enough.
    Anonymous,
    /// Nobody was asked, because authentication is switched off.
    Unasked,
}

impl AuthMethod {
    /// As files and records spell it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mtls => "mtls",
            Self::Jwt => "jwt",
            Self::ApiKey => "api_key",
            Self::Anonymous => "anonymous",
            Self::Unasked => "none",
        }
    }
}

/// A person or a program, and what it may do.
pub struct Principal {
    /// What policies and records call it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its roles, as far as they are known here.
    pub roles: Vec<String>,
    /// How it was recognised.
    pub method: AuthMethod,
    pub(super) grants: Grants,
}

impl Principal {
    /// Whoever calls a server that asks nobody who they are.
    pub(super) fn unasked() -> Self {
        Self::nameless(AuthMethod::Unasked, Vec::new(), Grants::everything())
    }

    /// Whoever calls without saying who it is.
    pub(super) fn nameless(method: AuthMethod, roles: Vec<String>, grants: Grants) -> Self {
        const ID: &str = "anonymous";
        Self { id: ID.into(), name: ID.into(), roles, method, grants }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, roles, method, .. } = self;
        write!(f, "{id:?} by {} with roles {roles:?}", method.word())
    }
}
