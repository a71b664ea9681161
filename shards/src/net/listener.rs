//! Listening sockets, one for each reactor on the same port, and who serves what they accept.
//!
//! The kernel spreads connections by a hash of their addresses, which is uneven for the few
//! connections that gRPC clients hold (measured: the busiest of two reactors gets 1.4 times the
//! mean of 4 connections). So whoever accepts gives the socket to the reactor that has fewest.

use std::{
    io,
    net::SocketAddr,
    os::fd::{FromRawFd, IntoRawFd, OwnedFd},
    rc::Rc,
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use futures_util::AsyncWriteExt;
use glommio::{
    GlommioError,
    net::{AcceptedTcpStream, TcpListener, TcpStream},
    timer::sleep,
};
use socket2::{Domain, Protocol, Socket, Type};
use tracing::warn;

use super::{connection, tls::opening::goaway};
use crate::{core::Core, router::Accepted};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;

/// Binds `count` sockets to one address. Port 0 becomes the same free port for all.
///
/// # Errors
/// The address cannot be bound; also when another process listens there, although SO_REUSEPORT
/// would let us share the port with it in silence.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<Socket>)> {
    // Without SO_REUSEPORT the kernel refuses a port that anyone listens on.
    let probe = socket(address)?;
    probe.bind(&address.into())?;
    let address = local_address(&probe)?;
    drop(probe);
    let bound = |_| {
        let socket = socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        Ok(socket)
    };
    let sockets = (0..count).map(bound).collect::<io::Result<_>>()?;
    Ok((address, sockets))
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?;
    address.as_socket().ok_or_else(|| io::Error::other("the listening socket has no IP address"))
}

/// Begins to listen.
///
/// # Errors
/// The kernel refuses.
pub fn listen(socket: Socket) -> io::Result<OwnedFd> {
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts connections for ever, and spreads them.
pub async fn accept(core: Rc<Core>, socket: OwnedFd) {
    // SAFETY: the descriptor is a listening TCP socket that nobody else owns.
    #[expect(unsafe_code, reason = "glommio takes a bound socket in no other way")]
    let listener = unsafe { TcpListener::from_raw_fd(socket.into_raw_fd()) };
    loop {
        match listener.shared_accept().await {
            Ok(connection) => assign(&core, connection),
            Err(GlommioError::IoError(error)) => wait_out(&error).await,
            Err(error) => wait_out(&io::Error::other(error.to_string())).await,
        }
    }
}

/// Accepting fails when descriptors or memory run out; trying again at once would only spin.
async fn wait_out(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionAborted {
        warn!("cannot accept connections: {error}; trying again in 100 ms");
        sleep(Duration::from_millis(100)).await;
    }
}

fn assign(core: &Rc<Core>, socket: AcceptedTcpStream) {
    let process = &core.process;
    core.counters().connections_accepted.add(1);
    if process.connections() >= process.connections_max.load(Relaxed) {
        core.counters().connections_refused.add(1);
        refuse(core, socket, "server.max_connections reached");
        return;
    }
    let Ok(address) = socket.peer_addr() else {
        // Only a peer that has gone again has no address, and only a stream closes its socket.
        drop(socket.bind_to_executor());
        return;
    };
    if !process.sources.enter(address.ip()) {
        core.counters().connections_refused_by_address.add(1);
        refuse(core, socket, "limits.connections_per_address reached");
        return;
    }
    let home = core.index;
    let load = |reactor: &usize| process.connections[*reactor].load(Relaxed);
    // Home wins a draw: a hand-over costs a hop.
    let fewest =
        (0..process.connections.len()).min_by_key(|reactor| (load(reactor), *reactor != home));
    let reactor = fewest.unwrap_or(home);
    process.connections[reactor].fetch_add(1, Relaxed);
    let connection = Accepted { socket, address };
    if reactor == home {
        serve(core, connection);
    } else {
        core.router.hand_over(reactor, connection);
    }
}

/// Serves a connection that was counted in already.
pub fn serve(core: &Rc<Core>, connection: Accepted) {
    let core = Rc::clone(core);
    let Accepted { socket, address } = connection;
    let stream = socket.bind_to_executor();
    // Without TCP_NODELAY answers wait for more; failing to set it only makes them late.
    let _ = stream.set_nodelay(true);
    glommio::spawn_local(async move {
        connection::serve(Rc::clone(&core), stream).await;
        core.process.connections[core.index].fetch_sub(1, Relaxed);
        core.process.sources.leave(address.ip());
    })
    .detach();
}

/// Closes a connection over a limit, and tells it why if it can read that.
fn refuse(core: &Core, socket: AcceptedTcpStream, why: &'static str) {
    let stream = socket.bind_to_executor();
    // Who expects TLS could not read it.
    if core.settings.tls.is_none() {
        glommio::spawn_local(tell(stream, why)).detach();
    }
}

async fn tell(mut stream: TcpStream, why: &'static str) {
    const ENHANCE_YOUR_CALM: u8 = 0xb;

    let frames = goaway(ENHANCE_YOUR_CALM, why.as_bytes());
    // A fresh socket has room for some bytes; if the peer is gone, nobody is there to be told.
    let _ = stream.write_all(&frames).await;
}
