//! Handshakes of TLS, as many as one server answers: connect, shake hands, close.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, HandshakeKind, client::Resumption};

use crate::{process::cpu_of, secure};

/// A server that is silent for so long hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Handshakes {
    /// The only version that is offered.
    pub version: Version,
    /// With a ticket of the connection before.
    pub resume: bool,
    /// Clients at once.
    pub clients: usize,
    /// For how long; each client shakes hands twice at least.
    pub duration: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shaken {
    /// Without a ticket.
    pub full: u64,
    /// With one.
    pub resumed: u64,
    /// Of the clients.
    pub time: Duration,
    /// CPU time of the server.
    pub cpu: Duration,
}

impl Handshakes {
    /// Shakes hands with the server at `address`, whose process is `pid`.
    ///
    /// # Errors
    /// A handshake fails.
    pub fn run(&self, address: SocketAddr, pid: u32) -> io::Result<Shaken> {
        let (begun, cpu_before) = (Instant::now(), cpu_of(pid));
        let counts = thread::scope(|scope| {
            let clients: Vec<_> =
                (0..self.clients).map(|_| scope.spawn(|| self.client(address, begun))).collect();
            // A panic there is one here.
            let join = |client: thread::ScopedJoinHandle<'_, _>| {
                client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            clients.into_iter().map(join).collect::<io::Result<Vec<(u64, u64)>>>()
        })?;
        Ok(Shaken {
            full: counts.iter().map(|(full, _)| full).sum(),
            resumed: counts.iter().map(|(_, resumed)| resumed).sum(),
            time: begun.elapsed(),
            cpu: cpu_of(pid).saturating_sub(cpu_before),
        })
    }

    /// Full and resumed handshakes of one client.
    fn client(&self, address: SocketAddr, begun: Instant) -> io::Result<(u64, u64)> {
        let config = Arc::new(self.config());
        let (mut full, mut resumed) = (0, 0);
        while full + resumed < 2 || begun.elapsed() < self.duration {
            match self.shake(address, &config)? {
                HandshakeKind::Resumed => resumed += 1,
                HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest => full += 1,
            }
        }
        Ok((full, resumed))
    }

    fn config(&self) -> ClientConfig {
        let version = match self.version {
            Version::Tls12 => &rustls::version::TLS12,
            Version::Tls13 => &rustls::version::TLS13,
        };
        let mut config = secure::config(&[version]);
        if !self.resume {
            config.resumption = Resumption::disabled();
        }
        config
    }

    fn shake(&self, address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<HandshakeKind> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut session = secure::session(Arc::clone(config))?;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        if self.resume && self.version == Version::Tls13 {
            // Tickets come after the handshake.
            take(&mut session, &mut stream)?;
        }
        session.handshake_kind().ok_or_else(|| ErrorKind::NotConnected.into())
    }
}

/// Takes what comes next.
fn take(session: &mut ClientConnection, stream: &mut TcpStream) -> io::Result<()> {
    if session.read_tls(stream)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    session.process_new_packets().map(drop).map_err(io::Error::other)
}

impl fmt::Display for Shaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { full, resumed, time, cpu } = self;
        let count = (full + resumed) as f64;
        let (per_second, per_cpu) = (count / time.as_secs_f64(), count / cpu.as_secs_f64());
        write!(
            f,
            "{full} full and {resumed} resumed handshakes: {per_second:.0} a second, {per_cpu:.0} for each \
             second of the server's CPU"
        )
    }
}
