//! `amaters.admin.v1.AdminService`: what operators do with a server that runs. Calls of one answer are served as streams of one
//! message; a failure is told in the trailers.
//!
//! Always true: a job that was begun here ends when its stream does, unless the request says that it shall go on.

mod job;
mod messages;

use std::{
    net::IpAddr,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use amaters_proto::admin::v1 as wire;
use bytes::Bytes;
use futures_util::future::{Either, select};
use glommio::timer::sleep;

use super::{
    inbound::{Inbound, Trouble},
    method::Method,
    outbound::Outbound,
    unary::decode,
};
use crate::{
    auth::access::Access,
    core::Core,
    failure::Failure,
    jobs::Work,
    recent::merge,
    rpc::{admin::logs::message, answer::Plain, check},
    settings::{Order, Reloaded},
    storage::Keep,
};

/// How often what may have changed is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long reactors and the control thread may take to tell something.
const TOLD_MAX: Duration = Duration::from_secs(60);

/// Serves one call to its end.
///
/// # Errors
/// What is not allowed, not there, or makes no sense; or nobody is there any more.
pub async fn serve(
    core: &Rc<Core>,
    access: &Access,
    method: Method,
    inbound: &mut Inbound,
    outbound: &mut Outbound,
) -> Result<(), Trouble> {
    let message = inbound.only().await?;
    let (command, is_order) = command(method, &message)?;
    if is_order {
        access.authorize_order(core, command)?;
    } else {
        access.authorize_admin(core, command)?;
    }
    let done = perform(Call { core, access, command }, method, message, outbound).await;
    match &done {
        Ok(Told { failed: Some(why) }) => access.command_failed(core, command, why),
        Err(Trouble::Failure(failure)) => access.command_failed(core, command, failure),
        Err(Trouble::Status(status)) => access.command_failed(core, command, &status.message),
        Ok(_) | Err(Trouble::Gone) => {}
    }
    done.map(drop)
}

/// What a call is called in the audit, and whether it writes files or changes the server.
fn command(method: Method, message: &Bytes) -> Result<(&'static str, bool), Trouble> {
    Ok(match method {
        Method::AdminBackup => ("BACKUP", true),
        Method::AdminRestore => ("RESTORE", true),
        Method::AdminVerify => {
            let request: wire::VerifyRequest = decode(message.clone())?;
            ("VERIFY", !request.directory.is_empty())
        }
        Method::AdminCompact => ("COMPACT", true),
        Method::AdminListJobs | Method::AdminWatchJob => ("JOBS", false),
        Method::AdminCancelJob => ("CANCEL", true),
        Method::AdminLogs => ("LOGS", false),
        Method::AdminStats => ("STATS", false),
        Method::AdminReload => ("RELOAD", true),
        Method::AdminDrain => ("DRAIN", true),
        Method::AdminListConnections => ("CONNECTIONS", false),
        _ => ("CLOSE", true),
    })
}

/// A call that was let through.
#[derive(Clone, Copy)]
struct Call<'a> {
    core: &'a Rc<Core>,
    access: &'a Access,
    command: &'static str,
}

/// An answer was given.
#[derive(Default)]
struct Told {
    /// It says of a job that was begun here why that has failed.
    failed: Option<String>,
}

/// Does what somebody may have done.
async fn perform(
    call: Call<'_>,
    method: Method,
    message: Bytes,
    outbound: &mut Outbound,
) -> Result<Told, Trouble> {
    let core = call.core;
    match method {
        Method::AdminBackup => {
            let wire::BackupRequest { directory, incremental, parent, detach } = decode(message)?;
            let parent = Some(parent).filter(|parent| !parent.is_empty());
            let keep = Keep::default();
            let work = Work::Backup { directory, incremental, parent, keep };
            return job::run(call, outbound, work, detach).await;
        }
        Method::AdminRestore => {
            let request: wire::RestoreRequest = decode(message)?;
            let wire::RestoreRequest { directory, replace, dry_run, collection, detach } = request;
            let collection = if collection.is_empty() { "default".into() } else { collection };
            check::collection(&collection)?;
            let work = Work::Restore { directory, replace, dry_run, collection };
            return job::run(call, outbound, work, detach).await;
        }
        Method::AdminVerify => {
            let wire::VerifyRequest { directory, detach } = decode(message)?;
            let directory = Some(directory).filter(|directory| !directory.is_empty());
            return job::run(call, outbound, Work::Verify { directory }, detach).await;
        }
        Method::AdminCompact => {
            let wire::CompactRequest { collection, detach } = decode(message)?;
            let collection = Some(collection).filter(|name| !name.is_empty());
            collection.as_deref().map(check::collection).transpose()?;
            return job::run(call, outbound, Work::Compact { collection }, detach).await;
        }
        Method::AdminListJobs => {
            let jobs = core.process.jobs.list().iter().map(|job| messages::job(job)).collect();
            tell(outbound, wire::ListJobsResponse { jobs }).await?;
        }
        Method::AdminWatchJob => {
            let wire::WatchJobRequest { id } = decode(message)?;
            job::watch(outbound, &*job::find(core, id)?).await?;
        }
        Method::AdminCancelJob => {
            let wire::CancelJobRequest { id } = decode(message)?;
            let job = job::find(core, id)?;
            job.control.cancel();
            tell(outbound, messages::job(&job)).await?;
        }
        Method::AdminLogs => logs(core, outbound, decode(message)?).await?,
        Method::AdminStats => {
            let wire::StatsRequest { detailed } = decode(message)?;
            tell(outbound, messages::stats(core, detailed)).await?;
        }
        Method::AdminReload => tell(outbound, reload(core).await?).await?,
        Method::AdminDrain => {
            let connections = core.process.connections() as u64;
            core.settings.orders.give(Order::Drain);
            tell(outbound, wire::DrainResponse { connections }).await?;
        }
        Method::AdminListConnections => tell(outbound, connections(core).await?).await?,
        _ => tell(outbound, close(core, decode(message)?).await?).await?,
    }
    Ok(Told::default())
}

