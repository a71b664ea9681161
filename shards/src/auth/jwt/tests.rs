//! Tokens of every algorithm, and everything that can be wrong with one.

use std::collections::HashMap;

use amaters_fuzz::Campaign;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _,
    },
};
use serde_json::{Value, json};

use super::{Algorithm, Family, Jwt, claims::Claims, keys, token::Token};
use crate::{auth::settings::JwtSettings, failure::Failure};

/// When everything happens.
const NOW: i64 = 1_000_000;
const SECRET: &[u8] = b"a secret of sixty-four bytes, which is enough for each algorithm";

fn settings(algorithm: Algorithm) -> JwtSettings {
    JwtSettings {
        algorithm,
        lifetime_secs_max: 3600,
        leeway_secs: 60,
        issuer: None,
        audience: None,
    }
}

/// Somebody who signs tokens.
struct Issuer {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Secret(Vec<u8>),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Issuer {
    fn new(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |signing| {
            let document = EcdsaKeyPair::generate_pkcs8(signing, &random).unwrap();
            Key::Ecdsa(EcdsaKeyPair::from_pkcs8(signing, document.as_ref(), &random).unwrap())
        };
        let key = match algorithm {
            Algorithm::Es256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDsa => {
                let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Key::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
            }
            _ => Key::Secret(SECRET.to_vec()),
        };
        Self { algorithm, key }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Secret(secret) => {
                let hash = match self.algorithm {
                    Algorithm::Hs384 => hmac::HMAC_SHA384,
                    Algorithm::Hs512 => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                hmac::sign(&hmac::Key::new(hash, secret), message).as_ref().to_vec()
            }
            Key::Ecdsa(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Key::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    fn token_of(&self, header: &[u8], claims: &[u8]) -> String {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let signature = encoded(&self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": self.algorithm.name(), "typ": "JWT" });
        self.token_of(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// The public half as a member of a JWK set.
    fn jwk(&self, kid: Option<&str>) -> Value {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.key {
            Key::Secret(secret) => json!({ "kty": "oct", "k": encoded(secret) }),
            Key::Ecdsa(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(self.algorithm.curve().1);
                json!({ "kty": "EC", "crv": self.algorithm.curve().0, "x": encoded(x), "y": encoded(y) })
            }
            Key::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key().as_ref()) })
            }
        };
        if let Some(kid) = kid {
            jwk["kid"] = kid.into();
        }
        jwk
    }

    /// A key file.
    fn file(&self) -> Vec<u8> {
        const P256_HEAD: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
        const P384_HEAD: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE";
        const ED25519_HEAD: &[u8] = &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

        let point = |head: &str, pair: &EcdsaKeyPair| {
            let mut der = STANDARD.decode(head).unwrap();
            der.extend(&pair.public_key().as_ref()[1..]);
            pem(&der)
        };
        match &self.key {
            Key::Secret(secret) => [secret, &b"\n"[..]].concat(),
            Key::Ecdsa(pair) if self.algorithm == Algorithm::Es384 => point(P384_HEAD, pair),
            Key::Ecdsa(pair) => point(P256_HEAD, pair),
            Key::Ed25519(pair) => pem(&[ED25519_HEAD, pair.public_key().as_ref()].concat()),
        }
    }

    fn verifier(&self) -> Jwt {
        Jwt::new(settings(self.algorithm), &self.file()).unwrap()
    }
}

fn pem(der: &[u8]) -> Vec<u8> {
    let body = STANDARD.encode(der);
    let lines: Vec<_> =
        body.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
        .into_bytes()
}

fn good() -> Value {
    json!({ "sub": "alice", "iat": NOW - 10, "exp": NOW + 600 })
}

fn verified(jwt: &Jwt, token: &str) -> Result<Claims, Failure> {
    jwt.verify(token.as_bytes(), NOW)
}

/// What a token of these claims is refused with.
fn refusal(jwt: &Jwt, issuer: &Issuer, claims: &Value) -> String {
    match verified(jwt, &issuer.token(claims)) {
        Err(Failure::Unauthenticated(why)) => why,
        Err(Failure::Expired(why)) => format!("expired: {why}"),
        other => panic!("{claims}: {other:?}"),
    }
}

/// Algorithms whose tokens can be made here; those of RSA are in [`RS_TOKENS`].
fn issuers() -> impl Iterator<Item = Issuer> {
    let made = Algorithm::ALL.into_iter().filter(|algorithm| algorithm.family() != Family::Rsa);
    made.map(Issuer::new)
}

#[test]
fn a_token_of_each_algorithm_is_good_and_one_of_another_key_is_not() {
    for issuer in issuers() {
        let jwt = issuer.verifier();
        let claims = verified(&jwt, &issuer.token(&good())).unwrap();
        assert_eq!((claims.sub.as_str(), claims.until), ("alice", NOW + 660));
        let set = json!({ "keys": [issuer.jwk(None)] }).to_string();
        let by_set = Jwt::new(settings(issuer.algorithm), set.as_bytes()).unwrap();
        assert_eq!(verified(&by_set, &issuer.token(&good())).unwrap(), claims);

        let mut other = Issuer::new(issuer.algorithm);
        if let Key::Secret(secret) = &mut other.key {
            secret[0] ^= 1;
        }
        let refused = refusal(&jwt, &other, &good());
        assert_eq!(refused, "no key of this server made the signature of the token");
    }
}

/// RSA keys cannot be made here. These tokens were signed with `openssl dgst -sign`: alice, until 1000.
#[test]
fn tokens_of_rsa_keys_are_verified_in_either_form_of_the_file() {
    let set = json!({ "keys": [{ "kty": "RSA", "n": RSA_MODULUS, "e": "AQAB" }] }).to_string();
    let algorithms = [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512];
    for (index, algorithm) in algorithms.into_iter().enumerate() {
        for file in [RSA_PEM, RSA_PEM_OF_PKCS1, &set] {
            let jwt = Jwt::new(settings(algorithm), file.as_bytes()).unwrap();
            assert_eq!(jwt.verify(RS_TOKENS[index].as_bytes(), 500).unwrap().sub, "alice");
            let other = RS_TOKENS[(index + 1) % 3].as_bytes();
            assert!(matches!(jwt.verify(other, 500), Err(Failure::Unauthenticated(_))));
            let mut flipped = RS_TOKENS[index].to_owned().into_bytes();
            let last = flipped.len() - 10;
            flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
            assert!(matches!(jwt.verify(&flipped, 500), Err(Failure::Unauthenticated(_))));
        }
    }
    let weak = Jwt::new(settings(Algorithm::Rs256), WEAK_RSA_PEM.as_bytes()).unwrap_err();
    assert_eq!(weak, "line 1: the RSA key has 1024 bits; 2048 to 8192 are taken");
}

/// RFC 7515, A.1: its key and token, from before there were `sub` and lives of an hour.
#[test]
fn the_signature_of_the_standards_own_example_is_verified() {
    const K: &str =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                         eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                         dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let set = json!({ "keys": [{ "kty": "oct", "k": K }] }).to_string();
    let keys = keys::read(Algorithm::Hs256, set.as_bytes()).unwrap();
    let token = Token::read(TOKEN.as_bytes()).unwrap();
    assert!(keys[0].verifier.verifies(token.message, &token.signature));
    let jwt = Jwt::new(settings(Algorithm::Hs256), set.as_bytes()).unwrap();
    let refused = jwt.verify(TOKEN.as_bytes(), 1_300_819_000).unwrap_err();
    assert!(refused.to_string().contains("the token has no usable sub"), "{refused}");
}

/// The public key as the secret of an HMAC, no signature at all, and every other name of an algorithm.
#[test]
fn the_key_decides_on_the_algorithm_and_not_the_token() {
    for issuer in issuers() {
        let jwt = issuer.verifier();
        let forger = |key| Issuer { algorithm: Algorithm::Hs256, key: Key::Secret(key) };
        let names = Algorithm::ALL.map(Algorithm::name).into_iter();
        let names = names.chain(["none", "None", "nOnE", "", "hs256", "HS256 ", "RS1"]);
        for name in names.filter(|name| *name != issuer.algorithm.name()) {
            let header = json!({ "alg": name }).to_string();
            let claims = good().to_string();
            let own = issuer.token_of(header.as_bytes(), claims.as_bytes());
            let by_file = forger(issuer.file()).token_of(header.as_bytes(), claims.as_bytes());
            let unsigned = own.rsplit_once('.').unwrap().0.to_owned() + ".";
            for token in [own, by_file, unsigned] {
                let refused = verified(&jwt, &token).unwrap_err().to_string();
                assert!(refused.contains("the token is not signed with"), "{name}: {refused}");
            }
        }
        let header = json!({ "alg": issuer.algorithm.name() }).to_string();
        let forged =
            forger(issuer.file()).token_of(header.as_bytes(), good().to_string().as_bytes());
        if issuer.algorithm != Algorithm::Hs256 {
            assert!(verified(&jwt, &forged).is_err());
        }
        let claims = good().to_string();
        for header in [
            json!({ "alg": issuer.algorithm.name(), "crit": ["exp"] }),
            json!({ "alg": issuer.algorithm.name(), "crit": [] }),
            json!({ "alg": [issuer.algorithm.name()] }),
            json!({}),
        ] {
            let token = issuer.token_of(header.to_string().as_bytes(), claims.as_bytes());
            assert!(verified(&jwt, &token).is_err(), "{header}");
        }
        let twice = format!("{{\"alg\":\"none\",\"alg\":\"{}\"}}", issuer.algorithm.name());
        assert!(verified(&jwt, &issuer.token_of(twice.as_bytes(), claims.as_bytes())).is_err());
    }
}

#[test]
fn claims_are_good_within_their_time_and_a_leeway() {
    let issuer = Issuer::new(Algorithm::Hs256);
    let jwt = issuer.verifier();
    let is_good = |claims: Value| verified(&jwt, &issuer.token(&claims)).is_ok();
    let refused = |claims: Value| refusal(&jwt, &issuer, &claims);
    assert!(is_good(json!({ "sub": "a", "exp": NOW - 59 })));
    assert_eq!(refused(json!({ "sub": "a", "exp": NOW - 60 })), "expired: the token has expired");
    assert!(is_good(
        json!({ "sub": "a", "exp": NOW as f64 + 0.5, "nbf": NOW + 60, "iat": NOW + 60 })
    ));
    assert_eq!(
        refused(json!({ "sub": "a", "exp": NOW + 9, "nbf": NOW + 61 })),
        "the token is not valid yet"
    );
    let future = json!({ "sub": "a", "exp": NOW + 99, "iat": NOW + 61 });
    assert_eq!(refused(future), "the token was issued in the future");
    assert!(is_good(json!({ "sub": "a", "exp": NOW + 3600, "iat": NOW })));
    let long = "the token lives longer than auth.jwt.expiration_secs";
    assert_eq!(refused(json!({ "sub": "a", "exp": NOW + 3601, "iat": NOW })), long);
    assert!(is_good(json!({ "sub": "a", "exp": NOW + 3660 })));
    assert_eq!(refused(json!({ "sub": "a", "exp": NOW + 3661 })), long);
    for endless in [json!(1e300), json!(u64::MAX), json!(i64::MAX)] {
        assert_eq!(refused(json!({ "sub": "a", "exp": endless, "iat": NOW })), long);
        assert_eq!(
            refused(json!({ "sub": "a", "exp": NOW, "nbf": endless })),
            "the token is not valid yet"
        );
    }
}

#[test]
fn claims_must_be_there_and_of_their_type() {
    let issuer = Issuer::new(Algorithm::Hs256);
    let jwt = issuer.verifier();
    let long = "x".repeat(257);
    for sub in [json!(null), json!(""), json!("a\nb"), json!(long)] {
        let claims = json!({ "sub": sub, "exp": NOW + 9 });
        assert_eq!(refusal(&jwt, &issuer, &claims), "the token has no usable sub");
    }
    assert_eq!(refusal(&jwt, &issuer, &json!({ "sub": "a" })), "the token has no exp");
    for wrong in [
        json!({ "sub": 1, "exp": NOW + 9 }),
        json!({ "sub": "a", "exp": "never" }),
        json!({ "sub": "a", "exp": NOW + 9, "roles": "admin" }),
        json!({ "sub": "a", "exp": NOW + 9, "roles": [1] }),
        json!({ "sub": "a", "exp": NOW + 9, "aud": 7 }),
        json!({ "sub": "a", "exp": NOW + 9, "iss": [] }),
        json!([]),
    ] {
        let told = refusal(&jwt, &issuer, &wrong);
        assert_eq!(told, "the claims of the token are malformed, or one has the wrong type");
    }
    for roles in [vec!["r"; 65], vec![long.as_str()]] {
        let told = refusal(&jwt, &issuer, &json!({ "sub": "a", "exp": NOW + 9, "roles": roles }));
        assert_eq!(told, "the token has too many roles, or one is too long");
    }
    let full = json!({ "sub": "a", "exp": NOW + 9, "name": "Alice", "roles": ["x", "y"], "else": { "b": 1 } });
    let claims = verified(&jwt, &issuer.token(&full)).unwrap();
    assert_eq!(claims.name.as_deref(), Some("Alice"));
    assert_eq!(claims.roles, Some(vec!["x".into(), "y".into()]));
}

#[test]
fn issuer_and_audience_must_be_those_that_are_expected() {
    let issuer = Issuer::new(Algorithm::Hs256);
    let expecting = JwtSettings {
        issuer: Some("https://login".into()),
        audience: Some("amaters".into()),
        ..settings(Algorithm::Hs256)
    };
    let jwt = Jwt::new(expecting, &issuer.file()).unwrap();
    let claims =
        |iss: Value, aud: Value| json!({ "sub": "a", "exp": NOW + 9, "iss": iss, "aud": aud });
    let login = || json!("https://login");
    for aud in [json!("amaters"), json!(["x", "amaters"])] {
        assert!(verified(&jwt, &issuer.token(&claims(login(), aud))).is_ok());
    }
    for iss in [json!(null), json!("https://login/"), json!("")] {
        let told = refusal(&jwt, &issuer, &claims(iss, json!("amaters")));
        assert_eq!(told, "the token is of another issuer");
    }
    for aud in [json!(null), json!("amater"), json!([]), json!(["x"])] {
        let told = refusal(&jwt, &issuer, &claims(login(), aud));
        assert_eq!(told, "the token is for another audience");
    }
    let unset = issuer.verifier();
    let told = refusal(&unset, &issuer, &claims(login(), json!("amaters")));
    assert_eq!(told, "the token is for another audience");
}

#[test]
fn a_kid_chooses_where_keys_have_names_and_means_nothing_where_they_have_none() {
    let (old, new, other) = (
        Issuer::new(Algorithm::Es256),
        Issuer::new(Algorithm::Es256),
        Issuer::new(Algorithm::Es384),
    );
    let set =
        json!({ "keys": [old.jwk(Some("old")), new.jwk(Some("new")), other.jwk(Some("other"))] });
    let jwt = Jwt::new(settings(Algorithm::Es256), set.to_string().as_bytes()).unwrap();
    let token = |issuer: &Issuer, kid: Value| {
        let header = json!({ "alg": "ES256", "kid": kid });
        issuer.token_of(header.to_string().as_bytes(), good().to_string().as_bytes())
    };
    assert!(verified(&jwt, &token(&old, json!("old"))).is_ok());
    assert!(verified(&jwt, &token(&new, json!("new"))).is_ok());
    assert!(verified(&jwt, &token(&new, json!(null))).is_ok());
    assert!(verified(&jwt, &token(&new, json!("old"))).is_err());
    for unknown in ["other", "", "../../etc/passwd"] {
        let told = verified(&jwt, &token(&new, json!(unknown))).unwrap_err().to_string();
        assert!(told.ends_with("the kid of the token is not known"), "{told}");
    }
    let both = [old.file(), new.file()].concat();
    let jwt = Jwt::new(settings(Algorithm::Es256), &both).unwrap();
    for issuer in [&old, &new] {
        assert!(verified(&jwt, &token(issuer, json!("whatever"))).is_ok());
    }
}

#[test]
fn key_files_that_cannot_work_are_refused_with_their_place_and_without_their_content() {
    let file = |algorithm, text: &[u8]| keys::read(algorithm, text).unwrap_err();
    let short = file(Algorithm::Hs512, &SECRET[..63]);
    assert!(short.starts_with("the secret has 63 bytes; HS512 needs 64 or more"), "{short}");
    assert!(keys::read(Algorithm::Hs256, &[&SECRET[..32], &b"\r\n"[..]].concat()).is_ok());
    let es256 = Issuer::new(Algorithm::Es256);
    let told = file(Algorithm::Rs256, &es256.file());
    assert_eq!(told, "line 1: a key of another kind than RS256 needs");
    let told = file(Algorithm::Es384, &es256.file());
    assert_eq!(told, "line 1: a key of another kind than ES384 needs");
    assert_eq!(file(Algorithm::EdDsa, b"hello"), "there is no key for EdDSA in it");
    let private = b"x\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(file(Algorithm::EdDsa, private).starts_with("line 2: a private key"));
    assert!(file(Algorithm::EdDsa, b"-----BEGIN PUBLIC KEY-----\nAAAA\n").contains("no end"));
    assert!(
        file(Algorithm::EdDsa, b"-----BEGIN PUBLIC KEY-----\n%\n-----END PUBLIC KEY-----")
            .contains("no Base64")
    );
    let set = |jwk: Value| json!({ "keys": [jwk] }).to_string();
    let mut off = es256.jwk(None);
    off["x"] = off["y"].clone();
    assert_eq!(
        file(Algorithm::Es256, set(off).as_bytes()),
        "keys[0]: the key is no point of P-256"
    );
    let mut private = es256.jwk(None);
    private["d"] = json!("sEcrEt");
    let told = file(Algorithm::Es256, set(private).as_bytes());
    assert!(told.starts_with("keys[0]: a private key") && !told.contains("sEcrEt"));
    let told = file(Algorithm::Es256, br#"{"keys": "sEcrEt"}"#);
    assert!(told.ends_with("it is no JWK set") && !told.contains("sEcrEt"), "{told}");
    let mut sealing = es256.jwk(None);
    sealing["use"] = json!("enc");
    assert_eq!(file(Algorithm::Es256, set(sealing).as_bytes()), "there is no key for ES256 in it");
    let many = json!({ "keys": vec![es256.jwk(None); 17] }).to_string();
    assert_eq!(file(Algorithm::Es256, many.as_bytes()), "it holds 17 keys; up to 16 are taken");
    let twice = json!({ "keys": [es256.jwk(Some("a")), es256.jwk(Some("a"))] }).to_string();
    assert_eq!(
        file(Algorithm::Es256, twice.as_bytes()),
        "keys[1]: an earlier key has the same kid"
    );
}

#[test]
fn what_is_no_token_is_refused() {
    let jwt = Issuer::new(Algorithm::Hs256).verifier();
    let token = Issuer::new(Algorithm::Hs256).token(&good());
    let parts: Vec<_> = token.split('.').collect();
    let padded = format!("{}=.{}.{}", parts[0], parts[1], parts[2]);
    let wrong = [
        "",
        ".",
        "..",
        "...",
        &parts[..2].join("."),
        &format!("{token}."),
        &format!(" {token}"),
        &format!("{token}="),
        &padded,
        &format!("{}.{}", token, "x".repeat(20_000)),
    ];
    for wrong in wrong {
        assert!(verified(&jwt, wrong).is_err(), "{wrong}");
    }
    // The last letter of a signature has bits that mean nothing; only one spelling is taken.
    let accepted = (b'!'..=b'~').filter(|letter| {
        let mut bytes = token.clone().into_bytes();
        *bytes.last_mut().unwrap() = *letter;
        jwt.verify(&bytes, NOW).is_ok()
    });
    assert_eq!(accepted.count(), 1);
}

/// Accepted is what can be taken apart; it is the only spelling of its parts.
#[test]
fn fuzz_tokens() {
    let seeds = issuers().map(|issuer| issuer.token(&good()).into_bytes()).collect();
    Campaign::new("tokens", seeds).run(|bytes| {
        let token = Token::read(bytes)?;
        let signature = URL_SAFE_NO_PAD.encode(&token.signature);
        assert!(bytes.ends_with(signature.as_bytes()));
        Ok(token.header.alg.len() as u64)
    });
}

/// Header and claims are changed and signed again, so that what is behind the signature is reached.
#[test]
fn fuzz_signed_tokens() {
    let issuer = Issuer::new(Algorithm::Hs256);
    let full = json!({ "sub": "alice", "iat": NOW - 10, "exp": NOW + 600, "nbf": 0.5, "iss": "x", "name": "A", "roles": ["r"] });
    let jwt = issuer.verifier();
    let seed =
        |claims: Value| format!("{{\"alg\":\"HS256\",\"kid\":\"k\"}}\n{claims}").into_bytes();
    Campaign::new("signed tokens", vec![seed(good()), seed(full)]).run(|bytes| {
        let cut = bytes.iter().position(|byte| *byte == b'\n').ok_or("one part")?;
        let token = issuer.token_of(&bytes[..cut], &bytes[cut + 1..]);
        let claims = verified(&jwt, &token).map_err(|failure| failure.to_string())?;
        assert!((NOW + 1..=NOW + 3720).contains(&claims.until), "{claims:?}");
        assert!((1..=256).contains(&claims.sub.len()));
        Ok(claims.roles.map_or(0, |roles| roles.len() as u64))
    });
}

/// A key file is refused in words, or has keys that verify without a panic.
#[test]
fn fuzz_key_files() {
    let issuers: HashMap<_, _> =
        issuers().map(|issuer| (issuer.algorithm.name(), issuer)).collect();
    let es256 = &issuers["ES256"];
    let set = json!({ "keys": [es256.jwk(Some("a")), issuers["EdDSA"].jwk(Some("b")),
                               { "kty": "RSA", "n": RSA_MODULUS, "e": "AQAB" }] });
    let seeds = vec![
        es256.file(),
        issuers["EdDSA"].file(),
        issuers["ES384"].file(),
        RSA_PEM.as_bytes().to_vec(),
        RSA_PEM_OF_PKCS1.as_bytes().to_vec(),
        set.to_string().into_bytes(),
    ];
    Campaign::new("key files", seeds).run(|bytes| {
        let mut refused = None;
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Es384, Algorithm::Rs256] {
            match keys::read(algorithm, bytes) {
                Ok(keys) => {
                    assert!(keys.iter().all(|key| !key.verifier.verifies(b"message", &[7; 64])));
                    return Ok(keys.len() as u64);
                }
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        Err(refused.unwrap_or_default())
    });
}

const RSA_MODULUS: &str = "5eWR0Jk3NXtj4uGiYMOSX7DksALKRP4lkENI0rK5Rb_Ic-O6r0hio8u8WJoYN7gqYmHPmeKRHOtySu3gnGQv2YspWUmYOFqIQJ1dIQOlnsvSMzfOXVuwag8aSzRFrku9_-T1ywEBCkbLHI_WIZQwCO_T0H2cxCbnvBHMLmS4WlD2kEMRkpVRhY04EmEywGGkn6VS3NGXh1jPJpEBsyUjqBBMDMYg80IqRa905ORrUm3qCqbi2MtNuzxIfiTptcgaPI-U1BuioS-Wimj7x_6qjm9o2At-ICH0QeRf3APEcXnNUVbpwSKZIvxmuTMPDLh5yoTPFPgnMk5mBhOE63PTgw";

const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA5eWR0Jk3NXtj4uGiYMOS\n\
X7DksALKRP4lkENI0rK5Rb/Ic+O6r0hio8u8WJoYN7gqYmHPmeKRHOtySu3gnGQv\n\
2YspWUmYOFqIQJ1dIQOlnsvSMzfOXVuwag8aSzRFrku9/+T1ywEBCkbLHI/WIZQw\n\
CO/T0H2cxCbnvBHMLmS4WlD2kEMRkpVRhY04EmEywGGkn6VS3NGXh1jPJpEBsyUj\n\
qBBMDMYg80IqRa905ORrUm3qCqbi2MtNuzxIfiTptcgaPI+U1BuioS+Wimj7x/6q\n\
jm9o2At+ICH0QeRf3APEcXnNUVbpwSKZIvxmuTMPDLh5yoTPFPgnMk5mBhOE63PT\n\
gwIDAQAB\n\
-----END PUBLIC KEY-----\n";

const RSA_PEM_OF_PKCS1: &str = "-----BEGIN RSA PUBLIC KEY-----\n\
MIIBCgKCAQEA5eWR0Jk3NXtj4uGiYMOSX7DksALKRP4lkENI0rK5Rb/Ic+O6r0hi\n\
o8u8WJoYN7gqYmHPmeKRHOtySu3gnGQv2YspWUmYOFqIQJ1dIQOlnsvSMzfOXVuw\n\
ag8aSzRFrku9/+T1ywEBCkbLHI/WIZQwCO/T0H2cxCbnvBHMLmS4WlD2kEMRkpVR\n\
hY04EmEywGGkn6VS3NGXh1jPJpEBsyUjqBBMDMYg80IqRa905ORrUm3qCqbi2MtN\n\
uzxIfiTptcgaPI+U1BuioS+Wimj7x/6qjm9o2At+ICH0QeRf3APEcXnNUVbpwSKZ\n\
IvxmuTMPDLh5yoTPFPgnMk5mBhOE63PTgwIDAQAB\n\
-----END RSA PUBLIC KEY-----\n";

const WEAK_RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDMMbMzkn4r2zXRNFNF3qrA2fh8\n\
c5lyZUYBoaqcWlOizG7pHbozeIu3ZmO6sRkzAnmTI8cEJmShl/Au1hx5MwWwDrL7\n\
OV/9y8iMbwa9kun6/fLkzXtG0qdq3+8tL+x19aqfpj+axa7BT3ktRjBFVSD+SInx\n\
nKKxb4jwuTcK8eaG6wIDAQAB\n\
-----END PUBLIC KEY-----\n";

const RS_TOKENS: [&str; 3] = [
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTAwMH0.SK4LYfsEbc8KLBX0PqxAbP8d8HJGk7xF-qRY8GeiRD6I7qlKNa7wSBduLtrgpI0MyHbHZSDR--qX6E1m2s1BBPZWQgvwh7BlotZufWfjiCWaBOnZYlvwIIbIcf_eDsIxNaIUNzfy9kw96X8dYgFX9r45jh_tcS1sS5qjd2SInfVt4FRwSVb-e05eyNeXQ5budTmCp5c8cBsxUqPbE80z48Mv8QUXgokw3e4nll0HIYb1N-_Iway2t_KfgPk7queY7gFHq7X6v6EicO-5qgkkZI4IcKUB6RUi0BfQzVb8addE_x-LmxD-Jwj0YEEwdAoY_Jf7ohQJJ-2Hx-f--U2J2g",
    "eyJhbGciOiJSUzM4NCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTAwMH0.AjbYOgkg8lLls629zgO1LwiLIobMYYeCbdCa0J3AhqWfYVL2GjWLlqz4yBbvs4ZDFsO4g5svtC-Wyi1-q2RXISl6PIDTlyCjv0sK71OZ_BAW8qP6EkIE4WzmT8atwdvCB2UZbl6330c4A1JtAxQITzEN1gxe9bJqgH4H52WpqHj9Jio3h6S8IXicmW1H48oZbGJt48OBQoDApzfeXGHz9AauyA5W-qObxqvZqoHD5KP1iPe1FO3ckxFgfEfvjOgrP0BPC-1vGi8w01h54hDwxndzkSjvgeiBmH9F_tIeTrHfTnYFYijRR9t91cpYePWAUrrBLsD-Klly8lOOv56U9w",
    "eyJhbGciOiJSUzUxMiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTAwMH0.1BMwDKhWGBTRouLKvU3oA7G7s0BKm5bkIZp2PJLHGbQJovcPOwQTH1ndFtTDzB8uN4jVHpk4LxTbzbsLvIMmBpjNCUyUlVZIdu0s7RcdjjkB8ce8AGZgUc_FkFfgzRXOk2_v5uy4tUIsTHnN8n7ONPn9J6-qgmUg3L74Ssezmutb0RiFnw6dQRF3cs62hXBH4loZXUM9f9xHyueTExEJW-8lWyqoE_IN8GJn9oMdVtbjS8fmvWmK8RPCdEAmEpo_iGBJ_JZ0EzXeR8A78LK1otETXlz-6elGkdlSR77VFTJP2prh2EFX3TIhrVr7cEll-d4CT-gbEwoxjymJXETB9w",
];
