//! Credentials out of files, or what is wrong with which of them.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use amaters_shards::tls::{
    ClientParts, Credentials, CredentialsError, Facts, Parts, RevocationFacts, pem,
};

use super::{TlsSettings, expiry::Date, files::Contents};
use crate::secrets;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadError {
    /// Which.
    pub(crate) path: PathBuf,
    /// What.
    pub(crate) why: String,
}

impl LoadError {
    pub(crate) fn new(path: &Path, why: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), why: why.to_string() }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for LoadError {}

/// Credentials, and what an operator should know of them.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// For the reactors.
    pub(crate) credentials: Credentials,
    /// When what ends. The first is the server's certificate.
    pub(crate) dates: Vec<Date>,
    /// What is right, but not good.
    pub(crate) notices: Vec<String>,
}

impl Loaded {
    /// What is right, but not good, at this moment.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let now = SystemTime::now();
        let dates = self.dates.iter().filter_map(|date| Some(date.warning(now)?.1));
        let facts = &self.credentials.facts;
        let early = (now < facts.not_before).then(|| {
            let from = crate::unix_time::date(facts.not_before);
            format!("the server's certificate {} is not valid before {from}", facts.subject)
        });
        self.notices.iter().cloned().chain(dates).chain(early).collect()
    }
}

/// Makes credentials that follow on `previous`.
pub(crate) fn load(
    contents: &Contents,
    settings: &TlsSettings,
    previous: Option<&Credentials>,
) -> Result<Loaded, LoadError> {
    let (certificate, key) = (&contents.certificate, &contents.key);
    let in_file = |path: &Path| {
        let path = path.to_owned();
        move |error: pem::PemError| LoadError::new(&path, error)
    };
    let chain = pem::certificates(&certificate.bytes, pem::CHAIN_MAX);
    let chain = chain.map_err(in_file(&certificate.path))?;
    let key_der = pem::private_key(&key.bytes).map_err(in_file(&key.path))?;
    let mut authorities = Authorities::default();
    for file in &contents.authorities {
        authorities.add(&file.path, &file.bytes)?;
    }
    let mut notices = Vec::new();
    notices.extend(secrets::open_to_all("network.tls_key", &key.path, contents.key_mode));
    let mut revocations = Vec::new();
    if let Some(file) = &contents.revocations {
        revocations = pem::revocations(&file.bytes).map_err(in_file(&file.path))?;
        for list in &revocations {
            let facts = revocation_facts(&file.path, list, &authorities)?;
            if facts.signed.is_none() {
                notices.push(format!(
                    "{}: the list of {} is signed by none of the authorities, so its signature can \
                     be checked only when a client shows whoever signed it",
                    file.path.display(),
                    facts.issuer
                ));
            }
            if let Some(until) = facts.next_update {
                authorities
                    .dates
                    .push(Date::new(format!("the list of what {} revoked", facts.issuer), until));
            }
        }
    }
    let required = settings.client.as_ref().map(|client| client.required);
    let Authorities { certificates, dates: mut more } = authorities;
    let client =
        required.map(|required| ClientParts { authorities: certificates, revocations, required });
    let parts = Parts { chain, key: key_der, client };
    let credentials =
        Credentials::new(parts, previous).map_err(|error| at_fault(contents, &error))?;
    let facts = &credentials.facts;
    let mut dates =
        vec![Date::new(format!("the server's certificate {}", facts.subject), facts.not_after)];
    dates.append(&mut more);
    Ok(Loaded { credentials, dates, notices })
}

/// The file that an error is about.
fn at_fault(contents: &Contents, error: &CredentialsError) -> LoadError {
    let (certificate, key) = (&contents.certificate.path, &contents.key.path);
    let client = contents.authorities.first().map_or(certificate, |file| &file.path);
    match error {
        CredentialsError::Key(_) => LoadError::new(key, error),
        CredentialsError::Mismatch => {
            LoadError::new(key, format!("{error}; the certificate is {}", certificate.display()))
        }
        CredentialsError::Authority(_) | CredentialsError::NoAuthority => {
            LoadError::new(client, error)
        }
        CredentialsError::Revocations(_) => {
            let path = contents.revocations.as_ref().map_or(certificate, |file| &file.path);
            LoadError::new(path, error)
        }
        CredentialsError::Empty | CredentialsError::Certificate(_) | CredentialsError::Setup(_) => {
            LoadError::new(certificate, error)
        }
    }
}

/// Who may sign certificates of clients.
#[derive(Default)]
struct Authorities {
    certificates: Vec<pem::Certificate>,
    dates: Vec<Date>,
}

impl Authorities {
    fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
        let wrong = |why: &dyn fmt::Display| LoadError::new(path, why);
        for certificate in pem::certificates(bytes, pem::AUTHORITIES_MAX).map_err(|e| wrong(&e))? {
            let facts = Facts::of(&certificate).map_err(|error| wrong(&error))?;
            self.dates.push(Date::new(format!("the authority {}", facts.subject), facts.not_after));
            self.certificates.push(certificate);
        }
        Ok(())
    }
}

fn revocation_facts(
    path: &Path,
    list: &[u8],
    authorities: &Authorities,
) -> Result<RevocationFacts, LoadError> {
    let known = authorities.certificates.iter().map(AsRef::as_ref);
    let facts = RevocationFacts::of(list, known).map_err(|error| LoadError::new(path, error))?;
    if facts.signed == Some(false) {
        let why = format!("the list of {} has a wrong signature", facts.issuer);
        return Err(LoadError::new(path, why));
    }
    Ok(facts)
}

/// Whether a certificate is valid at this moment, in words.
pub(crate) fn validity(facts: &Facts, now: SystemTime) -> &'static str {
    if now < facts.not_before {
        "is not valid yet"
    } else if now > facts.not_after {
        "has expired"
    } else {
        "is valid"
    }
}
