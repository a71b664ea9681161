//! All of authentication and authorization, as one object that never changes.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    api_keys::{ApiKeys, Entries, Entry, strange_roles},
    certificate,
    grants::Grants,
    jwt::Jwt,
    law::Law,
    principal::{AuthMethod, Principal},
    settings::{ApiKeySettings, GuardProblem, GuardSettings, MtlsSettings, Public, Sources},
    shown::Shown,
};
use crate::{failure::Failure, grpc::method::Method, net::peer::Peer};

/// Who may come in, and what they may do.
pub struct Guard {
    /// In the order in which they are tried.
    methods: Vec<Tried>,
    /// Whoever shows nothing; none where that is not enough.
    nameless: Option<Arc<Principal>>,
    /// Whoever calls what is there for everybody.
    anybody: Arc<Principal>,
    /// What that is.
    public: Vec<Public>,
    law: Law,
}

/// A way to recognise somebody.
enum Tried {
    Mtls(MtlsSettings),
    Jwt(Jwt),
    ApiKey(HeaderName, ApiKeys),
}

/// Somebody who was recognised.
#[derive(Clone)]
pub(super) struct Recognised {
    pub(super) principal: Arc<Principal>,
    /// Unix seconds from which on the credentials are no longer good.
    pub(super) until: Option<i64>,
}

impl Guard {
    /// Asks nobody.
    #[must_use]
    pub fn open() -> Self {
        Self {
            methods: Vec::new(),
            nameless: Some(Arc::new(Principal::unasked())),
            anybody: anybody(),
            public: Vec::new(),
            law: Law::none(),
        }
    }

    /// Asks everybody, by these settings and the contents of the files that they name. Comes with what an operator should
    /// know.
    ///
    /// # Errors
    /// All that is wrong with the files.
    pub fn new(
        settings: &GuardSettings,
        sources: &Sources,
    ) -> Result<(Self, Vec<String>), Vec<GuardProblem>> {
        let (mut problems, mut notices) = (Vec::new(), Vec::new());
        let law = Law::read(settings.authz.as_ref(), sources);
        let law = law.unwrap_or_else(|wrong| {
            problems.extend(wrong);
            Law::none()
        });
        let mut methods = Vec::new();
        for method in &settings.methods {
            match method {
                AuthMethod::Mtls => methods.push(Tried::Mtls(settings.mtls.clone())),
                AuthMethod::Jwt => methods.extend(tokens(settings, sources, &mut problems)),
                AuthMethod::ApiKey => {
                    let keys =
                        api_keys(&settings.api_key, sources, &law, &mut problems, &mut notices);
                    methods.push(Tried::ApiKey(settings.api_key.header_name.clone(), keys));
                }
                AuthMethod::Anonymous | AuthMethod::Unasked => {}
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let nameless = (!settings.reject_unauthenticated).then(|| Arc::new(law.anonymous()));
        let public = settings.public.clone();
        Ok((Self { methods, nameless, anybody: anybody(), public, law }, notices))
    }

    /// Whether a method is there for everybody.
    pub(super) fn is_public(&self, method: Method) -> bool {
        self.public.iter().any(|public| public.has(method))
    }

    /// Whoever calls what is there for everybody.
    pub(super) fn anybody(&self) -> Arc<Principal> {
        Arc::clone(&self.anybody)
    }

    /// What a request shows of itself: the first of the methods whose credentials are there.
    ///
    /// # Errors
    /// It cannot be told which are meant.
    pub(super) fn shown<'a>(
        &self,
        headers: &'a HeaderMap,
        peer: &Peer,
    ) -> Result<Shown<'a>, Failure> {
        for method in &self.methods {
            match method {
                Tried::Mtls(_) if peer.certificate.is_some() => return Ok(Shown::Certificate),
                Tried::Mtls(_) => {}
                Tried::Jwt(_) => {
                    if let Some(value) = only(headers, &header::AUTHORIZATION)? {
                        return Ok(Shown::Token(value));
                    }
                }
                Tried::ApiKey(name, _) => {
                    if let Some(value) = only(headers, name)? {
                        return Ok(Shown::ApiKey(value));
                    }
                }
            }
        }
        Ok(Shown::Nothing)
    }

