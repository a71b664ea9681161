//! How tokens are signed, and the keys that verify it.

use std::fmt;

use ring::{
    agreement, hmac, rand,
    signature::{
        self, EcdsaVerificationAlgorithm, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
    },
};

/// `auth.jwt.algorithm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are named as RFC 7518 and RFC 8037 name them")]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
    EdDsa,
}

/// What kind of key an algorithm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A secret.
    Hmac,
    /// An RSA key.
    Rsa,
    /// A point of the algorithm's curve.
    Ecdsa,
    /// A point of Curve25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// As a token's header spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// What kind of key it takes.
    #[must_use]
    pub fn family(self) -> Family {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => Family::Hmac,
            Self::Rs256 | Self::Rs384 | Self::Rs512 => Family::Rsa,
            Self::Es256 | Self::Es384 => Family::Ecdsa,
            Self::EdDsa => Family::EdDsa,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Hs384 => hmac::HMAC_SHA384,
            Self::Hs512 => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        }
    }

    fn rsa(self) -> &'static RsaParameters {
        match self {
            Self::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => &signature::RSA_PKCS1_2048_8192_SHA256,
        }
    }

    fn ecdsa(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            _ => &signature::ECDSA_P256_SHA256_FIXED,
        }
    }

    /// The curve, and the bytes of one of its coordinates.
    pub(super) fn curve(self) -> (&'static str, usize) {
        match self {
            Self::Es384 => ("P-384", 48),
            _ => ("P-256", 32),
        }
    }
}

/// Verifies signatures of one algorithm.
pub(super) enum Verifier {
    Hmac(hmac::Key),
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
    Other(UnparsedPublicKey<Vec<u8>>),
}

impl Verifier {
    /// By a secret, which must be as long as what the hash gives (RFC 7518, 3.2).
    pub(super) fn secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, String> {
        let hmac = algorithm.hmac();
        let bytes_min = hmac.digest_algorithm().output_len();
        if secret.len() < bytes_min {
            return Err(format!(
                "the secret has {} bytes; {} needs {bytes_min} or more (RFC 7518, 3.2), as \
                 `openssl rand -base64 {bytes_min}` makes them",
                secret.len(),
                algorithm.name()
            ));
        }
        Ok(Self::Hmac(hmac::Key::new(hmac, secret)))
    }

    /// By an RSA key.
    pub(super) fn rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Self, String> {
        const BITS_MIN: usize = 2048;
        const BITS_MAX: usize = 8192;

        let zeros = n.first().map_or(0, |digit| digit.leading_zeros() as usize);
        let bits = (n.len() * 8).saturating_sub(zeros);
        if !(BITS_MIN..=BITS_MAX).contains(&bits) {
            return Err(format!("the RSA key has {bits} bits; {BITS_MIN} to {BITS_MAX} are taken"));
        }
        // As large as `ring` takes them, and odd.
        let is_exponent = e.len() <= 4 && e.last().is_some_and(|last| last & 1 == 1) && e != [1];
        if !is_exponent {
            return Err("the RSA key has an exponent that is not in use".into());
        }
        let key = RsaPublicKeyComponents { n: n.to_vec(), e: e.to_vec() };
        Ok(Self::Rsa(algorithm.rsa(), key))
    }

    /// By a point of the algorithm's curve, both coordinates behind a 4.
    pub(super) fn ecdsa(algorithm: Algorithm, point: &[u8]) -> Result<Self, String> {
        let curve = match algorithm {
            Algorithm::Es384 => &agreement::ECDH_P384,
            _ => &agreement::ECDH_P256,
        };
        // An agreement is tried, because it finds whether the point is on the curve.
        let random = rand::SystemRandom::new();
        let tried = agreement::EphemeralPrivateKey::generate(curve, &random).and_then(|own| {
            let peer = agreement::UnparsedPublicKey::new(curve, point);
            agreement::agree_ephemeral(own, &peer, |_| ())
        });
        tried.map_err(|_| format!("the key is no point of {}", algorithm.curve().0))?;
        Ok(Self::Other(UnparsedPublicKey::new(algorithm.ecdsa(), point.to_vec())))
    }

    /// By an Ed25519 key.
    pub(super) fn ed25519(key: &[u8]) -> Result<Self, String> {
        const BYTES: usize = 32;
        if key.len() != BYTES {
            return Err(format!("an Ed25519 key has {BYTES} bytes, not {}", key.len()));
        }
        Ok(Self::Other(UnparsedPublicKey::new(&signature::ED25519, key.to_vec())))
    }

    /// Whether the owner of the key signed the message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Rsa(parameters, key) => key.verify(parameters, message, signature).is_ok(),
            Self::Other(key) => key.verify(message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for Verifier {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}
