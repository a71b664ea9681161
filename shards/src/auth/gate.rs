//! The way in: each request of a connection passes here before its body is looked at.

use std::rc::Rc;

use http::HeaderMap;

use super::{
    access::Access,
    verdict::{Verdict, note},
};
use crate::{core::Core, failure::Failure, grpc::method::Method, net::peer::Peer};

/// The gate of one connection. It remembers whom it let in last, which is nearly always who comes next.
pub struct Gate {
    peer: Rc<Peer>,
    last: Option<Rc<Access>>,
}

impl Gate {
    /// Nobody has come yet.
    pub fn new(peer: Rc<Peer>) -> Self {
        Self { peer, last: None }
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`], [`Failure::Expired`], [`Failure::Certificate`].
    pub fn admit(
        &mut self,
        core: &Core,
        method: Method,
        headers: &HeaderMap,
    ) -> Result<Rc<Access>, Failure> {
        let guard = core.process.guards.load();
        if guard.is_public(method) {
            return Ok(Access::of_anybody(&guard, &self.peer));
        }
        let shown = guard.shown(headers, &self.peer).map_err(|failure| {
            let refused = Verdict::Refused { method: None, failure: &failure };
            note(core, &self.peer, &refused).map_or_else(|unrecorded| unrecorded, |()| failure)
        })?;
        if let Some(last) = self.last.as_ref().filter(|last| last.is_good(&guard, shown)) {
            return Ok(Rc::clone(last));
        }
        let access = Access::of(core, &guard, &self.peer, shown)?;
        self.last = Some(Rc::clone(&access));
        Ok(access)
    }
}