    /// Who shows this.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`], [`Failure::Expired`], [`Failure::Certificate`].
    pub(super) fn recognise(
        &self,
        shown: Shown<'_>,
        peer: &Peer,
        now: i64,
    ) -> Result<Recognised, Failure> {
        for method in &self.methods {
            match (method, shown) {
                (Tried::Mtls(settings), Shown::Certificate) => {
                    return self.by_certificate(settings, peer, now);
                }
                (Tried::Jwt(jwt), Shown::Token(value)) => return self.by_token(jwt, value, now),
                (Tried::ApiKey(_, keys), Shown::ApiKey(value)) => {
                    let (principal, until) = keys.find(value.as_bytes(), now)?;
                    return Ok(Recognised { principal, until });
                }
                _ => {}
            }
        }
        // Nothing is shown, or something that is not looked at any more.
        let principal = self.nameless.clone();
        let principal = principal.ok_or_else(|| Failure::Unauthenticated(self.wanted()))?;
        Ok(Recognised { principal, until: None })
    }

    fn by_certificate(
        &self,
        settings: &MtlsSettings,
        peer: &Peer,
        now: i64,
    ) -> Result<Recognised, Failure> {
        let none = || Failure::Certificate("there is no client certificate".into());
        let certificate = peer.certificate.as_ref().ok_or_else(none)?;
        let (name, until) = certificate::name(certificate, settings, now)?;
        let principal = self.law.principal(name.clone(), name, Vec::new(), AuthMethod::Mtls);
        Ok(Recognised { principal: Arc::new(principal), until: Some(until) })
    }

    fn by_token(&self, jwt: &Jwt, value: &HeaderValue, now: i64) -> Result<Recognised, Failure> {
        const SCHEME: &[u8] = b"bearer ";

        let (scheme, token) = value.as_bytes().split_at_checked(SCHEME.len()).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            let text = "the header authorization is not of the form Bearer TOKEN";
            return Err(Failure::Unauthenticated(text.into()));
        }
        let claims = jwt.verify(token.trim_ascii(), now)?;
        let name = claims.name.unwrap_or_else(|| claims.sub.clone());
        let roles = claims.roles.unwrap_or_default();
        let principal = self.law.principal(claims.sub, name, roles, AuthMethod::Jwt);
        Ok(Recognised { principal: Arc::new(principal), until: Some(claims.until) })
    }

    /// What a request must show.
    fn wanted(&self) -> String {
        let ways = self.methods.iter().map(|method| match method {
            Tried::Mtls(_) => "a client certificate".to_owned(),
            Tried::Jwt(_) => "the header authorization: Bearer TOKEN".to_owned(),
            Tried::ApiKey(name, _) => format!("the header {name}"),
        });
        format!("there are no credentials; send {}", ways.collect::<Vec<_>>().join(" or "))
    }
}

fn anybody() -> Arc<Principal> {
    Arc::new(Principal::nameless(AuthMethod::Anonymous, Vec::new(), Grants::default()))
}

fn tokens(
    settings: &GuardSettings,
    sources: &Sources,
    problems: &mut Vec<GuardProblem>,
) -> Option<Tried> {
    let source = sources.jwt.as_ref()?;
    let jwt = Jwt::new(settings.jwt.clone(), &source.bytes);
    let wrong = |why| problems.push(GuardProblem { key: source.key, why });
    jwt.map_err(wrong).ok().map(Tried::Jwt)
}

fn api_keys(
    settings: &ApiKeySettings,
    sources: &Sources,
    law: &Law,
    problems: &mut Vec<GuardProblem>,
    notices: &mut Vec<String>,
) -> ApiKeys {
    let Some(source) = &sources.api_keys else { return ApiKeys::default() };
    let read = Entries::read(&source.bytes, settings.hash_keys);
    let mut wrong = read.problems;
    // Where roles are wrong, those that are missing prove nothing.
    if problems.is_empty() {
        let strange = strange_roles(&read.entries, |role| law.unknown(role).is_none());
        let told =
            |(index, role)| format!("entry {index}: {}", law.unknown(role).unwrap_or_default());
        wrong.extend(strange.map(told));
    }
    problems.extend(wrong.into_iter().map(|why| GuardProblem { key: source.key, why }));
    notices.extend(read.notices.into_iter().map(|notice| format!("{}: {notice}", source.key)));
    ApiKeys::new(read.entries, |Entry { user_id, name, roles, .. }| {
        law.principal(user_id, name, roles, AuthMethod::ApiKey)
    })
}

/// The header of this name, if there is one.
///
/// # Errors
/// There are several.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Failure> {
    let Some(first) = headers.get(name) else { return Ok(None) };
    if headers.get_all(name).iter().nth(1).is_some() {
        return Err(Failure::Unauthenticated(format!("there is more than one header {name}")));
    }
    Ok(Some(first))
}

impl fmt::Debug for Guard {
    /// Without what it knows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("methods", &self.methods.len()).finish_non_exhaustive()
    }
}
