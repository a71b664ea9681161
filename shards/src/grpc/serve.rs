//! The long way of a call: its headers are read, and it goes to the unary or the streaming side.

use std::{
    any::Any,
    cell::Cell,
    future::Future,
    panic::AssertUnwindSafe,
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{Either, select},
};
use glommio::timer::sleep;
use h2::{RecvStream, server::SendResponse};
use http::HeaderMap;

use super::{
    calls::earliest,
    headers::{self, Encoding, Refusal},
    inbound::{Inbound, Trouble},
    meter::Meter,
    method::Method,
    outbound, streaming, unary,
};
use crate::{
    auth::access::Access,
    core::Core,
    counters::End,
    failure::Failure,
    payload::{Flight, Payload},
    recent::RequestLine,
    router::{coordinator::Deadline, panic_text},
    throttle::Payer,
};

/// A call at its beginning.
pub struct Call {
    /// The reactor.
    pub core: Rc<Core>,
    /// Bytes in flight of the connection.
    pub flight: Rc<Flight>,
    /// What is called.
    pub method: Method,
    /// Who calls.
    pub access: Rc<Access>,
    /// Counts how it ends.
    pub meter: Meter,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The rest of the request's body.
    pub body: RecvStream,
    /// What was read of the body already.
    pub first: Option<Bytes>,
    /// The way back.
    pub respond: SendResponse<Payload>,
}

/// A call whose headers were read.
pub struct Session {
    /// The reactor.
    pub core: Rc<Core>,
    /// Bytes in flight of the connection.
    pub flight: Rc<Flight>,
    /// What is called.
    pub method: Method,
    /// Who calls.
    pub access: Rc<Access>,
    /// How long the call may take.
    pub limit: Limit,
    /// How answers are encoded.
    pub encoding: Encoding,
    /// The messages of the request.
    pub inbound: Inbound,
    /// What is asked for, once that is known.
    pub line: Cell<RequestLine>,
}

/// When a call began, and what its header gives it.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The beginning.
    pub begun: Instant,
    /// `grpc-timeout`.
    pub header: Option<Duration>,
}

/// Serves a call to its end, whatever happens in it.
pub async fn serve(mut call: Call) {
    let opened = headers::encoding(&call.headers)
        .and_then(|encoding| Ok((encoding, headers::timeout(&call.headers)?)));
    let (requests, timeout) = match opened {
        Ok(opened) => opened,
        Err(status) => {
            outbound::refuse(&call.core, &mut call.respond, &Refusal::Status(status));
            return call.meter.end(End::Failed);
        }
    };
    let Call { core, flight, method, access, mut meter, headers, body, first, respond } = call;
    let encoding = headers::answers_encoding(&headers, requests);
    let payer = if method.is_health() { Payer::default() } else { access.payer() };
    let inbound = Inbound::new(Rc::clone(&core), Rc::clone(&flight), body, requests, payer, first);
    let limit = Limit { begun: meter.arrived(), header: timeout };
    let line = Cell::new(RequestLine::of_method(Some(method)));
    let mut session = Session { core, flight, method, access, limit, encoding, inbound, line };
    let end = if method.is_unary() {
        let end = unary::serve(&mut session, respond).await;
        meter.name(session.line.get());
        end
    } else {
        streaming::serve(session, respond).await
    };
    // Whoever has gone is counted when the meter is dropped.
    if let Some(end) = end {
        meter.end(end);
    }
}

impl Limit {
    /// Milliseconds since the call began.
    pub fn millis(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }

    /// When work must be decided that is undone if time is up before that.
    pub fn deadline(&self, timeout_ms: Option<u32>) -> Option<Deadline> {
        let timeout = earliest(self.header, timeout_ms)?;
        Some(Deadline { at: self.begun + timeout, timeout })
    }

    /// Runs `work` until the sooner of the header's and the message's timeout.
    ///
    /// # Errors
    /// What the work says, or [`Failure::Timeout`].
    pub async fn hold<T, E: From<Failure>>(
        &self,
        timeout_ms: Option<u32>,
        write: bool,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(timeout) = earliest(self.header, timeout_ms) else { return work.await };
        let left = timeout.saturating_sub(self.begun.elapsed());
        match select(pin!(work), pin!(sleep(left))).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => {
                Err(Failure::Timeout { millis: timeout.as_millis() as u64, write }.into())
            }
        }
    }
}

/// Runs `work` so that a panic in it ends this call only.
///
/// # Errors
/// What the work says, or an internal error with the text of the panic.
pub async fn contained<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let internal = |panic: Box<dyn Any + Send>| {
        Err(Trouble::Failure(Failure::Internal(panic_text(panic.as_ref()))))
    };
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(internal)
}
