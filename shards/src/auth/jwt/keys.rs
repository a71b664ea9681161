//! Key files of tokens: PEM, a JWK set (RFC 7517), or a bare secret.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    super::der::PublicKey,
    algorithm::{Algorithm, Family, Verifier},
};

/// Keys of one file: some generations of them. Where they have no names each may be tried for a token.
const KEYS_MAX: usize = 16;

/// A key, and its name if it has one.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    pub(super) verifier: Verifier,
}

/// The keys of a file for one algorithm; never none.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn read(algorithm: Algorithm, bytes: &[u8]) -> Result<Vec<Key>, String> {
    let keys = if bytes.trim_ascii_start().starts_with(b"{") {
        jwk_set(algorithm, bytes)?
    } else if algorithm.family() == Family::Hmac {
        let secret = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
        vec![Key { id: None, verifier: Verifier::secret(algorithm, secret)? }]
    } else {
        pem(algorithm, bytes)?
    };
    match keys.len() {
        0 => Err(format!("there is no key for {} in it", algorithm.name())),
        1..=KEYS_MAX => Ok(keys),
        count => Err(format!("it holds {count} keys; up to {KEYS_MAX} are taken")),
    }
}

fn pem(algorithm: Algorithm, bytes: &[u8]) -> Result<Vec<Key>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no PEM file: not UTF-8".to_owned())?;
    let mut keys = Vec::new();
    for section in sections(text)? {
        let Section { label, line, der } = section;
        let key = match label {
            "PUBLIC KEY" => PublicKey::read(&der),
            "RSA PUBLIC KEY" => PublicKey::read_rsa(&der),
            label if label.ends_with("PRIVATE KEY") => {
                return Err(format!(
                    "line {line}: a private key; only the public one belongs on a server"
                ));
            }
            // Parameters of a curve, or a certificate beside the key.
            _ => continue,
        };
        let at_line = |why| format!("line {line}: {why}");
        let key = key.ok_or_else(|| at_line("a public key of a kind that is not known".into()))?;
        let verifier = match (algorithm.family(), key) {
            (Family::Rsa, PublicKey::Rsa { modulus, exponent }) => {
                Verifier::rsa(algorithm, modulus, exponent)
            }
            (Family::Ecdsa, PublicKey::P256(point)) if algorithm == Algorithm::Es256 => {
                Verifier::ecdsa(algorithm, point)
            }
            (Family::Ecdsa, PublicKey::P384(point)) if algorithm == Algorithm::Es384 => {
                Verifier::ecdsa(algorithm, point)
            }
            (Family::EdDsa, PublicKey::Ed25519(key)) => Verifier::ed25519(key),
            _ => Err(format!("a key of another kind than {} needs", algorithm.name())),
        };
        keys.push(Key { id: None, verifier: verifier.map_err(at_line)? });
    }
    Ok(keys)
}

/// What stands between two lines of a PEM file.
struct Section<'a> {
    label: &'a str,
    line: usize,
    der: Vec<u8>,
}

/// The sections of a PEM file (RFC 7468); what stands around them is for people.
fn sections(text: &str) -> Result<Vec<Section<'_>>, String> {
    let border = |line: &'_ str, word: &str| -> Option<usize> {
        let label = line.strip_prefix("-----")?.strip_prefix(word)?.strip_suffix("-----")?;
        Some(label.len())
    };
    let (mut sections, mut open) = (Vec::new(), None::<(&str, usize, String)>);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(length) = border(line, "BEGIN ") {
            if let Some((_, begin, _)) = open {
                return Err(format!("line {begin}: the section has no end"));
            }
            open = Some((&line[11..11 + length], index + 1, String::new()));
        } else if border(line, "END ").is_some() {
            let (label, begin, body) =
                open.take().ok_or_else(|| format!("line {}: an end of nothing", index + 1))?;
            let der = STANDARD.decode(&body);
            let der = der.map_err(|_| format!("line {begin}: the section is no Base64"))?;
            sections.push(Section { label, line: begin, der });
        } else if let Some((_, _, body)) = &mut open {
            body.push_str(line);
        }
    }
    match open {
        Some((_, begin, _)) => Err(format!("line {begin}: the section has no end")),
        None => Ok(sections),
    }
}

/// As much of RFC 7517, 7518 and 8037 as concerns these keys.
#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
    /// Only a private key has it.
    d: Option<serde::de::IgnoredAny>,
}

fn jwk_set(algorithm: Algorithm, bytes: &[u8]) -> Result<Vec<Key>, String> {
    let set: JwkSet = serde_json::from_slice(bytes).map_err(|error| {
        // Its own text may show what stands there.
        format!("line {} column {}: it is no JWK set", error.line(), error.column())
    })?;
    let mut keys = Vec::<Key>::new();
    for (index, jwk) in set.keys.into_iter().enumerate() {
        let at_key = |why: String| format!("keys[{index}]: {why}");
        if !jwk.is_for(algorithm) {
            continue;
        }
        let verifier = jwk.verifier(algorithm).map_err(at_key)?;
        if jwk.kid.is_some() && keys.iter().any(|key| key.id == jwk.kid) {
            return Err(at_key("an earlier key has the same kid".into()));
        }
        keys.push(Key { id: jwk.kid, verifier });
    }
    Ok(keys)
}

impl Jwk {
    /// Whether it verifies signatures of this algorithm; a set may hold others too.
    fn is_for(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm.family() {
            Family::Hmac => ("oct", None),
            Family::Rsa => ("RSA", None),
            Family::Ecdsa => ("EC", Some(algorithm.curve().0)),
            Family::EdDsa => ("OKP", Some("Ed25519")),
        };
        (self.kty.as_str(), self.crv.as_deref().filter(|_| kind.1.is_some())) == kind
            && self.alg.as_deref().is_none_or(|alg| alg == algorithm.name())
            && self.r#use.as_deref().is_none_or(|purpose| purpose == "sig")
    }

    fn verifier(&self, algorithm: Algorithm) -> Result<Verifier, String> {
        if self.d.is_some() {
            return Err("a private key; only the public one belongs on a server".into());
        }
        match algorithm.family() {
            Family::Hmac => Verifier::secret(algorithm, &member("k", &self.k)?),
            Family::Rsa => {
                let (n, e) = (member("n", &self.n)?, member("e", &self.e)?);
                Verifier::rsa(algorithm, &n, &e)
            }
            Family::Ecdsa => {
                let (x, y) = (member("x", &self.x)?, member("y", &self.y)?);
                let (curve, bytes) = algorithm.curve();
                if x.len() != bytes || y.len() != bytes {
                    return Err(format!("a coordinate of {curve} has {bytes} bytes"));
                }
                Verifier::ecdsa(algorithm, &[&[4], &x[..], &y[..]].concat())
            }
            Family::EdDsa => Verifier::ed25519(&member("x", &self.x)?),
        }
    }
}

fn member(name: &str, text: &Option<String>) -> Result<Zeroizing<Vec<u8>>, String> {
    let text = text.as_deref().ok_or_else(|| format!("{name} is missing"))?;
    let bytes = URL_SAFE_NO_PAD.decode(text);
    Ok(Zeroizing::new(bytes.map_err(|_| format!("{name} is no Base64 for URLs"))?))
}
