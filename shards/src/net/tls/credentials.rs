//! What a handshake needs, as one immutable object, and the place where it is published.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    CertRevocationListError, InconsistentKeys, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer},
    server::{
        NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use sha2::{Digest, Sha256};

use super::{
    certificate::{Facts, Unreadable, revoked},
    tickets::Tickets,
};

/// What credentials are made of.
#[derive(Debug)]
pub struct Parts {
    /// The server's certificate, then those that lead to its authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the first of them.
    pub key: PrivateKeyDer<'static>,
    /// How clients prove who they are; none where they are not asked.
    pub client: Option<ClientParts>,
}

/// How clients prove who they are.
#[derive(Debug)]
pub struct ClientParts {
    /// Who may sign their certificates.
    pub authorities: Vec<CertificateDer<'static>>,
    /// What those have revoked. If there are any, every certificate of a chain needs one of its issuer.
    pub revocations: Vec<CertificateRevocationListDer<'static>>,
    /// Clients without a certificate are refused.
    pub required: bool,
}

/// Why parts make no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// There is no certificate.
    #[error("there is no certificate")]
    Empty,
    /// A certificate cannot be read.
    #[error("the certificate: {0}")]
    Certificate(#[from] Unreadable),
    /// The key cannot be read, or is of a kind that does not sign handshakes.
    #[error(
        "the private key cannot be used: {0}; RSA (2048 bits or more), ECDSA (P-256, P-384) and Ed25519 can"
    )]
    Key(rustls::Error),
    /// The key is that of another certificate.
    #[error("the private key is not that of the certificate: put a pair that belongs together")]
    Mismatch,
    /// An authority cannot be used.
    #[error("an authority of client certificates cannot be used: {0}")]
    Authority(rustls::Error),
    /// There is no authority.
    #[error("there is no authority of client certificates")]
    NoAuthority,
    /// A list of revocations cannot be used.
    #[error("a list of revoked certificates cannot be used: {}", unusable(.0))]
    Revocations(CertRevocationListError),
    /// The system has no random bytes, or TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// Why a list of revocations cannot be used, with the way out of what happens most.
fn unusable(error: &CertRevocationListError) -> String {
    match error {
        CertRevocationListError::ParseError | CertRevocationListError::UnsupportedCrlVersion => {
            "it is damaged, or of version 1; one of version 2 has a number, which openssl writes where its configuration \
             names a file for crlnumber"
                .into()
        }
        other => format!("{other:?}"),
    }
}

/// What a handshake needs. Immutable.
pub struct Credentials {
    /// For rustls.
    pub(super) config: Arc<ServerConfig>,
    /// What the server shows.
    pub facts: Facts,
    /// Counts how often it changed whom we trust.
    pub trust: u64,
    tickets: Arc<Tickets>,
    trust_digest: [u8; 32],
}

/// Where the credentials of the moment lie: one writes, every handshake reads.
#[derive(Debug)]
pub struct Store(ArcSwap<Credentials>);

impl Store {
    /// With the first ones.
    pub fn new(credentials: Credentials) -> Self {
        Self(ArcSwap::from_pointee(credentials))
    }

    /// For every handshake from now on.
    pub fn publish(&self, credentials: Credentials) {
        self.0.store(Arc::new(credentials));
    }

    /// Those of the moment.
    pub fn load(&self) -> Arc<Credentials> {
        self.0.load_full()
    }
}

impl Credentials {
    /// Those that follow on `previous`: clients may resume what they began under it as long as
    /// nobody else is trusted and nothing else revoked.
    ///
    /// # Errors
    /// The parts do not fit together.
    pub fn new(parts: Parts, previous: Option<&Self>) -> Result<Self, CredentialsError> {
        let Parts { chain, key, client } = parts;
        let facts = Facts::of(chain.first().ok_or(CredentialsError::Empty)?)?;
        chain.iter().try_for_each(|certificate| Facts::of(certificate).map(drop))?;
        let provider = Arc::new(ring::default_provider());
        let certified = certified(&provider, chain, key)?;
        let trust_digest = digest(client.as_ref());
        let same = previous.filter(|previous| previous.trust_digest == trust_digest);
        let tickets = match same {
            Some(same) => Arc::clone(&same.tickets),
            None => Arc::new(Tickets::new().map_err(setup)?),
        };
        let trust = previous.map_or(0, |previous| previous.trust + u64::from(same.is_none()));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(setup)?;
        let builder = match client {
            Some(client) => builder.with_client_cert_verifier(verifier(provider, client)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"h2".to_vec()];
        // What a session needs is in its ticket; a cache would be shared between reactors, and
        // between credentials.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Arc::clone(&tickets) as _;
        // Each connection uses one and gets one.
        config.send_tls13_tickets = 1;
        Ok(Self { config: Arc::new(config), facts, trust, tickets, trust_digest })
    }

    /// Seals tickets with another key from now on; of the old ones only the last still opens.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn rotate_tickets(&self) -> Result<(), CredentialsError> {
        self.tickets.rotate().map_err(setup)
    }
}

fn setup(error: impl fmt::Display) -> CredentialsError {
    CredentialsError::Setup(error.to_string())
}

fn certified(
    provider: &CryptoProvider,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, CredentialsError> {
    let key = provider.key_provider.load_private_key(key).map_err(CredentialsError::Key)?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(CredentialsError::Mismatch)
        }
        Err(error) => Err(CredentialsError::Key(error)),
    }
}

fn verifier(
    provider: Arc<CryptoProvider>,
    client: ClientParts,
) -> Result<Arc<dyn ClientCertVerifier>, CredentialsError> {
    let mut roots = RootCertStore::empty();
    for authority in client.authorities {
        roots.add(authority).map_err(CredentialsError::Authority)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = builder.with_crls(client.revocations);
    let builder = if client.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| match error {
        VerifierBuilderError::NoRootAnchors => CredentialsError::NoAuthority,
        VerifierBuilderError::InvalidCrl(error) => CredentialsError::Revocations(error),
        other => setup(other),
    })
}

/// Of everything that decides who is trusted.
fn digest(client: Option<&ClientParts>) -> [u8; 32] {
    let mut hash = Sha256::new();
    if let Some(ClientParts { authorities, revocations, required }) = client {
        hash.update([1 + u8::from(*required)]);
        let lists = [
            authorities.iter().map(|der| der.to_vec()).collect::<Vec<_>>(),
            revocations.iter().map(|der| revoked(der)).collect(),
        ];
        for mut list in lists {
            // In the order of a folder, which is none.
            list.sort_unstable();
            hash.update((list.len() as u64).to_le_bytes());
            for part in list {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
    }
    hash.finalize().into()
}

impl fmt::Debug for Credentials {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { facts, trust, .. } = self;
        f.debug_struct("Credentials")
            .field("facts", facts)
            .field("trust", trust)
            .finish_non_exhaustive()
    }
}
