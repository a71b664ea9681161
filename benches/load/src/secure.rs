//! A socket, with or without TLS, as the event loop wants it.
//!
//! Whose certificate the server shows is not looked at: what is measured is what TLS costs.

use std::{
    io::{self, IoSlice, Read, Write},
    ops::Range,
    sync::{Arc, LazyLock},
};

use mio::net::TcpStream;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};

/// Read at once.
const READ_BYTES: usize = 64 * 1024;

static CONFIG: LazyLock<Arc<ClientConfig>> =
    LazyLock::new(|| Arc::new(config(rustls::DEFAULT_VERSIONS)));

/// A client that speaks HTTP/2 and takes every certificate.
pub fn config(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions).expect("ring has suites for each");
    let builder = builder.dangerous();
    let mut config =
        builder.with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// A session that has not begun.
pub fn session(config: Arc<ClientConfig>) -> io::Result<ClientConnection> {
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    ClientConnection::new(config, name).map_err(io::Error::other)
}

/// A socket.
pub struct Socket {
    stream: TcpStream,
    session: Option<Box<ClientConnection>>,
    buffer: Vec<u8>,
    /// What of it was not given to the session yet.
    unread: Range<usize>,
}

impl Socket {
    /// Over a connection of TCP.
    pub fn new(stream: TcpStream, tls: bool) -> io::Result<Self> {
        let begin = || {
            let mut session = session(Arc::clone(&CONFIG))?;
            session.set_buffer_limit(None);
            Ok::<_, io::Error>(Box::new(session))
        };
        let session = tls.then(begin).transpose()?;
        let buffer = if tls { vec![0; READ_BYTES] } else { Vec::new() };
        Ok(Self { stream, session, buffer, unread: 0..0 })
    }
}

impl Read for Socket {
    /// Less than asked for only when the socket is empty.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Self { stream, session, buffer, unread } = self;
        let Some(session) = session else { return stream.read(bytes) };
        let mut filled = 0;
        loop {
            while filled < bytes.len() {
                match session.reader().read(&mut bytes[filled..]) {
                    Ok(0) => return Ok(filled),
                    Ok(count) => filled += count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            if filled == bytes.len() {
                return Ok(filled);
            }
            if unread.start == unread.end {
                match stream.read(buffer) {
                    Ok(0) => return Ok(filled),
                    Ok(count) => *unread = 0..count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock && filled > 0 => {
                        return Ok(filled);
                    }
                    Err(error) => return Err(error),
                }
            }
            // All that was opened has been taken, so there is room for what comes next.
            let mut input = &buffer[unread.clone()];
            session.read_tls(&mut input)?;
            unread.start = unread.end - input.len();
            session.process_new_packets().map_err(io::Error::other)?;
            send(session, stream)?;
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Self { stream, session, .. } = self;
        let Some(session) = session else { return stream.write_vectored(slices) };
        if !send(session, stream)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = session.writer().write_vectored(slices)?;
        send(session, stream)?;
        Ok(count)
    }

    /// Without waiting.
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.session {
            Some(session) => send(session, &mut self.stream).map(drop),
            None => Ok(()),
        }
    }
}

/// Sends records until all are gone (`true`) or the socket takes no more.
fn send(session: &mut ClientConnection, stream: &mut TcpStream) -> io::Result<bool> {
    while session.wants_write() {
        match session.write_tls(stream) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Takes every certificate.
#[derive(Debug)]
struct Anybody(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
