//! The requests of one connection, from the header list to the trailers.
//!
//! ```text
//!   begin ─┬─ short way: a query of one key, here whole ─┬─ answered at once
//!          │                                             ├─ waits for its group ─► tickets
//!          │                                             ├─ waits for a read ────► reads
//!          │                                             └─ waits for a reactor ─► mailbox
//!          └─ long way: everything else, a future of `grpc/serve.rs`
//! ```
//!
//! No task per request: the task of the connection begins all requests that have arrived, then
//! looks at what has finished, and HTTP/2 flushes the answers of all of them together.
//!
//! Always true: an entry of `pending` lives until its result is here, also when its deadline
//! passed and it was answered before, because the result still comes and names the entry.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use h2::{RecvStream, server::SendResponse};
use http::Request;
use slab::Slab;

use super::{
    foresight::Foresight,
    frame,
    headers::{self, Encoding, Refusal},
    meter::Meter,
    method::Method,
    outbound,
    serve::{self, Call as LongCall},
    status::{Code, Status, error_response},
};
use crate::{
    auth::{access::Access, gate::Gate},
    core::Core,
    counters::End,
    failure::Failure,
    net::peer::Peer,
    payload::{Charge, Flight, Payload},
    recent::RequestLine,
    router::{Call, Destination, Mailbox, contained, execute::Outcome, operation::Reply},
    rpc::{
        answer::{ErrorAnswer, QueryAnswer},
        simple::Simple,
    },
    storage::Ticket,
    throttle::{Cost, Payer},
};

/// The requests of one connection.
pub struct Calls {
    core: Rc<Core>,
    gate: Gate,
    flight: Rc<Flight>,
    pending: Slab<Pending>,
    mailbox: Rc<Mailbox>,
    foresight: Foresight,
    /// Writes of this reactor's shards, in the order of their groups.
    tickets: VecDeque<(u32, Ticket, Reply)>,
    /// What this reactor's shards read from the disk.
    reads: FuturesUnordered<LocalBoxFuture<'static, (u32, Result<Reply, Failure>)>>,
    long: FuturesUnordered<Pin<Box<dyn Future<Output = ()>>>>,
}

/// A query of one key that waits for the disk or for another reactor.
struct Pending {
    /// None when it was answered already.
    asker: Option<Asker>,
    request_id: Option<Bytes>,
    arrived: Instant,
    timeout: Option<Duration>,
    write: bool,
    payer: Payer,
    /// What the answer of a read is taken to have.
    _awaited: Option<Charge>,
    /// The request's bytes are in flight as long as this lives.
    _charge: Charge,
}

/// Who waits for an answer.
struct Asker {
    respond: SendResponse<Payload>,
    meter: Meter,
}

impl Calls {
    /// No requests yet.
    pub fn new(core: Rc<Core>, peer: Rc<Peer>, flight: Rc<Flight>) -> Self {
        let bytes_max = core.settings.limits.connection_bytes_max;
        let foresight = Foresight::new(bytes_max, Rc::clone(&core.awaited));
        Self {
            core,
            gate: Gate::new(peer),
            flight,
            pending: Slab::new(),
            mailbox: Rc::default(),
            foresight,
            tickets: VecDeque::new(),
            reads: FuturesUnordered::new(),
            long: FuturesUnordered::new(),
        }
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.long.is_empty()
    }

    /// Requests that are under way.
    pub fn count(&self) -> usize {
        self.pending.len() + self.long.len()
    }

    /// Bytes that the answers to reads under way are taken to have.
    pub fn awaited_bytes(&self) -> usize {
        self.foresight.awaited()
    }

    /// Takes a request as far as it goes without waiting. Its bytes came at `arrived`.
    pub fn begin(
        &mut self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Payload>,
        arrived: Instant,
        cx: &mut Context<'_>,
    ) {
        let method = Method::of(request.uri().path());
        self.core.counters().method(method).begun.add(1);
        if let Err(refusal) = headers::check(&request) {
            return self.refuse(method, arrived, &mut respond, &refusal);
        }
        let Some(method) = method else {
            let text = format!("{} is not a method of this server", request.uri().path());
            let refusal = Refusal::Status(Status::new(Code::Unimplemented, text));
            return self.refuse(None, arrived, &mut respond, &refusal);
        };
        let access = match self.gate.admit(&self.core, method, request.headers()) {
            Ok(access) => access,
            Err(failure) => return self.turn_away(method, arrived, respond, &failure),
        };
        let (parts, mut body) = request.into_parts();
        let mut first = None;
        if method == Method::ExecuteQuery {
            first = first_piece(&mut body, cx);
            let bytes_max = self.core.settings.limits.message_bytes_max;
            if let Some(message) = first.as_ref().filter(|_| body.is_end_stream())
                && let Some(message) = frame::single(message, bytes_max)
                && let Some(query) = Simple::parse(&message)
            {
                let timeout = match headers::timeout(&parts.headers) {
                    Ok(timeout) => earliest(timeout, query.timeout_ms),
                    Err(status) => {
                        let refusal = Refusal::Status(status);
                        return self.refuse(Some(method), arrived, &mut respond, &refusal);
                    }
                };
                return self.short_way(&access, &query, &message, respond, (arrived, timeout));
            }
        }
        // One message and one answer: when it was read, so that the answer names it.
        if !method.is_unary()
            && !method.is_health()
            && let Err(failure) = access.pay(&self.core, arrived, Cost::REQUEST)
        {
            return self.turn_away(method, arrived, respond, &failure);
        }
        let call = LongCall {
            core: Rc::clone(&self.core),
            flight: Rc::clone(&self.flight),
            method,
            access,
            meter: Meter::new(&self.core, method, RequestLine::of_method(Some(method)), arrived),
            headers: parts.headers,
            body,
            first,
            respond,
        };
        self.long.push(Box::pin(serve::serve(call)));
    }

