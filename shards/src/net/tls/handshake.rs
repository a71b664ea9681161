//! A handshake: from the first byte of a client to records, without starving anybody.
//!
//! ```text
//!   accepted ─► hello is here ─► in line for a place ─► [hello] ─► answer sent ─► client's end ─► [end] ─► records
//!                                 limits.handshakes_max                              ▲─────────────┘ again if need be
//! ```
//!
//! - What stands in brackets is work for the CPU (signature, key agreement, the client's chain). One at a
//!   time does it on a reactor, and after [`SLICE`] everybody else runs first.
//! - A place is taken only when the whole hello is here, so that nobody holds one by being silent. Who
//!   has one and lets others wait for longer than [`CROWDED_PATIENCE`] loses it.
//! - The credentials are read when the hello is answered: what was published before that counts.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant, SystemTime},
};

use futures_util::{
    future::{Either, select},
    io::AsyncRead as _,
};
use glommio::{
    net::TcpStream,
    sync::{Permit, Semaphore},
    timer::sleep,
};
use rustls::{
    ProtocolVersion, ServerConnection,
    server::{Accepted, Acceptor},
};

use super::{
    credentials::{Credentials, Store},
    failure::Failure,
    heads::Heads,
    opening::Opening,
    records::{Records, Socket},
};
use crate::{
    core::Core,
    counters::{TlsKind, TlsVersion},
    net::{peer::ClientCertificate, seldom::Seldom},
    turn::give_way,
};

/// Work for the CPU between two looks at everybody else.
const SLICE: Duration = Duration::from_micros(500);
/// How long a client may let its handshake rest while others wait for a place.
const CROWDED_PATIENCE: Duration = Duration::from_secs(2);
/// Bytes taken from a socket at once; a flight of a client has a few thousand.
const READ_BYTES: usize = 16 * 1024;
/// Plain bytes come from records that are read in pieces of this size at most.
const SCRATCH_BYTES: usize = 256 * 1024;

/// What the handshakes of a reactor share.
pub struct Desk {
    places: Semaphore,
    /// Whose turn it is to work.
    work: Semaphore,
    /// Work since everybody else ran last.
    spent: Cell<Duration>,
    waiting: Cell<u64>,
    under_way: Cell<u64>,
    /// For one read at a time; none is kept over a wait.
    pub scratch: RefCell<Vec<u8>>,
    /// One for each class of failures.
    pub lines: [Seldom; crate::counters::TlsFailure::ALL.len()],
}

/// A connection whose handshake is over.
pub struct Established {
    /// What is read and written from now on.
    pub records: Box<Records>,
    /// What the client showed.
    pub certificate: Option<ClientCertificate>,
    /// [`Credentials::trust`] under which it was verified.
    pub trust: u64,
    /// The protocol.
    pub version: TlsVersion,
}

impl Desk {
    /// With so many places.
    pub fn new(places: usize) -> Self {
        Self {
            places: Semaphore::new(places as u64),
            work: Semaphore::new(1),
            spent: Cell::default(),
            waiting: Cell::default(),
            under_way: Cell::default(),
            scratch: RefCell::default(),
            lines: Default::default(),
        }
    }

    /// Handshakes that have a place, and those that wait for one.
    pub fn counts(&self) -> (u64, u64) {
        (self.under_way.get(), self.waiting.get())
    }

    /// Runs `scratch` with a buffer that all connections share.
    pub fn with_scratch<T>(&self, run: impl FnOnce(&mut [u8]) -> T) -> T {
        let mut scratch = self.scratch.borrow_mut();
        if scratch.is_empty() {
            scratch.resize(SCRATCH_BYTES, 0);
        }
        run(&mut scratch)
    }

    /// Does work for the CPU when it is this one's turn.
    async fn work<T>(&self, work: impl FnOnce() -> T) -> Result<T, Failure> {
        let _turn = self.work.acquire_permit(1).await.map_err(closed)?;
        if self.spent.get() >= SLICE {
            give_way().await;
            self.spent.set(Duration::ZERO);
        }
        let began = Instant::now();
        let done = work();
        self.spent.set(self.spent.get() + began.elapsed());
        Ok(done)
    }
}

fn closed(error: glommio::GlommioError<()>) -> Failure {
    Failure::Gone(io::Error::other(error.to_string()))
}

