//! What a token says (RFC 7519, 4.1), and whether that is good here and now.

use serde::Deserialize;
use serde_json::Number;

use super::super::settings::JwtSettings;
use crate::failure::Failure;

/// Bytes of names and of roles.
const NAME_BYTES_MAX: usize = 256;
/// Roles of one token.
const ROLES_MAX: usize = 64;

/// What is looked at of the claims.
#[derive(Debug, Deserialize)]
struct Written {
    sub: Option<String>,
    exp: Option<Number>,
    iat: Option<Number>,
    nbf: Option<Number>,
    iss: Option<String>,
    aud: Option<Audience>,
    name: Option<String>,
    roles: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Many(many) => many.iter().any(|one| one == name),
        }
    }
}

/// What was found good.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Claims {
    pub(in super::super) sub: String,
    pub(in super::super) name: Option<String>,
    /// None where the token says nothing of roles.
    pub(in super::super) roles: Option<Vec<String>>,
    /// Unix seconds from which on they are not good.
    pub(in super::super) until: i64,
}

impl Claims {
    /// Reads and checks.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`], [`Failure::Expired`].
    pub(super) fn of(json: &[u8], settings: &JwtSettings, now: i64) -> Result<Self, Failure> {
        let refuse = |why: &str| Err(Failure::Unauthenticated(why.to_owned()));
        // The error's own text may show what stands there.
        let Ok(written) = serde_json::from_slice::<Written>(json) else {
            return refuse("the claims of the token are malformed, or one has the wrong type");
        };
        let Written { sub, exp, iat, nbf, iss, aud, name, roles } = written;
        let Some(sub) = sub.filter(|sub| is_name(sub)) else {
            return refuse("the token has no usable sub");
        };
        let Some(exp) = exp.as_ref().map(seconds) else {
            return refuse("the token has no exp");
        };
        let leeway = i64::from(settings.leeway_secs);
        let until = exp.saturating_add(leeway);
        if now >= until {
            return Err(Failure::Expired("the token has expired".into()));
        }
        let (iat, nbf) = (iat.as_ref().map(seconds), nbf.as_ref().map(seconds));
        let is_future = |time: Option<i64>| time.is_some_and(|at| at > now.saturating_add(leeway));
        if is_future(nbf) {
            return refuse("the token is not valid yet");
        }
        if is_future(iat) {
            return refuse("the token was issued in the future");
        }
        let life = match iat {
            Some(iat) => exp.saturating_sub(iat),
            None => exp.saturating_sub(now).saturating_sub(leeway),
        };
        if life > i64::from(settings.lifetime_secs_max) {
            return refuse("the token lives longer than auth.jwt.expiration_secs");
        }
        if settings.issuer.is_some() && iss != settings.issuer {
            return refuse("the token is of another issuer");
        }
        match (&settings.audience, &aud) {
            (None, None) => {}
            (Some(name), Some(aud)) if aud.has(name) => {}
            _ => return refuse("the token is for another audience"),
        }
        let is_long = |roles: &Vec<String>| {
            roles.len() > ROLES_MAX || roles.iter().any(|role| role.len() > NAME_BYTES_MAX)
        };
        if roles.as_ref().is_some_and(is_long) {
            return refuse("the token has too many roles, or one is too long");
        }
        Ok(Self { sub, name: name.filter(|name| is_name(name)), roles, until })
    }
}

/// Whether a text may stand for somebody in logs and policies.
pub(in super::super) fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Seconds since 1970, which may be written with a fraction.
fn seconds(number: &Number) -> i64 {
    // The cast keeps within the bounds.
    number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or(f64::MAX).floor() as i64)
}