    fn refuse(
        &self,
        method: Option<Method>,
        arrived: Instant,
        respond: &mut SendResponse<Payload>,
        refusal: &Refusal,
    ) {
        outbound::refuse(&self.core, respond, refusal);
        self.core.ended(method, RequestLine::of_method(method), arrived, End::Failed);
    }

    /// Tells somebody who was not let in.
    fn turn_away(
        &self,
        method: Method,
        arrived: Instant,
        mut respond: SendResponse<Payload>,
        failure: &Failure,
    ) {
        if method.has_band() {
            fail(&self.core, &self.flight, &mut respond, None, 0, failure);
            let line = RequestLine::of_method(Some(method));
            return self.core.ended(Some(method), line, arrived, End::Failed);
        }
        let refusal = Refusal::Status(Status::from(failure));
        self.refuse(Some(method), arrived, &mut respond, &refusal);
    }

    fn short_way(
        &mut self,
        access: &Access,
        query: &Simple<'_>,
        message: &Bytes,
        mut respond: SendResponse<Payload>,
        (arrived, timeout): (Instant, Option<Duration>),
    ) {
        let token = self.pending.vacant_key() as u32;
        let mailbox = &self.mailbox;
        let destination = || Destination::Mailbox(Rc::clone(mailbox), token);
        let begun = if self.core.is_full() {
            Err(self.overloaded())
        } else {
            let cost = Cost { requests: 1, bytes: message.len() as u64 };
            let paid = access.pay(&self.core, arrived, cost);
            paid.and_then(|()| {
                contained(|| Ok(query.begin(&self.core, access, message, destination)))
            })
        };
        match begun {
            Err(failure) | Ok(Call::Here(Err(failure))) => {
                fail(&self.core, &self.flight, &mut respond, query.request_id, 0, &failure);
                self.core.ended(Some(Method::ExecuteQuery), query.line(), arrived, End::Failed);
            }
            Ok(Call::Here(Ok(Outcome::Ready(reply)))) => {
                let request_id = query.request_id;
                let answer = QueryAnswer { reply: &reply, request_id, millis: 0 };
                let (core, flight) = (&self.core, &self.flight);
                let bytes =
                    outbound::answer(core, flight, &mut respond, Encoding::Identity, &answer);
                core.charge_bytes(access.payer(), bytes);
                core.ended(Some(Method::ExecuteQuery), query.line(), arrived, End::Answered);
            }
            Ok(Call::Here(Ok(Outcome::Durable(reply, ticket)))) => {
                self.suspend(query, message, respond, (arrived, timeout), access.payer());
                self.tickets.push_back((token, ticket, reply));
            }
            Ok(Call::Here(Ok(Outcome::Later(later)))) => {
                self.suspend(query, message, respond, (arrived, timeout), access.payer());
                self.reads.push(Box::pin(later.map(move |result| (token, result))));
            }
            Ok(Call::Remote) => {
                self.suspend(query, message, respond, (arrived, timeout), access.payer());
            }
        }
    }

    fn overloaded(&self) -> Failure {
        let bytes_max = self.core.settings.limits.in_flight_bytes_max;
        Failure::Overloaded(format!(
            "the server holds more than {bytes_max} bytes of requests and answers"
        ))
    }

    fn suspend(
        &mut self,
        query: &Simple<'_>,
        message: &Bytes,
        respond: SendResponse<Payload>,
        (arrived, timeout): (Instant, Option<Duration>),
        payer: Payer,
    ) {
        let write = query.is_write();
        let meter = Meter::new(&self.core, Method::ExecuteQuery, query.line(), arrived);
        self.pending.insert(Pending {
            asker: Some(Asker { respond, meter }),
            request_id: query.request_id.map(Bytes::copy_from_slice),
            arrived,
            timeout,
            write,
            payer,
            _awaited: (!write).then(|| self.foresight.begin()),
            _charge: Charge::new(&self.flight, message.len()),
        });
    }

