//! What a protocol is to the generator: bytes in, bytes out, answers counted. No sockets here.

use bytes::Bytes;

use crate::outbox::Outbox;

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub struct Flight {
    /// Which of the script.
    pub request: u32,
    /// When it was due, in nanoseconds of the run.
    pub since_ns: u64,
}

/// A request that came back.
#[derive(Debug)]
pub struct Answer {
    /// The request.
    pub flight: Flight,
    /// Value bytes that it carried, or what was wrong.
    pub outcome: Result<usize, String>,
}

/// One connection's state in some protocol.
pub trait Wire {
    /// What the client says first.
    fn open(&mut self, out: &mut Outbox);
    /// Requests that may be sent before the next answer; zero until the handshake is over.
    fn room(&self) -> usize;
    /// Sends a request; there must be room.
    fn send(&mut self, flight: Flight, out: &mut Outbox);
    /// Shows the requests that have no answer.
    fn in_flight(&self, show: &mut dyn FnMut(Flight));
    /// Takes bytes of the peer and says how many; the rest comes again with more behind it. An
    /// error is the end of the connection.
    fn receive(
        &mut self,
        input: &[u8],
        out: &mut Outbox,
        answers: &mut Vec<Answer>,
    ) -> Result<usize, String>;
}

/// The requests of a run, encoded once, and what their answers must be.
pub trait Script {
    /// The request as its protocol carries it (for gRPC with the five bytes before the message).
    fn request(&self, index: u32) -> Bytes;
    /// Whether this answer is wanted whole; few should be, as that costs.
    fn wants_whole(&self, index: u32) -> bool;
    /// Looks at an answer and says how many bytes of value the exchange carried.
    fn check(&self, index: u32, body: &Body<'_>) -> Result<usize, String>;
}

/// What is known of an answer's body.
#[derive(Debug)]
pub struct Body<'a> {
    /// Its first bytes, up to [`BODY_HEAD_BYTES`].
    pub head: &'a [u8],
    /// How long it was.
    pub length: usize,
    /// All of it, if the script wanted it.
    pub whole: Option<&'a [u8]>,
}

/// Bytes of each body that are kept for the check; lengths and in-band errors are among them.
pub const BODY_HEAD_BYTES: usize = 128;
