//! One HTTP/2 connection: drain what arrived, run it, flush the answers together.
//!
//! ```text
//!   turn:  orders of the sweep ─► accept all that is here ─► begin each ─► answer what finished
//!             ▲                                                                │
//!             └──────────── until nothing moves; then wait ◄───────────────────┘
//! ```
//!
//! `poll_accept` of h2 also flushes, so all requests are accepted before the first is begun:
//! otherwise each answer would be a system call of its own.

use std::{
    cell::Cell,
    collections::VecDeque,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    sync::atomic::Ordering::Relaxed,
    task::{Context, Poll},
    time::Instant,
};

use futures_util::future::{Either, select};
use glommio::{net::TcpStream, timer::sleep};
use h2::{Ping, PingPong, Reason, RecvStream, server};
use http::Request;
use tracing::{debug, warn};

use super::{
    peer::Peer,
    registry::{About, Order, Vitals},
    seldom::and_others,
    tls::{
        credentials::Store,
        handshake::{self, Established},
        opening::Opening,
    },
    transport::{Gauge, Transport, Wire},
};
use crate::{
    audit::{AuditResult, Event, Kind},
    core::Core,
    counters::TlsVersion,
    grpc::calls::Calls,
    limits::{
        CONNECTION_WINDOW_BYTES, FRAME_BYTES_MAX, LOCAL_RESETS_MAX, PENDING_RESETS_MAX,
        SEND_BUFFER_BYTES, SHORT_FRAMES_BYTES_MAX, STREAM_WINDOW_BYTES, TURN_READ_BYTES_MAX,
    },
    payload::{Flight, Payload},
    turn::give_way,
};

/// With the time when the last of its bytes came.
type Accepted = (Request<RecvStream>, server::SendResponse<Payload>, Instant);

struct Connection {
    core: Rc<Core>,
    peer: Rc<Peer>,
    gauge: Rc<Gauge>,
    flight: Rc<Flight>,
    http: server::Connection<Transport, Payload>,
    ping: Option<PingPong>,
    calls: Calls,
    /// Requests that are here and not begun, oldest first.
    accepted: VecDeque<Accepted>,
    /// Nothing new is begun: the connection only ends.
    closing: bool,
}

/// How a turn ended.
enum Turn {
    /// There is more to read; others first.
    GiveWay,
    /// The connection is over.
    Over,
}

/// Serves a connection until it ends.
pub async fn serve(core: Rc<Core>, stream: TcpStream) {
    // Only a peer that has gone again has no address.
    let Ok(address) = stream.peer_addr() else { return };
    let mut peer = Peer { address, certificate: None };
    let vitals = Rc::new(Vitals::new(Instant::now()));
    let _ = vitals.about.set(About {
        id: core.registry.next_id(core.index),
        address,
        opened: Instant::now(),
        requests: Cell::new(0),
    });
    let place = core.registry.enter(Rc::clone(&vitals));
    // Each lives in a box of its own, and the handshakes only as long as they last: a task is as large
    // as all that it ever holds, with copies.
    let mut open = None;
    let wire = match core.settings.tls.clone() {
        None => Wire::Plain(stream),
        Some(store) => match Box::pin(shake_hands(&core, &store, stream, &peer)).await {
            None => return,
            Some(established) => {
                let Established { records, certificate, trust, version } = established;
                vitals.trust.set(certificate.as_ref().map(|_| trust));
                vitals.stuck_reading.set(Some(Instant::now()));
                peer.certificate = certificate;
                open = Some(OpenTls::new(&core, version));
                Wire::Tls(records)
            }
        },
    };
    let (gauge, peer) = (Rc::new(Gauge::new(vitals)), Rc::new(peer));
    let transport = Transport::new(Rc::clone(&core), wire, Rc::clone(&gauge));
    if let Some(http) = Box::pin(greet(&core, &peer, &gauge, transport)).await {
        let mut connection = Box::new(Connection::new(Rc::clone(&core), peer, gauge, http));
        while let Turn::GiveWay = poll_fn(|cx| connection.turn(cx)).await {
            give_way().await;
        }
    }
    drop((open, place));
}

