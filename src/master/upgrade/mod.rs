//! Replacing the master's own binary in place: same pid, and zygotes, workers, sockets and scoreboard go on. Master only.
//!
//! The old image writes down what it holds (`handover`), has the new binary say that it could go on with that (`asking`),
//! and executes it (`replacing`); the new one makes a master of it again (`resuming`). Descriptors pass through the exec by
//! their numbers. All signals are blocked from before the exec until the new image hears them, so that none is lost and
//! none kills.

pub(super) mod asking;
mod handover;
mod images;
#[cfg(test)]
mod mutants;
mod replacing;
mod resuming;

pub(crate) use images::{Image, first_arguments, own_path, start_directory};
pub(crate) use resuming::{resume, understand};
