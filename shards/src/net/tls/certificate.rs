//! What a certificate says of itself, read from its bytes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::{
    certificate::X509Certificate,
    extensions::GeneralName,
    oid_registry::{OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER, OID_X509_EXT_CRL_NUMBER, Oid},
    prelude::{FromDer, X509Name},
    revocation_list::CertificateRevocationList,
    time::ASN1Time,
};

use crate::net::peer::ClientCertificate;

/// A certificate, or a list of revoked ones, that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is nothing of X.509 that this server can read")]
pub struct Unreadable;

/// What an operator wants to know of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Distinguished name, as `CN=db.example, O=Example`.
    pub subject: String,
    /// Distinguished name of whoever signed it.
    pub issuer: String,
    /// Serial number, hexadecimal with colons, as `openssl x509 -text` prints it.
    pub serial: String,
    /// The first moment at which it is valid.
    pub not_before: SystemTime,
    /// The last one.
    pub not_after: SystemTime,
}

impl Facts {
    /// Of a certificate as DER.
    ///
    /// # Errors
    /// The bytes are no certificate.
    pub fn of(der: &[u8]) -> Result<Self, Unreadable> {
        let certificate = parse(der)?;
        let validity = certificate.validity();
        Ok(Self {
            subject: printable(certificate.subject()),
            issuer: printable(certificate.issuer()),
            serial: certificate.raw_serial_as_string(),
            not_before: time(validity.not_before),
            not_after: time(validity.not_after),
        })
    }

    /// Whether it is valid at this moment.
    pub fn is_valid(&self, now: SystemTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// What an operator wants to know of a list of revoked certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationFacts {
    /// Distinguished name of whoever signed it.
    pub issuer: String,
    /// Until when the next one is promised.
    pub next_update: Option<SystemTime>,
    /// How many certificates it names.
    pub count: usize,
    /// Whether the signature is right; none where the issuer is not among the authorities.
    pub signed: Option<bool>,
}

impl RevocationFacts {
    /// Of a list as DER, held against the certificates of those who may have signed it.
    ///
    /// # Errors
    /// The bytes are no such list.
    pub fn of<'a>(
        der: &[u8],
        authorities: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, Unreadable> {
        let Ok(([], list)) = CertificateRevocationList::from_der(der) else {
            return Err(Unreadable);
        };
        let mut signed = None;
        for authority in authorities {
            let Ok(authority) = parse(authority) else { continue };
            if authority.subject().as_raw() == list.issuer().as_raw() {
                // Of two authorities with one name, one may have signed it.
                let is_right = list.verify_signature(authority.public_key()).is_ok();
                signed = Some(is_right || signed == Some(true));
            }
        }
        Ok(Self {
            issuer: printable(list.issuer()),
            next_update: list.next_update().map(time),
            count: list.iter_revoked_certificates().count(),
            signed,
        })
    }
}

/// What a list revokes, as bytes that are the same when it is only signed anew.
pub fn revoked(der: &[u8]) -> Vec<u8> {
    /// The number of the list, and whose key has signed it.
    const OF_THE_ISSUE: [Oid<'static>; 2] =
        [OID_X509_EXT_CRL_NUMBER, OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER];

    let Ok((_, list)) = CertificateRevocationList::from_der(der) else { return der.to_vec() };
    let mut serials: Vec<_> =
        list.iter_revoked_certificates().map(|entry| entry.raw_serial()).collect();
    serials.sort_unstable();
    let mut bytes = list.issuer().as_raw().to_vec();
    let scope = list.extensions().iter().filter(|found| !OF_THE_ISSUE.contains(&found.oid));
    for part in serials.into_iter().chain(scope.map(|extension| extension.value)) {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part);
    }
    bytes
}

impl ClientCertificate {
    /// Of a certificate as DER that a handshake has verified.
    ///
    /// # Errors
    /// The bytes are no certificate.
    pub fn of(der: &[u8]) -> Result<Self, Unreadable> {
        let certificate = parse(der)?;
        let subject = certificate.subject();
        let texts = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect();
        let organizations = subject.iter_organization().filter_map(|name| name.as_str().ok());
        let common_name = subject.iter_common_name().find_map(|name| name.as_str().ok());
        Ok(Self {
            common_name: common_name.map(str::to_owned),
            organizations: texts(organizations.collect()),
            names: texts(alternative_names(&certificate)),
            serial: certificate.raw_serial_as_string(),
            not_after: time(certificate.validity().not_after),
        })
    }
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Unreadable> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(Unreadable),
    }
}

fn alternative_names<'a>(certificate: &'a X509Certificate<'_>) -> Vec<&'a str> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'a>| match name {
        GeneralName::DNSName(text) | GeneralName::URI(text) | GeneralName::RFC822Name(text) => {
            Some(*text)
        }
        _ => None,
    };
    extension.value.general_names.iter().filter_map(text).collect()
}

/// On one line of a log, whatever is in it.
fn printable(name: &X509Name<'_>) -> String {
    let text = name.to_string();
    if text.chars().any(char::is_control) { text.escape_debug().to_string() } else { text }
}

/// Dates before the epoch or beyond what the clock can say become its nearest end.
fn time(time: ASN1Time) -> SystemTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}
