//! What a guard is made of: checked settings, and the contents of files.

use std::fmt;

use zeroize::Zeroizing;

use super::{jwt::Algorithm, principal::AuthMethod};
use crate::grpc::method::Method;

/// `auth` and `authz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// In the order in which they are tried; never empty.
    pub methods: Vec<AuthMethod>,
    /// Nobody comes in without credentials.
    pub reject_unauthenticated: bool,
    /// What is there for everybody.
    pub public: Vec<Public>,
    /// Names of certificates; without meaning where the method is not tried.
    pub mtls: MtlsSettings,
    /// Tokens, the same.
    pub jwt: JwtSettings,
    /// API keys, the same.
    pub api_key: ApiKeySettings,
    /// What principals may do; none: everything.
    pub authz: Option<AuthzSettings>,
}

/// What may be there for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Public {
    /// Both health services.
    Health,
    /// Version and capabilities.
    Info,
    /// The list of services.
    Reflection,
}

impl Public {
    /// Whether a method belongs to it.
    pub(super) fn has(self, method: Method) -> bool {
        match self {
            Self::Health => matches!(
                method,
                Method::HealthCheck | Method::GrpcHealthCheck | Method::GrpcHealthWatch
            ),
            Self::Info => method == Method::GetServerInfo,
            Self::Reflection => method == Method::Reflection,
        }
    }
}

/// `auth.mtls`, as far as a certificate that was verified is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtlsSettings {
    /// It must have a common name.
    pub verify_cn: bool,
    /// It must be of one of these; empty: of any.
    pub allowed_organizations: Vec<String>,
}

/// `auth.jwt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSettings {
    /// The only one.
    pub algorithm: Algorithm,
    /// Seconds from issue to expiry, at most.
    pub lifetime_secs_max: u32,
    /// Seconds by which clocks may differ.
    pub leeway_secs: u32,
    /// Who must have issued a token.
    pub issuer: Option<String>,
    /// Whom it must be for.
    pub audience: Option<String>,
}

/// `auth.api_key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeySettings {
    /// In lower case.
    pub header_name: http::HeaderName,
    /// The file should hold hashes only.
    pub hash_keys: bool,
}

/// `authz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthzSettings {
    /// Of principals whose credentials name no roles.
    pub default_role: String,
    /// Of those without credentials.
    pub anonymous_role: Option<String>,
    /// Collections are told apart.
    pub collection_permissions: bool,
    /// Entries may be read and written where nothing forbids it.
    pub allow_by_default: bool,
}

/// The content of a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The key that names the file.
    pub key: &'static str,
    /// Its content.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Source {
    /// Without the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of {}", self.bytes.len(), self.key)
    }
}

/// The contents of all files that the settings name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Keys or the secret of tokens.
    pub jwt: Option<Source>,
    /// API keys.
    pub api_keys: Option<Source>,
    /// Roles.
    pub roles: Option<Source>,
    /// Policies.
    pub policies: Option<Source>,
}

impl Sources {
    /// The keys of those whose contents are others in there.
    pub fn changed(&self, others: &Self) -> impl Iterator<Item = &'static str> {
        let pairs = [
            (&self.jwt, &others.jwt),
            (&self.api_keys, &others.api_keys),
            (&self.roles, &others.roles),
            (&self.policies, &others.policies),
        ];
        let differ = pairs.into_iter().filter(|(one, other)| one != other);
        differ.filter_map(|(one, other)| Some(one.as_ref().or(other.as_ref())?.key))
    }
}

/// Something wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardProblem {
    /// The key that names the file.
    pub key: &'static str,
    /// What, and where in it.
    pub why: String,
}
