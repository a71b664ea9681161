//! An answer that is here, or that comes from the disk.
//!
//! What memory can tell is told at once, in the same step and without a future; only what has to be read from the disk is
//! waited for.

use std::future::{IntoFuture, Ready, ready};

use futures_util::future::{Either, LocalBoxFuture};

use super::StorageError;

/// An answer that the disk is asked for. It keeps what it needs alive.
pub type Later<T, E = StorageError> = LocalBoxFuture<'static, Result<T, E>>;

/// The answer of a shard. Awaiting it gives the result in both cases.
#[must_use]
pub enum Answer<T, E = StorageError> {
    /// Memory has told it.
    Now(Result<T, E>),
    /// The disk will.
    Later(Later<T, E>),
}

impl<T, E> IntoFuture for Answer<T, E> {
    type Output = Result<T, E>;
    type IntoFuture = Either<Ready<Result<T, E>>, Later<T, E>>;

    fn into_future(self) -> Self::IntoFuture {
        match self {
            Self::Now(result) => Either::Left(ready(result)),
            Self::Later(later) => Either::Right(later),
        }
    }
}
