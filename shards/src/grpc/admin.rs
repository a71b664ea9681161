//! `amaters.admin.v1.AdminService`: what operators do with a server that runs. Calls of one answer are served as streams of one
//! message; a failure is told in the trailers.
//!
//! Always true: a job that was begun here ends when its stream does, unless the request says that it shall go on.

mod asked;
mod job;
mod messages;
mod traffic;

use std::{
    fmt,
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

use self::asked::Asked;
use super::{
    inbound::{Inbound, Trouble},
    method::Method,
    outbound::Outbound,
};
use crate::{
    auth::{ServerCommand, access::Access},
    core::Core,
    failure::Failure,
    jobs::{Job, Work},
    recent::merge,
    rpc::{
        admin::{jobs, logs::message},
        answer::Plain,
        check,
    },
    settings::{Order, Reloaded},
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
    let asked = Asked::read(method, inbound.only().await?)?;
    let (is_order, name, subject) = (asked.is_order(), asked.name(), asked.subject());
    let command = ServerCommand { name, subject: &subject };
    access.authorize_command(core, command, is_order)?;
    let done = perform(core, asked, outbound).await;
    let failed = |why: &dyn fmt::Display| access.command_failed(core, command, why);
    match done {
        Ok(Told::Done) => Ok(()),
        Ok(Told::Failed(why)) => {
            failed(&why);
            Ok(())
        }
        Ok(Told::Left(job)) => {
            jobs::follow(core, job, access.failure_of(command));
            Err(Trouble::Gone)
        }
        Err(trouble) => {
            match &trouble {
                Trouble::Failure(failure) => failed(failure),
                Trouble::Status(status) => failed(&status.message),
                Trouble::Gone => {}
            }
            Err(trouble)
        }
    }
}

/// What whoever asked was told.
enum Told {
    Done,
    /// Why the job that was begun has failed.
    Failed(String),
    /// Nothing more of this job: nobody is there.
    Left(Arc<Job>),
}

/// Does what somebody may have done.
async fn perform(core: &Rc<Core>, asked: Asked, outbound: &mut Outbound) -> Result<Told, Trouble> {
    match asked {
        Asked::Job { order: jobs::Order::Begin(work), detach } => {
            match &work {
                Work::Restore { collection: name, .. }
                | Work::Compact { collection: Some(name) } => check::collection(name)?,
                _ => {}
            }
            return job::run(core, outbound, work, detach).await;
        }
        Asked::Job { order: jobs::Order::List(None), .. } => {
            let jobs = core.process.jobs.list().iter().map(|job| messages::job(job)).collect();
            tell(outbound, wire::ListJobsResponse { jobs }).await?;
        }
        Asked::Job { order: jobs::Order::List(Some(id)), .. } => {
            job::watch(outbound, &*job::find(core, id)?).await?;
        }
        Asked::Job { order: jobs::Order::Cancel(id), .. } => {
            let job = job::find(core, id)?;
            job.control.cancel();
            tell(outbound, messages::job(&job)).await?;
        }
        Asked::Logs(request) => logs(core, outbound, request).await?,
        Asked::Stats { detailed } => tell(outbound, messages::stats(core, detailed)).await?,
        Asked::HotKeys { limit } => {
            tell(outbound, traffic::hot_keys(core, limit).await?).await?;
        }
        Asked::BigValues { limit } => {
            tell(outbound, traffic::big_values(core, limit).await?).await?;
        }
        Asked::Reload => tell(outbound, reload(core).await?).await?,
        Asked::Drain => {
            let connections = core.process.connections() as u64;
            core.settings.orders.give(Order::Drain);
            tell(outbound, wire::DrainResponse { connections }).await?;
        }
        Asked::ListConnections => tell(outbound, connections(core).await?).await?,
        Asked::Close(request) => tell(outbound, close(core, request).await?).await?,
    }
    Ok(Told::Done)
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

/// Asks every reactor something that it can tell at once.
async fn of_all<T: Send + 'static>(
    core: &Rc<Core>,
    ask: impl Fn(&Core) -> T + Clone + Send + 'static,
) -> Result<Vec<T>, Failure> {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let reactors = core.process.reach.count();
    for reactor in 0..reactors {
        let (sender, ask) = (sender.clone(), ask.clone());
        core.process.reach.send(reactor, move |core| async move {
            let _ = sender.send(ask(&core));
        });
    }
    // A reactor that is gone drops its sender: nobody waits for it.
    drop(sender);
    told(&receiver, reactors).await
}

/// Who is connected, on all reactors.
async fn connections(core: &Rc<Core>) -> Result<wire::ListConnectionsResponse, Failure> {
    let list = |core: &Core| {
        let now = Instant::now();
        core.registry.list(|about| wire::Connection {
            id: about.id,
            address: about.address.to_string(),
            reactor: core.index as u32,
            age_seconds: now.saturating_duration_since(about.opened).as_secs(),
            requests_under_way: about.requests.get() as u64,
        })
    };
    let mut connections: Vec<_> = of_all(core, list).await?.into_iter().flatten().collect();
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
    let ids: Arc<[u64]> = ids.into();
    let close = move |core: &Core| {
        core.registry.drain_some(|about| {
            ids.contains(&about.id)
                || address.is_some_and(|wanted| {
                    wanted.to_canonical() == about.address.ip().to_canonical()
                })
        })
    };
    let closed = of_all(core, close).await?.into_iter().sum();
    Ok(wire::CloseConnectionsResponse { closed })
}

/// The bytes of a message, to see whether it has changed.
fn encoded(message: &impl prost::Message) -> Bytes {
    message.encode_to_vec().into()
}
