//! A client that means harm, in the ways that HTTP/2 and gRPC servers have been harmed before.
//!
//! Each [`Attack`] runs for a while against a server and tells how the server ended it. Whether the
//! server did well shows beside it: [`watch`](crate::watch) asks on as a polite client and looks at
//! the server's memory meanwhile.

use std::{
    fmt, io,
    net::SocketAddr,
    time::{Duration, Instant},
};

pub mod enemy;
mod floods;
mod hoards;
mod lies;

/// One way to do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Attack {
    /// Requests that are reset at once (CVE-2023-44487).
    RapidReset,
    /// A header block that never ends (CVE-2024-27316 and its like).
    Continuation,
    /// PING, each of which asks for an answer (CVE-2019-9512).
    Ping,
    /// SETTINGS, each of which asks for an answer (CVE-2019-9515).
    Settings,
    /// WINDOW_UPDATE of one byte, for nothing.
    WindowUpdate,
    /// PRIORITY for streams that do not exist.
    Priority,
    /// DATA without data (CVE-2019-9518).
    EmptyData,
    /// RST_STREAM for a stream that was never opened.
    ResetUnknown,
    /// A message of one gibibyte is announced on many streams, and a few bytes follow.
    HugeLength,
    /// A header list far above any limit, well formed.
    HugeHeaders,
    /// A header block that refers to what is not there.
    MalformedHpack,
    /// Messages that are no protobuf.
    InvalidProtobuf,
    /// A small compressed message that is a very large one.
    GzipBomb,
    /// Half a frame, then silence.
    HalfFrame,
    /// Half a preface, then silence.
    HalfPreface,
    /// A connection that never says anything.
    Mute,
    /// Many large answers asked for and none read.
    SlowReader,
    /// As many idle connections as can be had.
    IdleConnections,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::RapidReset,
        Self::Continuation,
        Self::Ping,
        Self::Settings,
        Self::WindowUpdate,
        Self::Priority,
        Self::EmptyData,
        Self::ResetUnknown,
        Self::HugeLength,
        Self::HugeHeaders,
        Self::MalformedHpack,
        Self::InvalidProtobuf,
        Self::GzipBomb,
        Self::HalfFrame,
        Self::HalfPreface,
        Self::Mute,
        Self::SlowReader,
        Self::IdleConnections,
    ];

    /// Runs it until the server ends it or the time is over.
    pub fn run(self, address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
        match self {
            Self::RapidReset => floods::rapid_reset(address, scale),
            Self::Continuation => floods::continuation(address, scale),
            Self::Ping => floods::ping(address, scale),
            Self::Settings => floods::settings(address, scale),
            Self::WindowUpdate => floods::window_update(address, scale),
            Self::Priority => floods::priority(address, scale),
            Self::EmptyData => floods::empty_data(address, scale),
            Self::ResetUnknown => floods::reset_unknown(address, scale),
            Self::HugeLength => lies::huge_length(address, scale),
            Self::HugeHeaders => lies::huge_headers(address, scale),
            Self::MalformedHpack => lies::malformed_hpack(address, scale),
            Self::InvalidProtobuf => lies::invalid_protobuf(address, scale),
            Self::GzipBomb => lies::gzip_bomb(address, scale),
            Self::HalfFrame => hoards::half_frame(address, scale),
            Self::HalfPreface => hoards::half_preface(address, scale),
            Self::Mute => hoards::mute(address, scale),
            Self::SlowReader => hoards::slow_reader(address, scale),
            Self::IdleConnections => hoards::idle_connections(address, scale),
        }
    }

    /// Whether it is a row of frames without end, which a server should cut off.
    pub fn is_flood(self) -> bool {
        Self::ALL.iter().position(|attack| *attack == self) < Some(8)
    }
}

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// How long an attack goes on if the server lets it.
    pub duration: Duration,
    /// Connections that flood; a server may end one and must then end the next.
    pub connections: usize,
    /// Requests that [`Attack::RapidReset`] opens and resets at the least.
    pub resets: u64,
    /// Connections of [`Attack::IdleConnections`].
    pub idle: usize,
    /// What the message of [`Attack::GzipBomb`] inflates to.
    pub bomb_bytes: usize,
}

impl Default for Scale {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(5),
            connections: 4,
            resets: 10_000,
            idle: 20_000,
            bomb_bytes: 1 << 30,
        }
    }
}

impl Scale {
    fn deadline(&self) -> Instant {
        Instant::now() + self.duration
    }
}

/// What came of an attack.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Frames, requests or connections that were sent.
    pub sent: u64,
    /// Connections that were opened.
    pub opened: u64,
    /// Connections that the server ended.
    pub ended: u64,
    /// The last word of the server: a GOAWAY's code, a status.
    pub answer: Option<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "sent {}, {} of {} connections ended", self.sent, self.ended, self.opened)?;
        match &self.answer {
            Some(answer) => write!(out, ", {answer}"),
            None => Ok(()),
        }
    }
}
