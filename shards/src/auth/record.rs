//! Decisions as events of the audit: which of them are recorded, and what is in them.

use std::{fmt, sync::Arc};

use super::{
    action::{Action, Keys, ServerCommand, Target},
    principal::{AuthMethod, Principal},
    verdict::Verdict,
};
use crate::{
    audit::{AuditResult, Event, Kind, Who},
    core::Core,
    failure::{Failure, ShownKey},
    net::peer::Peer,
    throttle::Over,
};

/// Records a decision, if it is one of those.
///
/// # Errors
/// [`Failure::Unrecorded`]: what was decided must not be done.
pub(super) fn record(core: &Core, peer: &Peer, verdict: &Verdict<'_>) -> Result<(), Failure> {
    let audit = &core.settings.audit;
    let is_recorded = match verdict {
        Verdict::Admitted(principal) => {
            audit.wants_logins() && principal.method != AuthMethod::Unasked
        }
        Verdict::Allowed { action: Action::Read, .. } => audit.wants_reads(),
        Verdict::Allowed { action: Action::Write, .. } => audit.wants_writes(),
        // Where nobody is known, what changes something is of interest: `order`.
        Verdict::Allowed { action: Action::Admin, principal, .. } => {
            principal.method != AuthMethod::Unasked
        }
        Verdict::Refused { .. } | Verdict::Denied { .. } => true,
    };
    if !is_recorded {
        return Ok(());
    }
    core.record(|| event(verdict, audit.wants_keys()).from(peer.address.ip()))
}

/// Records a command that changes something, of somebody who did not have to say who it is.
///
/// # Errors
/// [`Failure::Unrecorded`]: it must not be done.
pub(super) fn order(
    core: &Core,
    peer: &Peer,
    command: ServerCommand<'_>,
    decided: &Result<(), Failure>,
) -> Result<(), Failure> {
    core.record(|| {
        let event = match decided {
            Ok(()) => Event::new(Kind::Admin, AuditResult::Success),
            Err(failure) => Event::new(Kind::Admin, AuditResult::Denied).error(failure.to_string()),
        };
        commanded(event, command).from(peer.address.ip())
    })
}

/// Records that a command failed after it was let through. It is told in any case.
pub(super) fn failed(
    core: &Core,
    peer: &Peer,
    principal: &Principal,
    command: ServerCommand<'_>,
    why: &dyn fmt::Display,
) {
    let _ = core.record(|| failure(peer, principal, command).error(why.to_string()));
}

/// The event of a command that fails, without why.
pub(super) fn failure(peer: &Peer, principal: &Principal, command: ServerCommand<'_>) -> Event {
    let event = by(Event::new(Kind::Admin, AuditResult::Failure), principal);
    commanded(event, command).from(peer.address.ip())
}

/// Counts, and now and then records, that somebody asks for more than is granted; gives what they are told.
pub(super) fn over(core: &Core, peer: &Peer, principal: Option<&Principal>, over: Over) -> Failure {
    core.counters().limited(over.limit).add(1);
    let limit = over.limit.key();
    let retry_after = over.wait.as_nanos().div_ceil(1_000_000_000);
    let retry_after = u32::try_from(retry_after).unwrap_or(u32::MAX).max(1);
    if over.is_news {
        tracing::warn!("{peer}: over {limit}; more of that is not told for a minute");
        let _ = core.record(|| {
            let event = Event::new(Kind::SecurityViolation, AuditResult::Denied);
            let event = principal.into_iter().fold(event, by);
            event.action(limit).error("over the limit").from(peer.address.ip())
        });
    }
    Failure::Throttled { limit, retry_after }
}

