//! Certificates, keys and revocations out of PEM files, strictly: a section that is cut off or damaged
//! makes the whole file wrong, because the file may be half-written.

use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
    pem::{Error, PemObject},
};

/// A certificate as DER.
pub type Certificate = CertificateDer<'static>;

/// Certificates that lead from a server's certificate to its authority.
pub const CHAIN_MAX: usize = 16;
/// Authorities of client certificates.
pub const AUTHORITIES_MAX: usize = 4096;
/// Lists of revoked certificates.
pub const REVOCATIONS_MAX: usize = 1024;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// There is nothing of the kind in it.
    #[error("it holds no {0} in PEM")]
    Nothing(&'static str),
    /// There is too much.
    #[error("it holds more than {1} {0}s")]
    TooMany(&'static str, usize),
    /// A section has no end.
    #[error("a section is cut off: the file is not complete")]
    Cut,
    /// A section is no Base64, or its first line is damaged.
    #[error("a section is damaged")]
    Damaged,
    /// Nobody can type a passphrase for a server.
    #[error(
        "the private key is encrypted: write it without a passphrase (openssl pkey -in OLD -out NEW)"
    )]
    Encrypted,
}

/// The certificates of a file, in its order.
///
/// # Errors
/// There is none, or the file is damaged.
pub fn certificates(pem: &[u8], count_max: usize) -> Result<Vec<Certificate>, PemError> {
    sections(pem, "certificate", count_max)
}

/// The private key of a file; the first, if there are more.
///
/// # Errors
/// There is none, or the file is damaged.
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";

    let encrypted = pem.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED);
    let keys = sections(pem, "private key", CHAIN_MAX);
    let keys = if encrypted { keys.map_err(|_| PemError::Encrypted) } else { keys };
    keys?.into_iter().next().ok_or(PemError::Nothing("private key"))
}

/// The lists of revoked certificates of a file. One list may also stand there as plain DER, as
/// authorities publish them.
///
/// # Errors
/// There is none, or the file is damaged.
pub fn revocations(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, PemError> {
    const DER_SEQUENCE: u8 = 0x30;

    if pem.first() == Some(&DER_SEQUENCE) {
        return Ok(vec![CertificateRevocationListDer::from(pem.to_vec())]);
    }
    sections(pem, "list of revoked certificates (X509 CRL)", REVOCATIONS_MAX)
}

fn sections<T: PemObject>(
    pem: &[u8],
    what: &'static str,
    count_max: usize,
) -> Result<Vec<T>, PemError> {
    let mut found = Vec::new();
    for section in T::pem_slice_iter(pem) {
        match section {
            Ok(_) if found.len() == count_max => return Err(PemError::TooMany(what, count_max)),
            Ok(section) => found.push(section),
            Err(Error::MissingSectionEnd { .. }) => return Err(PemError::Cut),
            Err(_) => return Err(PemError::Damaged),
        }
    }
    if found.is_empty() { Err(PemError::Nothing(what)) } else { Ok(found) }
}
