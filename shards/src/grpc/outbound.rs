//! The answers of a call on their way out.

use std::{future::poll_fn, rc::Rc};

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
    payload::{Flight, Payload},
    rpc::answer::Answer,
};

/// The peer reset the stream, or the connection is gone.
#[derive(Debug)]
pub struct Gone;

/// Sends head, one message and trailers of a call that is well. Flushed with the others.
pub fn answer(
    core: &Core,
    flight: &Rc<Flight>,
    respond: &mut SendResponse<Payload>,
    encoding: Encoding,
    message: &impl Answer,
) {
    let Ok(mut stream) = respond.send_response(core.headers.response(encoding), false) else {
        return;
    };
    let payload = framed(core, encoding, message).charged(flight);
    // Errors mean that the peer reset the stream: nobody waits for the answer.
    let _ = stream.send_data(payload, false);
    let _ = stream.send_trailers(core.headers.trailers());
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

fn framed(core: &Core, encoding: Encoding, message: &impl Answer) -> Payload {
    let plain = core.write(|writer| {
        let length = message.length();
        put_prefix(writer.buffer(PREFIX_BYTES), false, length);
        message.write(writer);
    });
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
    ) -> Result<Self, Gone> {
        let head = core.headers.response(encoding);
        let stream = respond.send_response(head, false).map_err(|_| Gone)?;
        Ok(Self { core, flight, stream, encoding })
    }

    /// Sends a message when the peer has room for it: back-pressure, one message at a time.
    ///
    /// # Errors
    /// The stream is gone.
    pub async fn send(&mut self, message: &impl Answer) -> Result<(), Gone> {
        let payload = framed(&self.core, self.encoding, message).charged(&self.flight);
        self.stream.reserve_capacity(1);
        while self.stream.capacity() == 0 {
            match poll_fn(|cx| self.stream.poll_capacity(cx)).await {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(Gone),
            }
        }
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
        let _ = poll_fn(|cx| self.stream.poll_reset(cx)).await;
    }
}