async fn tell(outbound: &mut Outbound, message: impl prost::Message) -> Result<(), Trouble> {
    Ok(outbound.send(&Plain(message)).await?)
}

/// Waits a little; an error if nobody is there any more.
async fn pause(outbound: &mut Outbound) -> Result<(), Trouble> {
    match select(pin!(sleep(LOOK)), pin!(outbound.reset())).await {
        Either::Left(_) => Ok(()),
        Either::Right(_) => Err(Trouble::Gone),
    }
}

/// The lines of the past, then those that come, as long as somebody reads them and the server is not on its way out.
async fn logs(
    core: &Rc<Core>,
    outbound: &mut Outbound,
    request: wire::LogsRequest,
) -> Result<(), Trouble> {
    let mut lines = request.lines as usize;
    let mut since = request.since;
    loop {
        let (entries, next) = merge(core.router.all_recent(since).await?, lines);
        for entry in &entries {
            let line = wire::LogLine {
                sequence: entry.sequence,
                at_ms: entry.unix_millis as i64,
                message: message(&entry.event),
            };
            tell(outbound, line).await?;
        }
        let drains = core.process.draining.load(std::sync::atomic::Ordering::Relaxed);
        if !request.follow || drains {
            return Ok(());
        }
        since = next;
        lines = usize::MAX;
        pause(outbound).await?;
    }
}

/// Has the control thread read the configuration again.
async fn reload(core: &Rc<Core>) -> Result<wire::ReloadResponse, Failure> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    core.settings.orders.give(Order::Reload(sender));
    let told = told(&receiver, 1).await?;
    let first = told.into_iter().next();
    let Reloaded { taken, summary, lines } = first.unwrap_or_default();
    Ok(wire::ReloadResponse { taken, summary, lines })
}

/// Waits for so many words from other threads.
async fn told<T>(
    receiver: &crossbeam_channel::Receiver<T>,
    count: usize,
) -> Result<Vec<T>, Failure> {
    const PAUSE: Duration = Duration::from_millis(2);

    let (begun, mut words) = (Instant::now(), Vec::new());
    while words.len() < count {
        match receiver.try_recv() {
            Ok(word) => words.push(word),
            Err(crossbeam_channel::TryRecvError::Empty) if begun.elapsed() < TOLD_MAX => {
                sleep(PAUSE).await;
            }
            Err(_) => {
                return Err(Failure::Internal("a thread of the server does not answer".into()));
            }
        }
    }
    Ok(words)
}

/// Who is connected, on all reactors.
async fn connections(core: &Rc<Core>) -> Result<wire::ListConnectionsResponse, Failure> {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let reactors = core.settings.cpus.len();
    for reactor in 0..reactors {
        let sender = sender.clone();
        core.process.reach.send(reactor, move |core| async move {
            let now = Instant::now();
            let shown = core.registry.list(|about| wire::Connection {
                id: about.id,
                address: about.address.to_string(),
                reactor: core.index as u32,
                age_seconds: now.saturating_duration_since(about.opened).as_secs(),
                requests_under_way: about.requests.get() as u64,
            });
            let _ = sender.send(shown);
        });
    }
    let mut connections: Vec<_> = told(&receiver, reactors).await?.into_iter().flatten().collect();
    connections.sort_by_key(|connection| connection.id);
    Ok(wire::ListConnectionsResponse { connections })
}

/// Says goodbye to some connections; what is under way on them ends first.
async fn close(
    core: &Rc<Core>,
    request: wire::CloseConnectionsRequest,
) -> Result<wire::CloseConnectionsResponse, Failure> {
    let wire::CloseConnectionsRequest { ids, address } = request;
    let address = match &*address {
        "" => None,
        text => Some(
            text.parse::<IpAddr>()
                .map_err(|_| Failure::InvalidRequest(format!("{text:?} is no IP address")))?,
        ),
    };
    if ids.is_empty() && address.is_none() {
        return Err(Failure::InvalidRequest("name ids or an address: nothing was closed".into()));
    }
    let (sender, receiver) = crossbeam_channel::unbounded();
    let (reactors, ids): (usize, Arc<[u64]>) = (core.settings.cpus.len(), ids.into());
    for reactor in 0..reactors {
        let (sender, ids) = (sender.clone(), Arc::clone(&ids));
        core.process.reach.send(reactor, move |core| async move {
            let closed = core.registry.drain_some(|about| {
                ids.contains(&about.id)
                    || address.is_some_and(|wanted| {
                        wanted.to_canonical() == about.address.ip().to_canonical()
                    })
            });
            let _ = sender.send(closed);
        });
    }
    let closed = told(&receiver, reactors).await?.into_iter().sum();
    Ok(wire::CloseConnectionsResponse { closed })
}

/// The bytes of a message, to see whether it has changed.
fn encoded(message: &impl prost::Message) -> Bytes {
    message.encode_to_vec().into()
}
