//! Calls of one message and one answer.

use std::{future::poll_fn, pin::pin, rc::Rc, time::Instant};

use amaters_proto::{
    aql::{
        BatchRequest, HealthCheckRequest, HealthCheckResponse, QueryRequest, ServerInfoResponse,
    },
    health::{self, health_check_response::ServingStatus},
    kv::v1::{ConditionalBatchRequest, GetRequest},
    query::{Query, query},
};
use bytes::Bytes;
use futures_util::future::{Either, select};
use h2::server::SendResponse;
use prost::Message;

use super::{
    headers::Refusal,
    inbound::Trouble,
    method::Method,
    outbound,
    serve::{Limit, Session, contained},
    status::{Code, Status, error_response},
};
use crate::{
    auth::{ServerCommand, access::Access},
    core::Core,
    counters::End,
    failure::Failure,
    payload::Payload,
    recent::RequestLine,
    router::{condition::Digest, coordinator::Ended, operation::Reply},
    rpc::{
        admin, amount,
        answer::{Answer, BatchAnswer, ErrorAnswer, FoundAnswer, Plain, QueryAnswer},
        authorize, batch, check, kv,
        plan::Plan,
        run::run,
        server,
    },
    storage::Value,
    throttle::Cost,
};

/// The one answer of a call.
enum Outcome {
    Query(Result<Reply, Failure>, Option<String>),
    Batch(Result<Vec<Reply>, Failure>, Option<String>),
    Found(Result<Option<(Value, Digest)>, Failure>, Option<String>, WithoutData),
    Conditional(Result<Ended<Vec<Reply>>, Failure>, Option<String>),
    HealthCheck(HealthCheckResponse),
    ServerInfo(ServerInfoResponse),
    GrpcHealth(ServingStatus),
}

/// Whether a client wants no data.
type WithoutData = bool;

/// Reads the message, does what it asks and answers; says how that was, and nothing if nobody is there any more. The peer's
/// reset ends the work.
pub async fn serve(session: &mut Session, mut respond: SendResponse<Payload>) -> Option<End> {
    let work = contained(async {
        // The header's time runs from the head of the request on; `timeout_ms` is not known yet.
        let message = session.limit.hold(None, false, session.inbound.only()).await?;
        handle(session, message).await
    });
    let reset = poll_fn(|cx| respond.poll_reset(cx));
    let outcome = match select(pin!(work), pin!(reset)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(Trouble::Gone),
    };
    match outcome {
        Ok(outcome) => return Some(session.answer(&mut respond, &outcome)),
        Err(Trouble::Failure(failure)) => session.fail(&mut respond, &failure),
        Err(Trouble::Status(status)) => {
            outbound::refuse(&session.core, &mut respond, &Refusal::Status(status));
        }
        Err(Trouble::Gone) => return None,
    }
    Some(End::Failed)
}

async fn handle(session: &Session, message: Bytes) -> Result<Outcome, Trouble> {
    let Session { core, access, method, limit, line, .. } = session;
    let limit = *limit;
    let paid = session.pay();
    Ok(match method {
        Method::ExecuteBatch => {
            if let Err(failure) = paid.and_then(|()| amount::check(&message)) {
                return Ok(Outcome::Batch(Err(failure), amount::request_id(&message)));
            }
            let request = decode::<BatchRequest>(message)?;
            charge_batch(core, access, request.queries.len());
            let request_id = request.request_id.clone();
            Outcome::Batch(run_batch(core, access, request, limit).await, request_id)
        }
        Method::KvGet => {
            let mut request = decode::<GetRequest>(message)?;
            let (request_id, without_data) = (request.request_id.take(), request.without_data);
            let found = match paid {
                Ok(()) => run_get(core, access, request, limit).await,
                Err(failure) => Err(failure),
            };
            Outcome::Found(found, request_id, without_data)
        }
        Method::KvConditionalBatch => {
            if let Err(failure) = paid.and_then(|()| amount::check_conditional(&message)) {
                return Ok(Outcome::Conditional(Err(failure), amount::request_id(&message)));
            }
            let mut request = decode::<ConditionalBatchRequest>(message)?;
            let request_id = request.request_id.take();
            charge_batch(core, access, request.queries.len() + request.conditions.len());
            Outcome::Conditional(run_conditional(core, access, request, limit).await, request_id)
        }
        Method::HealthCheck => {
            let request = decode::<HealthCheckRequest>(message)?;
            Outcome::HealthCheck(server::health_check(&core.process, request))
        }
        Method::GetServerInfo => {
            paid?;
            Outcome::ServerInfo(server::info(&core.process))
        }
        Method::GrpcHealthCheck => {
            let request = decode::<health::HealthCheckRequest>(message)?;
            match server::serving_status(&core.process, &request.service) {
                Some(status) => Outcome::GrpcHealth(status),
                None => {
                    let text = format!("service {} is not known", request.service);
                    return Err(Status::new(Code::NotFound, text).into());
                }
            }
        }
        _ => {
            if let Err(failure) = paid.and_then(|()| amount::check(&message)) {
                return Ok(Outcome::Query(Err(failure), amount::request_id(&message)));
            }
            let mut request = decode::<QueryRequest>(message)?;
            let request_id = request.request_id.take();
            line.set(RequestLine::of_query(request.query.as_ref()));
            Outcome::Query(query(core, access, request, limit).await, request_id)
        }
    })
}

