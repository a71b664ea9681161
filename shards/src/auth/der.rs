//! As much of DER as a public key needs (X.690; RFC 5280, 4.1; RFC 8017, A.1.1).
//!
//! `x509-parser`, which reads certificates, takes lengths with digits to spare, negative numbers, and elements that should not
//! be there; what it accepts would have to be checked here all the same.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P_256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P_384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// A public key as it stands in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PublicKey<'a> {
    Rsa { modulus: &'a [u8], exponent: &'a [u8] },
    P256(&'a [u8]),
    P384(&'a [u8]),
    Ed25519(&'a [u8]),
}

impl<'a> PublicKey<'a> {
    /// Reads a `SubjectPublicKeyInfo`; none where it is none, or of another kind.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (body, rest) = take(bytes, SEQUENCE)?;
        let (algorithm, body) = take(body, SEQUENCE)?;
        let (bits, end) = take(body, BIT_STRING)?;
        // The first byte counts the bits that are not used.
        let key = bits.strip_prefix(&[0])?;
        let (kind, parameters) = take(algorithm, OBJECT_IDENTIFIER)?;
        if !rest.is_empty() || !end.is_empty() {
            return None;
        }
        match kind {
            RSA_ENCRYPTION => Self::read_rsa(key),
            EC_PUBLIC_KEY => match take(parameters, OBJECT_IDENTIFIER)? {
                (P_256, []) => Some(Self::P256(key)),
                (P_384, []) => Some(Self::P384(key)),
                _ => None,
            },
            ED25519 if parameters.is_empty() => Some(Self::Ed25519(key)),
            _ => None,
        }
    }

    /// Reads an `RSAPublicKey`.
    pub(super) fn read_rsa(bytes: &'a [u8]) -> Option<Self> {
        let (body, rest) = take(bytes, SEQUENCE)?;
        let (modulus, body) = take(body, INTEGER)?;
        let (exponent, end) = take(body, INTEGER)?;
        let fits = rest.is_empty() && end.is_empty();
        let (modulus, exponent) = (unsigned(modulus)?, unsigned(exponent)?);
        fits.then_some(Self::Rsa { modulus, exponent })
    }
}

/// The content of the element at the beginning, which must be of this kind, and what comes behind it.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, bytes) = bytes.split_first()?;
    let (length, mut bytes) = bytes.split_first()?;
    if *first != tag {
        return None;
    }
    let length = match *length {
        short @ 0..=0x7f => usize::from(short),
        long @ (0x81 | 0x82) => {
            let (digits, rest) = bytes.split_at_checked(usize::from(long & 0x7f))?;
            bytes = rest;
            let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            // Each length has one spelling.
            if length < 0x80 || digits[0] == 0 {
                return None;
            }
            length
        }
        _ => return None,
    };
    bytes.split_at_checked(length)
}

/// The digits of a positive number, without the zero that says that it is one.
fn unsigned(digits: &[u8]) -> Option<&[u8]> {
    match digits {
        [] | [0] | [0x80..=0xff, ..] => None,
        [0, rest @ ..] => rest.first().is_some_and(|digit| *digit >= 0x80).then_some(rest),
        digits => Some(digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        let mut bytes = vec![tag];
        match body.len() {
            length @ 0..=0x7f => bytes.push(length as u8),
            length @ 0x80..=0xff => bytes.extend([0x81, length as u8]),
            length => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
        }
        bytes.extend(body);
        bytes
    }

    fn info(kind: &[u8], parameters: &[u8], key: &[u8]) -> Vec<u8> {
        let kind = element(OBJECT_IDENTIFIER, &[kind]);
        let algorithm = element(SEQUENCE, &[&kind, parameters]);
        element(SEQUENCE, &[&algorithm, &element(BIT_STRING, &[&[0], key])])
    }

    #[test]
    fn each_kind_of_key_is_read_and_a_longer_or_shorter_one_is_not() {
        let modulus = [0xcb; 256];
        let rsa = element(
            SEQUENCE,
            &[&element(INTEGER, &[&[0], &modulus]), &element(INTEGER, &[&[1, 0, 1]])],
        );
        let expected = PublicKey::Rsa { modulus: &modulus, exponent: &[1, 0, 1] };
        assert_eq!(PublicKey::read_rsa(&rsa), Some(expected));
        let point = [4; 65];
        let curve = element(OBJECT_IDENTIFIER, &[P_256]);
        let kinds = [
            info(RSA_ENCRYPTION, &[5, 0], &rsa),
            info(EC_PUBLIC_KEY, &curve, &point),
            info(EC_PUBLIC_KEY, &element(OBJECT_IDENTIFIER, &[P_384]), &point),
            info(ED25519, &[], &[7; 32]),
        ];
        for kind in &kinds {
            assert!(PublicKey::read(kind).is_some());
            assert!((0..kind.len()).all(|length| PublicKey::read(&kind[..length]).is_none()));
            assert_eq!(PublicKey::read(&[&kind[..], &[0]].concat()), None);
        }
        assert_eq!(PublicKey::read(&kinds[1]), Some(PublicKey::P256(&point)));
        assert_eq!(PublicKey::read(&info(ED25519, &[5, 0], &[7; 32])), None);
        assert_eq!(PublicKey::read(&info(&[1], &[], &[7; 32])), None);
    }

    #[test]
    fn lengths_have_one_spelling() {
        let key = info(ED25519, &[], &[7; 32]);
        let long = [&[SEQUENCE, 0x81], &key[1..]].concat();
        let longer = [&[SEQUENCE, 0x82, 0], &key[1..]].concat();
        let endless = [&[SEQUENCE, 0x80], &key[2..], &[0, 0]].concat();
        assert!(PublicKey::read(&key).is_some());
        for wrong in [long, longer, endless] {
            assert_eq!(PublicKey::read(&wrong), None, "{wrong:02x?}");
        }
    }

    #[test]
    fn numbers_are_positive_and_have_one_spelling() {
        assert_eq!(unsigned(&[0, 0x80]), Some(&[0x80][..]));
        for wrong in [&[][..], &[0], &[0x80], &[0, 1]] {
            assert_eq!(unsigned(wrong), None);
        }
    }

    /// What is accepted lies within the input.
    #[test]
    fn fuzz_public_keys() {
        let rsa = element(
            SEQUENCE,
            &[&element(INTEGER, &[&[0], &[0xcb; 256]]), &element(INTEGER, &[&[1, 0, 1]])],
        );
        let curve = element(OBJECT_IDENTIFIER, &[P_256]);
        let seeds = vec![
            info(RSA_ENCRYPTION, &[5, 0], &rsa),
            info(EC_PUBLIC_KEY, &curve, &[4; 65]),
            info(ED25519, &[], &[7; 32]),
        ];
        amaters_fuzz::Campaign::new("public keys", seeds).run(|bytes| {
            match PublicKey::read(bytes).ok_or("no public key")? {
                PublicKey::Rsa { modulus, exponent } => {
                    assert!(modulus.len() + exponent.len() < bytes.len() && modulus[0] != 0);
                    Ok(modulus.len() as u64)
                }
                PublicKey::P256(key) | PublicKey::P384(key) | PublicKey::Ed25519(key) => {
                    assert!(bytes.ends_with(key));
                    Ok(key.len() as u64)
                }
            }
        });
    }
}
