//! What a recognised caller may do, as its requests hold it.

use std::{fmt, rc::Rc, sync::Arc, time::Instant};

use super::{
    action::{Action, ServerCommand, Target},
    guard::{Guard, Recognised},
    principal::{AuthMethod, Principal},
    record,
    shown::{Kept, Shown},
    verdict::{Verdict, note},
};
use crate::{
    audit::Event,
    core::Core,
    failure::Failure,
    net::peer::Peer,
    throttle::{Cost, Payer},
    utc::unix_seconds,
};

/// Somebody on a connection, under one guard.
pub struct Access {
    guard: Arc<Guard>,
    peer: Rc<Peer>,
    shown: Kept,
    principal: Arc<Principal>,
    /// Unix seconds from which on it is over.
    until: Option<i64>,
    payer: Payer,
}

impl Access {
    /// Recognises somebody.
    ///
    /// # Errors
    /// The credentials are not right, or nothing is shown where something must be.
    pub(super) fn of(
        core: &Core,
        guard: &Arc<Guard>,
        peer: &Rc<Peer>,
        shown: Shown<'_>,
    ) -> Result<Rc<Self>, Failure> {
        let now = Instant::now();
        let nobody = core.process.throttling.payer(peer.address.ip(), "");
        // Credentials that are not looked at cannot be guessed; whoever shows none may be welcome.
        let over = core.throttle.may_fail(nobody, now).err();
        if let Some(over) = over.filter(|_| shown.method().is_some()) {
            return Err(record::over(core, peer, None, over));
        }
        match recognise(core, guard, peer, shown) {
            Ok(Recognised { principal, until }) => {
                note(core, peer, &Verdict::Admitted(&principal))?;
                let payer = core.process.throttling.payer(peer.address.ip(), &principal.id);
                let (guard, peer, shown) = (Arc::clone(guard), Rc::clone(peer), shown.kept());
                Ok(Rc::new(Self { guard, peer, shown, principal, until, payer }))
            }
            Err(failure) => {
                if let Some(over) = over {
                    return Err(record::over(core, peer, None, over));
                }
                core.throttle.has_failed(nobody, now);
                let refused = Verdict::Refused { method: shown.method(), failure: &failure };
                note(core, peer, &refused)?;
                Err(failure)
            }
        }
    }

    /// Whoever calls what is there for everybody, and may do nothing else.
    pub(super) fn of_anybody(guard: &Arc<Guard>, peer: &Rc<Peer>) -> Rc<Self> {
        let (guard, peer, principal) = (Arc::clone(guard), Rc::clone(peer), guard.anybody());
        let (shown, payer) = (Kept::Nothing, Payer::default());
        Rc::new(Self { guard, peer, shown, principal, until: None, payer })
    }

    /// Whether it is what a request gets that shows this now, under this guard.
    pub(super) fn is_good(&self, guard: &Arc<Guard>, shown: Shown<'_>) -> bool {
        self.is_current(guard) && self.shown.is_shown(shown)
    }

    fn is_current(&self, guard: &Arc<Guard>) -> bool {
        Arc::ptr_eq(&self.guard, guard) && self.until.is_none_or(|until| unix_seconds() < until)
    }

    /// The same for a later request of a stream: what was shown at its beginning may have expired or been revoked.
    ///
    /// # Errors
    /// It has.
    pub fn renewed(self: &Rc<Self>, core: &Core) -> Result<Rc<Self>, Failure> {
        let guard = core.process.guards.load();
        if self.is_current(&guard) {
            return Ok(Rc::clone(self));
        }
        Self::of(core, &guard, &self.peer, self.shown.shown())
    }

    /// Who pays for its requests.
    pub fn payer(&self) -> Payer {
        self.payer
    }

    /// Lets so much of it through, and charges for it.
    ///
    /// # Errors
    /// [`Failure::Throttled`].
    pub fn pay(&self, core: &Core, now: Instant, cost: Cost) -> Result<(), Failure> {
        let paid = core.throttle.pay(self.payer, now, cost);
        paid.map_err(|over| record::over(core, &self.peer, Some(&self.principal), over))
    }

    /// Asks whether something may be done.
    ///
    /// # Errors
    /// [`Failure::Forbidden`].
    pub fn check(&self, core: &Core, action: Action, target: Target<'_>) -> Result<(), Failure> {
        let principal = &*self.principal;
        let decided = principal.grants.decide(action, &target, self.peer.address.ip());
        let Err(denial) = decided else {
            return note(core, &self.peer, &Verdict::Allowed { principal, action, target });
        };
        let policy = denial.policy;
        note(core, &self.peer, &Verdict::Denied { principal, action, target, policy })?;
        Err(Failure::Forbidden(match target {
            // Existing command-line clients take words of ours for a broken line; so none is a stranger's.
            Target::Server(_) => "admin commands need the permission server:admin".to_owned(),
            Target::Entries { .. } => {
                format!("{:?} may not {} {target}", principal.id, action.word())
            }
        }))
    }

    /// The one gate of everything that is asked of the server itself, whatever the way. An order writes files or changes the
    /// server: while nobody is asked who they are, it is taken from this machine only.
    ///
    /// # Errors
    /// [`Failure::Forbidden`], [`Failure::NotLocal`].
    pub fn authorize_command(
        &self,
        core: &Core,
        command: ServerCommand<'_>,
        is_order: bool,
    ) -> Result<(), Failure> {
        self.check(core, Action::Admin, Target::Server(command))?;
        if !is_order {
            return Ok(());
        }
        let decided = core.process.admin_locality.check(self.peer.address.ip(), command.name);
        if self.principal.method == AuthMethod::Unasked {
            record::order(core, &self.peer, command, &decided)?;
        }
        decided
    }

    /// A command that was let through failed.
    pub fn command_failed(&self, core: &Core, command: ServerCommand<'_>, why: &dyn fmt::Display) {
        record::failed(core, &self.peer, &self.principal, command, why);
    }

    /// The same for whoever finds out later: the event, without why.
    pub fn failure_of(&self, command: ServerCommand<'_>) -> Event {
        record::failure(&self.peer, &self.principal, command)
    }
}

/// Who shows this. A reactor verifies a token once.
fn recognise(
    core: &Core,
    guard: &Arc<Guard>,
    peer: &Peer,
    shown: Shown<'_>,
) -> Result<Recognised, Failure> {
    let now = unix_seconds();
    let Shown::Token(value) = shown else { return guard.recognise(shown, peer, now) };
    let mut tokens = core.tokens.borrow_mut();
    if let Some(known) = tokens.find(guard, value.as_bytes(), now) {
        return Ok(known);
    }
    let recognised = guard.recognise(shown, peer, now)?;
    tokens.learn(guard, value.as_bytes(), recognised.clone());
    Ok(recognised)
}
