//! An authority, and what it signs.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};

/// Signs certificates.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Years in which a certificate is valid, from the first of January.
pub(super) type Years = (i32, i32);

pub(super) const VALID: Years = (2024, 2099);
pub(super) const OLDER: Years = (2023, 2099);
pub(super) const EXPIRED: Years = (2024, 2025);
pub(super) const EARLY: Years = (2090, 2099);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = params(name, 0xca, VALID);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate of the server with this serial number.
    pub(crate) fn server(&self, serial: u64) -> Pair {
        self.server_in(serial, VALID)
    }

    pub(super) fn server_in(&self, serial: u64, years: Years) -> Pair {
        let mut params = params("db.example", serial, years);
        params.subject_alt_names.push(SanType::DnsName("localhost".try_into().unwrap()));
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// A certificate of a client with this serial number.
    pub(crate) fn client(&self, name: &str, serial: u64) -> Pair {
        self.client_in(name, serial, VALID)
    }

    pub(super) fn client_in(&self, name: &str, serial: u64, years: Years) -> Pair {
        let mut params = params(name, serial, years);
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    /// A certificate of a client that has no common name, but this DNS name.
    pub(crate) fn client_without_common_name(&self, name: &str, serial: u64) -> Pair {
        let mut params = params("", serial, VALID);
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.subject_alt_names.push(SanType::DnsName(name.try_into().unwrap()));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    /// The list of revoked certificates with these serial numbers; each list has a number.
    pub(crate) fn revocations(&self, number: u64, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(2099, 1, 1),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    fn sign(&self, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

fn params(name: &str, serial: u64, (from, until): Years) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

impl Pair {
    /// As `server.crt` and `server.key`.
    pub(crate) fn write(&self, folder: &Path) {
        fs::write(folder.join("server.crt"), &self.certificate).unwrap();
        self.write_key(folder);
    }

    pub(super) fn write_key(&self, folder: &Path) {
        fs::write(folder.join("server.key"), &self.key).unwrap();
    }
}
