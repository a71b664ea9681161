//! Damaged files of operators, and certificates of strangers.

use amaters_fuzz::Campaign;
use rcgen::{
    CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

use super::{
    certificate::{Facts, RevocationFacts},
    heads::Heads,
    opening::Opening,
    pem,
};
use crate::net::peer::ClientCertificate;

const ROUNDS: u64 = 20_000;

/// A certificate of a client, its key, and a list of revoked ones, each as PEM.
fn written() -> [String; 3] {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "alice");
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.subject_alt_names.push(SanType::Rfc822Name("a@example".try_into().unwrap()));
    params.subject_alt_names.push(SanType::URI("spiffe://example/a".try_into().unwrap()));
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2025, 1, 1),
        next_update: date_time_ymd(2099, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(7),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let text = key.serialize_pem();
    let list = list.signed_by(&Issuer::new(params, key)).unwrap().pem().unwrap();
    [certificate, text, list]
}

#[test]
fn fuzz_pem_files() {
    let [certificate, key, list] = written();
    let seeds = [certificate.clone(), key.clone(), list.clone(), [certificate, key, list].concat()];
    let seeds = seeds.map(String::into_bytes).to_vec();
    Campaign::new("PEM files", seeds).rounds(ROUNDS).run(|bytes| {
        let certificates = pem::certificates(bytes, 4).map(|found| found.len());
        let keys = pem::private_key(bytes).map(|_| 1);
        let lists = pem::revocations(bytes).map(|found| found.len());
        let found = [&certificates, &keys, &lists].map(|found| found.clone().unwrap_or(0) as u64);
        assert!(found[0] <= 4);
        match found {
            [0, 0, 0] => Err(certificates.unwrap_err().to_string()),
            [certificates, keys, lists] => Ok(certificates * 100 + keys * 10 + lists),
        }
    });
}

#[test]
fn fuzz_certificates() {
    let [certificate, _, list] = written();
    let own = pem::certificates(certificate.as_bytes(), 1).unwrap().remove(0);
    let list = pem::revocations(list.as_bytes()).unwrap().remove(0);
    let seeds = vec![own.to_vec(), list.to_vec()];
    Campaign::new("certificates", seeds).rounds(ROUNDS).run(|bytes| {
        let facts = Facts::of(bytes);
        let client = ClientCertificate::of(bytes);
        assert_eq!(facts.is_ok(), client.is_ok());
        if let (Ok(facts), Ok(client)) = (&facts, &client) {
            assert_eq!((&facts.serial, facts.not_after), (&client.serial, client.not_after));
            // They stand in lines of the log.
            assert!(!facts.subject.chars().chain(facts.issuer.chars()).any(char::is_control));
            return Ok(client.names.len() as u64 * 10 + client.organizations.len() as u64);
        }
        let list = RevocationFacts::of(bytes, [&own[..]]).map_err(|error| error.to_string())?;
        Ok(1000 + list.count as u64)
    });
}

#[test]
fn fuzz_record_heads() {
    let seeds = vec![
        b"\x16\x03\x01\x00\x05hello\x17\x03\x03\x00\x20................................".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    Campaign::new("record heads", seeds).rounds(ROUNDS).run(|bytes| {
        let (mut whole, mut pieces) = (Heads::default(), Heads::default());
        let short = whole.pass(bytes);
        let size = bytes.first().map_or(1, |byte| usize::from(*byte % 7) + 1);
        assert_eq!(bytes.chunks(size).map(|piece| pieces.pass(piece)).sum::<u32>(), short);
        assert_eq!(whole.is_inside_record(), pieces.is_inside_record());
        match Opening::of(bytes) {
            Opening::Other => Err("neither TLS nor HTTP".to_owned()),
            opening => Ok(u64::from(short) * 4 + opening as u64),
        }
    });
}
