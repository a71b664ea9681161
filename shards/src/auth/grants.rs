//! What one principal may do, worked out once.
//!
//! ```text
//!   a policy that denies ──► no
//!   a role ────────────────► yes
//!   a policy that allows ──► yes
//!   the default mode ──────► yes or no
//! ```

use std::{net::IpAddr, sync::Arc};

use super::{
    action::{Action, Actions, Target},
    policies::{Effect, Rule},
    roles::Permissions,
};

/// What one principal may do.
#[derive(Debug, Default)]
pub(super) struct Grants {
    /// To the entries of every collection.
    everywhere: Actions,
    /// To those of some collections, by their name, in order.
    collections: Box<[(Box<str>, Actions)]>,
    /// To the server.
    server: Actions,
    /// The policies that are about the principal and forbid.
    denying: Box<[Arc<Rule>]>,
    /// Those that allow.
    allowing: Box<[Arc<Rule>]>,
}

/// Why something may not be done: because of this policy, or because nothing allows it.
pub(super) struct Denial<'a> {
    pub(super) policy: Option<&'a str>,
}

impl Grants {
    /// Everything.
    pub(super) fn everything() -> Self {
        Self { everywhere: Actions::ALL, server: Actions::ALL, ..Self::default() }
    }

    /// What can be done to entries.
    pub(super) fn entries() -> Self {
        Self { everywhere: Actions::OF_ENTRIES, ..Self::default() }
    }

    /// What permissions and policies say together.
    pub(super) fn new(permissions: Permissions, rules: Vec<Arc<Rule>>) -> Self {
        let Permissions { everywhere, collections, server } = permissions;
        let collections = collections.into_iter().map(|(name, actions)| (name.into(), actions));
        let (denying, allowing): (Vec<_>, Vec<_>) =
            rules.into_iter().partition(|rule| rule.effect == Effect::Deny);
        Self {
            everywhere,
            collections: collections.collect(),
            server,
            denying: denying.into(),
            allowing: allowing.into(),
        }
    }

    /// Decides.
    pub(super) fn decide(
        &self,
        action: Action,
        target: &Target<'_>,
        from: IpAddr,
    ) -> Result<(), Denial<'_>> {
        let applies = |rule: &&Arc<Rule>| rule.applies(action, target, from);
        if let Some(rule) = self.denying.iter().find(applies) {
            return Err(Denial { policy: Some(&rule.name) });
        }
        if self.is_granted(action, target) || self.allowing.iter().any(|rule| applies(&rule)) {
            return Ok(());
        }
        Err(Denial { policy: None })
    }

    fn is_granted(&self, action: Action, target: &Target<'_>) -> bool {
        match target {
            Target::Server(_) => self.server.has(action),
            Target::Entries { collection, .. } => {
                self.everywhere.has(action) || self.in_collection(collection).has(action)
            }
        }
    }

    fn in_collection(&self, name: &str) -> Actions {
        let found = self.collections.binary_search_by(|(collection, _)| (**collection).cmp(name));
        found.map_or(Actions::default(), |place| self.collections[place].1)
    }
}
