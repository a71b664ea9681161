//! Rotations under load.
