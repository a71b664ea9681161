//! The answers of a call on their way out.

use std::{
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes};
use h2::{SendStream, server::SendResponse};
use http::{HeaderMap, Response};

use super::{
    frame::{PREFIX_BYTES, put_prefix},
    gzip,
    headers::{Encoding, Refusal},
    status::Status,
};
use crate::{
    core::Core,
    limits::PACKED_BYTES_MAX,
    payload::{Flight, Payload, Writer},
    rpc::answer::Answer,
    throttle::Payer,
};

/// The peer reset the stream, or the connection is gone.
#[derive(Debug)]
pub struct Gone;

/// Sends head, one message and trailers of a call that is well. Flushed with the others. Gives the bytes of the message.
pub fn answer(
    core: &Core,
    flight: &Rc<Flight>,
    respond: &mut SendResponse<Payload>,
    encoding: Encoding,
    message: &impl Answer,
) -> usize {
    let Ok(mut stream) = respond.send_response(core.headers.response(encoding), false) else {
        return 0;
    };
    let payload = framed(core, encoding, message).charged(flight);
    let bytes = payload.remaining();
    // Errors mean that the peer reset the stream: nobody waits for the answer.
    let _ = stream.send_data(payload, false);
    let _ = stream.send_trailers(core.headers.trailers());
    bytes
}

/// Sends a status instead of an answer.
pub fn refuse(core: &Core, respond: &mut SendResponse<Payload>, refusal: &Refusal) {
    let response = match refusal {
        Refusal::Status(status) => core.headers.status_only(status),
        Refusal::Http(code) => {
            let mut response = Response::new(());
            *response.status_mut() = *code;
            response
        }
    };
    let _ = respond.send_response(response, true);
}

fn framed_together(core: &Core, encoding: Encoding, messages: &[impl Answer]) -> Payload {
    if encoding == Encoding::Identity {
        return core.write(|writer| messages.iter().for_each(|message| write(writer, message)));
    }
    messages.iter().fold(Payload::default(), |mut all, message| {
        all.append(framed(core, encoding, message));
        all
    })
}

fn write(writer: &mut Writer<'_>, message: &impl Answer) {
    put_prefix(writer.buffer(PREFIX_BYTES), false, message.length());
    message.write(writer);
}

fn framed(core: &Core, encoding: Encoding, message: &impl Answer) -> Payload {
    let plain = core.write(|writer| write(writer, message));
    match encoding {
        Encoding::Gzip if plain.remaining() <= PACKED_BYTES_MAX => packed(plain.contiguous()),
        Encoding::Identity | Encoding::Gzip => plain,
    }
}

/// Packs the message behind a prefix, if that makes it smaller.
fn packed(plain: Bytes) -> Payload {
    let Some(packed) = gzip::pack(&plain[PREFIX_BYTES..]) else { return plain.into() };
    let mut framed = bytes::BytesMut::with_capacity(PREFIX_BYTES + packed.len());
    put_prefix(&mut framed, true, packed.len());
    framed.put(packed);
    framed.freeze().into()
}

/// The sending half of a call with many answers.
pub struct Outbound {
    core: Rc<Core>,
    flight: Rc<Flight>,
    stream: SendStream<Payload>,
    encoding: Encoding,
    payer: Payer,
}

impl Outbound {
    /// Sends the head.
    ///
    /// # Errors
    /// The stream is gone.
    pub fn open(
        core: Rc<Core>,
        flight: Rc<Flight>,
        mut respond: SendResponse<Payload>,
        encoding: Encoding,
        payer: Payer,
    ) -> Result<Self, Gone> {
        let head = core.headers.response(encoding);
        let stream = respond.send_response(head, false).map_err(|_| Gone)?;
        Ok(Self { core, flight, stream, encoding, payer })
    }

    /// Sends a message when the peer has room for it: back-pressure, one message at a time.
    ///
    /// # Errors
    /// The stream is gone.
    pub async fn send(&mut self, message: &impl Answer) -> Result<(), Gone> {
        let payload = framed(&self.core, self.encoding, message).charged(&self.flight);
        poll_fn(|cx| self.poll_room(cx)).await?;
        self.core.charge_bytes(self.payer, payload.remaining());
        self.stream.send_data(payload, false).map_err(|_| Gone)
    }

    /// Ready when the peer has room for a message.
    ///
    /// # Errors
    /// The stream is gone.
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        self.stream.reserve_capacity(1);
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Gone)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends messages for which there is room, together: a frame for each would cost both sides more than the messages, and
    /// receivers cut off who sends many short ones.
    ///
    /// # Errors
    /// The stream is gone.
    pub fn push(&mut self, messages: &[impl Answer]) -> Result<(), Gone> {
        let payload = framed_together(&self.core, self.encoding, messages).charged(&self.flight);
        self.core.charge_bytes(self.payer, payload.remaining());
        self.stream.send_data(payload, false).map_err(|_| Gone)
    }

    /// Ends the call.
    pub fn finish(mut self, result: Result<(), Status>) {
        let trailers = match result {
            Ok(()) => self.core.headers.trailers(),
            Err(status) => {
                let mut trailers = HeaderMap::new();
                status.write(&mut trailers);
                trailers
            }
        };
        let _ = self.stream.send_trailers(trailers);
    }

    /// Resolves when the peer resets the stream.
    pub async fn reset(&mut self) {
        poll_fn(|cx| self.poll_reset(cx)).await;
    }

    /// Ready when the peer has reset the stream, or is gone.
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_reset(cx).map(drop)
    }
}
