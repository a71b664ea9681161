//! Handshakes in memory: who is let in under which credentials, and which sessions go on.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Error, HandshakeKind, RootCertStore,
    ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer},
};

use super::credentials::{ClientParts, Credentials, CredentialsError, Parts};
use crate::net::peer::ClientCertificate;

struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A chain and the key of its first certificate.
type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Authority {
    fn root(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(Self::params(name), key).unwrap())
    }

    /// Signed by this one.
    fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::signed_by(Self::params(name), key, &self.0).unwrap())
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = params(name, 200);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    fn sign(&self, name: &str, serial: u64) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params(name, serial).signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (vec![certificate.der().clone()], key)
    }

    fn revokes(&self, serials: &[u64]) -> CertificateRevocationListDer<'static> {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(2026, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().der().clone()
    }
}

fn params(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.serial_number = Some(SerialNumber::from(serial));
    params
}

fn credentials(
    own: &Authority,
    trusted: &[&Authority],
    revocations: Vec<CertificateRevocationListDer<'static>>,
    previous: Option<&Credentials>,
) -> Credentials {
    let (chain, key) = own.sign("db.example", 1);
    let authorities = trusted.iter().map(|authority| authority.der()).collect();
    let client = Some(ClientParts { authorities, revocations, required: true });
    Credentials::new(Parts { chain, key, client }, previous).unwrap()
}

fn client(own: &Authority, (chain, key): Pair) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(own.der()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(builder.with_client_auth_cert(chain, key).unwrap())
}

/// The server's side of a handshake, or why it let nobody in.
fn shake(client: &Arc<ClientConfig>, server: &Credentials) -> Result<ServerConnection, Error> {
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(&server.config)).unwrap();
    // The last turns carry the tickets.
    for _ in 0..4 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut input = &bytes[..];
        while !input.is_empty() {
            server.read_tls(&mut input).unwrap();
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut input = &bytes[..];
        while !input.is_empty() {
            client.read_tls(&mut input).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!server.is_handshaking());
    Ok(server)
}

