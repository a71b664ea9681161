//! Calls of many messages. What fails here is told in the trailers.

use std::{pin::pin, rc::Rc, time::Duration};

use amaters_proto::{
    aql::{QueryRequest, StreamEnd, StreamResponse, stream_response},
    health::{self, health_check_response::ServingStatus},
    reflection::ServerReflectionRequest,
};
use bytes::Bytes;
use futures_util::future::{Either, select};
use glommio::timer::sleep;
use h2::server::SendResponse;

use super::{
    admin,
    inbound::{Inbound, Trouble},
    interactive,
    method::Method,
    outbound::{Gone, Outbound},
    serve::{Limit, Session, contained},
    status::{Code, Status},
    unary::{check_request, check_transaction, decode, grpc_health},
};
use crate::{
    auth::access::Access,
    core::Core,
    counters::End,
    failure::Failure,
    limits::SCAN_STEP_BYTES_MAX,
    payload::Payload,
    router::{
        execute::row_bytes,
        operation::{Operation, Reply},
    },
    rpc::{
        amount,
        answer::{Plain, StreamChunk},
        authorize,
        plan::Plan,
        reflection,
        run::{Cursor, run},
        server,
    },
};

impl From<Gone> for Trouble {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// Serves a call to its end, and says how that was; none if nobody is there any more.
pub async fn serve(session: Session, respond: SendResponse<Payload>) -> Option<End> {
    let Session { core, flight, method, access, limit, encoding, mut inbound, .. } = session;
    let opened =
        Outbound::open(Rc::clone(&core), Rc::clone(&flight), respond, encoding, access.payer());
    let mut outbound = opened.ok()?;
    let result = {
        let (inbound, outbound) = (&mut inbound, &mut outbound);
        let work = contained(async {
            match method {
                Method::ExecuteInteractive => {
                    interactive::serve(&core, access, &flight, inbound, outbound).await
                }
                Method::GrpcHealthWatch => watch(&core, inbound, outbound).await,
                Method::Reflection => reflect(inbound, outbound).await,
                method if method.is_admin() => {
                    admin::serve(&core, &access, method, inbound, outbound).await
                }
                _ => rows(&core, &access, inbound, outbound, limit).await,
            }
        });
        limit.hold(None, method == Method::ExecuteInteractive, work).await
    };
    let status = match result {
        Ok(()) => {
            outbound.finish(Ok(()));
            return Some(End::Answered);
        }
        Err(Trouble::Status(status)) => status,
        Err(Trouble::Failure(failure)) => Status::from(&failure),
        Err(Trouble::Gone) => return None,
    };
    outbound.finish(Err(status));
    Some(End::Failed)
}

/// `ExecuteStream`: the rows of a range, a filter or a get, in chunks, and how many there were.
async fn rows(
    core: &Rc<Core>,
    access: &Access,
    inbound: &mut Inbound,
    outbound: &mut Outbound,
    limit: Limit,
) -> Result<(), Trouble> {
    let message = inbound.only().await?;
    amount::check(&message)?;
    let request = decode::<QueryRequest>(message)?;
    let timeout_ms = request.timeout_ms;
    let send = async {
        check_request(core, request.version.map(|version| version.major))?;
        check_transaction(request.transaction_id.as_deref())?;
        let plan = Plan::of(request.query)?;
        authorize::plan(core, access, &plan)?;
        match plan {
            Plan::Rows(rows) => send_rows(outbound, Cursor::new(&core.router, rows)).await,
            Plan::Key { collection, key, operation: operation @ Operation::Get { .. } } => {
                let plan = Plan::Key { collection, key: key.clone(), operation };
                send_row(outbound, key, run(&core.router, plan, None).await?).await
            }
            _ => Err(Failure::InvalidRequest(
                "ExecuteStream reads: a get, a range or a filter".into(),
            )
            .into()),
        }
    };
    limit.hold(timeout_ms, false, send).await
}

async fn send_row(outbound: &mut Outbound, key: Bytes, reply: Reply) -> Result<(), Trouble> {
    let Reply::Value(Some(value)) = reply else { return send_end(outbound, 0, 0).await };
    let rows = [(key, value)];
    outbound.send(&StreamChunk { rows: &rows, has_more: false, sequence: 0 }).await?;
    send_end(outbound, 1, 1).await
}

async fn send_rows(outbound: &mut Outbound, mut cursor: Cursor) -> Result<(), Trouble> {
    let (mut total, mut sequence) = (0, 0);
    let mut next = cursor.next().await?;
    while let Some(first) = next.take() {
        let mut bytes = row_bytes(&first);
        let mut chunk = vec![first];
        next = cursor.next().await?;
        while let Some(row) = next.take_if(|row| bytes + row_bytes(row) <= SCAN_STEP_BYTES_MAX) {
            bytes += row_bytes(&row);
            chunk.push(row);
            next = cursor.next().await?;
        }
        total += chunk.len() as u64;
        let has_more = next.is_some();
        outbound.send(&StreamChunk { rows: &chunk, has_more, sequence }).await?;
        sequence += 1;
    }
    send_end(outbound, total, sequence).await
}

async fn send_end(outbound: &mut Outbound, total_count: u64, sequence: u64) -> Result<(), Trouble> {
    let chunk = Some(stream_response::Chunk::End(StreamEnd { total_count }));
    Ok(outbound.send(&Plain(StreamResponse { chunk, sequence })).await?)
}

/// `grpc.health.v1.Health/Watch`: the status now, and whenever it changes.
async fn watch(
    core: &Rc<Core>,
    inbound: &mut Inbound,
    outbound: &mut Outbound,
) -> Result<(), Trouble> {
    /// How often the status is looked at.
    const LOOK: Duration = Duration::from_millis(200);

    let request = decode::<health::HealthCheckRequest>(inbound.only().await?)?;
    let mut told = None;
    loop {
        let status = server::serving_status(&core.process, &request.service)
            .unwrap_or(ServingStatus::ServiceUnknown);
        if told != Some(status) {
            outbound.send(&grpc_health(status)).await?;
            told = Some(status);
        }
        if core.process.draining.load(std::sync::atomic::Ordering::Relaxed) {
            let text = "the server is shutting down";
            return Err(Status::new(Code::Unavailable, text).into());
        }
        if let Either::Right(_) = select(pin!(sleep(LOOK)), pin!(outbound.reset())).await {
            return Err(Trouble::Gone);
        }
    }
}

/// Server reflection, either version.
async fn reflect(inbound: &mut Inbound, outbound: &mut Outbound) -> Result<(), Trouble> {
    while let Some(message) = inbound.next(false).await? {
        let request = decode::<ServerReflectionRequest>(message)?;
        outbound.send(&Plain(reflection::answer(request))).await?;
    }
    Ok(())
}
