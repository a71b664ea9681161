//! Clients: rustls by hand, which tells what the handshake was, OpenSSL, and tonic.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::authority::{Authority, Pair};
use crate::wire::client::Client;

/// A connection, and what its handshake was.
pub(crate) struct Hand {
    pub(crate) serial: u64,
    pub(crate) kind: HandshakeKind,
    stream: StreamOwned<ClientConnection, TcpStream>,
}

/// What a client brings along; what it learns of tickets stays in it.
pub(crate) fn config(authority: &Authority, identity: Option<&Pair>) -> Arc<ClientConfig> {
    config_of(&[&TLS13, &TLS12], authority, identity)
}

/// The same for these versions of TLS only.
pub(crate) fn config_of(
    versions: &[&'static SupportedProtocolVersion],
    authority: &Authority,
    identity: Option<&Pair>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

impl Hand {
    /// Shakes hands, and reads the server's first frame, which proves that the server was content too.
    pub(crate) fn shake(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        let name = "localhost".try_into().unwrap();
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, socket);
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")?;
        stream.read_exact(&mut [0; 9])?;
        let shown = &stream.conn.peer_certificates().unwrap()[0];
        let serial = serial_of(shown);
        let kind = stream.conn.handshake_kind().unwrap();
        Ok(Self { serial, kind, stream })
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.kind == HandshakeKind::Resumed
    }

    /// Reads until the server has said GOAWAY.
    pub(crate) fn wait_for_goaway(&mut self) -> io::Result<()> {
        const GOAWAY: u8 = 7;

        // The rest of the SETTINGS whose head was read already.
        let mut seen = Vec::new();
        loop {
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            seen.extend_from_slice(&bytes[..count]);
            // A head of a GOAWAY on stream 0; no other frame that comes unasked looks like it.
            if seen.windows(9).any(|head| head[3..] == [GOAWAY, 0, 0, 0, 0, 0]) {
                return Ok(());
            }
        }
    }
}

/// The serial number of a certificate that [`Authority`] made: a short integer after the version.
fn serial_of(der: &[u8]) -> u64 {
    // 30 len.. 30 len.. a0 03 02 01 02 02 LEN serial
    let version = [0xa0, 3, 2, 1, 2, 2];
    let at =
        der.windows(version.len()).position(|window| window == version).unwrap() + version.len();
    let length = usize::from(der[at]);
    der[at + 1..at + 1 + length].iter().fold(0, |serial, byte| (serial << 8) | u64::from(*byte))
}

/// What `openssl s_client` says, and whether it was content.
pub(crate) fn openssl(address: SocketAddr, words: &str) -> (bool, String) {
    let mut command = Command::new("openssl");
    command.args([
        "s_client",
        "-connect",
        &address.to_string(),
        "-alpn",
        "h2",
        "-servername",
        "localhost",
    ]);
    command.args(words.split_ascii_whitespace());
    command.stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text.into_owned())
}

/// The serial number that the server shows to OpenSSL.
pub(crate) fn openssl_serial(address: SocketAddr) -> u64 {
    let (_, text) = openssl(address, "-showcerts");
    let begin = text.find("-----BEGIN CERTIFICATE-----").unwrap_or_else(|| panic!("{text}"));
    serial_of(&CertificateDer::from_pem_slice(&text.as_bytes()[begin..]).unwrap())
}

/// Whether OpenSSL is here, which only a continuous integration must not overlook.
pub(crate) fn has_openssl() -> bool {
    let is_here = Command::new("openssl").arg("version").output().is_ok();
    assert!(is_here || std::env::var_os("CI").is_none(), "openssl is not installed");
    if !is_here {
        let _ = writeln!(io::stderr(), "SKIPPED what openssl would see: it is not installed");
    }
    is_here
}

/// A tonic client; it connects when it is asked for something.
pub(crate) fn tonic_config(authority: &Authority, identity: Option<&Pair>) -> ClientTlsConfig {
    let tls = ClientTlsConfig::new().domain_name("localhost");
    let tls = tls.ca_certificate(Certificate::from_pem(authority.pem()));
    match identity {
        None => tls,
        Some(pair) => tls.identity(Identity::from_pem(&pair.certificate, &pair.key)),
    }
}

/// The same, connected.
pub(crate) async fn tonic(
    address: SocketAddr,
    authority: &Authority,
    identity: Option<&Pair>,
) -> Result<Client, tonic::transport::Error> {
    Client::connect_tls(address, tonic_config(authority, identity)).await
}