/// Counts an open connection of TLS.
struct OpenTls<'a> {
    core: &'a Core,
    version: TlsVersion,
}

impl<'a> OpenTls<'a> {
    fn new(core: &'a Core, version: TlsVersion) -> Self {
        core.counters().tls_connections(version).add(1);
        Self { core, version }
    }
}

impl Drop for OpenTls<'_> {
    fn drop(&mut self) {
        self.core.counters().tls_connections(self.version).sub(1);
    }
}

/// The handshake of TLS.
async fn shake_hands(
    core: &Core,
    store: &Store,
    stream: TcpStream,
    peer: &Peer,
) -> Option<Established> {
    let failure = match handshake::accept(core, store, stream).await {
        Ok(established) => return Some(established),
        Err(failure) => failure,
    };
    let class = failure.class();
    core.counters().tls_failures(class).add(1);
    let seldom = &core.handshakes.lines[class as usize];
    match failure.is_worth_a_line().then(|| seldom.ask(Instant::now())).flatten() {
        Some(left_out) => {
            warn!("{peer}: no TLS connection: {failure}{}", and_others(left_out));
        }
        None => debug!("{peer}: no TLS connection: {failure}"),
    }
    None
}

/// The handshake of HTTP/2.
async fn greet(
    core: &Core,
    peer: &Peer,
    gauge: &Gauge,
    transport: Transport,
) -> Option<server::Connection<Transport, Payload>> {
    let limits = &core.settings.limits;
    let mut builder = server::Builder::new();
    builder
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(limits.header_list_bytes_max)
        .max_frame_size(FRAME_BYTES_MAX)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .data_frame_budget(SHORT_FRAMES_BYTES_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(Some(LOCAL_RESETS_MAX));
    let handshake = pin!(builder.handshake(transport));
    let patience = pin!(sleep(core.settings.connection_timeout));
    match select(handshake, patience).await {
        Either::Left((Ok(http), _)) => Some(http),
        Either::Left((Err(error), _)) => {
            debug!("{peer}: no HTTP/2 connection: {error}");
            look_at_opening(core, peer, gauge);
            None
        }
        Either::Right(_) => {
            core.counters().connections_cut.add(1);
            debug!("{peer}: connection cut: no HTTP/2 preface came");
            look_at_opening(core, peer, gauge);
            None
        }
    }
}

/// Says that a client spoke TLS where none is spoken.
fn look_at_opening(core: &Core, peer: &Peer, gauge: &Gauge) {
    if gauge.opening.get() != Some(Opening::Tls) {
        return;
    }
    core.counters().tls_unexpected.add(1);
    if let Some(left_out) = core.unexpected_tls.ask(Instant::now()) {
        warn!(
            "{peer}: it began with TLS, which is not served here: set network.tls_enabled, or let it \
             use http://{}",
            and_others(left_out)
        );
    }
}

impl Connection {
    fn new(
        core: Rc<Core>,
        peer: Rc<Peer>,
        gauge: Rc<Gauge>,
        mut http: server::Connection<Transport, Payload>,
    ) -> Self {
        let flight = Flight::new(Rc::clone(&core.flight));
        let calls = Calls::new(Rc::clone(&core), Rc::clone(&peer), Rc::clone(&flight));
        let ping = http.ping_pong();
        let mut connection = Self {
            core,
            peer,
            gauge,
            flight,
            http,
            ping,
            calls,
            accepted: VecDeque::new(),
            closing: false,
        };
        if connection.core.process.draining.load(Relaxed) {
            connection.http.graceful_shutdown();
        }
        connection
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        self.core.counters().turns.add(1);
        let turn = self.steps(cx);
        self.core.settle_ended();
        turn
    }

    fn steps(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        self.gauge.budget.set(TURN_READ_BYTES_MAX);
        self.gauge.exhausted.set(false);
        self.leave_waker(cx);
        if self.obey().is_break() {
            return Poll::Ready(Turn::Over);
        }
        if self.drain(cx).is_ready() {
            return Poll::Ready(Turn::Over);
        }
        let begun = self.begin(cx);
        let finished = self.calls.poll(cx);
        self.gauge.vitals.waiting.set(!self.calls.is_empty() || !self.accepted.is_empty());
        if let Some(about) = self.gauge.vitals.about.get() {
            about.requests.set(self.calls.count() + self.accepted.len());
        }
        let flooded = self.gauge.flooded.get() && !self.closing;
        if flooded {
            self.cut("too many control frames");
        }
        self.hear_pong(cx);
        if self.gauge.exhausted.get() && !self.closing {
            return Poll::Ready(Turn::GiveWay);
        }
        if begun || finished || flooded {
            // The next turn writes; the other connections that were read with this one go first,
            // so that all their answers leave in a burst.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Whether answers fill the connection's share of memory: then nothing new is begun.
    fn is_full(&self) -> bool {
        let bytes = self.flight.connection() + self.calls.awaited_bytes();
        bytes > self.core.connection_bytes_max()
    }

    /// Begins requests that have arrived, and says whether there were any. A small request may have
    /// a large answer, so each is a reason to look at the share of memory again.
    fn begin(&mut self, cx: &mut Context<'_>) -> bool {
        let mut begun = false;
        while !self.closing
            && !self.is_full()
            && let Some((request, respond, arrived)) = self.accepted.pop_front()
        {
            self.calls.begin(request, respond, arrived, cx);
            begun = true;
        }
        begun
    }

    /// Reads, writes, and takes the requests that have arrived; ready when the connection is over.
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.closing || self.is_full() || !self.accepted.is_empty() {
            return self.http.poll_closed(cx).map(|_| ());
        }
        loop {
            match self.http.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    // The transport has looked at the clock when it read.
                    self.accepted.push_back((request, respond, self.gauge.vitals.heard.get()));
                }
                Poll::Ready(Some(Err(error))) => {
                    debug!("{}: connection ended: {error}", self.peer);
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn obey(&mut self) -> std::ops::ControlFlow<()> {
        match self.gauge.vitals.order.take() {
            None => {}
            Some(Order::Expire) => {
                self.calls.expire(Instant::now());
            }
            Some(Order::Ping) => self.send_ping(),
            Some(Order::Drain) => self.http.graceful_shutdown(),
            Some(Order::Abandon) => {
                self.calls.abandon();
                self.http.abrupt_shutdown(Reason::NO_ERROR);
                self.closing = true;
            }
            Some(Order::Cut(reason)) => {
                self.core.counters().connections_cut.add(1);
                debug!("{}: connection cut: {reason}", self.peer);
                return std::ops::ControlFlow::Break(());
            }
        }
        std::ops::ControlFlow::Continue(())
    }

    /// Ends the connection with GOAWAY(ENHANCE_YOUR_CALM).
    fn cut(&mut self, reason: &'static str) {
        let source = self.peer.address.ip();
        // It happens whether it can be recorded or not.
        let _ = self.core.record(|| {
            Event::new(Kind::SecurityViolation, AuditResult::Denied)
                .action("connection.cut")
                .error(reason)
                .from(source)
        });
        self.core.counters().connections_cut.add(1);
        debug!("{}: connection cut: {reason}", self.peer);
        self.http.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        self.closing = true;
    }

    fn send_ping(&mut self) {
        if let Some(ping) = &mut self.ping
            && ping.send_ping(Ping::opaque()).is_ok()
        {
            self.gauge.vitals.pinged.set(Some(Instant::now()));
        }
    }

    fn hear_pong(&mut self, cx: &mut Context<'_>) {
        let pinged = &self.gauge.vitals.pinged;
        if pinged.get().is_some()
            && let Some(ping) = &mut self.ping
            && ping.poll_pong(cx).is_ready()
        {
            pinged.set(None);
        }
    }

    fn leave_waker(&self, cx: &mut Context<'_>) {
        let mut waker = self.gauge.vitals.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}
