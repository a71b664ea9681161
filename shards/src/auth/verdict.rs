//! Every decision about a caller or a request, told at one place.

use super::{
    action::{Action, Target},
    principal::{AuthMethod, Principal},
    record::record,
};
use crate::{core::Core, failure::Failure, net::peer::Peer};

/// A decision.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    /// Somebody was recognised: told once for each connection and credential, not for each request.
    Admitted(&'a Principal),
    /// Credentials are not right, or there are none.
    Refused {
        /// What they were; none where there were none.
        method: Option<AuthMethod>,
        /// What the caller is told.
        failure: &'a Failure,
    },
    /// Somebody may do what they ask for.
    Allowed {
        /// Who.
        principal: &'a Principal,
        /// What.
        action: Action,
        /// To what.
        target: Target<'a>,
    },
    /// Somebody may not.
    Denied {
        /// Who.
        principal: &'a Principal,
        /// What.
        action: Action,
        /// To what.
        target: Target<'a>,
        /// Which policy forbids it; none where nothing allows it.
        policy: Option<&'a str>,
    },
}

/// Takes a decision to those who count and record it.
///
/// # Errors
/// [`Failure::Unrecorded`]: what was decided must not be done.
pub fn note(core: &Core, peer: &Peer, verdict: &Verdict<'_>) -> Result<(), Failure> {
    count(core, peer, verdict);
    record(core, peer, verdict)
}

fn count(core: &Core, peer: &Peer, verdict: &Verdict<'_>) {
    let counters = core.counters();
    match verdict {
        Verdict::Admitted(principal) => {
            if principal.method != AuthMethod::Unasked {
                counters.principals_admitted.add(1);
                tracing::debug!("{peer}: admitted {principal:?}");
            }
        }
        Verdict::Refused { method, failure } => {
            counters.credentials_refused.add(1);
            let method = method.map_or("no credentials", AuthMethod::word);
            tracing::debug!("{peer}: {method}: {failure}");
        }
        Verdict::Allowed { principal, action, target } => {
            tracing::trace!("{peer}: {principal:?} may {} {target}", action.word());
        }
        Verdict::Denied { principal, action, target, policy } => {
            counters.requests_denied.add(1);
            let action = action.word();
            match policy {
                Some(policy) => {
                    tracing::debug!(
                        "{peer}: {principal:?}: policy {policy:?} forbids to {action} {target}"
                    );
                }
                None => {
                    tracing::debug!("{peer}: {principal:?}: nothing allows to {action} {target}")
                }
            }
        }
    }
}
