//! What a data block keeps for a key: `sequence varint ‖ change`.

use super::block::Broken;
use crate::storage::{
    entry::{ChangeRef, Sequence},
    varint,
};

/// Bytes that it takes.
#[inline]
pub(super) fn length(sequence: Sequence, change: &ChangeRef<'_>) -> usize {
    varint::length(sequence) + change.length()
}

/// Writes it into `out`, which has exactly its length.
#[inline]
pub(super) fn write(sequence: Sequence, change: &ChangeRef<'_>, out: &mut [u8]) {
    change.write(varint::write(sequence, out));
}

/// The sequence, and the bytes of the change.
#[inline]
pub(super) fn split(payload: &[u8]) -> Result<(Sequence, &[u8]), Broken> {
    varint::read(payload).ok_or(Broken)
}

pub(super) fn read(payload: &[u8]) -> Result<(Sequence, ChangeRef<'_>), Broken> {
    let (sequence, change) = split(payload)?;
    Ok((sequence, ChangeRef::read(change).ok_or(Broken)?))
}
