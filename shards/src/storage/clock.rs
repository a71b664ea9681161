//! Time as the engine sees it: a parameter, so that tests own it.

#[cfg(any(test, feature = "sim"))]
pub mod sim;

use std::time::Duration;

use futures_util::future::LocalBoxFuture;

/// A clock that never goes back.
pub trait Clock {
    /// Time since some fixed moment.
    fn now(&self) -> Duration;
    /// Ready once that much time has passed.
    fn sleep(&self, time: Duration) -> LocalBoxFuture<'static, ()>;
}
