//! What one principal may do, worked out once.
//!
//! ```text
//!   a policy that denies ──► no
//!   a role ────────────────► yes
//!   a policy that allows ──► yes
//!   the default mode ──────► yes or no
//! ```

use std::net::IpAddr;

use super::action::{Action, Actions, Target};

/// What one principal may do.
#[derive(Debug, Default)]
pub(super) struct Grants {
    /// To the entries of every collection.
    everywhere: Actions,
    /// To those of some collections, by their name, in order.
    collections: Box<[(Box<str>, Actions)]>,
    /// To the server.
    server: Actions,
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

    /// Decides.
    pub(super) fn decide(
        &self,
        action: Action,
        target: &Target<'_>,
        _from: IpAddr,
    ) -> Result<(), Denial<'_>> {
        if self.of(action, target) { Ok(()) } else { Err(Denial { policy: None }) }
    }

    fn of(&self, action: Action, target: &Target<'_>) -> bool {
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