    /// Answers what has finished; says whether anything had.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        while let Some((token, result)) = self.mailbox.take(cx) {
            self.finish(token, result);
            progress = true;
        }
        while let Some((_, ticket, _)) = self.tickets.front() {
            let Poll::Ready(durable) = ticket.poll(cx) else { break };
            let Some((token, _, reply)) = self.tickets.pop_front() else { break };
            self.finish(token, durable.map(|()| reply).map_err(Failure::from));
            progress = true;
        }
        while let Poll::Ready(Some((token, result))) = self.reads.poll_next_unpin(cx) {
            self.finish(token, result);
            progress = true;
        }
        while let Poll::Ready(Some(())) = self.long.poll_next_unpin(cx) {
            progress = true;
        }
        progress
    }

    fn finish(&mut self, token: u32, result: Result<Reply, Failure>) {
        let pending = self.pending.remove(token as usize);
        if !pending.write {
            let bytes = match &result {
                Ok(Reply::Value(Some(value))) => value.data.len(),
                _ => 0,
            };
            self.foresight.learn(bytes);
        }
        let Some(Asker { mut respond, meter }) = pending.asker else { return };
        let request_id = pending.request_id.as_deref();
        let millis = pending.arrived.elapsed().as_millis() as u64;
        match result {
            Ok(reply) => {
                let answer = QueryAnswer { reply: &reply, request_id, millis };
                let (core, flight) = (&self.core, &self.flight);
                let bytes =
                    outbound::answer(core, flight, &mut respond, Encoding::Identity, &answer);
                core.charge_bytes(pending.payer, bytes);
                meter.end(End::Answered);
            }
            Err(failure) => {
                fail(&self.core, &self.flight, &mut respond, request_id, millis, &failure);
                meter.end(End::Failed);
            }
        }
    }

    /// Answers those whose deadline has passed; says whether there were any.
    pub fn expire(&mut self, now: Instant) -> bool {
        let mut expired = false;
        for (_, pending) in &mut self.pending {
            let Some(timeout) = pending.timeout else { continue };
            if now.saturating_duration_since(pending.arrived) < timeout {
                continue;
            }
            let Some(Asker { mut respond, meter }) = pending.asker.take() else { continue };
            let millis = timeout.as_millis() as u64;
            let failure = Failure::Timeout { millis, write: pending.write };
            let request_id = pending.request_id.as_deref();
            fail(&self.core, &self.flight, &mut respond, request_id, millis, &failure);
            meter.end(End::Failed);
            expired = true;
        }
        expired
    }

    /// Tells all who wait that the server goes away now.
    pub fn abandon(&mut self) {
        for (_, pending) in &mut self.pending {
            if let Some(Asker { mut respond, meter }) = pending.asker.take() {
                let request_id = pending.request_id.as_deref();
                let failure = Failure::ShuttingDown;
                fail(&self.core, &self.flight, &mut respond, request_id, 0, &failure);
                meter.end(End::Failed);
            }
        }
    }
}

/// Sends an in-band error.
pub fn fail(
    core: &Core,
    flight: &Rc<Flight>,
    respond: &mut SendResponse<Payload>,
    request_id: Option<&[u8]>,
    millis: u64,
    failure: &Failure,
) {
    let error = error_response(failure);
    let answer = ErrorAnswer { error: &error, request_id, millis };
    let _ = outbound::answer(core, flight, respond, Encoding::Identity, &answer);
}

/// The sooner of a call's two timeouts. Zero in `timeout_ms` means that the client set none.
pub fn earliest(header: Option<Duration>, timeout_ms: Option<u32>) -> Option<Duration> {
    let field = timeout_ms.filter(|millis| *millis > 0);
    let field = field.map(|millis| Duration::from_millis(millis.into()));
    [header, field].into_iter().flatten().min()
}

/// The first piece of a body, if it is here already; also sees the end that comes right behind.
fn first_piece(body: &mut RecvStream, cx: &mut Context<'_>) -> Option<Bytes> {
    let Poll::Ready(Some(Ok(first))) = body.poll_data(cx) else { return None };
    // An error means that the stream is gone, which sending will say.
    let _ = body.flow_control().release_capacity(first.len());
    if !body.is_end_stream()
        && let Poll::Ready(Some(Ok(second))) = body.poll_data(cx)
    {
        let _ = body.flow_control().release_capacity(second.len());
        if !second.is_empty() {
            return Some([first, second].concat().into());
        }
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sooner_timeout_counts_and_zero_is_none() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(earliest(second, Some(30_000)), second);
        assert_eq!(earliest(second, Some(5)), Some(Duration::from_millis(5)));
        assert_eq!(earliest(None, Some(0)), None);
    }
}
