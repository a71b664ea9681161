//! Signed tokens (RFC 7519), with the advice of RFC 8725: one algorithm, which the key decides.

mod algorithm;
pub(super) mod claims;
mod keys;
#[cfg(test)]
pub(super) mod tests;
mod token;

pub use self::algorithm::{Algorithm, Family};
use self::{claims::Claims, keys::Key, token::Token};
use super::settings::JwtSettings;
use crate::failure::Failure;

/// Verifies tokens.
#[derive(Debug)]
pub(super) struct Jwt {
    settings: JwtSettings,
    keys: Vec<Key>,
}

impl Jwt {
    /// With the keys of a file.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn new(settings: JwtSettings, file: &[u8]) -> Result<Self, String> {
        let keys = keys::read(settings.algorithm, file)?;
        Ok(Self { settings, keys })
    }

    /// Finds out what a token says, if it is good.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`], [`Failure::Expired`].
    pub(super) fn verify(&self, token: &[u8], now: i64) -> Result<Claims, Failure> {
        let refuse = |why: &str| Failure::Unauthenticated(why.to_owned());
        let token = Token::read(token).map_err(refuse)?;
        if token.header.alg != self.settings.algorithm.name() {
            let name = self.settings.algorithm.name();
            return Err(Failure::Unauthenticated(format!("the token is not signed with {name}")));
        }
        if token.header.crit.is_some() {
            return Err(refuse("the token has critical extensions; none is understood"));
        }
        if !self.is_signed(&token)? {
            return Err(refuse("no key of this server made the signature of the token"));
        }
        let claims =
            token.claims().ok_or_else(|| refuse("the claims of the token are no Base64"))?;
        Claims::of(&claims, &self.settings, now)
    }

    fn is_signed(&self, token: &Token<'_>) -> Result<bool, Failure> {
        let have_names = self.keys.iter().any(|key| key.id.is_some());
        let kid = token.header.kid.as_ref().filter(|_| have_names);
        let named = |key: &&Key| kid.is_none() || key.id.as_ref() == kid;
        let mut candidates = self.keys.iter().filter(named).peekable();
        if candidates.peek().is_none() {
            return Err(Failure::Unauthenticated("the kid of the token is not known".into()));
        }
        Ok(candidates.any(|key| key.verifier.verifies(token.message, &token.signature)))
    }
}
