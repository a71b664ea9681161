//! All of authentication and authorization, as one object that never changes.

use std::{fmt, sync::Arc};

use http::HeaderMap;

use super::{
    grants::Grants,
    principal::{AuthMethod, Principal},
    shown::Shown,
};
use crate::{failure::Failure, grpc::method::Method, net::peer::Peer};

/// Who may come in, and what they may do.
pub struct Guard {
    /// Whoever shows nothing; none where that is not enough.
    nameless: Option<Arc<Principal>>,
    /// Whoever calls what is there for everybody.
    anybody: Arc<Principal>,
}

/// Somebody who was recognised.
pub(super) struct Recognised {
    pub(super) principal: Arc<Principal>,
    /// Unix seconds from which on the credentials are no longer good.
    pub(super) until: Option<i64>,
}

impl Guard {
    /// Asks nobody.
    #[must_use]
    pub fn open() -> Self {
        let anybody = Principal::nameless(AuthMethod::Anonymous, Vec::new(), Grants::default());
        Self { nameless: Some(Arc::new(Principal::unasked())), anybody: Arc::new(anybody) }
    }

    /// Whether nobody is asked.
    pub(super) fn is_open(&self) -> bool {
        self.nameless.as_ref().is_some_and(|nameless| nameless.method == AuthMethod::Unasked)
    }

    /// Whether a method is there for everybody.
    pub(super) fn is_public(&self, _method: Method) -> bool {
        false
    }

    /// Whoever calls what is there for everybody.
    pub(super) fn anybody(&self) -> Arc<Principal> {
        Arc::clone(&self.anybody)
    }

    /// What a request shows of itself: the first of the methods whose credentials are there.
    ///
    /// # Errors
    /// It cannot be told which are meant.
    pub(super) fn shown<'a>(
        &self,
        _headers: &'a HeaderMap,
        _peer: &Peer,
    ) -> Result<Shown<'a>, Failure> {
        Ok(Shown::Nothing)
    }

    /// Who shows this.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`], [`Failure::Expired`], [`Failure::Certificate`].
    pub(super) fn recognise(&self, shown: Shown<'_>, _peer: &Peer) -> Result<Recognised, Failure> {
        match shown {
            Shown::Nothing => {
                let nameless = self.nameless.clone();
                let principal = nameless.ok_or_else(|| Failure::Unauthenticated(String::new()))?;
                Ok(Recognised { principal, until: None })
            }
            _ => Err(Failure::Unauthenticated(String::new())),
        }
    }
}

impl fmt::Debug for Guard {
    /// Without what it knows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}