/// Makes a connection of TLS from one of TCP.
///
/// # Errors
/// Why none came of it.
pub async fn accept(core: &Core, store: &Store, stream: TcpStream) -> Result<Established, Failure> {
    let deadline = Instant::now() + core.settings.connection_timeout;
    let backlog = Vec::new();
    let mut handshake = Handshake { core, stream, deadline, heads: Heads::default(), backlog };
    let accepted = handshake.hello().await?;
    let place = handshake.enter().await?;
    let (credentials, session) = handshake.answer(store, accepted).await?;
    let session = handshake.finish(session, &place).await?;
    drop(place);
    handshake.established(store, &credentials, session)
}

struct Handshake<'a> {
    core: &'a Core,
    stream: TcpStream,
    deadline: Instant,
    heads: Heads,
    /// What was received and not given to rustls yet.
    backlog: Vec<u8>,
}

/// A place among the handshakes that are under way.
struct Place<'a> {
    desk: &'a Desk,
    _permit: Permit<'a>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.desk.under_way.set(self.desk.under_way.get() - 1);
    }
}

/// Counts one who waits.
struct Waiting<'a>(&'a Desk);

impl<'a> Waiting<'a> {
    fn new(desk: &'a Desk) -> Self {
        desk.waiting.set(desk.waiting.get() + 1);
        Self(desk)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

impl<'a> Handshake<'a> {
    fn desk(&self) -> &'a Desk {
        &self.core.handshakes
    }

    /// Waits for the whole hello of the client.
    async fn hello(&mut self) -> Result<Accepted, Failure> {
        let (mut acceptor, mut is_first) = (Acceptor::default(), true);
        loop {
            self.receive(None).await?;
            if std::mem::take(&mut is_first) {
                self.look_at_opening().await?;
            }
            while !self.backlog.is_empty() {
                let mut input = &self.backlog[..];
                acceptor.read_tls(&mut input)?;
                let taken = self.backlog.len() - input.len();
                self.backlog.drain(..taken);
                match acceptor.accept() {
                    Ok(None) => {}
                    Ok(Some(accepted)) => return Ok(accepted),
                    Err((error, mut alert)) => {
                        let mut bytes = Vec::new();
                        alert.write_all(&mut bytes)?;
                        self.say(&bytes).await;
                        return Err(error.into());
                    }
                }
            }
        }
    }

    async fn look_at_opening(&mut self) -> Result<(), Failure> {
        match Opening::of(&self.backlog) {
            Opening::Tls => Ok(()),
            other => {
                self.say(&other.farewell()).await;
                Err(Failure::Opening(other))
            }
        }
    }

    /// The last words on a connection that is given up. A fresh socket has room for some bytes; if the
    /// peer is gone, nobody is there to be told.
    async fn say(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let stream = &mut self.stream;
            let _ = poll_fn(|cx| Poll::Ready(io::Write::write(&mut Socket { stream, cx }, bytes)))
                .await;
        }
    }