/// Runs one query to its answer; also one of an interactive stream.
///
/// # Errors
/// What the query or a bound refuses.
pub async fn query(
    core: &Rc<Core>,
    access: &Access,
    request: QueryRequest,
    limit: Limit,
) -> Result<Reply, Failure> {
    check_request(core, request.version.map(|version| version.major))?;
    check_transaction(request.transaction_id.as_deref())?;
    let write = request.query.as_ref().is_some_and(is_write);
    let plan = Plan::of(request.query)?;
    authorize::plan(core, access, &plan)?;
    if let Plan::Command(command) = plan {
        let (name, subject) = (command.name(), command.subject().into_owned());
        let answered = admin::run(core, access, command).await;
        let command = ServerCommand { name, subject: &subject };
        return answered.inspect_err(|failure| access.command_failed(core, command, failure));
    }
    let deadline = limit.deadline(request.timeout_ms);
    if let Plan::Update { .. } = plan {
        return run(&core.router, plan, deadline).await;
    }
    limit.hold(request.timeout_ms, write, run(&core.router, plan, deadline)).await
}

/// A batch costs what its queries would; one was paid for before it was read.
fn charge_batch(core: &Core, access: &Access, queries: usize) {
    if core.throttle.is_on() {
        let cost = Cost { requests: queries.saturating_sub(1) as u64, bytes: 0 };
        core.throttle.charge(access.payer(), Instant::now(), cost);
    }
}

async fn run_batch(
    core: &Rc<Core>,
    access: &Access,
    request: BatchRequest,
    limit: Limit,
) -> Result<Vec<Reply>, Failure> {
    check_request(core, request.version.map(|version| version.major))?;
    let plans = batch::plans(request.queries)?;
    authorize::batch(core, access, &plans)?;
    batch::run(&core.router, plans, limit.deadline(request.timeout_ms)).await
}

async fn run_get(
    core: &Rc<Core>,
    access: &Access,
    request: GetRequest,
    limit: Limit,
) -> Result<Option<(Value, Digest)>, Failure> {
    check_request(core, request.version.map(|version| version.major))?;
    limit.hold(request.timeout_ms, false, kv::get(core, access, request)).await
}

async fn run_conditional(
    core: &Rc<Core>,
    access: &Access,
    request: ConditionalBatchRequest,
    limit: Limit,
) -> Result<Ended<Vec<Reply>>, Failure> {
    check_request(core, request.version.map(|version| version.major))?;
    let deadline = limit.deadline(request.timeout_ms);
    kv::conditional_batch(core, access, request, deadline).await
}

fn is_write(query: &Query) -> bool {
    use query::Query as Kind;
    matches!(query.query, Some(Kind::Set(_) | Kind::Delete(_) | Kind::Update(_)))
}

