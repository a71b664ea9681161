//! The guard in force: one writes, all requests look.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;

use super::guard::Guard;

/// Where the guard in force is published.
pub struct Guards(ArcSwap<Guard>);

impl Guards {
    /// Begins with this one.
    #[must_use]
    pub fn new(guard: Guard) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(guard)))
    }

    /// From the next request on another one is in force, also on open connections.
    pub fn publish(&self, guard: Guard) {
        self.0.store(Arc::new(guard));
    }

    pub(super) fn load(&self) -> arc_swap::Guard<Arc<Guard>> {
        self.0.load()
    }
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.load().fmt(f)
    }
}