    async fn enter(&self) -> Result<Place<'a>, Failure> {
        let desk = self.desk();
        let permit = match desk.places.try_acquire_permit(1) {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = Waiting::new(desk);
                let (place, patience) =
                    (pin!(desk.places.acquire_permit(1)), pin!(sleep(self.left()?)));
                match select(place, patience).await {
                    Either::Left((permit, _)) => permit.map_err(closed)?,
                    Either::Right(_) => return Err(Failure::Timeout),
                }
            }
        };
        desk.under_way.set(desk.under_way.get() + 1);
        Ok(Place { desk, _permit: permit })
    }

    /// Answers the hello with the credentials of this moment.
    async fn answer(
        &mut self,
        store: &Store,
        accepted: Accepted,
    ) -> Result<(Arc<Credentials>, ServerConnection), Failure> {
        let answered = self.desk().work(|| {
            let credentials = store.load();
            let session = accepted.into_connection(Arc::clone(&credentials.config));
            session.map(|session| (credentials, session))
        });
        match answered.await? {
            Ok(answered) => Ok(answered),
            Err((error, mut alert)) => {
                let mut bytes = Vec::new();
                alert.write_all(&mut bytes)?;
                self.say(&bytes).await;
                Err(error.into())
            }
        }
    }

    /// Talks until both sides have finished.
    async fn finish(
        &mut self,
        mut session: ServerConnection,
        place: &Place<'_>,
    ) -> Result<ServerConnection, Failure> {
        loop {
            self.send(&mut session).await?;
            if !session.is_handshaking() {
                return Ok(session);
            }
            if self.backlog.is_empty() {
                self.receive(Some(place)).await?;
            }
            let backlog = &mut self.backlog;
            let desk = &self.core.handshakes;
            let processed = desk.work(|| process(&mut session, backlog)).await?;
            self.core.counters().turns.add(1);
            if let Err(error) = processed {
                // The alert; the error says more than a failure to send it.
                let _ = self.send(&mut session).await;
                return Err(error);
            }
        }
    }

    /// What came of it.
    fn established(
        self,
        store: &Store,
        credentials: &Credentials,
        session: ServerConnection,
    ) -> Result<Established, Failure> {
        let shown = session.peer_certificates().and_then(|chain| chain.first());
        let certificate = shown.map(|der| ClientCertificate::of(der)).transpose();
        let certificate =
            certificate.map_err(|_| Failure::Certificate("cannot be read by this server"))?;
        if let Some(certificate) = &certificate {
            // A resumed session was verified long ago.
            if certificate.not_after < SystemTime::now() {
                return Err(Failure::Certificate("has expired since it was verified"));
            }
            if store.load().trust != credentials.trust {
                return Err(Failure::Certificate(
                    "was verified by authorities or revocations that have just been replaced",
                ));
            }
        }
        let version = match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => TlsVersion::V12,
            _ => TlsVersion::V13,
        };
        let kind = match session.handshake_kind() {
            Some(rustls::HandshakeKind::Resumed) => TlsKind::Resumed,
            _ => TlsKind::Full,
        };
        self.core.counters().tls_handshakes(version, kind).add(1);
        let records = Box::new(Records::new(session, self.stream, self.heads, self.backlog));
        Ok(Established { records, certificate, trust: credentials.trust, version })
    }

    /// Waits for bytes. Whoever has a `place` may lose it.
    async fn receive(&mut self, place: Option<&Place<'_>>) -> Result<(), Failure> {
        let mut rested = Duration::ZERO;
        loop {
            let patience = self.left()?.min(CROWDED_PATIENCE);
            let receive = poll_fn(|cx| {
                let Self { core, stream, heads, backlog, .. } = self;
                core.handshakes.with_scratch(|scratch| {
                    let read = Pin::new(stream).poll_read(cx, &mut scratch[..READ_BYTES]);
                    read.map_ok(|count| {
                        heads.pass(&scratch[..count]);
                        backlog.extend_from_slice(&scratch[..count]);
                        count
                    })
                })
            });
            match select(pin!(receive), pin!(sleep(patience))).await {
                Either::Left((Ok(0), _)) => {
                    return Err(io::ErrorKind::UnexpectedEof.into())
                        .map_err(|kind: io::Error| kind.into());
                }
                Either::Left((received, _)) => return Ok(received.map(drop)?),
                Either::Right(_) => rested += patience,
            }
            if place.is_some() && self.desk().waiting.get() > 0 && rested >= CROWDED_PATIENCE {
                return Err(Failure::Crowded);
            }
            if self.core.process.draining.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(Failure::Draining);
            }
        }
    }

    async fn send(&mut self, session: &mut ServerConnection) -> Result<(), Failure> {
        let patience = self.left()?;
        let stream = &mut self.stream;
        let send = poll_fn(|cx| -> Poll<io::Result<()>> {
            while session.wants_write() {
                match session.write_tls(&mut Socket { stream: &mut *stream, cx }) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Poll::Pending;
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            Poll::Ready(Ok(()))
        });
        match select(pin!(send), pin!(sleep(patience))).await {
            Either::Left((sent, _)) => Ok(sent?),
            Either::Right(_) => Err(Failure::Timeout),
        }
    }

    fn left(&self) -> Result<Duration, Failure> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(Failure::Timeout),
            left => Ok(left),
        }
    }
}

/// Gives rustls what has come, until the handshake is over.
fn process(session: &mut ServerConnection, backlog: &mut Vec<u8>) -> Result<(), Failure> {
    let mut input = &backlog[..];
    while !input.is_empty() && session.is_handshaking() {
        session.read_tls(&mut input)?;
        session.process_new_packets()?;
    }
    *backlog = input.to_vec();
    Ok(())
}
