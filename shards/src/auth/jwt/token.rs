//! A token, taken apart (RFC 7515, 7.1): `header.claims.signature`, each in Base64 for URLs.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::IgnoredAny};

/// Bytes of a token; those in use have a few hundred.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// A token whose signature was not looked at.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) header: Header,
    /// What is signed.
    pub(super) message: &'a [u8],
    claims: &'a [u8],
    pub(super) signature: Vec<u8>,
}

/// What is looked at of a header. Whatever else it says, such as where to find a key, is not.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    /// Extensions that must be understood: there are none.
    pub(super) crit: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        if bytes.len() > TOKEN_BYTES_MAX {
            return Err("the token is longer than 16 KiB");
        }
        let mut parts = bytes.split(|byte| *byte == b'.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("the token is malformed: it has not three parts");
        };
        let message = &bytes[..header.len() + 1 + claims.len()];
        let decoded = |part| URL_SAFE_NO_PAD.decode(part);
        let header = decoded(header).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let header = header.ok_or("the token is malformed: its header is not readable")?;
        let signature =
            decoded(signature).map_err(|_| "the token is malformed: its signature is no Base64")?;
        Ok(Self { header, message, claims, signature })
    }

    /// The claims as JSON; only for whoever has verified the signature.
    pub(super) fn claims(&self) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(self.claims).ok()
    }
}