fn refusal(client: &Arc<ClientConfig>, server: &Credentials) -> CertificateError {
    match shake(client, server) {
        Err(Error::InvalidCertificate(error)) => error,
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn what_a_client_shows_is_known_also_when_its_session_is_resumed() {
    let own = Authority::root("Root");
    let server = credentials(&own, &[&own], vec![], None);
    let alice = client(&own, own.sign("alice", 5));
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let session = shake(&alice, &server).unwrap();
        assert_eq!(session.handshake_kind(), Some(kind));
        let shown = ClientCertificate::of(&session.peer_certificates().unwrap()[0]).unwrap();
        assert_eq!(shown.common_name.as_deref(), Some("alice"));
        assert_eq!(
            (shown.organizations, shown.names),
            (vec!["Example".to_owned()], vec!["localhost".to_owned()])
        );
        assert_eq!(shown.serial, "05");
    }
}

#[test]
fn sessions_go_on_under_another_certificate_and_never_under_another_trust() {
    let (own, other) = (Authority::root("Root"), Authority::root("Other"));
    let list = own.revokes(&[9]);
    let first = credentials(&own, &[&own, &other], vec![], None);
    let alice = client(&own, own.sign("alice", 5));
    let is_resumed = |server: &Credentials| {
        shake(&alice, server).unwrap().handshake_kind() == Some(HandshakeKind::Resumed)
    };
    assert!(!is_resumed(&first));
    // In another order it is the same trust.
    let second = credentials(&own, &[&other, &own], vec![], Some(&first));
    assert!(is_resumed(&second));
    assert_eq!(second.trust, first.trust);
    let revoking = credentials(&own, &[&own, &other], vec![list.clone()], Some(&second));
    assert_ne!(revoking.trust, second.trust);
    assert!(!is_resumed(&revoking));
    let signed_anew = credentials(&own, &[&own, &other], vec![own.revokes(&[9])], Some(&revoking));
    assert_eq!(signed_anew.trust, revoking.trust);
    let more = credentials(&own, &[&own, &other], vec![own.revokes(&[9, 8])], Some(&revoking));
    assert_ne!(more.trust, revoking.trust);
    let fewer = credentials(&own, &[&own], vec![list.clone()], Some(&revoking));
    assert!(fewer.trust > revoking.trust);
    assert!(!is_resumed(&fewer) && is_resumed(&fewer));
    // The way back is a change as well.
    let back = credentials(&own, &[&own, &other], vec![list.clone()], Some(&fewer));
    assert!(!is_resumed(&back));
    fewer.rotate_tickets().unwrap();
    let again = credentials(&own, &[&own], vec![list.clone()], Some(&fewer));
    assert_eq!(again.trust, fewer.trust);
}

#[test]
fn keys_of_tickets_are_those_of_the_credentials_that_follow() {
    let own = Authority::root("Root");
    let first = credentials(&own, &[&own], vec![], None);
    let alice = client(&own, own.sign("alice", 5));
    shake(&alice, &first).unwrap();
    let second = credentials(&own, &[&own], vec![], Some(&first));
    second.rotate_tickets().unwrap();
    let kind = |server| shake(&alice, server).unwrap().handshake_kind();
    assert_eq!(kind(&second), Some(HandshakeKind::Resumed));
    second.rotate_tickets().unwrap();
    second.rotate_tickets().unwrap();
    assert_eq!(kind(&second), Some(HandshakeKind::Full));
}

#[test]
fn who_is_revoked_anywhere_in_the_chain_is_refused() {
    let root = Authority::root("Root");
    let middle = root.below("Middle");
    let of_middle = |serial| {
        let (mut chain, key) = middle.sign("alice", serial);
        chain.push(middle.der());
        client(&root, (chain, key))
    };
    let trusting = |revocations| credentials(&root, &[&root], revocations, None);
    assert!(shake(&of_middle(5), &trusting(vec![])).is_ok());
    let good = trusting(vec![root.revokes(&[1]), middle.revokes(&[6])]);
    assert!(shake(&of_middle(5), &good).is_ok(), "though nextUpdate has passed");
    assert_eq!(refusal(&of_middle(6), &good), CertificateError::Revoked);
    let without_middle = trusting(vec![root.revokes(&[200]), middle.revokes(&[6])]);
    assert_eq!(refusal(&of_middle(5), &without_middle), CertificateError::Revoked);
    // A list is missing: nobody knows.
    for lists in [vec![root.revokes(&[1])], vec![middle.revokes(&[6])]] {
        assert_eq!(
            refusal(&of_middle(5), &trusting(lists)),
            CertificateError::UnknownRevocationStatus
        );
    }
    // A list that somebody else signed in the authority's name.
    let forged = Authority::root("Root").revokes(&[]);
    let direct = client(&root, root.sign("bob", 7));
    assert!(shake(&direct, &trusting(vec![forged])).is_err());
}

#[test]
fn parts_that_do_not_fit_make_no_credentials() {
    let own = Authority::root("Root");
    let ((chain, _), (_, key)) = (own.sign("a", 1), own.sign("b", 2));
    let mismatch = Credentials::new(Parts { chain, key, client: None }, None);
    assert!(matches!(mismatch, Err(CredentialsError::Mismatch)));
    let (_, key) = own.sign("a", 1);
    let empty = Credentials::new(Parts { chain: vec![], key, client: None }, None);
    assert!(matches!(empty, Err(CredentialsError::Empty)));
    let (chain, key) = own.sign("a", 1);
    let client = ClientParts { authorities: vec![], revocations: vec![], required: false };
    let nobody = Credentials::new(Parts { chain, key, client: Some(client) }, None);
    assert!(matches!(nobody, Err(CredentialsError::NoAuthority)));
    let (chain, key) = own.sign("a", 1);
    let revocations = vec![CertificateRevocationListDer::from(vec![0x30, 0])];
    let client = ClientParts { authorities: vec![own.der()], revocations, required: false };
    let damaged = Credentials::new(Parts { chain, key, client: Some(client) }, None);
    assert!(matches!(damaged, Err(CredentialsError::Revocations(_))));
}
