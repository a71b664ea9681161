//! A job and its stream.

use std::{rc::Rc, sync::Arc};

use super::{Told, encoded, messages, pause, tell};
use crate::{
    core::Core,
    failure::Failure,
    grpc::{
        inbound::Trouble,
        outbound::Outbound,
        status::{Code, Status},
    },
    jobs::{Job, Work},
};

/// Ends a job when its stream ends before it.
struct Leash(Option<Arc<Job>>);

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(job) = self.0.take().filter(|job| !job.has_ended()) {
            job.control.cancel();
        }
    }
}

/// Begins a job and tells how it goes, to its end.
pub(super) async fn run(
    core: &Rc<Core>,
    outbound: &mut Outbound,
    work: Work,
    detach: bool,
) -> Result<Told, Trouble> {
    let job = core.process.jobs.submit(work, false).map_err(Failure::from)?;
    let _leash = Leash(Some(Arc::clone(&job)).filter(|_| !detach));
    match watch(outbound, &job).await {
        Ok(()) => {}
        Err(Trouble::Gone) => return Ok(Told::Left(job)),
        Err(trouble) => return Err(trouble),
    }
    let failed = job.result().and_then(|result| result.as_ref().err());
    Ok(failed.map_or(Told::Done, |why| Told::Failed(why.to_string())))
}

/// Tells how a job goes, whenever that changes, to its end.
pub(super) async fn watch(outbound: &mut Outbound, job: &Job) -> Result<(), Trouble> {
    let mut last = None;
    loop {
        // In this order: what has ended is told as it ended.
        let has_ended = job.has_ended();
        let message = messages::job(job);
        let bytes = Some(encoded(&message));
        if last != bytes {
            tell(outbound, message).await?;
            last = bytes;
        }
        if has_ended {
            return Ok(());
        }
        pause(outbound).await?;
    }
}

/// The job with this number.
pub(super) fn find(core: &Core, id: u64) -> Result<Arc<Job>, Trouble> {
    let unknown = || Status::new(Code::NotFound, format!("job {id} is not known"));
    core.process.jobs.find(id).ok_or_else(|| unknown().into())
}