/// What is asked of every request before it is looked at.
pub fn check_request(core: &Core, major: Option<u32>) -> Result<(), Failure> {
    check::version(major)?;
    if core.is_full() {
        let bytes_max = core.settings.limits.in_flight_bytes_max;
        return Err(Failure::Overloaded(format!(
            "the server holds more than {bytes_max} bytes of requests and answers"
        )));
    }
    Ok(())
}

/// Interactive transactions do not exist: a query that believes to be in one is refused.
pub fn check_transaction(id: Option<&str>) -> Result<(), Failure> {
    match id {
        None | Some("") => Ok(()),
        Some(_) => Err(Failure::InvalidRequest(
            "transaction_id is set, but there are no interactive transactions; use a batch".into(),
        )),
    }
}

/// Reads a message.
///
/// # Errors
/// [`Failure::Malformed`], to be told in-band where there is a band.
pub fn decode<M: Message + Default>(message: Bytes) -> Result<M, Trouble> {
    M::decode(message).map_err(|error| Trouble::Failure(Failure::Malformed(error.to_string())))
}

impl Session {
    /// For one query, unless health is asked for. What it costs beyond that is charged when it is known.
    fn pay(&self) -> Result<(), Failure> {
        if self.method.is_health() {
            return Ok(());
        }
        self.access.pay(&self.core, self.limit.begun, Cost::REQUEST)
    }

    fn answer(&self, respond: &mut SendResponse<Payload>, outcome: &Outcome) -> End {
        let millis = self.limit.millis();
        match outcome {
            Outcome::Query(Ok(reply), request_id) => {
                let request_id = request_id.as_deref().map(str::as_bytes);
                self.put(respond, &QueryAnswer { reply, request_id, millis });
            }
            Outcome::Batch(Ok(replies), request_id) => {
                let request_id = request_id.as_deref();
                self.put(respond, &BatchAnswer { replies, request_id, millis });
            }
            Outcome::Found(Ok(found), request_id, without_data) => {
                let request_id = request_id.as_deref().map(str::as_bytes);
                let (found, without_data) = (found.as_ref(), *without_data);
                self.put(respond, &FoundAnswer { found, without_data, request_id, millis });
            }
            Outcome::Conditional(Ok(Ended::Committed(replies)), request_id) => {
                let request_id = request_id.as_deref();
                // The fields are those of a `BatchResponse`.
                self.put(respond, &BatchAnswer { replies, request_id, millis });
            }
            Outcome::Conditional(Ok(Ended::Unmet(unmet)), request_id) => {
                self.put(respond, &Plain(kv::unmet(unmet, request_id.clone(), millis)));
            }
            Outcome::Query(Err(failure), request_id)
            | Outcome::Batch(Err(failure), request_id)
            | Outcome::Found(Err(failure), request_id, _)
            | Outcome::Conditional(Err(failure), request_id) => {
                let error = error_response(failure);
                let request_id = request_id.as_deref().map(str::as_bytes);
                self.put(respond, &ErrorAnswer { error: &error, request_id, millis });
                return End::Failed;
            }
            Outcome::HealthCheck(response) => self.put(respond, &Plain(response.clone())),
            Outcome::ServerInfo(response) => self.put(respond, &Plain(response.clone())),
            Outcome::GrpcHealth(status) => self.put(respond, &grpc_health(*status)),
        }
        End::Answered
    }

    /// A failure before the request could be read: in-band where the answer has a band.
    fn fail(&self, respond: &mut SendResponse<Payload>, failure: &Failure) {
        if self.method.has_band() {
            let (error, millis) = (error_response(failure), self.limit.millis());
            self.put(respond, &ErrorAnswer { error: &error, request_id: None, millis });
        } else {
            outbound::refuse(&self.core, respond, &Refusal::Status(Status::from(failure)));
        }
    }

    fn put(&self, respond: &mut SendResponse<Payload>, answer: &impl Answer) {
        let bytes = outbound::answer(&self.core, &self.flight, respond, self.encoding, answer);
        self.core.charge_bytes(self.access.payer(), bytes);
    }
}

/// The message of `grpc.health.v1`.
pub fn grpc_health(status: ServingStatus) -> Plain<health::HealthCheckResponse> {
    Plain(health::HealthCheckResponse { status: status.into() })
}
