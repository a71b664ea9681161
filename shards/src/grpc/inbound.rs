//! The messages of a request as they come in, within bounds: of one message, of what the
//! connection and the reactor hold, and of the time that half a message may take.

use std::{future::Future, pin::pin, rc::Rc, time::Duration};

use bytes::Bytes;
use futures_util::future::{Either, select};
use glommio::timer::sleep;
use h2::RecvStream;

use super::{
    frame::{Frame, FrameError, Reader},
    gzip::{GzipError, Unpacker},
    headers::Encoding,
    status::{Code, Status},
};
use crate::{
    core::Core,
    failure::Failure,
    limits::STREAM_WINDOW_BYTES,
    payload::{Charge, Flight},
    throttle::Payer,
    turn::give_way,
};

/// Why no message came.
#[derive(Debug)]
pub enum Trouble {
    /// To be told in the trailers.
    Status(Status),
    /// To be told in the message, where the call has one.
    Failure(Failure),
    /// Nobody is there to be told.
    Gone,
}

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<FrameError> for Trouble {
    fn from(error: FrameError) -> Self {
        Self::Status(error.into())
    }
}

impl From<GzipError> for Trouble {
    fn from(error: GzipError) -> Self {
        Self::Status(error.into())
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// The receiving half of a call.
pub struct Inbound {
    core: Rc<Core>,
    flight: Rc<Flight>,
    body: RecvStream,
    reader: Reader,
    encoding: Encoding,
    payer: Payer,
    /// Bytes held for the call: what waits to become a message, and the last message.
    charge: Charge,
    /// Bytes taken whose flow-control window was not given back.
    unreleased: usize,
}

impl Inbound {
    /// Takes over a body of which `first` was read, and its window given back, already.
    pub fn new(
        core: Rc<Core>,
        flight: Rc<Flight>,
        body: RecvStream,
        encoding: Encoding,
        payer: Payer,
        first: Option<Bytes>,
    ) -> Self {
        let mut reader = Reader::new(core.settings.limits.message_bytes_max);
        let charge = Charge::new(&flight, first.as_ref().map_or(0, Bytes::len));
        first.into_iter().for_each(|first| reader.push(first));
        Self { core, flight, body, reader, encoding, payer, charge, unreleased: 0 }
    }

    /// The one message of a unary call.
    ///
    /// # Errors
    /// It is malformed, too large, too slow or not there.
    pub async fn only(&mut self) -> Result<Bytes, Trouble> {
        match self.next(true).await? {
            Some(message) => Ok(message),
            None => Err(Status::new(Code::InvalidArgument, "the request has no message").into()),
        }
    }

    /// The next message of a stream; none at its end. With `hurry`, silence is not waited for
    /// longer than `network.connection_timeout_secs`.
    ///
    /// # Errors
    /// As for [`Self::only`].
    pub async fn next(&mut self, hurry: bool) -> Result<Option<Bytes>, Trouble> {
        // Whoever asks for a message is done with the one before it.
        self.charge.set(self.reader.buffered());
        loop {
            if let Some(frame) = self.reader.next()? {
                self.release();
                self.core.charge_bytes(self.payer, frame.message.len());
                return self.unpacked(frame).await.map(Some);
            }
            let patience = self.core.settings.connection_timeout;
            let data = match within(hurry.then_some(patience), self.body.data()).await {
                Some(data) => data,
                None => return Err(too_slow(patience)),
            };
            match data {
                None => {
                    self.reader.finish()?;
                    return Ok(None);
                }
                Some(Err(_)) => return Err(Trouble::Gone),
                Some(Ok(data)) => self.take(data)?,
            }
        }
    }

    fn take(&mut self, data: Bytes) -> Result<(), Trouble> {
        self.charge.grow(data.len());
        self.unreleased += data.len();
        self.reader.push(data);
        let limits = &self.core.settings.limits;
        if self.flight.connection() > limits.connection_bytes_max {
            return Err(overloaded("connection", limits.connection_bytes_max));
        }
        if self.core.is_full() {
            return Err(overloaded("server", limits.in_flight_bytes_max));
        }
        // One window update for a message, or for half a window of a long one.
        if self.unreleased >= STREAM_WINDOW_BYTES as usize / 2 {
            self.release();
        }
        Ok(())
    }

    fn release(&mut self) {
        // An error means that the stream is gone, which the next read will say.
        let _ = self.body.flow_control().release_capacity(std::mem::take(&mut self.unreleased));
    }

    async fn unpacked(&mut self, frame: Frame) -> Result<Bytes, Trouble> {
        if !frame.compressed {
            return Ok(frame.message);
        }
        if self.encoding == Encoding::Identity {
            let text = "a message is compressed, but grpc-encoding names no encoding";
            return Err(Status::new(Code::Internal, text).into());
        }
        let bytes_max = self.core.settings.limits.message_bytes_max;
        let mut unpacker = Unpacker::new(frame.message, bytes_max);
        loop {
            let before = unpacker.unpacked_bytes();
            if let Some(message) = unpacker.step()? {
                return Ok(message);
            }
            self.charge.grow(unpacker.unpacked_bytes() - before);
            give_way().await;
        }
    }
}

fn overloaded(whose: &str, bytes_max: usize) -> Trouble {
    Trouble::Failure(Failure::Overloaded(format!(
        "the {whose} holds more than {bytes_max} bytes of requests and answers"
    )))
}

fn too_slow(patience: Duration) -> Trouble {
    let seconds = patience.as_secs();
    Status::new(Code::DeadlineExceeded, format!("the request stood still for {seconds} s")).into()
}

/// What `future` gives, or none when `patience` is over first.
async fn within<F: Future>(patience: Option<Duration>, future: F) -> Option<F::Output> {
    let Some(patience) = patience else { return Some(future.await) };
    let (future, timer) = (pin!(future), pin!(sleep(patience)));
    match select(future, timer).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