fn event(verdict: &Verdict<'_>, with_keys: bool) -> Event {
    match verdict {
        Verdict::Admitted(principal) => {
            let event = Event::new(Kind::Authentication, AuditResult::Success);
            by(event, principal).action("authenticate")
        }
        Verdict::Refused { method, failure } => {
            let mut event = Event::new(Kind::Authentication, AuditResult::Failure);
            event.auth_method = method.map(AuthMethod::word);
            event.action("authenticate").error(failure.to_string())
        }
        Verdict::Allowed { principal, action, target } => {
            let kind = kind(target);
            about(by(Event::new(kind, AuditResult::Success), principal), *action, target, with_keys)
        }
        Verdict::Denied { principal, action, target, policy } => {
            let event = by(Event::new(kind(target), AuditResult::Denied), principal);
            let event = about(event, *action, target, with_keys);
            match policy {
                Some(policy) => event.error("a policy forbids it").with("policy", *policy),
                None => event.error("nothing allows it"),
            }
        }
    }
}

fn kind(target: &Target<'_>) -> Kind {
    match target {
        Target::Server(_) => Kind::Admin,
        Target::Entries { .. } => Kind::Authorization,
    }
}

fn about(event: Event, action: Action, target: &Target<'_>, with_keys: bool) -> Event {
    match target {
        Target::Server(command) => commanded(event, *command),
        Target::Entries { collection, keys } => {
            let event = event.action(action.word()).resource(format!("collection:{collection}"));
            match keys {
                Keys::One(key) if with_keys => event.with("key", ShownKey(key).to_string()),
                Keys::Range(from, to) if with_keys => {
                    let event = event.with("from", ShownKey(from).to_string());
                    match to {
                        Some(to) => event.with("to", ShownKey(to).to_string()),
                        None => event,
                    }
                }
                Keys::One(_) | Keys::Range(..) => event,
            }
        }
    }
}

fn commanded(event: Event, ServerCommand { name, subject }: ServerCommand<'_>) -> Event {
    let event = event.action(name.to_owned()).resource("server");
    if subject.is_empty() { event } else { event.with("subject", subject) }
}

fn by(event: Event, principal: &Principal) -> Event {
    let method = match principal.method {
        AuthMethod::Unasked => return event,
        AuthMethod::Anonymous => None,
        method => Some(method.word()),
    };
    let role = (!principal.roles.is_empty()).then(|| principal.roles.join(","));
    let who = Who { id: principal.id.clone(), name: principal.name.clone(), role };
    event.by(Arc::new(who), method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::grants::Grants;

    fn principal(method: AuthMethod) -> Principal {
        let roles = vec!["reader".to_owned()];
        Principal { id: "u-1".into(), name: "Ada".into(), roles, method, grants: Grants::default() }
    }

    #[test]
    fn a_denied_request_is_told_without_its_key_unless_keys_are_wanted() {
        let principal = principal(AuthMethod::Jwt);
        let target = Target::Entries { collection: "users", keys: Keys::One(b"user:42") };
        let (principal, action) = (&principal, Action::Write);
        let verdict = Verdict::Denied { principal, action, target, policy: Some("no-writes") };
        let told = event(&verdict, false);
        assert_eq!((told.kind, told.result), (Kind::Authorization, AuditResult::Denied));
        assert_eq!(told.action.as_deref(), Some("write"));
        assert_eq!(told.resource.as_deref(), Some("collection:users"));
        assert_eq!(told.auth_method, Some("jwt"));
        assert_eq!(told.metadata, [("policy", "no-writes".to_owned())]);
        let role = told.principal.as_ref().and_then(|who| who.role.as_deref());
        assert_eq!(role, Some("reader"));
        assert!(!format!("{told:?}").contains("user:42"));
        assert_eq!(event(&verdict, true).metadata[0], ("key", "\"user:42\"".to_owned()));
    }

    #[test]
    fn a_command_is_an_event_of_its_own_kind() {
        let principal = principal(AuthMethod::Anonymous);
        let (principal, action) = (&principal, Action::Admin);
        for (subject, metadata) in [("", vec![]), ("daily", vec![("subject", "daily".to_owned())])]
        {
            let target = Target::Server(ServerCommand { name: "BACKUP", subject });
            let told = event(&Verdict::Allowed { principal, action, target }, true);
            assert_eq!((told.kind, told.result), (Kind::Admin, AuditResult::Success));
            assert_eq!(told.action.as_deref(), Some("BACKUP"));
            assert_eq!((told.auth_method, told.metadata), (None, metadata));
        }
    }
}
